"""A web feed as drafts: RSS in all its versions, Atom, CDF and JSON Feed, as well formed as they may be."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import blake2b

import feedparser

from aggregator.errors import ParseError
from aggregator.ingest.entryscope import MAX_ELEMENTS
from aggregator.ingest.feeddraft import drafts_of
from aggregator.ingest.feedhints import REACH, feed_hints
from aggregator.ingest.feedreader import Read, read, read_strictly
from aggregator.ingest.feedtext import decode, without_doctype
from aggregator.ingest.feedurls import public_url
from aggregator.ingest.items import Split, crowded, cut, newest_drafts
from aggregator.ingest.sniff import FEED_ROOTS, binary_kind, describe, feed_links, is_html, root_of
from aggregator.models import Draft, Parsed, Seen

_DECLARATION = re.compile(r"<\?xml\s[^>]*>", re.IGNORECASE)
_FEED_START = re.compile(r"<\?xml\s|<(?:rss|feed|rdf:rdf|atom:feed)[\s>]", re.IGNORECASE)
_ITEM = re.compile(r"<([A-Za-z][\w.-]*):(?:item|entry)[\s>]")
_CONTEXT_VERSION = 1  # another one where the same bytes give other drafts now: nothing counts as seen then
# Expat writes a namespace out again for every element in it: 1 MB of it times 50,000 elements is more than any memory.
_LONG_NAMESPACE = re.compile(r"""xmlns(?::[\w.-]{1,100})?\s{0,20}=\s{0,20}(?:"[^"<]{501}|'[^'<]{501})""")
_JUNK = 65_536  # characters of error messages and the like that may stand before a feed


def parse_feed(
    body: bytes, *, url: str, content_type: str = "", language: str = "", max_items: int = 500, seen: Seen | None = None
) -> Parsed:
    """The drafts that the bytes of a feed hold, in document order, and what had to be guessed to get at them.

    `url` is where the body came from, after redirects: relative links resolve against it. `content_type` is the
    server's header, of which only the charset is believed. `language` is the source's, where the feed names none.
    Of more than `max_items` items the newest are read. Items that `seen` knows are not read again: their drafts hold
    `guid`, `link` and `title` alone, and stand in the answer's `seen`; all others are as without it.
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

        return parse_jsonfeed(body, url=url, max_items=max_items)
    text, junk = _from_its_start(text)
    if is_html(text):
        raise ParseError(describe(body, text, url), feeds=feed_links(text, url))
    if _LONG_NAMESPACE.search(text):
        raise ParseError("a document with a namespace of more than 500 characters, made to exhaust whoever reads it")
    data = without_doctype(text).encode("utf-8", "replace")
    data, parts, many = cut(data, max_items)
    crowd = crowded(many, max_items) if many else ""
    around = parts.surroundings(REACH).decode(errors="replace") if parts else text
    if parts and parts.elements > MAX_ELEMENTS:
        parts = None  # not all of it is read, and how much depends on what is left out
    parsed = _shortcut(parts, seen, url, language) if parts and seen and seen.context else None
    if parsed is None:
        found = _read(data, text)
        if not found.entries and not found.version and root_of(text) not in FEED_ROOTS - {"rdf"}:
            raise ParseError(describe(body, text, url))
        parsed = _drafted(found, parts, url, language)
        if len(parsed.drafts) > max_items:  # items within items, or with unusual names
            crowd = crowd or crowded(len(parsed.drafts), max_items)
            parsed = replace(parsed, drafts=newest_drafts(parsed.drafts, max_items), context="", items=())
    warnings = (warning, junk, crowd, *parsed.warnings)
    return replace(parsed, warnings=tuple(filter(None, warnings)), hints=feed_hints(around))


def _read(data: bytes, text: str) -> Read:
    """What feedparser sees in a document."""
    found = read(data)
    prefix = "" if found.entries else _undeclared_prefix(text)
    return read(re.sub(rf"(</?){re.escape(prefix)}:".encode(), rb"\1", data)) if prefix else found


def _drafted(found: Read, parts: Split | None, url: str, language: str) -> Parsed:
    """The drafts of a document, and what it takes to know its items again, where they can be told apart."""
    parsed = drafts_of(found, url=url, language=language)
    if found.warning:
        parsed = replace(parsed, warnings=(found.warning, *parsed.warnings))
    counts = {len(parts.spans) if parts else 0, len(found.entries), len(parsed.drafts)}
    if parts is None or not found.context or found.broken or len(counts) > 1:
        return parsed
    hashes = (
        known if draft.guid or draft.link else ""  # an item without either is known by its content
        for known, draft in zip(parts.hashes(), parsed.drafts, strict=True)
    )
    return replace(parsed, items=tuple(hashes), context=_context(found, parts, url, language))


def _context(found: Read, parts: Split, url: str, language: str) -> str:
    """The hash of all that an item's draft depends on but the item.

    That is what the reader knew before it; the names and the base that hold there; and what an entry has from the feed:
    the draft of one that says nothing shows it.
    """
    (blank,) = drafts_of(replace(found, entries=[{}]), url=url, language=language).drafts
    said = repr((_CONTEXT_VERSION, feedparser.__version__, url, language, parts.around, found.context, blank))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _shortcut(parts: Split, seen: Seen, url: str, language: str) -> Parsed | None:
    """The drafts of a document of which only the items that nobody has seen are read; None where it has to be read whole.

    One item at least is read, so that what stands around the items is known.
    """
    hashes = parts.hashes()
    known = {number: item for number, key in enumerate(hashes) if (item := seen.items.get(key))}
    if len(known) == len(hashes):
        del known[min(known, key=lambda number: parts.spans[number][1] - parts.spans[number][0])]
    if not known:
        return None
    fresh = [number for number in range(len(hashes)) if number not in known]
    rest = parts.only(fresh)
    found = read_strictly(rest.data)
    parsed = _drafted(found, rest, url, language) if found else None
    if parsed is None or parsed.context != seen.context:
        return None
    read_now = dict(zip(fresh, zip(parsed.drafts, parsed.items, strict=True), strict=True))
    stubs = {n: (Draft(guid=item.guid, link=item.link, title=item.title), hashes[n]) for n, item in known.items()}
    drafts, items = zip(*(read_now.get(number) or stubs[number] for number in range(len(hashes))), strict=True)
    return replace(parsed, drafts=drafts, items=items, seen=known)


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
