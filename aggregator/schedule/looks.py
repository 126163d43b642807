"""Looks at files, in a thread of their own: who notices that one was saved has other things to notice meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

Look = Callable[[Collection[str] | None], None]


class Looks:
    """Calls `look` with the names of sources whose files are to be looked at, or with None for all; one look at a time.

    What is wished for while one is under way is looked at together, once, after it. `look` must not raise.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._wished = threading.Condition()
        self._names: set[str] = set()
        self._all = self._ended = False
        self._thread = threading.Thread(target=self._work, name="looks", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def wish(self, names: Collection[str] | None = None) -> None:
        """Wants a look at the files of these sources, or of all; returns at once."""
        with self._wished:
            self._names.update(names or ())
            self._all = self._all or names is None
            self._wished.notify()

    def close(self) -> None:
        """Looks no more."""
        with self._wished:
            self._ended = True
            self._wished.notify()

    def _work(self) -> None:
        while True:
            with self._wished:
                self._wished.wait_for(lambda: self._ended or self._all or self._names)
                if self._ended:
                    return
                names = None if self._all else self._names
                self._names, self._all = set(), False
            self._look(names)
