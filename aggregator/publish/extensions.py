"""What feedgen leaves out of RSS and Atom, added through its public extension API.

feedgen 1.0.0 drops `rel`, `type`, `length` and `title` from every link of an Atom entry, so that enclosures come out
as bare links; it writes one enclosure and one flat `source`; an RSS author needs an e-mail; its RSS dates call
`locale.setlocale` each time; `lastBuildDate` cannot be left out; an RSS channel gets no `atom:link` but `self`; and it
marks no text as HTML. Each class here holds one feed or post and writes those parts into the element that feedgen made.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

from feedgen.ext.base import BaseEntryExtension, BaseExtension
from lxml import etree

from aggregator.models import Enclosure, Post
from aggregator.publish.facts import media_of, name_of, source_of, timestamp, type_of
from aggregator.publish.text import is_ambiguous, uri

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
MEDIA = "http://search.yahoo.com/mrss/"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Elements of plain text. The RSS Best Practices Profile wants `&` and `<` in them as hexadecimal references, which
# feed readers that decode twice leave alone; lxml cannot write them, so they are put in afterwards. Within these
# elements a raw `<` cannot stand, so that the expression cannot run into markup.
_PLAIN = re.compile(
    rb"(<(?:title|name|rights|category|source|dc:creator|dc:rights|dc:source)(?: [^>]*)?>)([^<]*&[^<]*)(?=</)"
)


def rfc822(moment: datetime) -> str:
    """RFC 822 with four-digit years and a numeric zone, always in English, without touching the process's locale."""
    utc = moment.astimezone(UTC)
    return (
        f"{_DAYS[utc.weekday()]}, {utc.day:02d} {_MONTHS[utc.month - 1]} {utc.year:04d}"
        f" {utc.hour:02d}:{utc.minute:02d}:{utc.second:02d} +0000"
    )


def rss_text(text: str) -> str:
    """Plain text for an RSS element: escaped once more where readers, who take it for HTML, would read something else.

    RSS does not say whether a title is text or HTML. `R&D` reads the same either way; `the <b> tag` does not.
    """
    return html.escape(text, quote=False) if is_ambiguous(text) else text


