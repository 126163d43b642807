"""Noticing that the clock on the wall was set, or that the machine slept: whoever waits for a moment has to look again."""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAST_S = 5.0  # what differs less is a clock that is being slewed, or a busy machine


class ClockWatch:
    """Compares the clock on the wall with one that only ticks; both give seconds."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._apart = wall() - monotonic()

    def jump_s(self) -> float:
        """By how many seconds the clock was set since it was last asked; 0 where it only ran."""
        apart = self._wall() - self._monotonic()
        jumped = apart - self._apart
        if abs(jumped) < _LEAST_S:
            return 0.0
        self._apart = apart
        return jumped
