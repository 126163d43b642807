"""Front matter read line by line, as the person who wrote it meant it, where no parser will have it.

The generators that wrote such files escaped nothing: titles hold quotes and colons, and run over several lines at any
indent. So a line begins a field if it begins with a name and a colon, belongs to the list above it if it begins with a
dash, and else goes on with the value above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_ITEM = re.compile(r"[ \t]*-(?:[ \t]+(?P<text>.*)|)$")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_QUOTED_THEN_COMMENT = re.compile(r"""((["'])(?:(?!\2).)*\2)\s+#.*""")
_ESCAPED = re.compile(r'(?:[^\\"]|\\(?:u[0-9a-fA-F]{4}|["\\/nt]))*')  # between double quotes, and well-formed
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/nt]))')
_STRUCTURE = re.compile(r"[\[{|>&*!%@`]")  # what begins a value that is more than one line of text in YAML
_HTML = re.compile(r"<[a-zA-Z!/]")
_BLOCK_SCALAR = re.compile(r"[|>][-+0-9]*")
_LETTER = {"n": " ", "t": " "}
_MOST_QUOTES = 50  # layers around one value
_LOOKAHEAD = 3  # lines that may wrap a value before the next known field


@dataclass(frozen=True, slots=True)
class Field:
    """One field as its lines say it: `text` on one line or `items`, without comments and the quotes around them."""

    name: str
    text: str
    items: tuple[str, ...]
    source: str  # its lines as written
    simple: bool  # text and items say all there is; nothing in it asks for a parser

    @property
    def value(self) -> str | list[str]:
        """The items where there are any, else the text; `[a, 'it's', b]`, which no parser reads, is a list as well."""
        if not self.items and self.text[:1] == "[" and self.text[-1:] == "]":
            return [item for part in self.text[1:-1].split(",") if (item := unquoted(part))]
        return list(self.items) if self.items else self.text


@dataclass(slots=True)
class _Open:
    """A field whose lines are still being gathered."""

    name: str
    lines: list[str]
    source: list[str]
    items: list[list[str]] = field(default_factory=list)
    empty: bool = False  # nothing follows its name so far, so that a list may

    def is_quoted_and_open(self) -> bool:
        """Whether the value began with a quote that no line has closed yet; one closed before the line's end counts."""
        quote, last = self.lines[0][:1], self.lines[-1].rstrip()
        closed = last.endswith(quote) and (len(self.lines) > 1 or len(last) > 1)
        return quote in {"'", '"'} and not closed and sum(line.count(quote) for line in self.lines) % 2 == 1

    def closed(self, style: str) -> Field:
        """The field with its lines joined by single spaces."""
        first = self.lines[0] if self.lines else ""
        is_block = len(self.lines) > 1 and _BLOCK_SCALAR.fullmatch(first.strip())
        text = _value(self.lines[1:] if is_block else self.lines, style)
        items = tuple(item for item in (_value(lines, style) for lines in self.items) if item)
        nested = not first.strip() and len(self.lines) > 1
        structured = _STRUCTURE.match(first) or any(
            _STRUCTURE.match(lines[0]) or ": " in lines[0] for lines in self.items
        )
        return Field(self.name, text, items, "\n".join(self.source), simple=not (nested or structured))


