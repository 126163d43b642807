"""How many sources are asked in one round: all of them as a rule, and a share of them where much has piled up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_SPREAD_S = 600  # over which all that is due is spread, where it is a lot: after a start, a suspend, a clock's jump
_LEAST = 32  # sources asked in a round however little time has passed: so many are no stampede


class Backlog:
    """Gives each round its share of what is due; `clock` gives seconds that never go back.

    Thousands of sources that are due at once would be thousands of connections at once, again and again from then on,
    because what was asked together is due together. Spread over ten minutes they stay spread.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None

    def share(self, due: Sequence[T], total: int) -> Sequence[T]:
        """The first of the sources that are due, as many as one round may ask of `total` configured ones."""
        now = self._clock()
        passed_s = 0.0 if self._last is None else now - self._last
        self._last = now
        return due[: max(_LEAST, math.ceil(total * passed_s / _SPREAD_S))]
