"""How long an answer holds: until the sources of what it shows are asked again."""

from __future__ import annotations

import math
from collections.abc import Callable

from aggregator.serve.running import Running

LEAST_S, MOST_S = 60, 3600
_LOOK_AGAIN_S = 5.0  # the plan changes with every refresh; a few seconds do not matter to a cache


class Freshness:
    """Seconds until the next news of a document, from the daemon's plan; used in the event loop's thread alone."""

    def __init__(self, running: Running, clock: Callable[[], float]) -> None:
        self._running, self._clock = running, clock
        self._looked: float | None = None
        self._due: dict[str, float] = {}
        self._earliest: dict[frozenset[str] | None, float] = {}

    def max_age(self, sources: frozenset[str] | None) -> int:
        """Whole seconds, from a minute to an hour, until one of the sources is due; None: until any is.

        A source that is due at any moment, as a folder is, gives the least.
        """
        now = self._clock()
        if self._looked is None or not 0 <= now - self._looked < _LOOK_AGAIN_S:
            self._look(now)
        due = self._earliest.get(sources)
        if due is None:
            names = self._due.keys() if not sources else sources & self._due.keys()
            due = self._earliest[sources] = min((self._due[name] for name in names), default=math.inf)
        return int(min(max(due - now, LEAST_S), MOST_S))

    def _look(self, now: float) -> None:
        self._looked = now
        self._earliest.clear()
        self._due = {name: due.timestamp() if due else now for name, due in self._running.next_due().items()}
