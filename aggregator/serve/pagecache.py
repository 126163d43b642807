"""Pages that were made, kept for the next who asks: as many bytes as are allowed, the least recently asked for go first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from aggregator.serve.coding import compressed
from aggregator.serve.negotiate import IDENTITY

MAX_BYTES = 16_000_000
_SMALLEST = 500  # bytes: below, compressing saves nothing


class Page:
    """The bytes of a page in each coding that somebody wanted, with their validators."""

    def __init__(self, body: bytes) -> None:
        self._bodies = {IDENTITY: body}

    def body(self, coding: str = IDENTITY) -> bytes:
        """The bytes in a coding, made when first wanted; two threads may make the same ones."""
        found = self._bodies.get(coding)
        if found is None:
            found = self._bodies[coding] = compressed(self._bodies[IDENTITY], coding, quickly=True)
        return found

    def coding(self, wanted: str) -> str:
        """The coding it is sent in where that one is wanted."""
        return wanted if len(self._bodies[IDENTITY]) >= _SMALLEST else IDENTITY

    def etag(self, coding: str = IDENTITY) -> bytes:
        """A strong validator over the bytes in a coding (RFC 9110 §8.8.3)."""
        return b'"%b"' % hashlib.blake2b(self.body(coding), digest_size=16).hexdigest().encode()

    @property
    def size(self) -> int:
        """Bytes that it is kept in."""
        return sum(map(len, self._bodies.values()))


class PageCache:
    """Pages by their key, each with the version of what it was made of; any thread may ask."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._pages: OrderedDict[Hashable, tuple[Hashable, Page]] = OrderedDict()
        self.hits = self.made = 0

    def get(self, key: Hashable, version: Hashable, make: Callable[[], bytes | None]) -> Page | None:
        """The page under a key, made where there is none of that version; None where there is nothing to show."""
        with self._lock:
            found = self._pages.get(key)
            if found is not None and found[0] == version:
                self._pages.move_to_end(key)
                self.hits += 1
                return found[1]
        body = make()
        page = None if body is None else Page(body)
        with self._lock:
            self.made += 1
            if page is None:
                self._pages.pop(key, None)
            else:
                self._pages[key] = (version, page)
                self._pages.move_to_end(key)
                while self.size > self._max_bytes and len(self._pages) > 1:
                    self._pages.popitem(last=False)
        return page

    @property
    def size(self) -> int:
        """Bytes of all pages; some hundred of them at the most, so they are counted each time."""
        return sum(page.size for _, page in self._pages.values())

    def figures(self) -> dict[str, int]:
        """What the status page says of it."""
        with self._lock:
            kept, size = len(self._pages), self.size
        return {
            "pages_cached": kept,
            "pages_bytes": size // 1000,
            "pages_hits": self.hits,
            "pages_made": self.made,
        }
