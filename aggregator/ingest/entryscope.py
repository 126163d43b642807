"""What feedparser's strict reader remembers while it reads, put back after each entry.

Its own reader lets a namespace, an `xml:base`, an open `<content>` or the depth of a stray `<div>` go on into the next
entry. Where each entry is read in what stood around the first, what it gives does not depend on the others: some of them
can be left out, and the rest reads the same.
"""

from __future__ import annotations

import itertools
from typing import Any
from xml.sax.xmlreader import AttributesNSImpl

MAX_ELEMENTS = 50_000  # feedparser takes 20 to 40 µs for each; of 200 real feeds the one with the most has 4,191
_MAX_ATTRIBUTES = 200
_ENTRIES = ("item", "entry")
# What a reader gathers; everything else that it remembers is what it reads an entry in.
_GATHERED = frozenset(
    {
        "entries",
        "feeddata",
        "broken",
        "property_depth_map",
        "bozo",
        "exc",
        "_locator",
        "scope",
        "elements",
        "unclosed",
        "before",
        "names",
    }
)
_SHARED = (
    "image",
    "textinput",
)  # of what is known of the feed: an `<image>` within an entry reads and writes the feed's


class EntryScope:
    """What stands around the entries of one document.

    `context` is that, as text. `steady` is False where it was not the same for all of them, or an entry changed it in a way
    that cannot be taken back.
    """

    __slots__ = ("_around", "_feed", "_first", "context", "depth", "steady")

    def __init__(self) -> None:
        self.context = ""
        self.steady = True
        self.depth = 0  # of the element that is being read, in its entry; 0 outside of one
        self._around: dict[str, Any] = {}  # what to go back to after the entry that is being read
        self._first: dict[str, Any] = {}
        self._feed: dict[str, Any] = {}  # what was known of the feed before its first entry

    def is_open(self) -> bool:
        """Whether an entry is being read."""
        return self.depth > 0

    def enter(self, reader: Any, around: dict[str, Any]) -> None:
        """Notes that an entry begins, around which this stands, and whether it is what stood around the first."""
        self._around, self.depth = around, 1
        for _, _, pieces in around["elementstack"]:
            while pieces and not pieces[-1].strip():
                pieces.pop()  # white space between the entries
            self.steady = self.steady and not pieces
        if not self.context:
            self._first, self._feed = around, _copied(reader.feeddata)
            shared = [(name, self._feed.get(name)) for name in _SHARED]
            self.context = repr((sorted(around.items()), shared)) if self.steady else "-"
            self.steady = self.steady and not around["sourcedata"]
        self.steady = self.steady and around == self._first

    def leave(self, reader: Any) -> None:
        """Notes the end of an element; after an entry's, the reader remembers what it did before."""
        self.depth -= 1
        if not self.depth:
            vars(reader).update((name, _own(value)) for name, value in self._around.items())
            self._around = {}
            self.steady = self.steady and self._feed == reader.feeddata


class TooMuch(Exception):
    """A document has more elements than there is time for."""


class ScopedReader:
    """What makes a strict reader of feedparser's read each entry in the same scope, and no more than `MAX_ELEMENTS`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.scope = EntryScope()
        self.elements = 0
        self.unclosed: list[tuple[tuple[str | None, str], str | None]] = []
        self.before: dict[str, Any] = {}  # what it remembered before the namespaces that the next element declares

    def context(self) -> str:
        """What the entries were read in, as text; empty where that was not the same for all."""
        return self.scope.context if self.scope.steady else ""

    def close(self) -> None:
        """End the document here, with every element that is still open."""
        while self.unclosed:
            self.endElementNS(*self.unclosed[-1])

    def count(self, name: tuple[str | None, str], qname: str | None) -> None:
        """Counts an element, and notes that it is open. Raises TooMuch, where it is one too many."""
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise TooMuch
        self.unclosed.append((name, qname))

    def startPrefixMapping(self, prefix: str | None, uri: str) -> None:  # noqa: N802
        """A namespace that the next element declares."""
        if not self.before and not self.scope.is_open():
            self.before = _remembered(self)
        super().startPrefixMapping(prefix, uri)  # type: ignore[misc]

    def startElementNS(self, name: tuple[str | None, str], qname: str | None, attrs: AttributesNSImpl) -> None:  # noqa: N802
        """An element, of whose attributes only so many count: Python's XML reader looks each up among all.

        Raises TooMuch, where it is one too many.
        """
        self.count(name, qname)
        if len(attrs) > _MAX_ATTRIBUTES:
            kept = dict(itertools.islice(attrs.items(), _MAX_ATTRIBUTES))
            attrs = AttributesNSImpl(kept, {name: attrs.getQNameByName(name) for name in kept})
        if self.scope.is_open():
            self.scope.depth += 1
            super().startElementNS(name, qname, attrs)  # type: ignore[misc]
            return
        before, self.before = self.before, {}
        around = before or _remembered(self) if name[1].lower() in _ENTRIES else {}
        count = len(self.entries)  # type: ignore[attr-defined]
        super().startElementNS(name, qname, attrs)  # type: ignore[misc]
        if around and len(self.entries) > count:  # type: ignore[attr-defined]
            self.scope.enter(self, around)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802
        """The end of an element."""
        self.unclosed.pop()
        super().endElementNS(name, qname)  # type: ignore[misc]
        if self.scope.is_open():
            self.scope.leave(self)


def _remembered(reader: Any) -> dict[str, Any]:
    """What a reader remembers, in containers of its own."""
    return {name: _own(value) for name, value in vars(reader).items() if name not in _GATHERED}


def _own(value: Any) -> Any:
    if isinstance(value, dict):
        return type(value)(value)
    return list(value) if isinstance(value, list) else value


def _copied(value: Any) -> Any:
    """A value of dictionaries and lists with nothing in common with it that can change."""
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value
