"""Only what is new: RFC 3229's `feed`, for readers that say which version they have (`A-IM: feed`).

Items are told apart by their very bytes, in documents that we made ourselves.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.parsers import expat

MOST_ITEMS = 5_000  # a document with more is sent whole
_ITEM = {"rss": ("item", 3), "atom": ("entry", 2)}  # the element, and how deep it lies
_DIGEST = 16  # bytes
_FEED = re.compile(rb"(?:^|,)\s*feed\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?=,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cut:
    """A feed in pieces: what stands before its items, the items, what stands between two of them, and the end."""

    head: bytes
    items: Sequence[bytes]
    between: bytes
    tail: bytes

    def digests(self) -> bytes:
        """The hashes of its items, one behind the other."""
        return b"".join(map(_digest, self.items))

    def without(self, digests: bytes) -> bytes:
        """The document with only those items that are not among the hashes."""
        known = {digests[start : start + _DIGEST] for start in range(0, len(digests), _DIGEST)}
        kept = [item for item in self.items if _digest(item) not in known]
        return b"".join((self.head, self.between.join(kept), self.tail))


def is_wanted(a_im: bytes) -> bool:
    """Whether an A-IM header asks for `feed` (RFC 3229 §10.5.3).

    >>> is_wanted(b"vcdiff, feed"), is_wanted(b"feed;q=0"), is_wanted(b"feeds")
    (True, False, False)
    """
    return _FEED.search(a_im) is not None


def cut(body: bytes, name: str) -> Cut | None:
    """A document in the format `rss`, `atom` or `json` in pieces; None where it is not one that we wrote, or too long."""
    found = _cut_json(body) if name == "json" else _cut_xml(body, *_ITEM[name])
    return found if found is not None and len(found.items) <= MOST_ITEMS else None


def _cut_json(body: bytes) -> Cut | None:
    """Our JSON Feed has an item a line; a line cannot break within one, because JSON escapes it."""
    head, newline, rest = body.partition(b'"items": [\n')
    lines = rest.split(b"\n")
    if not newline or b"\n" in head or lines[-2:] != [b"]}", b""]:
        return None
    items = [line.removesuffix(b",") for line in lines[:-2] if line]
    return Cut(head + newline, items, b",\n", b"\n]}\n" if items else b"]}\n")


def _cut_xml(body: bytes, element: str, wanted: int) -> Cut | None:
    """Where items begin and end is told by expat, which no escaping or CDATA can deceive."""
    starts: list[int] = []
    ends: list[int] = []
    depth = 0
    parser = expat.ParserCreate()

    def start(name: str, _: object) -> None:
        nonlocal depth
        depth += 1
        if depth == wanted and name == element:
            starts.append(parser.CurrentByteIndex)

    def end(name: str) -> None:
        nonlocal depth
        if depth == wanted and name == element:
            at = parser.CurrentByteIndex  # of an element without content: where it ends
            ends.append(body.index(b">", at) + 1 if body.startswith(b"</", at) else at)
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return None
    gaps = [body[a:b] for a, b in zip(ends, starts[1:], strict=False)]
    if not starts or any(gap.strip() for gap in gaps):  # something else stands between them
        return None
    items = [body[a:b] for a, b in zip(starts, ends, strict=True)]
    return Cut(body[: starts[0]], items, gaps[0] if gaps else b"\n", body[ends[-1] :])


class Memory:
    """Which items past versions held, by their ETags: the newest versions of each document, and so many bytes in all."""

    def __init__(self, *, versions: int = 16, max_bytes: int = 4_000_000) -> None:
        self._versions, self._room = versions, max_bytes
        self._kept: OrderedDict[str, deque[tuple[frozenset[bytes], bytes]]] = OrderedDict()
        self._size = 0

    def keep(self, path: str, etags: Iterable[bytes], digests: bytes) -> None:
        """Remembers a version of a document."""
        past = self._kept.setdefault(path, deque())
        self._kept.move_to_end(path)
        past.append((frozenset(etags), digests))
        self._size += len(digests)
        if len(past) > self._versions:
            self._size -= len(past.popleft()[1])
        while self._size > self._room and self._kept:
            _, gone = self._kept.popitem(last=False)
            self._size -= sum(len(one) for _, one in gone)

    def find(self, path: str, tags: Sequence[bytes]) -> tuple[bytes, bytes] | None:
        """The newest of the versions named by entity tags, weak ones too: its tag and the hashes of its items."""
        strong = [tag.removeprefix(b"W/") for tag in tags]
        for etags, digests in reversed(self._kept.get(path, ())):
            for tag in strong:
                if tag in etags:
                    return tag, digests
        return None

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self._size = 0


def _digest(item: bytes) -> bytes:
    return hashlib.blake2b(item, digest_size=_DIGEST).digest()
