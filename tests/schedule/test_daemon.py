from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pushed import until
from webfeed import an_item, rss

from aggregator.cli.logs import Log
from aggregator.config.models import Config
from aggregator.schedule import daemon as daemon_module
from aggregator.schedule.daemon import Daemon
from aggregator.schedule.engine import Engine
from aggregator.schedule.systemd import Notifier
from aggregator.schedule.workers import WorkerPool


class Busy:
    """Observes an engine, and keeps it from going on until it is let go."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def source(self, _):
        self.goes_on.wait(10)

    def feed(self, _):
        pass

    def published(self, _):
        pass


@pytest.fixture
def busy():
    made = Busy()
    yield made
    made.goes_on.set()


@pytest.fixture
def daemon(planet, busy, monkeypatch):
    """A daemon that was not started, for which three documents may wait."""
    monkeypatch.setattr(daemon_module, "_PUSHES", 3)
    planet.sources = [{"name": "web", "type": "feed", "url": "https://site.example/feed"}]
    engine = Engine(planet.config, planet.store, clock=lambda: planet.now, workers=WorkerPool(1), observer=busy)
    return Daemon(planet.write("a.yaml", ""), engine, log=Log("json"), notifier=Notifier({}))


def pushed(daemon, numbers):
    return [daemon.take_push("web", rss(an_item(number)), "text/xml") for number in numbers]


def stored(planet):
    with planet.store.read() as tx:
        return tx.sources.post_counts().get("web", {}).get("live", 0)


def test_pushes_are_stored_before_a_daemon_ends_as_far_as_there_was_room_for_them(daemon, planet, busy):
    assert pushed(daemon, range(5)) == [True] * 3 + [False] * 2
    until(lambda: stored(planet) == 1)
    threading.Timer(0.05, busy.goes_on.set).start()
    assert daemon.stop()
    assert stored(planet) == 3
    assert pushed(daemon, [5]) == [False]


def test_a_daemon_ends_in_time_whatever_pushes_wait_for(daemon, planet, monkeypatch):
    monkeypatch.setattr(daemon_module, "_END_S", 0.1)
    assert pushed(daemon, [1]) == [True]
    until(lambda: stored(planet) == 1)
    assert not daemon.stop()


def test_what_is_wrong_is_told_to_anybody_without_the_folders_of_this_machine(write):
    engine: Any = SimpleNamespace(
        config=Config(), check=lambda: "the store sqlite:////srv/acme/a.db is locked by another program"
    )
    log: Any = SimpleNamespace(error=lambda _: None, warning=None)
    daemon = Daemon(write("a.yaml", "sources: []\n"), engine, log=log, notifier=SimpleNamespace())
    assert daemon.problem() == ""
    daemon._upkeep()
    assert daemon.problem() == "the store a.db is locked by another program"
