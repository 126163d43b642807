"""What a server has to know of the daemon it is part of."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from aggregator.config.models import Config
from aggregator.pipeline.results import Queue
from aggregator.store.store import Store

__all__ = ["Queue", "Running"]


class Running(Protocol):
    """The daemon as its server sees it; everything here may be called from any thread, and is cheap but for `next_due`."""

    @property
    def config(self) -> Config:
        """The configuration in force, with the feeds of its subscription lists; another object after a reload."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the newest configuration was refused, a line each; empty: it is in force."""

    @property
    def store(self) -> Store:
        """The store, open; every thread may use it."""

    @property
    def is_ready(self) -> bool:
        """Whether feeds were regenerated once since the start, and it is not ending."""

    @property
    def queue(self) -> Queue:
        """How much there is to do."""

    def now(self) -> datetime:
        """The moment, in whole seconds."""

    def problem(self) -> str:
        """Why it does not work as it should (its clock stands still, its store fails); empty: it does."""

    def next_due(self) -> dict[str, datetime | None]:
        """When each source is due, by name; None: at any moment. It asks the store, so not in the event loop's thread."""

    def take_push(self, source: str, body: bytes, content_type: str) -> bool:
        """Has a document stored that was pushed for a source, and returns at once; whether it will be.

        What is pushed twice is stored once.
        """
