"""Plain text and URIs for documents: what markup says, its first words, and what a format's grammar lets through."""

from __future__ import annotations

import dataclasses
import html
import re
from typing import TypeVar
from urllib.parse import quote

T = TypeVar("T")

# A tag with its quoted attributes, a comment, or text up to the next `<`. The possessive quantifiers keep it linear.
_PIECE = re.compile(r"<!--.*?-->|<(/?[a-zA-Z][^\s/>]*+)(?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*>|[^<]++|<", re.DOTALL)
_SPACE = re.compile(r"\s+")
_INLINE = frozenset({
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark",
    "q", "rb", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
    "var", "wbr",
})  # fmt: skip
# What XML 1.0 (§2.2) cannot hold, not even as a character reference.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?@!$&'()*+,;=%#]*")  # RFC 3986, without IPv6 brackets
_AUTHORITY = re.compile(r"([^:/?#]+)://([^/?#]*)")
_INVISIBLE = re.compile(r"[\x00-\x20\x7f]+")
_ACTIVE = re.compile(r"(?:javascript|vbscript|data|blob|file):", re.IGNORECASE)
_LOOKS_LIKE_TAG = re.compile(r"<[a-zA-Z/!?]")
_SCANNED = 200_000  # characters looked at for an excerpt: past the data: URI of a first image


def plain(markup: str, limit: int | None = None) -> str:
    """The text of clean HTML with white space collapsed; with a limit, at least so many characters where it has them.

    >>> plain("<p>one<br>two</p><p>th<b>ree</b> &amp; four</p>")
    'one two three & four'
    """
    pieces: list[str] = []
    length = 0
    for match in _PIECE.finditer(markup, 0, len(markup) if limit is None else _SCANNED):
        tag = match[1]
        if tag is None:
            if not (piece := match[0]).startswith("<!--"):
                pieces.append(piece)
                length += 0 if piece.isspace() else len(piece)
        elif tag.lstrip("/").lower() not in _INLINE:
            pieces.append(" ")
        if limit is not None and length > limit * 2 + 40:  # entities and white space shrink
            break
    return _SPACE.sub(" ", html.unescape("".join(pieces))).strip()


def first_words(markup: str, limit: int) -> str:
    """The beginning of the text, at most `limit` characters and an ellipsis, cut between words where there are spaces."""
    text = plain(markup, limit)
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", limit // 2, limit + 1)
    return f"{text[: cut if cut > 0 else limit].rstrip()}…"


def is_ambiguous(text: str) -> bool:
    """Whether plain text would read differently to somebody who takes it for HTML: `a <b>`, `&amp;`; not `R&D`, `1 < 2`."""
    if "<" in text and _LOOKS_LIKE_TAG.search(text):
        return True
    return "&" in text and html.unescape(text) != text


def uri(url: str) -> str:
    """The URL in the characters that RFC 3986 allows: others percent-encoded as UTF-8, the host in IDNA.

    Posts come with absolute URLs, but theirs may be IRIs, which browsers take and RSS does not.
    """
    if _URI.fullmatch(url):
        return url
    scheme, authority, rest = _split(url)
    if not authority:
        return _encoded(url)
    if not authority.isascii():
        host, colon, port = authority.partition(":")
        try:
            authority = host.encode("idna").decode("ascii") + colon + port
        except UnicodeError:  # a label that IDNA refuses, or that is too long
            authority = _encoded(authority)
    return f"{_encoded(scheme)}://{authority}{_encoded(rest)}"


def is_active(url: str) -> bool:
    """Whether a URL would run in a page instead of leading somewhere, however it is spelt (WHATWG URL §4.4 drops spaces)."""
    return _ACTIVE.match(_INVISIBLE.sub("", url)) is not None


def without_credentials(url: str) -> str:
    """The URL without `user:password@`: an origin is published, its secrets are not."""
    scheme, authority, rest = _split(url)
    return f"{scheme}://{authority.rpartition('@')[2]}{rest}" if "@" in authority else url


def _split(url: str) -> tuple[str, str, str]:
    r"""Scheme, authority and the rest; by hand, because `urlsplit` drops tabs, and so would mend a broken `java\tscript:`."""
    match = _AUTHORITY.match(url)
    return (match[1], match[2], url[match.end() :]) if match else ("", "", url)


def _encoded(part: str) -> str:
    """A part of a URL with what RFC 3986 does not allow percent-encoded; what is encoded already stays."""
    return quote(part.encode("utf-8", "replace"), safe="-._~:/?@!$&'()*+,;=%#")


def cleaned(value: T) -> T:
    """The same value, whatever dataclasses and tuples it is made of, without the characters that XML cannot hold."""
    if isinstance(value, str):
        return _NOT_XML.sub("", value)  # type: ignore[return-value]  # mypy does not narrow a TypeVar
    if isinstance(value, tuple):
        return tuple(cleaned(item) for item in value)  # type: ignore[return-value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field for field in dataclasses.fields(value) if field.init)
        return dataclasses.replace(value, **{field.name: cleaned(getattr(value, field.name)) for field in fields})
    return value
