"""How many documents were pushed for each source that are not stored yet."""

from __future__ import annotations

import threading
from collections import Counter


class Pushed:
    """Counts them; may be used from any thread."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, source: str) -> None:
        """One more was pushed for it."""
        with self._lock:
            self._counts[source] += 1

    def remove(self, source: str) -> None:
        """One of them is stored, or lost."""
        with self._lock:
            self._counts[source] -= 1
            if self._counts[source] <= 0:
                del self._counts[source]

    def count(self, source: str) -> int:
        """How many wait."""
        return self._counts[source]  # which adds nothing to a counter
