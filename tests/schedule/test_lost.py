"""A store that is lost empties no feed: what is published stays until the new one has heard its sources."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from planet import Planet
from webfeed import Reply, Web, an_item, rss

from aggregator.schedule.engine import Engine
from aggregator.schedule.once import Order
from aggregator.schedule.workers import WorkerPool

PUBLISHED = ["Item 1", "Item 2"]


class Nobody:
    """Is told of what is done, and remembers only what was wrong with feeds."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def source(self, result):
        """A source was refreshed."""

    def feed(self, result):
        self.errors += [result.error] if result.error else []

    def published(self, results):
        """It came to its end."""


@pytest.fixture
def lost(planet: Planet, web: Web) -> Planet:
    """Two web sources, published, whose store is new again; neither answers any more."""
    for number in (1, 2):
        url = web.put(number, "/", Reply(200, rss(an_item(number))))
        planet.sources.append({"name": f"web{number}", "type": "feed", "url": url})
    planet.run()
    planet.lose_store()
    for number in (1, 2):
        web.put(number, "/", Reply(503))
    return planet


@pytest.fixture
def engine(planet: Planet) -> Iterator[Callable[[], Engine]]:
    made: list[Engine] = []

    def make() -> Engine:
        made.append(
            Engine(planet.config, planet.store, clock=lambda: planet.now, workers=WorkerPool(1), observer=Nobody())
        )
        return made[-1]

    yield make
    for one in made:
        one.ending.set()
        assert one.settle(time.monotonic() + 5)


def answers(web: Web, number: int) -> None:
    web.put(number, "/", Reply(200, rss(an_item(number))))


def titles(planet: Planet) -> list[str]:
    return sorted(planet.titles())


def test_r4_nothing_is_published_before_the_sources_were_asked_nor_while_none_could_be_read(lost, web, engine):
    running = engine()
    assert "not all of them were asked" in running.withheld()
    running.publish()
    running.refresh_due()
    assert "none of them could be read" in running.withheld()
    running.publish()
    assert titles(lost) == PUBLISHED
    answers(web, 1)
    lost.now += timedelta(hours=1)
    running.refresh_due()
    running.publish()
    assert titles(lost) == ["Item 1"]  # the other failed: that its posts were ever there, nobody knows
    lost.lose_store()
    assert running.withheld() == ""  # heard is heard


def test_r4_a_first_round_that_was_broken_off_publishes_nothing_in_the_next_life_either(lost, web, engine):
    answers(web, 1)
    released = threading.Event()
    web.put(2, "/", lambda _: Reply(200, rss(an_item(2))) if released.wait(20) else Reply(500))
    running = engine()
    waiting = threading.Thread(target=running.refresh_due)
    waiting.start()
    while lost.state("web1").ok_at is None:
        time.sleep(0.01)
    running.publish()
    running.ending.set()
    waiting.join(10)
    again = engine()
    again.publish()
    assert titles(lost) == PUBLISHED
    released.set()
    again.refresh_due()
    again.publish()
    assert titles(lost) == PUBLISHED
    assert again.withheld() == ""


def test_r4_a_folder_that_can_be_read_does_not_stand_for_a_network_that_is_down(lost, web, blog, engine):
    blog.post("a.md", title="Saved")
    running = engine()
    for _ in range(3):
        running.look()
        running.publish()
        assert titles(lost) == PUBLISHED
        running.refresh_due()
        lost.now += timedelta(days=2)
    running.publish()  # both are dead for days
    assert titles(lost) == ["Saved"]


def test_r4_a_run_that_is_handed_over_says_why_it_published_nothing_unless_it_is_forced(lost, web, engine):
    running, told = engine(), Nobody()
    running.run(Order(every_source=True), told)
    assert "none of them could be read" in told.errors[0]
    assert titles(lost) == PUBLISHED
    running.run(Order(refresh=False, force=True), told)
    assert titles(lost) == []


def test_r4_neither_does_a_single_run_empty_them(lost: Any, web):
    result = lost.run()
    assert result.failed
    assert "none of them could be read; --force publishes all the same" in result.feeds[0].error
    assert titles(lost) == PUBLISHED
    answers(web, 1)
    lost.run()
    assert titles(lost) == ["Item 1"]
    lost.lose_store()
    assert lost.run(force=True).feeds[0].error == ""


def test_r4_a_list_is_heard_once_its_feeds_were(planet, web, engine):
    url = web.put(1, "/", Reply(200, rss(an_item(1))))
    planet.write("list.opml", f'<opml version="2.0"><body><outline type="rss" xmlUrl="{url}"/></body></opml>')
    planet.sources.append({"name": "friends", "type": "opml", "path": "list.opml", "allow_private": True})
    planet.run()
    planet.lose_store()
    running = engine()
    running.look()
    running.publish()
    assert planet.titles() == ["Item 1"]
    running.refresh_due()
    assert running.withheld() == ""
