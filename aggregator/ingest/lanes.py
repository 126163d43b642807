"""The order in which sources are asked: one lane for each host, so that a host with many sources holds up no other."""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_LONGEST_WAIT_S = 3600.0  # then it is looked again; a lock cannot wait for ever longer times


class _Lane(Generic[T]):
    """The jobs of one host that wait, and how many of its jobs are in hand."""

    __slots__ = ("in_hand", "jobs", "number")

    def __init__(self, number: int) -> None:
        self.number = number  # hosts in the order of their first job
        self.jobs: deque[T] = deque()
        self.in_hand = 0


class Lanes(Generic[T]):
    """Hands jobs to threads such that no thread waits for one host while another could be asked.

    `jobs` are pairs of a host and anything; at most `per_host` of one host are in hand at a time, each host's in their order.
    `ready_in_s` says in how many seconds a host may be asked (`Gate.ready_in_s`); it is called under this object's lock and
    must not call back. Hosts that could be asked now are taken in the order in which they became so, at first in the order
    of their first jobs.
    """

    def __init__(
        self,
        jobs: Iterable[tuple[str, T]],
        ready_in_s: Callable[[str], float],
        per_host: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_host < 1:
            raise ValueError("lanes hand out at least one job of a host at a time")
        self._ready_in_s, self._per_host, self._clock = ready_in_s, per_host, clock
        self._lanes: dict[str, _Lane[T]] = {}
        for host, job in jobs:
            lane = self._lanes.get(host)
            if lane is None:
                lane = self._lanes[host] = _Lane(len(self._lanes))
            lane.jobs.append(job)
        self._left = sum(len(lane.jobs) for lane in self._lanes.values())
        # Every host with jobs left and fewer than `per_host` in hand stands here once: (when to look, its number, host).
        self._heap = [(float("-inf"), lane.number, host) for host, lane in self._lanes.items()]
        self._stopped = False
        # One thread watches the clock for all; the others are idle until it has gone with a job. A crowd that all waited
        # for the same moment would wake up together for one job.
        self._lock = threading.Lock()
        self._watch, self._idle = threading.Condition(self._lock), threading.Condition(self._lock)
        self._watched = False

    def take(self) -> tuple[str, T] | None:
        """The next job and its host, as soon as there is one that may start; None when all were handed out, or stopped.

        Who takes a job owes a `done` for its host, whatever happens to the job: the host's other jobs wait for it.
        """
        with self._lock:
            while self._left and not self._stopped:
                wait_s = self._soonest_s()
                if wait_s <= 0:
                    return self._hand_out()
                if self._watched:
                    self._idle.wait()
                else:
                    self._watch_for(wait_s)
            return None

    def done(self, host: str) -> None:
        """Says that a job no longer needs its host, so that the host's next one may start once its gap has passed."""
        with self._lock:
            lane = self._lanes.get(host)
            if lane is None or not lane.in_hand:
                raise ValueError(f"no job of {host} is in hand")
            lane.in_hand -= 1
            if not lane.jobs:
                if not lane.in_hand:
                    del self._lanes[host]
            elif lane.in_hand == self._per_host - 1:  # it stood still until now
                heapq.heappush(self._heap, (self._clock() + self._ready_in_s(host), lane.number, host))
                (self._watch if self._watched else self._idle).notify()

    def stop(self) -> None:
        """Hands out no more: every `take` returns None at once, also those that wait."""
        with self._lock:
            self._stopped = True
            self._send_home()

    def _soonest_s(self) -> float:
        """Seconds until the first host may be asked; its gap may have become longer since it was last looked at."""
        while self._heap:
            when, number, host = self._heap[0]
            now = self._clock()
            if when > now:
                return when - now
            wait_s = self._ready_in_s(host)
            if wait_s <= 0:
                return 0.0
            heapq.heapreplace(self._heap, (now + wait_s, number, host))
        return float("inf")

    def _hand_out(self) -> tuple[str, T]:
        """The next job of the host that stands first in the heap."""
        _, number, host = heapq.heappop(self._heap)
        lane = self._lanes[host]
        job = lane.jobs.popleft()
        lane.in_hand += 1
        self._left -= 1
        if lane.jobs and lane.in_hand < self._per_host:
            heapq.heappush(self._heap, (self._clock(), number, host))
        if not self._left:
            self._send_home()
        elif not self._watched:
            self._idle.notify()
        return host, job

    def _watch_for(self, wait_s: float) -> None:
        self._watched = True
        try:
            self._watch.wait(min(wait_s, _LONGEST_WAIT_S))
        except BaseException:  # KeyboardInterrupt: somebody else has to watch
            self._idle.notify()
            raise
        finally:
            self._watched = False

    def _send_home(self) -> None:
        self._watch.notify_all()
        self._idle.notify_all()