class Reader:
    """Reads blocks whose fields have one of the `known` names, or any other name that is plainly one.

    The style says what parts a name from its value: `yaml` (a colon; known names need no space after it, and may have a full-width
    one), `toml` (an equals sign) or `json` (a colon, and commas at line ends).
    """

    def __init__(self, known: frozenset[str], style: str = "yaml") -> None:
        names = "|".join(sorted(map(re.escape, known), key=len, reverse=True))
        parting = "=" if style == "toml" else "[:：]"
        self.style = style
        self._known = re.compile(rf"""(["']?)({names})\1[ \t]*{parting}[ \t]*(?P<value>.*)$""", re.IGNORECASE)
        self._other = re.compile(
            rf"""(["']?)([A-Za-z_][\w.-]*)\1[ \t]*{parting[:2].strip("[")}(?:[ \t]+(?P<value>.*)|)$"""
        )

    def fields(self, block: str) -> tuple[Field, ...]:
        """The fields in the order in which they begin; a name may come more than once."""
        lines = block.split("\n")
        indent = self._indent(lines)
        found: list[Field] = []
        current: _Open | None = None
        for line in lines:
            body = line[indent:] if not line[:indent].strip() else line
            begun = self._begin(body, current)
            if begun is not None:
                if current is not None:
                    found.append(current.closed(self.style))
                current = begun
            elif self.style == "toml" and re.match(r"\[\[?[\w.\"-]+\]", body):
                break  # what follows is inside a table
            elif current is not None:
                self._continue(current, line)
        if current is not None:
            found.append(current.closed(self.style))
        return tuple(found)

    def end(self, text: str) -> int:
        """Where the fields that `text` begins with end and its body begins, for a block that nobody closed.

        A blank line ends them, unless the next line goes on with a list, begins another known field, or is indented and
        leads to one; so does a line that begins with an HTML tag.
        """
        lines = text.split("\n")
        offset, blank, listed = 0, False, False
        for number, line in enumerate(lines):
            if not line.strip():
                blank = True
            else:
                known, item = self._known.match(line), listed and _ITEM.match(line)
                wraps = line[:1].isspace() and self._leads_on(lines, number)
                ends = _HTML.match(line) or (blank and not wraps)
                if ends and not known and not item:
                    return offset
                blank = False
                listed = not known["value"].strip() if known else bool(item)
            offset += len(line) + 1
        return min(offset, len(text))

    def _leads_on(self, lines: list[str], number: int) -> bool:
        """Whether a known field begins within the next few lines that are not blank."""
        ahead = (line for line in lines[number : number + _LOOKAHEAD * 3] if line.strip())
        return any(self._known.match(line) for line, _ in zip(ahead, range(_LOOKAHEAD + 1), strict=False))

    def _indent(self, lines: list[str]) -> int:
        """How far the fields are indented, all of them alike."""
        first = next((line for line in lines if line.strip() and line.lstrip()[:1] != "#"), "")
        return len(first) - len(first.lstrip()) if self._known.match(first.lstrip()) else 0

    def _begin(self, line: str, current: _Open | None) -> _Open | None:
        """The field that this line begins; None where it goes on with the one before."""
        match = self._known.match(line)
        if match is None:
            match = self._other.match(line)
            if match is None or (current is not None and current.is_quoted_and_open()):
                return None
        first = match["value"] or ""
        return _Open(match[2], [first], [line], empty=not _value([first], self.style))

    def _continue(self, current: _Open, line: str) -> None:
        """Adds a line to the field above it."""
        if line[:1] == "#" and not current.is_quoted_and_open():
            return
        current.source.append(line)
        item = _ITEM.match(line)
        if item and (current.items or current.empty):
            current.items.append([item["text"] or ""])
        elif line.strip():
            current.empty = False
            (current.items[-1] if current.items else current.lines).append(line.strip())


def _value(lines: list[str], style: str) -> str:
    """The value that the lines say, on one line."""
    quoted = lines[:1] != [] and lines[0].lstrip()[:1] in {"'", '"'}
    if quoted:
        text = " ".join(" ".join(lines).split())
        if comment := _QUOTED_THEN_COMMENT.fullmatch(text):
            text = comment[1]
    else:
        text = " ".join(" ".join(_uncommented(lines)).split())
    if style == "json":
        text = text.removesuffix(",").rstrip()
    return unquoted(text)


def _uncommented(lines: list[str]) -> Iterator[str]:
    return (_COMMENT.sub("", line) for line in lines)


def unquoted(text: str) -> str:
    """The text without the quotes that stand around all of it, however many there are.

    Quotes that belong to two quotations (`"a" and "b"`) stay. Escapes are undone where the quotes were well-formed.

    >>> unquoted('\"\"\"' + "'x'" + '\"\"\"'), unquoted("'It's'"), unquoted('"a" and "b"')
    ('x', "It's", '"a" and "b"')
    """
    text = text.strip()
    for _ in range(_MOST_QUOTES):
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            break
        quote, inner = text[0], text[1:-1]
        if _is_two_quotations(inner, quote):
            break
        if quote == '"' and "\\" in inner and _ESCAPED.fullmatch(inner):
            return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _LETTER.get(m[2], m[2]), inner).strip()
        if quote == "'" and "''" in inner and not inner.replace("''", "").count("'"):
            inner = inner.replace("''", "'") if not (inner.startswith("''") and inner.endswith("''")) else inner
        text = inner.strip()
    return text if text.strip("'\"") else ""


def _is_two_quotations(inner: str, quote: str) -> bool:
    """Whether the first quote inside closes what the outer one opened, and the last one opens another quotation."""
    first, last = inner.find(quote), inner.rfind(quote)
    if first < 1 or first == last or last + 1 >= len(inner):
        return False
    closes = not inner[first - 1].isspace() and not inner[first + 1].isalnum() and inner[first + 1] != quote
    opens = not inner[last + 1].isspace() and not inner[last - 1].isalnum() and inner[last - 1] != quote
    return closes and opens
