"""What is asked for often and done seldom: several wishes within a moment are granted together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Debounce:
    """Collects wishes from any thread for the one that grants them; `clock` gives seconds that never go back.

    A wish is granted at the latest after the delay it came with: those that come meanwhile are granted with it, and do not
    put it off, so that a steady stream of them is granted again and again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._at: float | None = None

    def wish(self, within_s: float) -> None:
        """Wants it done within so many seconds."""
        with self._changed:
            at = self._clock() + within_s
            if self._at is None or at < self._at:
                self._at = at
                self._changed.notify_all()

    def wait(self, longest_s: float) -> bool:
        """Waits until it is time, at most so long; whether it is. The wishes that came until then count as granted."""
        until = self._clock() + longest_s
        with self._changed:
            while True:
                now = self._clock()
                if self._at is not None and self._at <= now:
                    self._at = None
                    return True
                if now >= until:
                    return False
                self._changed.wait(min(until, until if self._at is None else self._at) - now)
