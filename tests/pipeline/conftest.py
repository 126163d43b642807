"""What every test here may ask for: a whole aggregator in a folder (see `planet`), and what pushes and is pushed to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from planet import blog, feed, no_fsync, planet, web
from pushed import Desk, Peer

from aggregator.pipeline.websub.push import Push
from aggregator.store.store import Store

__all__ = ["blog", "feed", "no_fsync", "planet", "web"]


@pytest.fixture
def desk(tmp_path: Path, store: Store) -> Desk:
    """A daemon as push sees it."""
    return Desk(tmp_path, store)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A hub or a subscriber on the loopback."""
    served = Peer()
    yield served
    served.close()


@pytest.fixture
def push(desk: Desk) -> Iterator[Push]:
    """Everything that is pushed from that desk."""
    made = Push(desk, desk.log, random=lambda: 0.5)
    yield made
    made.close(5)
