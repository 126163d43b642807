"""feedparser's entries as drafts."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aggregator.ingest.feedreader import Read
from aggregator.ingest.feedtext import paragraphs, plain_text
from aggregator.ingest.feedurls import absolute, is_web, public_url
from aggregator.models import Draft, Enclosure, Media, Origin, Parsed, Person

Entry = dict[str, Any]

_HTML_TYPES = ("text/html", "application/xhtml+xml")
_DESCRIPTIONS = ("dc_description", "media_description", "itunes_summary")  # where an entry has no better one
_UNPUBLISHED = ("draft", "pending", "private", "future", "trash", "auto-draft")  # WordPress's wp:status
_NOT_POSTS = ("attachment", "nav_menu_item", "revision", "custom_css", "wp_block", "wp_navigation", "wp_global_styles")
_BLOGGER_KIND = "http://schemas.google.com/blogger/2008/kind"
_BLOCK = re.compile(r"<(?:p|div|ul|ol|table|pre|blockquote|h[1-6]|figure)\b", re.IGNORECASE)
_SURPRISES = (ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class _Feed:
    """What a feed says once for all of its entries."""

    url: str
    site: str
    is_atom: bool
    language: str
    rights: str
    authors: tuple[Person, ...]
    origin: Origin

    def bases(self, entry: Entry) -> tuple[str, str, str]:
        """What the links of an entry resolve against, innermost first.

        An Atom document's own URL is its base (RFC 4287 §2); RSS has no rule, and links relative to the site.
        """
        return (_text(entry, "x_base"), "" if self.is_atom else self.site, self.url)


def drafts_of(found: Read, *, url: str, language: str = "") -> Parsed:
    """The drafts of what feedparser saw; an entry that cannot be read costs itself alone, and a warning."""
    feed = _feed(found, url, language)
    drafts, warnings = [], []
    for number, entry in enumerate(found.entries):
        try:
            drafts.append(_draft(entry, feed))
        except _SURPRISES as error:
            warnings.append(f"Entry {number + 1} could not be read ({type(error).__name__}); it was left out.")
        else:
            if number in found.broken:
                warnings.append(f"A part of entry {number + 1} could not be read.")
    hub = _rel(found.feed, "hub", (url,))
    topic = _rel(found.feed, "self", (url,)) if hub else ""
    return Parsed(tuple(drafts), feed.origin.title, feed.site, tuple(warnings), hub=hub, topic=topic)


def _feed(found: Read, url: str, language: str) -> _Feed:
    """What the feed says of itself."""
    data = found.feed
    is_atom = found.version.startswith("atom")
    site = _link(data, (url,))
    own = url if is_web(url) else _rel(data, "self", (site,))
    return _Feed(
        url=url,
        site=site,
        is_atom=is_atom,
        language=_text(data, "language") or language,
        rights=_plain(data, "rights"),
        authors=_authors(data, (site, url)) if is_atom else (),
        origin=Origin(_plain(data, "title"), public_url(own), site),
    )


def _draft(entry: Entry, feed: _Feed) -> Draft:
    """One entry as a draft."""
    bases = feed.bases(entry)
    link = _link(entry, bases)
    content, summary, content_base = _bodies(entry)
    title = _text(entry, "title") or _text(entry, "itunes_title")
    categories, tags = _categories(entry)
    issued = _text(entry, "published") or _text(entry, "created")
    source = _get(entry, "source") or {}
    authors = _authors(entry, bases) or (feed.is_atom and (_authors(source, bases) or feed.authors)) or ()
    return Draft(
        guid=_text(entry, "id") or None,
        link=link or None,
        base_url=next(
            filter(is_web, (content_base and absolute(content_base, *bases), link, feed.site, feed.url)), None
        ),
        title=title or None,
        title_is_plain=feed.is_atom and _get(_get(entry, "title_detail") or {}, "type") == "text/plain",
        content=content,
        summary=summary,
        published=issued or _text(entry, "dc_date") or None,
        updated=_text(entry, "updated") or (_text(entry, "dc_date") if issued else "") or None,
        categories=categories,
        tags=tags,
        authors=authors,
        image=_href(_get(entry, "image"), bases) or None,
        enclosures=_enclosures(entry, bases),
        media=_media(entry, bases),
        language=_text(entry, "language") or _text(entry, "x_lang") or feed.language or None,
        rights=_plain(entry, "rights") or feed.rights or None,
        origin=_origin(source, bases, feed.origin),
        hidden=_text(entry, "wp_status") in _UNPUBLISHED or _text(entry, "wp_post_type") in _NOT_POSTS,
    )


def _get(entry: Entry, key: str) -> Any:
    """A value by feedparser's own name for it; its dictionaries answer to others too, with warnings."""
    return dict.get(entry, key)


