"""A web feed as drafts: RSS in all its versions, Atom, CDF and JSON Feed, as well formed as they may be."""

from __future__ import annotations

import re

from aggregator.errors import ParseError
from aggregator.ingest.feeddraft import drafts_of
from aggregator.ingest.feedreader import read
from aggregator.ingest.feedtext import decode, without_doctype
from aggregator.ingest.feedurls import public_url
from aggregator.ingest.sniff import FEED_ROOTS, binary_kind, describe, is_html, root_of
from aggregator.models import Parsed

_DECLARATION = re.compile(r"<\?xml\s[^>]*>", re.IGNORECASE)
_FEED_START = re.compile(r"<\?xml\s|<(?:rss|feed|rdf:rdf|atom:feed)[\s>]", re.IGNORECASE)
_ITEM = re.compile(r"<([A-Za-z][\w.-]*):(?:item|entry)[\s>]")
_JUNK = 65_536  # characters of error messages and the like that may stand before a feed


def parse_feed(body: bytes, *, url: str, content_type: str = "", language: str = "") -> Parsed:
    """The drafts that the bytes of a feed hold, in document order, and what had to be guessed to get at them.

    `url` is where the body came from, after redirects: relative links resolve against it. `content_type` is the
    server's header, of which only the charset is believed. `language` is the source's, where the feed names none.
    Nothing is fetched, and no entity of the document's own is expanded. Raises ParseError, which says what the body
    looks like, where it is no feed; a feed without items is one.
    """
    url = public_url(url)
    kind = binary_kind(body)
    if kind:
        raise ParseError(f"{kind}, not a feed")
    text, warning = decode(body, content_type, language)
    if text.lstrip("\ufeff \t\r\n\0")[:1] in ("{", "["):
        from aggregator.ingest.jsonfeed import parse_jsonfeed  # noqa: PLC0415  a feed is seldom JSON

        return parse_jsonfeed(body, url=url)
    text, junk = _from_its_start(text)
    if is_html(text):
        raise ParseError(describe(body, text, url))
    found = read(without_doctype(text))
    prefix = "" if found.entries else _undeclared_prefix(text)
    if prefix:
        found = read(without_doctype(re.sub(rf"(</?){re.escape(prefix)}:", r"\1", text)))
    if not found.entries and not found.version and root_of(text) not in FEED_ROOTS - {"rdf"}:
        raise ParseError(describe(body, text, url))
    parsed = drafts_of(found, url=url, language=language)
    warnings = (warning, junk, found.warning, *parsed.warnings)
    return Parsed(parsed.drafts, parsed.title, parsed.link, tuple(filter(None, warnings)))


def _undeclared_prefix(text: str) -> str:
    """The prefix of the items, where nobody declared it: it names nothing, and feedparser sees no items then."""
    item = _ITEM.search(text)
    return item[1] if item and f"xmlns:{item[1]}" not in text else ""


def _from_its_start(text: str) -> tuple[str, str]:
    """The document from its first tag on, without its XML declaration, and a warning if something stood before."""
    text = text.lstrip("\ufeff \t\r\n\0")
    warning = ""
    start = _FEED_START.search(text, 0, _JUNK)
    if start and start.start() and not is_html(text) and (start[0][1] == "?" or root_of(text) not in FEED_ROOTS):
        text = text[start.start() :]
        warning = "Something stands before the start of the feed; it was ignored."
    declaration = _DECLARATION.match(text)
    return (text[declaration.end() :].lstrip() if declaration else text), warning
