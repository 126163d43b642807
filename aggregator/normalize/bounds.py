"""Bounds on HTML, so that no post costs more to clean than its size explains: bytes, nesting, formatting.

Everything here works on text, because what it guards against happens while a tree is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import accumulate

MAX_BYTES = 1_000_000  # of one content
MAX_DEPTH = 256
MAX_AMPERSANDS = 10_000  # nh3 takes time in the square of their number: 900,000 in one text keep it busy for 11 s

# In what nh3 writes (from 0.3.7 on) `<` and `>` stand for nothing but tags: HTML §13.3 escapes them in attributes too.
VOID = re.compile(r"<((?:br|col|hr|img|source|track|wbr)(?: [^<>]*)?)>")
_STEP = re.compile(r"<(/|(?!(?:br|col|hr|img|source|track|wbr)[ >])(?=[a-z]))")  # a tag that goes up or down: `/` or ""
_OPEN_OR_CLOSE = re.compile(r"<(/?)[a-z][^<>]*>")
_ANY_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)")

_FLAT = frozenset({"p", "br", "hr", "img"})
# Void, or closed by what follows: they nest no deeper than what is around them.
_UNCLOSED = frozenset(
    {"area", "br", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p"}
    | {"param", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr"}
)
_FORMATTING = frozenset({"b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"})
_TAG_OR_SIGN = re.compile(r"<(?:[/?!]?([A-Za-z][^\s/<>]*)?[^<>]*>)?")
_BARE_AMPERSAND = re.compile(r"&(?!#?[A-Za-z0-9]{1,32};)")


def bounded(html: str) -> tuple[str, tuple[str, ...]]:
    """The HTML, cut at a tag where it is over `MAX_BYTES` in UTF-8, and flat where it is built to exhaust a parser."""
    warnings = []
    text, size = _cut(html)
    if text.count("&") > MAX_AMPERSANDS:
        text, _ = _cut(_BARE_AMPERSAND.sub("&amp;", text))
    if size > MAX_BYTES:
        warnings.append(f"content cut at 1 MB: it has {size / 1e6:.1f} MB")
    costly = _costly_tags(text)
    if costly:
        text = _TAG_OR_SIGN.sub(partial(_flat_tag, costly), text)
        warnings.append("markup that nests beyond reason was reduced to its text")
    return text, tuple(warnings)


def _cut(html: str) -> tuple[str, int]:
    """The HTML up to the last tag that fits, and the size of all of it in bytes; 0 where it is far from the bound."""
    if len(html) * 4 <= MAX_BYTES:
        return html, 0
    data = html.encode(errors="ignore")
    if len(data) <= MAX_BYTES:
        return html, len(data)
    text = data[:MAX_BYTES].decode(errors="ignore")
    return text[: text.rfind("<")] if "<" in text else text, len(data)


def _flat_tag(dropped: Callable[[str], bool], match: re.Match[str]) -> str:
    if match[0] == "<":
        return "&lt;"
    return "" if dropped((match[1] or "").lower()) else match[0]


def _costly_tags(html: str) -> Callable[[str], bool] | None:
    """Which tags have to go so that parsing as HTML §13.2 says stays in proportion; None: all may stay.

    An open element is looked for on the stack at every tag (20,000 nested `<div>` take 1 s), and every paragraph opens
    anew the formatting that was not closed before it (400 `<b>` before 400 `<p>` come out as 3 MB).
    """
    if html.count("<") < 1000:
        return None
    tags = _ANY_TAG.findall(html)
    opened: dict[str, int] = {}
    depth = deepest = formatting = formatted = 0
    for slash, written in tags:
        name = written.lower()
        if name in _UNCLOSED or (slash and not opened.get(name)):
            continue
        step = -1 if slash else 1
        opened[name] = opened.get(name, 0) + step
        depth += step
        deepest = max(deepest, depth)
        if name in _FORMATTING:
            formatting += step
            formatted = max(formatted, formatting)
    if deepest * len(tags) > 20_000_000:
        return lambda name: name not in _FLAT
    return _FORMATTING.__contains__ if formatted * len(tags) > 200_000 else None


def flattened(clean: str) -> tuple[str, tuple[str, ...]]:
    """Cleaned HTML without the tags of elements deeper than `MAX_DEPTH`, whose content stays."""
    if clean.count("</") <= MAX_DEPTH:
        return clean, ()
    steps = (-1 if slash else 1 for slash in _STEP.findall(clean))
    if max(accumulate(steps), default=0) <= MAX_DEPTH:
        return clean, ()
    depth = 0

    def kept(match: re.Match[str]) -> str:
        nonlocal depth
        if VOID.fullmatch(match[0]):
            return match[0]
        depth += 0 if match[1] else 1
        tag = match[0] if depth <= MAX_DEPTH else ""
        depth -= 1 if match[1] else 0
        return tag

    return _OPEN_OR_CLOSE.sub(kept, clean), ("nesting deeper than 256 was flattened",)
