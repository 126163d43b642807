"""Errands to many hosts: a few threads at a time, one errand to a host, and every host in turn.

So a host that answers slowly keeps a thread from the others for one errand, and not for all that wait for it. Threads end
when there is nothing left to do.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

Errand = Callable[[], None]


class Couriers:
    """Runs errands in threads of its own; one that raises has ended, and `failed` is told of it."""

    def __init__(self, most: int, failed: Callable[[Exception], None]) -> None:
        self._most, self._failed = most, failed
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Errand]] = {}  # by host; an empty one has an errand in work and no other
        self._turns: deque[str] = deque()  # hosts that may be gone to, in the order in which their turn came
        self._threads = 0
        self._closed = False

    def send(self, host: str, errand: Errand) -> None:
        """Has an errand run as soon as it is its turn; after `close`, not at all."""
        with self._changed:
            if self._closed:
                return
            if host in self._waiting:
                self._waiting[host].append(errand)
            else:
                self._waiting[host] = deque([errand])
                self._turns.append(host)
            if self._turns and self._threads < self._most:
                thread = threading.Thread(target=self._work, name="courier", daemon=True)
                with suppress(
                    RuntimeError
                ):  # the system allows no more of them; those there are do the work, or the next
                    thread.start()
                    self._threads += 1

    def close(self, wait_s: float = 0.0) -> None:
        """Forgets the errands that wait, and waits so long at most for those in work, which end by their own deadlines."""
        until = time.monotonic() + wait_s
        with self._changed:
            self._closed = True
            self._turns.clear()
            self._waiting.clear()
            while self._threads and (left_s := until - time.monotonic()) > 0:
                self._changed.wait(left_s)

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            host, errand = taken
            try:
                errand()
            except Exception as error:  # noqa: BLE001 - told, and the others go on
                self._failed(error)
            self._done(host)

    def _take(self) -> tuple[str, Errand] | None:
        with self._changed:
            if not self._turns:
                self._threads -= 1
                self._changed.notify_all()
                return None
            host = self._turns.popleft()
            return host, self._waiting[host].popleft()

    def _done(self, host: str) -> None:
        with self._changed:
            if self._waiting.get(host):
                self._turns.append(host)
            else:
                self._waiting.pop(host, None)
