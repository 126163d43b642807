"""What a body is that is no feed, in words that help whoever reads the error."""

from __future__ import annotations

import html
import re

from aggregator.ingest.feedurls import absolute, safe_url

_MAGIC = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ", "xz data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg file"),
    (b"fLaC", "a FLAC file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"wOF2", "a font"),
    (b"\xd0\xcf\x11\xe0", "a Microsoft Office document"),
    (b"{\\rtf", "an RTF document"),
)
_ROOTS = {  # of XML that people take for a feed
    "urlset": "a sitemap",
    "sitemapindex": "an index of sitemaps",
    "opml": "a subscription list (OPML)",
    "svg": "an SVG image",
    "error": "an XML error message",
    "opensearchdescription": "a search description (OpenSearch)",
    "envelope": "a SOAP message",
    "wml": "a WML page",
    "plist": "a property list",
    "html": "an HTML page",
}
FEED_ROOTS = frozenset({"rss", "feed", "rdf", "channel"})
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*|<\?xml.*?\?>\s*)*<(?:!doctype\s+html|(?:html|head|body|title|script)\b)",
    re.DOTALL | re.IGNORECASE,
)
_PROLOG = re.compile(
    r"(?:[\s\ufeff]|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>\"']|\"[^\"]*\"|'[^']*'|\[.*?\]\s*(?=>))*>)*",
    re.DOTALL | re.IGNORECASE,
)
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_LINK = re.compile(r"<link\b((?:[^<>\"']|\"[^\"]{0,2000}\"|'[^']{0,2000}')*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_BASE = re.compile(r"""<base\b[^<>]{0,500}?\bhref\s*=\s*["']?([^\s"'>]+)""", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]{0,500}>(.{0,500}?)</title", re.DOTALL | re.IGNORECASE)
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
_HEAD = 200_000  # characters of a page in which its links are looked for


def binary_kind(body: bytes) -> str:
    """What a body is by its first bytes, `a PNG image`; empty for text and for bytes that say nothing."""
    if not body:
        return "an empty body"
    if not body.strip(b" \t\r\n\0\xef\xbb\xbf"):
        return "a body of nothing but white space"
    if body[:4] == b"RIFF" and body[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return {b"WEBP": "a WebP image", b"WAVE": "a WAV file", b"AVI ": "an AVI video"}[body[8:12]]
    if body[4:8] == b"ftyp":
        return "an AVIF image" if body[8:12] == b"avif" else "an MP4 file"
    return next((kind for magic, kind in _MAGIC if body.startswith(magic)), "")


def root_of(text: str) -> str:
    """The name of a document's first element, without its prefix and in lower case; empty where there is none."""
    prolog = _PROLOG.match(text)
    element = _ELEMENT.match(text, prolog.end() if prolog else 0)
    return element[1].lower() if element else ""


def is_html(text: str) -> bool:
    """Whether a document starts as an HTML page does."""
    root = root_of(text)  # some generators put HTML's DOCTYPE before their feed
    return root == "html" or (root not in FEED_ROOTS and bool(_HTML.match(text)))


def feed_links(page: str, url: str) -> list[str]:
    """The feeds that an HTML page offers (`<link rel="alternate" type="application/rss+xml">`), as absolute URLs."""
    head = page[:_HEAD]
    base = _BASE.search(head)
    found = []
    for link in _LINK.finditer(head):
        attributes = {name.lower(): html.unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(link[1])}
        kind = attributes.get("type", "").partition(";")[0].strip().lower()
        if "alternate" in attributes.get("rel", "").lower().split() and kind in _FEED_TYPES and "href" in attributes:
            found.append(absolute(attributes["href"], html.unescape(base[1]) if base else "", url))
    return list(dict.fromkeys(found))


def describe(body: bytes, text: str, url: str) -> str:
    """What a body that is no feed looks like: `an HTML page, not a feed; it links to the feed https://…`."""
    kind = binary_kind(body)
    if kind:
        return f"{kind}, not a feed"
    if is_html(text):
        return "an HTML page, not a feed" + _page_says(text, url)
    root = root_of(text)
    if root:
        return f"{_ROOTS.get(root, f'an XML document <{root[:40]}>')}, not a feed"
    if text.lstrip().startswith("<"):
        return "markup that is no feed"
    start = text[:1000]
    if sum(char in "\ufffd\0" or (char < " " and char not in "\t\r\n") for char in start) * 10 > len(start):
        return "binary data, not a feed"
    shown = " ".join(start.split())
    return f"plain text, not a feed: {shown[:60].rstrip()}{'…' if len(shown) > 60 else ''}"


def _page_says(text: str, url: str) -> str:
    """The page's title, and the feeds that it links to."""
    title = _TITLE.search(text[:_HEAD])
    name = " ".join(html.unescape(title[1]).split())[:80] if title else ""
    links = [safe_url(link) for link in feed_links(text, url)]
    offer = f"; it links to the feed{'s' if len(links) > 1 else ''} {', '.join(links[:3])}" if links else ""
    return (f" (its title is “{name}”)" if name else "") + offer


def looks_like_html(body: bytes) -> bool:
    """Whether the first bytes of a body are those of an HTML page, whatever its charset."""
    return is_html(body[:2000].decode("latin-1").lstrip("\u00ef\u00bb\u00bf"))
