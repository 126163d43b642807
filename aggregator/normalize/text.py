"""Text that may stand in any document: control characters gone, markup turned into what a reader sees.

Everything here is pure and needs the standard library only. The rule behind it is XML 1.0 §2.2: a document that holds one
forbidden character is not a document, so no character that XML forbids or discourages gets past `clean_text`.
"""

from __future__ import annotations

import html
import re
from html.entities import html5

# C0 and C1 controls, surrogates and noncharacters (XML 1.0 §2.2 forbids the first and third, discourages the others), and
# the byte order mark, which inside a text only ever comes from files glued together. TAB, LF, CR and NEL are line breaks.
_JUNK = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s{2,}|[^\S ]")  # what folding changes: a run, or one that is no plain space
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure "
        "footer form frameset h1 h2 h3 h4 h5 h6 head header hr html legend li main menu nav ol optgroup option p pre "
        "section summary table tbody td tfoot th thead tr ul",
    )
)
_INLINES = frozenset(
    re.findall(
        r"\w+",
        "a abbr acronym applet area audio b base basefont bdi bdo big blink button canvas cite code col colgroup data "
        "datalist del dfn em embed font frame i iframe img input ins kbd label link map mark marquee meta meter nobr "
        "noembed noframes noscript object output param picture plaintext progress q rb rp rt rtc ruby s samp select slot "
        "small source span strike strong sub sup svg template textarea time title tt track u var video wbr xmp",
    )
)
# Elements that people write about more often than they write text with: one that stands bare, and is never closed, is named.
_NAMED = frozenset(
    [
        "article",
        "aside",
        "audio",
        "button",
        "canvas",
        "dialog",
        "details",
        "fieldset",
        "footer",
        "form",
        "frameset",
        "header",
        "iframe",
        "main",
        "map",
        "menu",
        "meter",
        "nav",
        "object",
        "output",
        "picture",
        "progress",
        "section",
        "select",
        "slot",
        "summary",
        "svg",
        "table",
        "template",
        "textarea",
        "video",
    ]
)
_SILENT = "script|style"  # their content is code, never text
_SILENT_ELEMENT = re.compile(rf"<({_SILENT})\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<!doctype[^>]*>|<\?[a-z][^>]*\?>", re.IGNORECASE | re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*|/)?>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def clean_text(text: str, *, lines: bool = False) -> str:
    r"""The text without characters that no document may hold; on one line, or with its line breaks if `lines` is set.

    Halves of a surrogate pair that stand side by side become the character they meant. On one line, every run of white
    space becomes one space and the ends are trimmed; letters are never normalised.

    >>> clean_text(" a\x00b\n\t c ")
    'ab c'
    """
    if _JUNK.search(text):
        if _SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        text = _JUNK.sub("", text)
    if lines:
        return _LINE_ENDS.sub("\n", text)
    return fold(text)


def fold(text: str) -> str:
    """The text on one line: every run of white space is one space, and there is none at the ends."""
    return " ".join(text.split()) if _SPACES.search(text) else text.strip()


def plain_text(markup: str) -> str:
    """What a reader sees of the markup, on one line and clean: HTML tags gone, entities decoded exactly once.

    Only tags that HTML knows are tags: `Vec<T>` and `a < b` stay as they are. What decoding uncovers is text, never a
    tag again, so `&lt;b&gt;` is shown as `<b>`.

    >>> plain_text("<b>Q&amp;A</b>: Vec<T> &amp;lt;")
    'Q&A: Vec<T> &lt;'
    """
    if "<" in markup:
        markup = _without_tags(markup)
    if "&" in markup:
        markup = decode_entities(markup)
    return clean_text(markup)


def decode_entities(text: str) -> str:
    """The text with its character references decoded once; one without a semicolon (`AT&T`, `&section=1`) is text."""
    return _ENTITY.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    """The character that a reference names; `html.unescape` alone would read `&notit;` as `&not` and `it;`."""
    reference = match.group()
    return html.unescape(reference) if reference[1] == "#" else html5.get(reference[1:], reference)


def _without_tags(markup: str) -> str:
    """The markup without comments, code and the tags HTML knows; tags of blocks leave a space behind."""
    if "<!" in markup or "<?" in markup:
        markup = _CDATA.sub(lambda match: html.escape(match.group(1), quote=False), markup)
        markup = _COMMENT.sub("", markup)
    markup = _SILENT_ELEMENT.sub(" ", markup)

    def shown(match: re.Match[str]) -> str:
        name = match.group(1)
        lowered = name.lower()
        known = lowered in _BLOCKS or lowered in _INLINES
        if not known or _is_type_parameter(match, markup) or _is_named(match, markup):
            return match.group()
        return " " if lowered in _BLOCKS else ""

    return _TAG.sub(shown, markup)


def _is_type_parameter(match: re.Match[str], markup: str) -> bool:
    """Whether this is `<A>` of `Option<A>`: one capital straight after a word, and never closed."""
    name, start = match.group(1), match.start()
    return (
        len(name) == 1
        and name.isupper()
        and start > 0
        and (markup[start - 1].isalnum() or markup[start - 1] == "_")
        and f"</{name}>" not in markup
    )


def _is_named(match: re.Match[str], markup: str) -> bool:
    """Whether this is the `<template>` of `How <template> works`: no markup, but what the title is about."""
    name = match.group(1).lower()
    return name in _NAMED and match.group() == f"<{match.group(1)}>" and f"</{name}" not in markup.lower()
