"""Who may ask a host now: so many connections at a time, and a pause from the end of one request to the next.

Waiting for one host never holds up another, and what is remembered of a host is forgotten once its pause has passed,
so that memory depends on the hosts being asked and not on all that ever were.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Host:
    """One host that is being asked, waited for, or in its pause."""

    __slots__ = ("busy", "free_at", "waiting")

    def __init__(self) -> None:
        self.busy = 0  # connections in use
        self.free_at = float("-inf")  # when the pause after the last request ends
        # One locked lock for each thread that waits, in order of arrival; the first is unlocked when a connection is free.
        self.waiting: deque[threading.Lock] = deque()


class Gate:
    """Lets threads ask a host in turn: `per_host` at a time, `min_gap_s` from the end of one request to the next.

    A host is any string that names one; `clock` gives seconds that never go back, and `sleep` waits for as many. A `sleep`
    that raises gives up the turn of its thread, and the next one goes on.
    """

    def __init__(
        self,
        per_host: int,
        min_gap_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if per_host < 1 or not min_gap_s >= 0:
            raise ValueError("a gate lets at least one through at a time, and its gap is not negative")
        self._per_host, self._gap_s, self._clock, self._sleep = per_host, min_gap_s, clock, sleep
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        # The ends of pauses, which come in order because all pauses are equally long.
        self._pauses: deque[tuple[float, str]] = deque()

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Waits until it is this thread's turn to ask the host, in order of arrival; the gap starts when it leaves.

        A thread has one turn at a time: another one for the same host, inside the first, could wait for itself for ever.
        """
        self._enter(host)
        try:
            yield
        finally:
            self._leave(host)

    def ready_in_s(self, host: str) -> float:
        """The least number of seconds until a thread that came now would have its turn; 0 where it could go at once.

        How long the requests before it take is not known; they count as if they took no time.
        """
        with self._lock:
            known = self._hosts.get(host)
            if known is None:
                return 0.0
            rounds = (known.busy + len(known.waiting)) // self._per_host
            return max(0.0, known.free_at - self._clock()) + rounds * self._gap_s

    def _enter(self, host: str) -> None:
        with self._lock:
            self._forget_idle()
            known = self._hosts.get(host)
            if known is None:
                known = self._hosts[host] = _Host()
            if not known.waiting and known.busy < self._per_host and known.free_at <= self._clock():
                known.busy += 1
                return
            bell = threading.Lock()
            bell.acquire()
            known.waiting.append(bell)
            self._ring(known)
        try:
            self._wait(known, bell)
        except BaseException:  # KeyboardInterrupt, or a sleep that gives up: those behind must not wait for this thread
            with self._lock:
                if bell in known.waiting:
                    known.waiting.remove(bell)
                else:  # interrupted on its way out, with its turn already taken
                    known.busy -= 1
                self._ring(known)
                self._pause(host, known)
            raise

    def _wait(self, known: _Host, bell: threading.Lock) -> None:
        """Waits for the bell, which says that this thread is first and a connection is free, then for the pause's end."""
        bell.acquire()
        while True:
            with self._lock:
                rest_s = known.free_at - self._clock()
                if rest_s <= 0:
                    known.waiting.popleft()
                    known.busy += 1
                    self._ring(known)
                    return
            self._sleep(rest_s)  # and look again: with several connections another request may have ended meanwhile

    def _leave(self, host: str) -> None:
        with self._lock:
            known = self._hosts[host]
            known.busy -= 1
            known.free_at = self._clock() + self._gap_s
            self._ring(known)
            self._pause(host, known)

    def _ring(self, known: _Host) -> None:
        """Tells the first of the waiting that a connection is free; telling it again does no harm."""
        if known.waiting and known.busy < self._per_host and known.waiting[0].locked():
            known.waiting[0].release()

    def _pause(self, host: str, known: _Host) -> None:
        """Sees to it that a host that nobody uses is forgotten after its pause, or now where there is none."""
        if known.busy or known.waiting:
            return
        if self._gap_s:
            self._pauses.append((known.free_at, host))
        else:
            del self._hosts[host]

    def _forget_idle(self) -> None:
        now = self._clock() if self._pauses else 0.0
        while self._pauses and self._pauses[0][0] <= now:
            _, host = self._pauses.popleft()
            known = self._hosts.get(host)
            if known is not None and not known.busy and not known.waiting and known.free_at <= now:
                del self._hosts[host]