def _text(entry: Entry, key: str) -> str:
    """A text without the white space around it; empty where there is none."""
    value = _get(entry, key)
    return value.strip() if isinstance(value, str) else ""


def _plain(entry: Entry, key: str) -> str:
    """A short text that the feed may have given as HTML, as plain text."""
    value = _text(entry, key)
    detail = _get(entry, f"{key}_detail") or {}
    is_plain = _get(detail, "type") == "text/plain" and "<" not in value
    return " ".join(value.split()) if is_plain else plain_text(value)


def _rel(entry: Entry, rel: str, bases: Iterable[str]) -> str:
    """The first link with a relation; among alternates one that is a page."""
    links = [link for link in _get(entry, "links") or () if _get(link, "rel") == rel and _get(link, "href")]
    pages = [link for link in links if _get(link, "type") in _HTML_TYPES]
    for link in (*pages, *links):
        return absolute(_text(link, "href"), _text(link, "xml:base"), *bases)
    return ""


def _link(entry: Entry, bases: Iterable[str]) -> str:
    """Where an entry or a feed can be read: its page, or a permalink GUID that is a web address."""
    original = _text(entry, "feedburner_origlink")  # what FeedBurner's counting link leads to
    if is_web(original):
        return original
    link = _rel(entry, "alternate", bases)
    if link:
        return link
    guid = _text(entry, "id")
    if not _get(entry, "x_permalink") or not is_web(guid):
        guid = ""
    return absolute(_text(entry, "link") or guid, *bases) if _text(entry, "link") or guid else ""


def _href(image: Any, bases: Iterable[str]) -> str:
    """The URL of an image that is a dictionary or a text."""
    href = _text(image, "href") if isinstance(image, dict) else image if isinstance(image, str) else ""
    return absolute(href, *bases) if href else ""


def _bodies(entry: Entry) -> tuple[str | None, str | None, str]:
    """The content and the summary as HTML, and the content's `xml:base`; a lone description is the content."""
    contents = [part for part in _get(entry, "content") or () if _is_text(part) and _text(part, "value")]
    best = max(contents, key=lambda part: (_get(part, "type") in _HTML_TYPES, len(part["value"])), default=None)
    descriptions = (_get(entry, f"{key}_detail") or {} for key in ("summary", *_DESCRIPTIONS))
    description = next((part for part in descriptions if _is_text(part) and _text(part, "value")), None)
    if best is None:
        excerpt = _text(entry, "excerpt_encoded")
        if description is None:
            return excerpt or None, None, ""
        return _html(description), None, _text(description, "base")
    written = {_text(part, "value") for part in contents}
    summary = _html(description) if description and _text(description, "value") not in written else ""
    content = _html(best)
    if _get(entry, "wp_post_type") and not _BLOCK.search(content):
        content = _wordpress(content)
    return content, summary or _text(entry, "excerpt_encoded") or None, _text(best, "base")


def _is_text(part: Entry) -> bool:
    """Whether a content is text that a page can show: not a picture, nor XML of another kind."""
    return _get(part, "type") in _HTML_TYPES or str(_get(part, "type") or "text/").startswith("text/")


