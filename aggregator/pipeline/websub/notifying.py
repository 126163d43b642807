"""Telling somebody else's hub which of our documents changed, and only those (WebSub §6)."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from aggregator.config.models import Config
from aggregator.errors import FetchError
from aggregator.pipeline.results import FeedResult
from aggregator.pipeline.websub.messenger import Messenger, host_of, why
from aggregator.pipeline.websub.office import PRIVATE, Log, Office
from aggregator.pipeline.websub.topics import is_document
from aggregator.publish.site import encoded
from aggregator.push.leases import retry_in_s
from aggregator.push.messages import publish_form

# Hubs that take several documents in one request, as PubSubHubbub 0.3 (§7.1) had it. WebSub leaves it open, and one that
# reads only the last of them would say nothing: so whoever is not listed is told of each by itself.
_TAKE_MANY = frozenset({"pubsubhubbub.appspot.com"})
_MANY = 50
_TRIES = 4


def hub_to_tell(config: Config) -> str:
    """The hub of others that is configured; empty where there is none."""
    hub = config.websub.hub
    return "" if hub is None or hub == "builtin" else hub


def to_tell(paths: Iterable[str]) -> list[str]:
    """Which of the documents that changed a hub is told of: not of pages, and private feeds are nobody else's to know."""
    return sorted(path for path in paths if is_document(path) and not path.startswith(PRIVATE))


def tell_once(config: Config, results: Iterable[FeedResult], log: Log, *, wait_s: float = 60.0) -> None:
    """Tells the hub from a run that ends, which cannot try again later; what cannot be told in so many seconds is logged."""
    hub, changed = hub_to_tell(config), to_tell(path for result in results for path in result.written)
    if not hub or not changed:
        return
    messenger, until = Messenger(config), time.monotonic() + wait_s
    try:
        for batch in _batches(hub, changed):
            if time.monotonic() > until:
                log("the hub could not be told", error=f"it took longer than {wait_s:g} seconds", then="given up")
                return
            try:
                messenger.tell_hub(hub, _form(config, batch))
            except FetchError as error:
                log("the hub could not be told", documents=len(batch), error=why(error), then="given up")
    finally:
        messenger.close()


def _batches(hub: str, paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """The documents, as many together as the hub takes in one request."""
    size = _MANY if host_of(hub) in _TAKE_MANY else 1
    return (paths[start : start + size] for start in range(0, len(paths), size))


def _form(config: Config, paths: Iterable[str]) -> bytes:
    return publish_form([config.site.base_url + encoded(path) for path in paths])


@dataclass(frozen=True, slots=True)
class _Owed:
    """What the hub has not been told yet of one document."""

    failures: int
    not_before: datetime


class Notifier:
    """Remembers of which documents the hub is to be told until it has been; may be called from any thread."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._lock = threading.Lock()
        self._owed: dict[str, _Owed] = {}
        self._telling: set[str] = set()  # of which the hub is being told, or will be once it has heard the others

    def changed(self, paths: Collection[str], now: datetime) -> None:
        """Has the hub told of documents whose bytes changed."""
        if hub_to_tell(self._office.desk.config):
            with self._lock:
                self._owed |= dict.fromkeys(to_tell(paths), _Owed(0, now))

    def tick(self, now: datetime) -> None:
        """Tells what is due; the telling is done by others."""
        hub = hub_to_tell(self._office.desk.config)
        with self._lock:
            if not hub:
                self._owed.clear()  # it was configured away
            due = sorted(
                path for path, owed in self._owed.items() if owed.not_before <= now and path not in self._telling
            )
            taken = {path: self._owed.pop(path) for path in due}
            self._telling.update(due)
        for batch in _batches(hub, due):
            self._office.couriers.send(host_of(hub), partial(self._tell, hub, {path: taken[path] for path in batch}))

    def _tell(self, hub: str, batch: dict[str, _Owed]) -> None:
        try:
            self._told(hub, batch)
        finally:
            with self._lock:
                self._telling.difference_update(batch)

    def _told(self, hub: str, batch: dict[str, _Owed]) -> None:
        office = self._office
        try:
            office.messenger().tell_hub(hub, _form(office.desk.config, batch))
        except FetchError as error:
            kept = {path: owed for path, owed in batch.items() if owed.failures + 1 < _TRIES}
            with self._lock:
                for path, owed in kept.items():
                    failures = owed.failures + 1
                    again = office.desk.now() + timedelta(seconds=retry_in_s(failures, office.random))
                    self._owed.setdefault(path, _Owed(failures, again))  # it may have changed again meanwhile
            then = "tried again later" if kept else "given up"
            office.log("the hub could not be told", documents=len(batch), error=why(error), then=then)
