"""The bytes of a web page as a tree of bounded size, whatever they are.

lxml alone stops reading at depth 256 and takes minutes for one tag of 200,000 attributes (libxml2 2.14); what it leaves
can be large and deep enough to make any selector slow. So its parser only says what it sees, and the tree is built here:
about 5 µs an element, 0.1 s for a page of 20,000.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from lxml import etree
from lxml.html import HtmlElement, html_parser

from aggregator.errors import ParseError
from aggregator.ingest.feedtext import codec_named, decode
from aggregator.ingest.feedurls import absolute
from aggregator.ingest.sniff import FEED_ROOTS, binary_kind, describe, is_html, root_of

MAX_ELEMENTS = 30_000  # a long article of Wikipedia has 20,000
MAX_DEPTH = 100  # what lies deeper keeps its text, and loses its tags
MAX_CHILDREN = 2_000  # of one element: counting siblings takes the square of them
_MAX_ATTRIBUTES = 64
_SEEN = 10 * MAX_ELEMENTS  # with those that are left out
_NESTED = 400  # a page that nests deeper is none; each stray end tag would be compared with all that is open

_NAME = re.compile(r"[a-z_][a-z0-9_.-]*\Z")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_META = re.compile(rb"""<meta\b[^>]{0,500}?\bcharset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_HEAD = 4096  # bytes in which the encoding has to be declared are 1024 (HTML §4.2.5.4); people need more
_SILENT = frozenset({"script", "style", "template", "noscript", "head"})  # what a person does not read

