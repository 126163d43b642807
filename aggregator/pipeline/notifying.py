"""Telling somebody else's hub which of our documents changed, and only those (WebSub §6)."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from aggregator.errors import FetchError
from aggregator.pipeline.messenger import host_of, why
from aggregator.pipeline.office import PRIVATE, Office
from aggregator.pipeline.published import is_document
from aggregator.publish.site import encoded
from aggregator.push.leases import retry_in_s
from aggregator.push.messages import publish_form

# Hubs that take several documents in one request, as PubSubHubbub 0.3 (§7.1) had it. WebSub leaves it open, and one that
# reads only the last of them would say nothing: so whoever is not listed is told of each by itself.
_TAKE_MANY = frozenset({"pubsubhubbub.appspot.com"})
_MANY = 50
_TRIES = 4


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

    def changed(self, paths: Collection[str], now: datetime) -> None:
        """Has the hub told of documents whose bytes changed; private ones are nobody else's to know."""
        if self._hub():
            with self._lock:
                for path in paths:
                    if is_document(path) and not path.startswith(PRIVATE):
                        self._owed[path] = _Owed(0, now)

    def tick(self, now: datetime) -> None:
        """Tells what is due; the telling is done by others."""
        hub = self._hub()
        with self._lock:
            due = sorted(path for path, owed in self._owed.items() if owed.not_before <= now) if hub else []
            taken = [(path, self._owed.pop(path)) for path in due]
            if not hub:
                self._owed.clear()  # it was configured away
        size = _MANY if host_of(hub) in _TAKE_MANY else 1
        for start in range(0, len(taken), size):
            batch = dict(taken[start : start + size])
            self._office.couriers.send(host_of(hub), partial(self._tell, hub, batch))

    def _hub(self) -> str:
        """The hub of others that is configured; empty where there is none."""
        hub = self._office.desk.config.websub.hub
        return "" if hub is None or hub == "builtin" else hub

    def _tell(self, hub: str, batch: dict[str, _Owed]) -> None:
        office = self._office
        base_url = office.desk.config.site.base_url
        try:
            office.messenger().tell_hub(hub, publish_form([base_url + encoded(path) for path in batch]))
        except FetchError as error:
            kept = {path: owed for path, owed in batch.items() if owed.failures + 1 < _TRIES}
            with self._lock:
                for path, owed in kept.items():
                    failures = owed.failures + 1
                    again = office.desk.now() + timedelta(seconds=retry_in_s(failures, office.random))
                    self._owed.setdefault(path, _Owed(failures, again))  # it may have changed again meanwhile
            then = "tried again later" if kept else "given up"
            office.log("the hub could not be told", documents=len(batch), error=why(error), then=then)
