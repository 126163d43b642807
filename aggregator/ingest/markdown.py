"""Markdown as HTML: CommonMark with tables, strikethrough and raw HTML, and the tags of generators.

Its library takes 130 ms to import, so this module is imported by the first body that needs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from aggregator.ingest import tags

_MORE = re.compile(r"<!--+\s*more\s*--+>", re.IGNORECASE)
_LONGEST = 1_000_000  # characters; rendering as many takes 5 s, and 30 s if they are nothing but brackets


@dataclass(frozen=True, slots=True)
class Rendered:
    """HTML that nobody has cleaned; `excerpt` is the part before `<!-- more -->`, empty where there is no such mark."""

    html: str
    warnings: tuple[str, ...] = ()
    excerpt: str = ""


def render(text: str) -> Rendered:
    """The Markdown as HTML; tags that are not known, and text beyond a million characters, are left out with a warning."""
    warnings: list[str] = []
    if len(text) > _LONGEST:
        text = text[: text.rfind("\n", 0, _LONGEST) + 1 or _LONGEST]
        warnings.append(f"its text was cut after {_LONGEST} characters")
    expanded = tags.Expanded(text)
    if "{%" in text or "{{" in text:
        expanded = tags.expand(text, markdown=True)
        warnings += expanded.warnings
    parser, environment = _parser(), dict[str, Any]()
    tokens = parser.parse(expanded.text, environment)
    html = expanded.fill(parser.renderer.render(tokens, parser.options, environment))
    excerpt = ""
    if "<!--" in expanded.text and (mark := _mark(expanded.text, tokens)) is not None:
        # The links that are defined at the end of the text are in the environment by now.
        excerpt = expanded.fill(parser.render(expanded.text[:mark].rstrip(), environment)).strip()
        html = _MORE.sub("", html)
    return Rendered(html.strip(), tuple(warnings), excerpt)


@cache
def _parser() -> MarkdownIt:
    """The parser; building one takes a millisecond, and it keeps nothing from one text to the next."""
    return MarkdownIt("commonmark", {"html": True, "typographer": False}).enable(["table", "strikethrough"])


def _mark(text: str, tokens: list[Token]) -> int | None:
    """Where the first `<!-- more -->` stands that is no code."""
    for token in tokens:
        if token.map is None or not _MORE.search(token.content):
            continue
        inline = any(child.type == "html_inline" and _MORE.search(child.content) for child in token.children or ())
        if token.type == "html_block" or inline:
            match = _MORE.search(text, _line_start(text, token.map[0]))
            return match.start() if match else None
    return None


def _line_start(text: str, number: int) -> int:
    """The offset of a line, counted from 0."""
    offset = 0
    for _ in range(number):
        offset = text.index("\n", offset) + 1
    return offset