# Where scripts that load images late keep the real URL, as `images/rewrite.py` has them for posts.
_LAZY = (
    *("data-src", "data-original", "data-original-src", "data-lazy-src", "data-actualsrc", "data-lazy", "data-url"),
    *("data-real-src", "data-echo", "data-croporisrc", "data-backsrc", "data-orig-file", "data-image", "file"),
)
_SRCSETS = ("data-srcset", "data-lazy-srcset", "srcset")
_STYLE_URL = re.compile(r"url\(\s*[\"']?([^\s\"')]+)")


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its tree, what relative URLs in it resolve against, its title, and what was left out of it."""

    root: HtmlElement
    base: str
    title: str
    elements: int
    warnings: tuple[str, ...] = ()


def read_page(body: bytes, *, url: str, content_type: str = "", language: str = "") -> Page:
    """The page that the bytes hold; raises ParseError, which says what they look like, where they are none."""
    kind = binary_kind(body)
    if kind:
        raise ParseError(f"{kind}, not a web page")
    text, warning = decode(body, _with_meta(content_type, body), language)
    text = text.lstrip("\ufeff \t\r\n\0")
    root = root_of(text)
    if not is_html(text):
        if root in FEED_ROOTS:
            raise ParseError("a web feed, not a web page; `type: feed` reads it")
        if text[:1] in ("{", "["):
            raise ParseError("JSON, not a web page; `type: json` reads it")
        if not root:
            raise ParseError(re.sub(r"\b(?:not a|no) feed\b", "not a web page", describe(body, text, url), count=1))
    builder = _parsed(text)
    tree = builder.finished()
    if tree is None:
        raise ParseError("a web page with nothing in it")
    href = next((element.get("href") for element in tree.iter("base") if element.get("href")), None) or ""
    title = next((text_of(element) for element in tree.iter("title")), "")
    warnings = tuple(filter(None, (warning, *builder.warnings())))
    return Page(tree, absolute(href, url) if href else url, title, builder.kept, warnings)


def text_of(element: etree._Element, longest: int = 2_000) -> str:
    """What a person would read of an element, in one line; no more of it than anybody would."""
    parts: list[str] = []
    length = 0
    skipped = 0
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        silent = inner is not element and inner.tag in _SILENT
        if event == "start":
            skipped += silent
            text = inner.text if not skipped else None
        else:
            skipped -= silent
            text = inner.tail if not skipped and inner is not element else None
        if text:
            parts.append(text)
            length += len(text)
            if length > 4 * longest:  # white space goes yet
                break
    return " ".join("".join(parts).split())[:longest]


def image_sources(element: etree._Element) -> list[str]:
    """What may be the URL of the image that an element shows, the likeliest first."""
    lazy = [element.get(name) or "" for name in _LAZY]
    late, late_too, srcset = (widest(element.get(name) or "") for name in _SRCSETS)
    style = _STYLE_URL.search(element.get("style") or "")
    link = element.get("href") or "" if element.tag in ("a", "link") else ""
    given = (element.get("src") or "", srcset, element.get("poster") or "", element.get("content") or "")
    return [found for found in (*lazy, late, late_too, *given, style[1] if style else "", link) if found]


def widest(srcset: str) -> str:
    """The candidate of a srcset that is the largest; commas within URLs have no space after them."""
    best, size = "", -1.0
    for candidate in re.split(r",\s+|,(?=https?:|/)", srcset[:20_000]):
        url, _, descriptor = candidate.strip().rstrip(",").partition(" ")
        number = re.match(r"\s*(\d{1,6}(?:\.\d{1,3})?)[wx]", descriptor)
        if url and (wide := float(number[1]) if number else 1.0) > size:
            best, size = url, wide
    return best


def _with_meta(content_type: str, body: bytes) -> str:
    """The content type with the charset that the page itself declares, where HTTP names none, or its default."""
    said = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    meta = _META.search(body[:_HEAD])
    if meta is None or (said and codec_named(said[1]) not in (None, "cp1252")):
        return content_type
    return f"text/html; charset={meta[1].decode('ascii', 'replace')}"


def _parsed(text: str) -> _Builder:
    builder = _Builder()
    parser = etree.HTMLParser(target=cast("Any", builder), recover=True, no_network=True, encoding="utf-8")
    try:
        for start in range(0, len(text), 65_536):
            parser.feed(text[start : start + 65_536].encode("utf-8", "replace"))
        parser.close()
    except _EnoughError:
        pass
    except etree.XMLSyntaxError:  # nothing in it, or nothing but comments
        pass
    return builder


class _EnoughError(Exception):
    """The page is larger or deeper than what is read of one."""


class _Builder:
    """What lxml's parser tells, as a tree within the limits."""

    def __init__(self) -> None:
        self.kept = 0
        self._tree = etree.TreeBuilder(element_factory=html_parser.makeelement)
        self._open: list[_Open] = []
        self._depth = 0  # of elements that are kept
        self._seen = 0
        self._lost = {"long": False, "wide": False, "deep": False, "torn": False}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._seen += 1
        if len(self._open) >= _NESTED or self.kept >= MAX_ELEMENTS or self._seen > _SEEN:
            self._lost["torn" if len(self._open) >= _NESTED else "long"] = True
            raise _EnoughError
        parent = self._open[-1] if self._open else None
        if parent is not None:
            parent.children += 1
        deep = self._depth >= MAX_DEPTH
        wide = parent is not None and (parent.lost or parent.children > MAX_CHILDREN)
        self._lost["deep"] |= deep
        self._lost["wide"] |= wide
        kept = not deep and not wide and _NAME.match(tag) is not None
        self._open.append(_Open(tag, kept, wide))
        if kept:
            self.kept += 1
            self._depth += 1
            some = list(attributes.items())[:_MAX_ATTRIBUTES]
            self._tree.start(tag, {name: _clean(value) for name, value in some if _NAME.match(name)})

    def end(self, _tag: str) -> None:
        """An element ends: the one that began last, because the parser closes what was left open."""
        if self._open:
            ended = self._open.pop()
            if ended.kept:
                self._depth -= 1
                self._tree.end(ended.tag)

    def data(self, text: str) -> None:
        """Text; that of an element that was left out for its siblings' number goes with it."""
        if self._depth and not self._open[-1].lost:
            self._tree.data(_clean(text))

    def comment(self, _text: str) -> None:
        """A comment, which nobody reads."""

    def close(self) -> None:
        """The page ends; `finished` has what came of it."""

    def finished(self) -> HtmlElement | None:
        """The tree, closed where it is still open; None where there was no element."""
        if not self.kept:
            return None
        while self._open:
            self.end("")
        return self._tree.close()

    def warnings(self) -> list[str]:
        """What was left out."""
        return [
            text
            for lost, text in (
                ("long", f"The page has more than {MAX_ELEMENTS} elements; what comes after them was left out."),
                ("wide", f"An element of the page has more than {MAX_CHILDREN} children; the others were left out."),
                (
                    "deep",
                    f"The page is nested more than {MAX_DEPTH} deep; it is read without the tags of what lies deeper.",
                ),
                ("torn", f"The page is nested more than {_NESTED} deep; it was read up to there."),
            )
            if self._lost[lost]
        ]


@dataclass(slots=True)
class _Open:
    """An element that has begun: whether it stands in the tree, and whether it was left out with what is in it."""

    tag: str
    kept: bool
    lost: bool
    children: int = 0


def _clean(text: str) -> str:
    """Text without what XML forbids, which references such as `&#1;` give."""
    return _CONTROL.sub("", text) if _CONTROL.search(text) else text
