"""What hosts want of everybody who asks them, whatever for: to be left alone for a while, and their robots.txt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aggregator.config.models import Config
from aggregator.errors import AskedToWait, HttpStatus
from aggregator.ingest.gate import Gate
from aggregator.ingest.hosts import scope_of
from aggregator.ingest.politeness import retry_after_s

_SAY_WHEN = frozenset({403, 429, 503})  # the statuses whose Retry-After is about the host, and not one page


@dataclass(slots=True)
class Manners:
    """What hosts said of themselves, before and in this run; shared by all threads of a run."""

    waits: dict[str, datetime] = field(default_factory=dict)
    robots: dict[str, str] = field(default_factory=dict)  # the text, by where it stands; empty: there are no rules
    new_waits: dict[str, datetime] = field(default_factory=dict)  # learnt in this run
    new_robots: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heed(self, error: HttpStatus, now: datetime) -> None:
        """Remembers a Retry-After for the host that said it."""
        wait_s = retry_after_s(error.retry_after, now) if error.retry_after else None
        if wait_s is not None and error.status in _SAY_WHEN:
            until = now + timedelta(seconds=wait_s)
            scope = scope_of(error.host)
            with self._lock:
                until = max(until, self.waits.get(scope, until))
                self.waits[scope] = self.new_waits[scope] = until

    def heed_robots(self, place: str, text: str) -> None:
        """Remembers what a robots.txt says."""
        with self._lock:
            self.new_robots[place] = text

    def wait_of(self, host: str, now: datetime) -> datetime | None:
        """Until when a host is to be left alone, where it said so."""
        until = self.waits.get(scope_of(host)) if host else None
        return until if until is not None and until > now else None

    def check(self, host: str, now: datetime) -> None:
        """Raises AskedToWait where a host is to be left alone; asked at every hop, so that no redirect leads there."""
        until = self.wait_of(host, now)
        if until is not None:
            raise AskedToWait(f"{host} asked to be left alone until {until:%Y-%m-%d %H:%M} UTC", url=host, until=until)


def gate_of(config: Config) -> Gate:
    """Who may ask a host now, by a configuration; whoever asks in several rounds keeps one, so that pauses last."""
    return Gate(config.fetch.per_host, config.fetch.min_gap_s)


class PoliteGate:
    """The gate of a fetcher, at which a host that said Retry-After is refused."""

    def __init__(self, gate: Gate, check: Callable[[str], None]) -> None:
        self._gate, self._check = gate, check

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Waits for the turn; raises AskedToWait, also where the host said so meanwhile."""
        self._check(host)  # before the turn as well: one that is refused must not cost the others a pause
        with self._gate.turn(host):
            self._check(host)
            yield