def with_character_references(body: bytes) -> bytes:
    """The document with `&` and `<` in its plain-text elements as hexadecimal character references."""
    return _PLAIN.sub(lambda m: m[1] + m[2].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"), body)


class RssFeed(BaseExtension):  # type: ignore[misc]  # feedgen ships no types
    """The channel: namespaces, its hub, and no `lastBuildDate` in a feed without posts, where feedgen would say now."""

    def __init__(self) -> None:
        self.is_empty = False
        self.hub = ""

    def extend_ns(self) -> dict[str, str]:
        """The namespaces of what the items add."""
        return {"dc": DC, "media": MEDIA}

    def extend_rss(self, feed: etree._Element) -> etree._Element:
        """The channel, finished."""
        channel = feed[0]
        built = channel.find("lastBuildDate")
        if self.is_empty and built is not None:
            channel.remove(built)
        if self.hub:
            own = channel.find(f"{{{ATOM}}}link")
            assert own is not None  # feedgen has written `self`
            own.addnext(etree.Element(f"{{{ATOM}}}link", {"href": self.hub, "rel": "hub"}))
        return feed


class RssEntry(BaseEntryExtension):  # type: ignore[misc]
    """An item: dates, every author, rights, language, and the media and files that do not fit into `enclosure`."""

    def __init__(self) -> None:
        self.post: Post | None = None
        self.language = ""  # where it differs from the feed's

    def extend_rss(self, entry: etree._Element) -> etree._Element:
        """The item, finished."""
        post = self.post
        assert post is not None
        _sub(entry, "pubDate", rfc822(post.published))
        if post.updated is not None:
            _sub(entry, f"{{{ATOM}}}updated", timestamp(post.updated))
        for person in post.authors:
            if name := name_of(person):
                _sub(entry, f"{{{DC}}}creator", rss_text(name))
        if post.rights.strip():
            _sub(entry, f"{{{DC}}}rights", rss_text(post.rights))
        if self.language:
            _sub(entry, f"{{{DC}}}language", self.language)
        source = source_of(post)
        if source is not None and not source.url:  # RSS's own needs the feed's URL
            _sub(entry, f"{{{DC}}}source", rss_text(source.title))
        _add_media(entry, post, post.enclosures[1:])
        return entry


class AtomFeed(BaseExtension):  # type: ignore[misc]
    """The feed element: the namespace of what the entries add, and its texts marked as HTML where they must be."""

    def extend_ns(self) -> dict[str, str]:
        """The namespaces of what the entries add."""
        return {"media": MEDIA}

    def extend_atom(self, feed: etree._Element) -> etree._Element:
        """The feed element, finished; feedgen has not added the entries yet."""
        for tag in ("title", "subtitle"):
            _mark_html(feed, tag)
        return feed


class AtomEntry(BaseEntryExtension):  # type: ignore[misc]
    """An entry: whole enclosure links, media, the source's metadata, its language."""

    def __init__(self) -> None:
        self.post: Post | None = None
        self.language = ""

    def extend_atom(self, entry: etree._Element) -> etree._Element:
        """The entry, finished."""
        post = self.post
        assert post is not None
        if self.language:
            entry.set(XML_LANG, self.language)
        if "<" in post.title or "&" in post.title or not post.title:  # `find` costs more than all the rest
            _mark_html(entry, "title")
        if "<" in post.rights or "&" in post.rights:
            _mark_html(entry, "rights")
        for enclosure in post.enclosures:
            attributes = {"rel": "enclosure", "href": uri(enclosure.url), "type": type_of(enclosure)}
            if enclosure.length is not None and enclosure.length >= 0:
                attributes["length"] = str(enclosure.length)
            if enclosure.title.strip():
                attributes["title"] = enclosure.title
            etree.SubElement(entry, "link", attributes)
        _add_media(entry, post, ())
        _add_source(entry, post)
        return entry


def _sub(parent: etree._Element, tag: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, tag)
    element.text = text
    return element


def _mark_html(parent: etree._Element, tag: str) -> None:
    """A text construct that a careless reader could take for HTML says what it is (RFC 4287 §3.1.1.2)."""
    element = parent.find(tag)
    if element is not None and element.text and is_ambiguous(element.text):
        element.set("type", "html")
        element.text = html.escape(element.text, quote=False)


def _add_media(entry: etree._Element, post: Post, files: tuple[Enclosure, ...]) -> None:
    """Media RSS for the post's media, and for files that the format has no element for."""
    if not post.media and not files:  # most posts: a lead image at most
        if post.image:
            etree.SubElement(entry, f"{{{MEDIA}}}thumbnail", {"url": uri(post.image)})
        return
    others = {uri(file.url): file for file in files}
    elements = media_of(post)
    listed = {attributes["url"] for kind, attributes in elements if kind == "content"}
    elements += [("content", {"url": url, "type": type_of(file)}) for url, file in others.items() if url not in listed]
    for kind, attributes in elements:
        file = others.get(attributes["url"]) if kind == "content" else None
        if file is not None and file.length:
            attributes["fileSize"] = str(file.length)
        element = etree.SubElement(entry, f"{{{MEDIA}}}{kind}", attributes)
        if file is not None and file.title.strip():
            _sub(element, f"{{{MEDIA}}}title", file.title).set("type", "plain")


def _add_source(entry: etree._Element, post: Post) -> None:
    """`atom:source` (RFC 4287 §4.2.11), which wants an id, a title and a time.

    We do not know when the origin was last updated, only that it was not before this post was.
    """
    source = source_of(post)
    if source is None:
        return
    element = etree.SubElement(entry, "source")
    _sub(element, "id", source.url or source.link or f"tag:{post.source},2000:{post.source}")
    _sub(element, "title", source.title)
    _mark_html(element, "title")
    _sub(element, "updated", timestamp(post.changed))
    if source.url:
        etree.SubElement(element, "link", {"rel": "self", "href": source.url})
    if source.link:
        etree.SubElement(element, "link", {"rel": "alternate", "href": source.link})
