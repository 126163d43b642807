"""WebSub in all three roles, as the daemon drives it: our hub, telling another's, and subscribing at those of sources."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from aggregator.config.models import Config
from aggregator.pipeline.results import FeedResult
from aggregator.pipeline.websub.couriers import Couriers
from aggregator.pipeline.websub.hub import Hub
from aggregator.pipeline.websub.messenger import Messenger
from aggregator.pipeline.websub.notifying import Notifier
from aggregator.pipeline.websub.office import Desk, Log, Office
from aggregator.pipeline.websub.subscriber import Subscriber

_COURIERS = 32  # so that dozens of hosts that do not answer keep the others waiting for seconds only


class Push:
    """Everything that is pushed, out and in; its methods look into the store and return, and what takes time is done by threads."""

    def __init__(
        self,
        desk: Desk,
        log: Log,
        *,
        random: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._log = desk, log
        self._lock = threading.Lock()
        self._messenger: tuple[Config, Messenger] | None = None
        self._couriers = Couriers(_COURIERS, self._failed)
        office = Office(desk, self._couriers, self._sent_out, log, random)
        self.hub, self.subscriber = Hub(office, clock), Subscriber(office)
        self._notifier = Notifier(office)

    def tick(self, now: datetime) -> None:
        """Renews leases, and sends what is owed or has to be sent again; to be called every few seconds."""
        self.subscriber.tick(now)
        self._notifier.tick(now)
        self.hub.tick(now)

    def regenerated(self, results: Iterable[FeedResult]) -> None:
        """Sends out the documents whose bytes changed; to be called after each regeneration."""
        written = [path for result in results for path in result.written]
        if written:
            now = self._desk.now()
            self._notifier.changed(written, now)
            self._notifier.tick(now)
            self.hub.tick(now)

    def close(self, wait_s: float = 2.0) -> None:
        """Ends; what is being sent has so many seconds to arrive.

        Readers get what they are owed after the next start; another's hub is not told of what it was not told yet.
        """
        self._couriers.close(wait_s)
        with self._lock:
            if self._messenger is not None:
                self._messenger[1].close()

    def _sent_out(self) -> Messenger:
        """Who goes out by the configuration in force."""
        config = self._desk.config
        with self._lock:
            known = self._messenger
            if known is not None and known[0] is not config:
                known[1].close()
                known = None
            if known is None:
                known = self._messenger = (config, Messenger(config))
            return known[1]

    def _failed(self, error: Exception) -> None:
        self._log("push failed", error=f"unexpected {type(error).__name__}: {error}")