def _html(part: Entry) -> str:
    """A content as HTML, whether it was that or plain text."""
    value = _text(part, "value")
    return value if _get(part, "type") in _HTML_TYPES else paragraphs(value)


def _wordpress(content: str) -> str:
    """A post out of a WordPress export, where a blank line is a paragraph (its `wpautop`)."""
    parts = re.split(r"\n\s*\n", content.replace("\r\n", "\n"))
    return "\n".join(f"<p>{part.strip().replace(chr(10), '<br>' + chr(10))}</p>" for part in parts if part.strip())


def _authors(entry: Entry, bases: Iterable[str]) -> tuple[Person, ...]:
    """Everybody who is named as an author, once."""
    found: dict[tuple[str, str], Person] = {}
    for author in _get(entry, "authors") or ():
        name, email, href = (_text(author, key) for key in ("name", "email", "href"))
        url = absolute(href, *bases) if href else ""
        person = Person(plain_text(name), html.unescape(email), url if is_web(url) else "")
        if person != Person():
            key = (person.name.casefold(), "") if person.name else ("", person.email)
            known = found.get(key, person)
            found[key] = Person(person.name, known.email or person.email, known.url or person.url)
    return tuple(found.values())


def _categories(entry: Entry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The categories, and the tags that are not: an export's `post_tag`, and the keywords of iTunes and Media RSS."""
    categories, tags = [], list(_get(entry, "x_keywords") or ())
    for tag in _get(entry, "tags") or ():
        name = _text(tag, "term") or _text(tag, "label")
        scheme = _get(tag, "scheme")
        if scheme == "post_tag":
            tags.append(name)
        elif name and scheme not in ("post_format", "nav_menu", _BLOGGER_KIND):
            categories.append(name)
    return tuple(dict.fromkeys(categories)), tuple(dict.fromkeys(filter(None, tags)))


def _enclosures(entry: Entry, bases: Iterable[str]) -> tuple[Enclosure, ...]:
    """The files that belong to the entry, each once."""
    found: dict[str, Enclosure] = {}
    for link in _get(entry, "links") or ():
        if _get(link, "rel") == "enclosure" and _text(link, "href"):
            url = absolute(_text(link, "href"), *bases)
            given = Enclosure(url, _text(link, "type"), number(_get(link, "length")), _text(link, "title"))
            found.setdefault(url, given)
    return tuple(found.values())


def _media(entry: Entry, bases: Iterable[str]) -> tuple[Media, ...]:
    """What Media RSS adds, in and out of groups."""
    found: dict[tuple[str, str], Media] = {}
    for kind in ("content", "thumbnail"):
        for item in _get(entry, f"media_{kind}") or ():
            if url := _text(item, "url"):
                media = Media(
                    absolute(url, *bases),
                    kind,
                    _text(item, "type"),
                    _text(item, "medium"),
                    number(_get(item, "width")),
                    number(_get(item, "height")),
                )
                found.setdefault((kind, media.url), media)
    return tuple(found.values())


def number(value: Any) -> int | None:
    """A positive whole number as feeds write them (`1,234`, `640px`, ` 12 `); None for anything else."""
    digits = re.match(r"\s*(\d[\d,]{0,17})(?:\.\d*)?\s*(?:px|bytes)?\s*$", str(value))
    return (int(digits[1].replace(",", "")) or None) if digits else None


def _origin(source: Entry, bases: Iterable[str], feed: Origin) -> Origin:
    """The feed that the entry names as its source (a planet's does), else the one that it was found in."""
    title = _plain(source, "title")
    href = _text(source, "href") or _rel(source, "self", ())
    url = public_url(absolute(href, *bases)) if href else ""
    if not title and not url:
        return feed
    return Origin(title, url, _rel(source, "alternate", bases) or _text(source, "link"))
