"""A JSON Feed as drafts (https://www.jsonfeed.org/version/1.1/, and 1.0)."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from typing import Any

from aggregator.errors import ParseError
from aggregator.ingest.feedtext import decode, paragraphs
from aggregator.ingest.feedurls import absolute, is_web, public_url
from aggregator.ingest.items import crowded, crude_date, newest
from aggregator.models import Draft, Enclosure, Origin, Parsed, Person


def parse_jsonfeed(body: bytes, *, url: str, max_items: int = 500) -> Parsed:
    """The drafts that the bytes of a JSON Feed hold; raises ParseError where they are no JSON, or JSON of another kind.

    A field of the wrong type counts as missing, an item that is no object is left out; both with a warning.
    Of more than `max_items` items the newest are read.
    """
    url = public_url(url)
    feed = _feed(body)
    warnings = _Warnings()
    home = absolute(_text(feed, "home_page_url"), url)
    own = url if is_web(url) else _text(feed, "feed_url")
    origin = Origin(_text(feed, "title"), public_url(own), home)
    if "jsonfeed.org" not in str(feed.get("version", "")):
        warnings.add("The document does not say which version of JSON Feed it is in.")
    items: list[Any] = feed["items"]
    kept: Sequence[int] = range(len(items))
    if len(items) > max_items:
        warnings.add(crowded(len(items), max_items))
        kept = newest([_date(item) for item in items], max_items)
    drafts = []
    for number in kept:
        item = items[number]
        warnings.where = f"Item {number + 1}"
        if isinstance(item, dict):
            drafts.append(_draft(item, feed, origin, home or url, warnings))
        else:
            warnings.add("is no object; it was left out.")
    topic = absolute(_text(feed, "feed_url"), url)
    return Parsed(tuple(drafts), origin.title, home, tuple(warnings.found), hub=_hub(feed, url), topic=topic)


def _hub(feed: dict[str, Any], url: str) -> str:
    """The first WebSub hub of `hubs`; other protocols for the same (`rssCloud`) have types of their own."""
    for hub in _list(feed, "hubs"):
        if isinstance(hub, dict) and _text(hub, "type").lower() == "websub" and _text(hub, "url"):
            return absolute(_text(hub, "url"), url)
    return ""


def _date(item: Any) -> int | None:
    """When an item says it was published, else changed, in seconds since 1970; crudely."""
    if not isinstance(item, dict):
        return None
    dates = (crude_date(_text(item, key)) for key in ("date_published", "date_modified"))
    return next((date for date in dates if date is not None), None)


class _Warnings:
    """What was found wrong, and which item is being read."""

    def __init__(self) -> None:
        self.where = ""
        self.found: list[str] = []

    def add(self, what: str) -> None:
        """Remember a fault of the current item, or of the feed before the first."""
        self.found.append(f"{self.where} {what}".strip())


def _feed(body: bytes) -> dict[str, Any]:
    """The object that the bytes hold, with a list of items."""
    text = decode(body)[0].lstrip("\ufeff\0")
    try:
        # Numbers stay as they are written: an id may be one, and 1.10 is not 1.1.
        feed = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise ParseError(f"broken JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}") from error
    except RecursionError:
        raise ParseError("JSON that is nested too deeply to be a feed") from None
    if not isinstance(feed, dict):
        raise ParseError(f"JSON, but not a JSON Feed: {_kind(feed)}")
    items, says_so = feed.get("items"), "jsonfeed.org" in str(feed.get("version", ""))
    if isinstance(items, list) and (says_so or any(_looks_like_an_item(item) for item in items)):
        return feed
    if says_so:
        raise ParseError("a JSON Feed without a list of items")
    keys = ", ".join(str(key)[:40] for key in list(feed)[:6])
    raise ParseError(f"JSON, but not a JSON Feed: an object with {f'the keys {keys}' if keys else 'nothing in it'}")


def _looks_like_an_item(item: Any) -> bool:
    return isinstance(item, dict) and ("content_html" in item or "content_text" in item)


def _kind(value: Any) -> str:
    """What a value is, in JSON's words."""
    return {list: "a list", str: "a text or a number", bool: "true or false"}.get(type(value), "null")


def _draft(item: dict[str, Any], feed: dict[str, Any], origin: Origin, home: str, warnings: _Warnings) -> Draft:
    """One item as a draft."""
    for key in _WRONG.keys() & item.keys():
        if item[key] is not None and not isinstance(item[key], _WRONG[key]):
            warnings.add(f"has a wrong `{key}`; it was ignored.")
    link = _text(item, "url") or _text(item, "external_url")
    link = absolute(link, home) if link else ""
    summary = _text(item, "summary")
    content = _text(item, "content_html") or paragraphs(_text(item, "content_text"))
    as_html = paragraphs(summary)
    image = _text(item, "image") or _text(item, "banner_image")
    return Draft(
        guid=_text(item, "id") or None,
        link=link or None,
        base_url=next(filter(is_web, (link, home)), None),
        title=_text(item, "title") or None,
        title_is_plain=True,
        content=content or as_html or None,
        summary=as_html
        if content and summary not in (_text(item, "content_text"), html.unescape(content)) and as_html
        else None,
        published=_text(item, "date_published") or None,
        updated=_text(item, "date_modified") or None,
        categories=tuple(
            dict.fromkeys(tag.strip() for tag in _list(item, "tags") if isinstance(tag, str) and tag.strip())
        ),
        authors=tuple(_authors(item)) or tuple(_authors(feed)),
        image=absolute(image, home) if image else None,
        enclosures=tuple(_enclosures(item, home)),
        language=_text(item, "language") or _text(feed, "language") or None,
        origin=origin,
    )


_WRONG: dict[str, type] = {
    **dict.fromkeys(("id", "url", "external_url", "title", "content_html", "content_text", "summary", "image"), str),
    **dict.fromkeys(("banner_image", "date_published", "date_modified", "language"), str),
    **dict.fromkeys(("authors", "tags", "attachments"), list),
    "author": dict,
}


def _text(data: dict[str, Any], key: str) -> str:
    """A text, or a number as it is written; empty where there is something else."""
    value = data.get(key)
    return value.strip() if isinstance(value, str) else ""


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _authors(data: dict[str, Any]) -> Iterator[Person]:
    """Everybody in `authors` (1.1), or the one in `author` (1.0)."""
    for author in _list(data, "authors") or [data.get("author")]:
        if isinstance(author, dict):
            url = _text(author, "url")
            email = url[7:] if url.startswith("mailto:") else ""
            person = Person(_text(author, "name"), email, url if is_web(url) else "")
            if person != Person():
                yield person


def _enclosures(item: dict[str, Any], base: str) -> Iterator[Enclosure]:
    """The attachments that have a URL."""
    for attachment in _list(item, "attachments"):
        if isinstance(attachment, dict) and (url := _text(attachment, "url")):
            size = _text(attachment, "size_in_bytes").partition(".")[0]
            length = int(size) if size.isdecimal() and len(size) < 19 else None
            yield Enclosure(
                absolute(url, base), _text(attachment, "mime_type"), length or None, _text(attachment, "title")
            )
