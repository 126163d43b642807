"""How long an answer holds: until the sources of what it shows are asked again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Executor

from aggregator.serve.running import Running

LEAST_S, MOST_S = 60, 3600
PATIENCE_S = 0.25  # how long an answer waits to learn how long it holds
_LOOK_AGAIN_S = 5.0  # the plan changes with every refresh; a few seconds do not matter to a cache


class Freshness:
    """Seconds until the next news of a document, from the daemon's plan; used in the event loop's thread alone.

    The plan lies in the store, which takes its time and may hang: it is asked in another thread, and until it answers,
    or while it fails, what was known before counts.
    """

    def __init__(self, running: Running, clock: Callable[[], float], threads: Executor) -> None:
        self._running, self._clock, self._threads = running, clock, threads
        self._looked: float | None = None
        self._looking: asyncio.Future[dict[str, float]] | None = None
        self._until = 0.0  # how long somebody may wait for it, on the loop's clock
        self._due: dict[str, float] | None = None  # None: nothing is known yet
        self._earliest: dict[frozenset[str] | None, float] = {}

    def max_age(self, sources: frozenset[str] | None) -> int:
        """Whole seconds, from a minute to an hour, until one of the sources is due; None: until any is.

        A source that is due at any moment, as a folder is, gives the least, and so does a plan that nobody knows yet.
        """
        self._look()
        if self._due is None:
            return LEAST_S
        due = self._earliest.get(sources)
        if due is None:
            names = self._due.keys() if not sources else sources & self._due.keys()
            due = self._earliest[sources] = min((self._due[name] for name in names), default=math.inf)
        return int(min(max(due - self._clock(), LEAST_S), MOST_S))

    async def learn(self) -> None:
        """Waits a moment for a plan that is being looked at: all who wait, until a quarter of a second after it began."""
        self._look()
        left_s = self._until - asyncio.get_running_loop().time()
        if self._looking is not None and left_s > 0:
            await asyncio.wait({self._looking}, timeout=left_s)

    def _look(self) -> None:
        """Has the plan looked at, where that was not done lately and is not being done."""
        now = self._clock()
        if self._looking is not None or (self._looked is not None and 0 <= now - self._looked < _LOOK_AGAIN_S):
            return
        self._looked = now
        loop = asyncio.get_running_loop()
        try:
            self._looking = loop.run_in_executor(self._threads, self._plan, now)
        except RuntimeError:  # the threads have ended, and the server is about to
            return
        self._until = loop.time() + PATIENCE_S
        self._looking.add_done_callback(self._learnt)

    def _plan(self, now: float) -> dict[str, float]:
        return {name: due.timestamp() if due else now for name, due in self._running.next_due().items()}

    def _learnt(self, looking: asyncio.Future[dict[str, float]]) -> None:
        self._looking = None
        if not looking.cancelled() and looking.exception() is None:
            self._due = looking.result()
            self._earliest.clear()
