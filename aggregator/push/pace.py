"""How many requests of a kind may be made in a minute, for each host and for all together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

_WINDOW_S = 60.0


class Pace:
    """Admits so many in each minute, for each key and in all; `clock` gives seconds that never go back.

    What it remembers is no more than what it admits in a minute.
    """

    def __init__(self, per_key: int, in_all: int, clock: Callable[[], float]) -> None:
        self._per_key, self._in_all, self._clock = per_key, in_all, clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._began = clock()

    def admits(self, key: str) -> bool:
        """Whether one more may be made now; it counts if so."""
        with self._lock:
            now = self._clock()
            if now - self._began >= _WINDOW_S:
                self._counts.clear()
                self._began = now
            if self._counts.total() >= self._in_all or self._counts[key] >= self._per_key:
                return False
            self._counts[key] += 1
            return True
