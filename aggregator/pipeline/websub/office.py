"""What everything that pushes works with: the daemon as it sees it, and the means to send something out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aggregator.config.models import Config
from aggregator.pipeline.websub.couriers import Couriers
from aggregator.pipeline.websub.messenger import Messenger
from aggregator.push.messages import FORM, Answer
from aggregator.store.store import Store

__all__ = ["FORM", "PRIVATE", "Answer", "Desk", "Log", "Office", "shown"]

PRIVATE = "private/"  # below it lie the documents whose URL is a secret
Log = Callable[..., None]  # an event in plain words, and what it is about by name


class Desk(Protocol):
    """The daemon, as far as push has to know it; everything here may be called from any thread."""

    @property
    def config(self) -> Config:
        """The configuration in force; another object after a reload."""

    @property
    def store(self) -> Store:
        """The store, open."""

    def now(self) -> datetime:
        """The moment, in whole seconds."""


@dataclass(frozen=True, slots=True)
class Office:
    """A desk, who runs its errands, and what it is told of them; `random` gives 0 ≤ x < 1."""

    desk: Desk
    couriers: Couriers
    messenger: Callable[[], Messenger]
    log: Log
    random: Callable[[], float]


def shown(path: str) -> str:
    """A document's path as it may be logged: without the secret of a private feed.

    >>> shown("private/0123456789abcdef/news/rss.xml"), shown("all/rss.xml")
    ('private/***/news/rss.xml', 'all/rss.xml')
    """
    if not path.startswith(PRIVATE):
        return path
    return f"{PRIVATE}***/{path.removeprefix(PRIVATE).partition('/')[2]}"
