from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from planet import Planet
from pushed import until
from webfeed import an_item, rss

from aggregator.cli.logs import Log
from aggregator.config.models import Config
from aggregator.errors import LockHeld, StoreError
from aggregator.schedule import daemon as daemon_module
from aggregator.schedule.daemon import Daemon
from aggregator.schedule.engine import Engine
from aggregator.schedule.reloading import Watched
from aggregator.schedule.systemd import Notifier
from aggregator.schedule.workers import WorkerPool
from aggregator.store.leases import Lease, LeaseState
from aggregator.store.sources import SourceState


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
    return Daemon(Watched(planet.write("a.yaml", "sources: []")), engine, log=Log("json"), notifier=Notifier({}))


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


def test_only_the_last_push_that_waits_has_its_source_polled_seldom_again(daemon, planet, busy):
    until_then = planet.now + timedelta(days=10)
    lease = Lease(
        callback="c",
        source="web",
        hub="h",
        topic="t",
        secret="s",
        state=LeaseState.ACTIVE,
        until=until_then,
        not_before=until_then,
    )
    with planet.store.write() as tx:
        tx.leases.put([lease])
        tx.sources.put([SourceState(name="web", url="https://site.example/feed")])
        tx.sources.expect_pushes(["web"], until_then)
    assert pushed(daemon, range(3)) == [True] * 3
    until(lambda: stored(planet) == 1)
    assert planet.state().push_until is None  # killed now, it would be asked at the next start
    busy.goes_on.set()
    until(lambda: stored(planet) == 3)
    until(lambda: planet.state().push_until == until_then)
    assert daemon.stop()


def test_what_cannot_be_noted_as_pushed_is_not_taken_and_leaves_its_room(daemon, planet, busy, monkeypatch):
    def fails(_):
        raise StoreError("the store is locked")

    monkeypatch.setattr(daemon.engine, "expect_push", fails)
    for _ in range(5):
        with pytest.raises(StoreError):
            pushed(daemon, [1])
    monkeypatch.setattr(daemon.engine, "expect_push", lambda _: None)
    assert pushed(daemon, [1]) == [True]
    busy.goes_on.set()
    assert daemon.stop()


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
    daemon = Daemon(Watched(write("a.yaml", "sources: []\n")), engine, log=log, notifier=SimpleNamespace())
    assert daemon.problem() == ""
    daemon._upkeep()
    assert daemon.problem() == "the store a.db is locked by another program"


class Heard:
    """A log, an observer and a service manager that remember what they were told."""

    watchdog_s = 0.0

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, event, **_):
        self.said.append(event)

    warning = error = ready = info

    def reloading(self):
        self.said.append("reloading")

    def stopping(self):
        """It ends."""

    def source(self, result):
        """A source was refreshed."""

    feed = published = source


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def make_daemon(planet: Planet, heard: Heard) -> Any:
    """Makes a daemon that does nothing by itself yet."""
    made = []

    def make(**options: Any) -> Daemon:
        save(planet)
        watched = Watched(planet.folder / "a.yaml")
        engine = Engine(watched.config, planet.store, clock=lambda: planet.now, workers=WorkerPool(1), observer=heard)
        made.append(Daemon(watched, engine, log=heard, notifier=heard, **options))
        return made[-1]

    yield make
    for one in made:
        one.engine.ending.set()
        assert one.engine.settle(time.monotonic() + 5)


def save(planet: Planet) -> None:
    """Writes the planet's configuration where a daemon reads it; all JSON is YAML."""
    data = {"site": {"base_url": "https://feeds.example.com/"}, "store": planet.store.url, "output": "out"}
    (planet.folder / "a.yaml").write_text(json.dumps({**data, "sources": planet.sources}))


def test_a_configuration_that_is_saved_while_the_store_fails_is_taken_over_afterwards(
    planet, blog, make_daemon, heard, monkeypatch
):
    running = make_daemon()
    planet.sources.append({"name": "more", "type": "feed", "url": "more.xml"})
    save(planet)

    def restarting(*_: Any) -> Any:
        raise StoreError("the store is restarting")

    with monkeypatch.context() as patched:
        patched.setattr("aggregator.schedule.engine.with_subscriptions", restarting)
        running.reload()
    assert running.problem() == "the store is restarting"
    assert heard.said == [
        "reloading",
        "the new configuration is not in force; the old one stays",
        "the store is restarting",
    ]
    assert len(running.config.sources) == 1
    assert running._watched.is_changed()
    running.reload()
    assert len(running.config.sources) == 2
    assert running.problem() == ""
    assert not running._watched.is_changed()


def test_a_daemon_that_may_not_write_to_its_store_says_so_and_does_not(planet, blog, make_daemon):
    def held_by_another() -> None:
        raise LockHeld("aggregator daemon, process 7 on elsewhere")

    running = make_daemon(guard=held_by_another)
    planet.post("later.md", date="2024-05-01 13:00:00")
    running.engine.look()
    running.engine.publish()
    assert running.engine.wishes.wait(1)
    planet.now += planet.now - planet.now.replace(hour=10)
    running._job("upkeep", running._upkeep)()
    assert "process 7 on elsewhere" in running.problem()
    assert not running.engine.wishes.wait(0.3)


def test_a_lock_that_cannot_be_asked_for_is_told_once_as_a_store_that_cannot_be_used(blog, make_daemon, heard):
    trouble = [StoreError("the store does not answer")]

    def guard() -> None:
        if trouble:
            raise trouble[0]

    running = make_daemon(guard=guard)
    for _ in range(2):
        running._job("upkeep", running._upkeep)()
    assert running.problem() == "the store does not answer"
    trouble.clear()
    running._job("upkeep", running._upkeep)()
    assert running.problem() == ""
    assert heard.said == ["the store does not answer", "the store can be used again"]
