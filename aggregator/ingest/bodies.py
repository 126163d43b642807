"""The body of a file as HTML: kept where it is HTML already, rendered where it is Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

# CommonMark 0.31 §4.6: an HTML block that begins with one of these goes on until a blank line, whatever is inside.
_BLOCKS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|"
    "menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
_BLOCK_START = re.compile(rf"\s*</?(?:{_BLOCKS})(?=[\s/>])", re.IGNORECASE)
_HTML_START = re.compile(
    rf"(?:\s|<!--(?:(?!-->).)*-->)*<(?:!doctype|(?:{_BLOCKS}|pre|picture|img|video|audio)\b)", re.IGNORECASE | re.DOTALL
)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_BLANK_START = re.compile(r"\A(?:[ \t]*\n)+")
_MORE = re.compile(r"<!--+\s*more\s*--+>", re.IGNORECASE)
_PIECE = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<raw>pre|script|style|textarea)\b.*?(?:</(?P=raw)\s*>|\Z)|<(?P<end>/?)(?P<name>[a-zA-Z][\w-]*)[^<>]*?(?P<void>/?)>",
    re.IGNORECASE | re.DOTALL,
)
_VOID = frozenset(re.findall(r"\w+", "area base br col embed hr img input link meta param source track wbr"))
_ELEMENT = re.compile(rf"{_BLOCKS}|video|audio|picture", re.IGNORECASE)
# Where a paragraph of Markdown may stand inside HTML, after a blank line.
_CONTAINERS = frozenset(
    re.findall(r"\w+", "div section article main aside header footer center details blockquote figure td th body")
)

_DEEPEST = 500


@dataclass(frozen=True, slots=True)
class Body:
    """A body as HTML that nobody has cleaned, and the part of it before `<!-- more -->`, empty where there is none."""

    html: str
    excerpt: str = ""
    warnings: tuple[str, ...] = ()


def read_body(text: str, *, is_html: bool) -> Body:
    """The body as HTML; `is_html` says that the file's name settles what it is."""
    text = _BLANK_START.sub("", text.rstrip())
    if is_html or _is_one_html_block(text) or looks_like_html(text):
        return _kept(text)
    if not text:
        return Body("")
    from aggregator.ingest import markdown  # noqa: PLC0415 - 130 ms that a folder of HTML posts does without

    rendered = markdown.render(text)
    return Body(rendered.html, rendered.excerpt, rendered.warnings)


def _is_one_html_block(text: str) -> bool:
    """Whether CommonMark would hand the whole text through as it is."""
    return _BLOCK_START.match(text) is not None and _BLANK_LINE.search(text) is None


def _kept(text: str) -> Body:
    """The HTML without the generator's tags and the marker of its excerpt."""
    warnings: tuple[str, ...] = ()
    if "{%" in text or "{{<" in text:
        from aggregator.ingest import tags  # noqa: PLC0415 - for the few HTML bodies that hold any

        expanded = tags.expand(text, markdown=False)
        text, warnings = expanded.text, expanded.warnings
    if "<!--" in text and (marker := _MORE.search(text)):
        excerpt = text[: marker.start()].strip()
        return Body(_MORE.sub("", text), excerpt, warnings)
    return Body(text, "", warnings)


def looks_like_html(text: str) -> bool:
    """Whether a body is HTML although blank lines run through it, and not Markdown with HTML in between.

    It begins with an element, no text stands outside of elements, and no text follows a blank line directly inside a
    container: `<div>`, blank line, Markdown is how people put Markdown into a box.
    """
    if not _HTML_START.match(text):
        return False
    open_elements: list[str] = []
    position = 0
    for piece in _PIECE.finditer(text):
        if not _may_stand(text[position : piece.start()], open_elements):
            return False
        position = piece.end()
        name = (piece["name"] or "").lower()
        if not name or name in _VOID or piece["void"] or not _ELEMENT.fullmatch(name):
            continue
        if not piece["end"]:
            open_elements.append(name)
            if len(open_elements) > _DEEPEST:
                return True  # nobody nests Markdown that deep
        elif name in open_elements:
            while open_elements.pop() != name:
                pass
    return _may_stand(text[position:], open_elements)


def _may_stand(between: str, open_elements: list[str]) -> bool:
    """Whether this text between two tags is text of HTML, given the blocks that are open around it."""
    if not between or between.isspace():
        return True
    if not open_elements:
        return False
    return open_elements[-1] not in _CONTAINERS or not re.search(r"\n[ \t]*\n\s*\S", between)
