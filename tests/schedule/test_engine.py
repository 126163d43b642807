from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from typing import Any

import pytest
from pictures import picture
from planet import Planet
from webfeed import Reply, rss

from aggregator.errors import PublishError, StoreError
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult
from aggregator.pipeline.subscriptions import with_subscriptions
from aggregator.schedule.engine import Engine
from aggregator.schedule.once import Order
from aggregator.schedule.workers import WorkerPool
from aggregator.store.store import Store


class Heard:
    """What an engine told of."""

    def __init__(self) -> None:
        self.sources: list[SourceResult] = []
        self.feeds: list[FeedResult] = []
        self.rounds: list[list[FeedResult]] = []
        self.images: list[MirrorResult] = []

    def source(self, result):
        self.sources.append(result)

    def feed(self, result):
        self.feeds.append(result)

    def published(self, results):
        self.rounds.append(list(results))

    def mirrored(self, result):
        self.images.append(result)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def engine(planet: Planet, heard: Heard) -> Any:
    """Makes the engine of the planet, once its sources are there."""
    made = []

    def make() -> Engine:
        engine = Engine(planet.config, planet.store, clock=lambda: planet.now, workers=WorkerPool(1), observer=heard)
        made.append(engine)
        return engine

    yield make
    for one in made:
        one.ending.set()
        assert one.settle(time.monotonic() + 5)


def item(number: int, **fields: str) -> dict[str, str]:
    return {"title": f"Item {number}", "link": f"https://site.example/{number}", "guid": f"g{number}", **fields}


def a_source(planet: Planet, web: Any, number: int, *items: dict[str, str], **settings: Any) -> None:
    url = web.put(number, "/", Reply(200, rss(*items)))
    planet.sources.append({"name": f"web{number}", "type": "feed", "url": url, **settings})


def a_slow_source(planet: Planet, web: Any) -> threading.Event:
    """A source that answers once the event is set."""
    released = threading.Event()
    url = web.put(1, "/", lambda _: Reply(200, rss(item(1))) if released.wait(20) else Reply(500))
    planet.sources.append({"name": "slow", "type": "feed", "url": url})
    return released


def asking(engine: Engine, web: Any) -> threading.Thread:
    """A round that has begun to ask."""
    thread = threading.Thread(target=engine.refresh_due)
    thread.start()
    while not web.asked:
        time.sleep(0.01)
    return thread


def test_what_is_due_is_asked_and_published_and_then_left_alone(planet, web, engine, heard):
    a_source(planet, web, 1, item(1))
    running = engine()
    running.refresh_due()
    running.publish()
    assert planet.titles() == ["Item 1"]
    running.refresh_due()
    assert [result.name for result in heard.sources] == ["web1"]
    planet.now += timedelta(minutes=31)
    running.refresh_due()
    assert [result.name for result in heard.sources] == ["web1", "web1"]
    assert len(web.asked) == 2


def test_a_source_is_not_asked_while_something_that_was_pushed_for_it_waits(planet, web, engine):
    a_source(planet, web, 1, item(1))
    running = engine()
    running.expect_push("web1")
    running.expect_push("web1")
    running.refresh_due()
    running.take_push("web1", rss(item(1)), "text/xml")
    running.refresh_due()
    assert not web.asked
    running.forget_push("web1")
    running.refresh_due()
    assert len(web.asked) == 1


def test_what_is_due_is_known_from_one_look_at_the_store_however_many_were_never_asked(
    planet, web, blog, engine, monkeypatch
):
    a_source(planet, web, 1, item(1), every="1h")
    running = engine()
    running.refresh_due()
    planet.sources += [{"name": f"new{n}", "type": "feed", "url": f"https://{n}.example/"} for n in range(50)]
    running.reconfigure(planet.config)
    monkeypatch.setattr("aggregator.store.sources.Sources.get", None)
    due = running.next_due()
    assert len(due) == 52
    assert timedelta(minutes=54) <= due.pop("web1") - planet.now <= timedelta(hours=1)
    assert set(due.values()) == {None}


def test_a_change_wishes_for_a_regeneration_and_its_absence_for_none(planet, web, engine, monkeypatch):
    monkeypatch.setattr("aggregator.schedule.engine.CHANGED_S", 0.01)
    a_source(planet, web, 1, item(1))
    running = engine()
    running.refresh_due()
    assert running.wishes.wait(5)
    planet.now += timedelta(hours=1)
    running.refresh_due()
    assert not running.wishes.wait(0.01)


def test_a_saved_post_is_published_while_a_slow_host_is_waited_for(planet, web, blog, engine):
    released = a_slow_source(planet, web)
    running = engine()
    waiting = asking(running, web)
    assert (running.queue.due, running.queue.asking) == (1, 1)
    planet.post("a.md", title="Saved")
    running.look({"blog"})
    running.publish()
    assert planet.titles() == ["Saved"]
    running.refresh_due()  # one round at a time: nobody is asked twice
    assert len(web.asked) == 1
    released.set()
    waiting.join(10)
    running.publish()
    assert sorted(planet.titles()) == ["Item 1", "Saved"]


def test_a_saved_post_is_published_while_a_run_that_was_handed_over_waits_for_a_slow_host(planet, web, blog, engine):
    released = a_slow_source(planet, web)
    running = engine()
    order = threading.Thread(target=running.run, args=(Order(every_source=True), Heard()))
    order.start()
    while not web.asked:
        time.sleep(0.01)
    planet.post("a.md", title="Saved")
    look = threading.Thread(target=running.look, args=({"blog"},))
    look.start()
    look.join(5)
    assert not look.is_alive()
    running.publish()
    assert planet.titles() == ["Saved"]
    released.set()
    order.join(10)


def test_ending_does_not_wait_for_a_slow_host(planet, web, engine):
    released = a_slow_source(planet, web)
    running = engine()
    waiting = asking(running, web)
    begun = time.monotonic()
    running.ending.set()
    waiting.join(10)
    assert time.monotonic() - begun < 3
    released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("source-"):
            thread.join(5)  # it opens the store once more


def test_a_source_that_leaves_the_configuration_takes_its_posts_along(planet, web, engine):
    a_source(planet, web, 1, item(1))
    a_source(planet, web, 2, item(2))
    running = engine()
    running.refresh_due()
    running.publish()
    planet.sources.pop()
    running.reconfigure(planet.config)
    running.refresh_due()
    running.publish()
    assert planet.titles() == ["Item 1"]


def failing(*_: Any) -> Any:
    raise StoreError("the store is restarting")


def test_a_source_that_left_while_the_store_failed_takes_its_posts_along_later(planet, web, engine, monkeypatch):
    a_source(planet, web, 1, item(1))
    running = engine()
    running.refresh_due()
    running.publish()
    planet.sources.clear()
    running.reconfigure(planet.config)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", failing)
        with pytest.raises(StoreError):
            running.refresh_due()
    running.refresh_due()
    running.publish()
    assert planet.titles() == []


def test_a_configuration_that_could_not_be_taken_over_changes_nothing(planet, web, engine, monkeypatch):
    a_source(planet, web, 1, item(1))
    running = engine()
    before = running.config
    planet.sources.clear()
    with monkeypatch.context() as patched:
        patched.setattr("aggregator.schedule.engine.with_subscriptions", failing)
        with pytest.raises(StoreError):
            running.reconfigure(planet.config)
    assert running.config is before
    running.refresh_due()
    assert len(web.asked) == 1


def test_a_configuration_that_is_taken_over_while_a_list_is_read_stays_in_force(planet, web, engine, monkeypatch):
    a_list(planet, web)
    running, real = engine(), with_subscriptions
    other = []

    def slow(config, store):
        found = real(config, store)
        if not other:  # somebody else saves the configuration at this very moment
            a_source(planet, web, 2, item(2))
            other.append(threading.Thread(target=running.reconfigure, args=(planet.config,)))
            other[0].start()
            other[0].join(0.2)
        return found

    monkeypatch.setattr("aggregator.schedule.engine.with_subscriptions", slow)
    running.look()
    other[0].join(5)
    assert "web2" in {source.name for source in running.config.sources}
    assert len(running.config.sources) == 3


def test_a_source_whose_category_changed_is_made_anew_before_it_is_due(planet, web, engine):
    a_source(planet, web, 1, item(1), category="old")
    running = engine()
    running.refresh_due()
    planet.sources[0]["category"] = "new"
    running.reconfigure(planet.config)
    running.refresh_due()
    running.publish()
    assert planet.titles("category/new") == ["Item 1"]
    assert not (planet.output / "category/old").exists()


def a_list(planet: Planet, web: Any) -> None:
    """A list on this machine, of one feed on the web."""
    url = web.put(1, "/", Reply(200, rss(item(1))))
    planet.write("list.opml", f'<opml version="2.0"><body><outline type="rss" xmlUrl="{url}"/></body></opml>')
    planet.sources.append({"name": "friends", "type": "opml", "path": "list.opml", "allow_private": True})


def test_a_feed_that_a_list_gained_is_asked_in_the_next_round_and_never_by_a_look_at_files(planet, web, engine):
    a_list(planet, web)
    running = engine()
    running.look()
    assert web.asked == []
    assert len(running.config.sources) == 2
    running.refresh_due()
    running.publish()
    assert planet.titles() == ["Item 1"]
    planet.now += timedelta(hours=1)
    running.refresh_due()
    assert len(web.asked) == 2


def test_a_run_that_is_handed_over_asks_what_a_list_gained(planet, web, engine, heard):
    a_list(planet, web)
    engine().run(Order(sources=("friends",)), Heard())
    assert planet.titles() == ["Item 1"]
    assert len(heard.sources) == 2


def test_the_feeds_of_a_list_are_taken_up_in_the_next_round_where_the_store_failed(planet, web, engine, monkeypatch):
    a_list(planet, web)
    running = engine()
    with monkeypatch.context() as patched:
        patched.setattr("aggregator.schedule.engine.with_subscriptions", failing)
        with pytest.raises(StoreError):
            running.look()
    running.refresh_due()
    running.publish()
    assert planet.titles() == ["Item 1"]


def test_a_run_that_is_handed_over_does_what_was_ordered_and_tells_both(planet, web, engine, heard):
    a_source(planet, web, 1, item(1))
    a_source(planet, web, 2, item(2))
    running, other = engine(), Heard()
    running.run(Order(sources=("web2",), feeds=("all",)), other)
    assert planet.titles() == ["Item 2"]
    assert [result.name for result in other.sources] == ["web2"]
    assert [result.slug for result in other.feeds] == ["all"]
    assert heard.sources == other.sources
    assert heard.feeds == other.feeds
    running.run(Order(every_source=True), other)
    assert {result.name for result in other.sources} == {"web1", "web2"}
    asked = len(web.asked)
    running.run(Order(refresh=False, force=True), other)
    assert len(web.asked) == asked
    assert len(heard.rounds) == 3


def test_a_post_that_was_held_is_published_when_its_date_comes(planet, blog, engine):
    planet.post("later.md", title="Later", date="2024-05-01 13:00:00")
    running = engine()
    running.look()
    running.publish()
    assert planet.titles() == []
    planet.now += timedelta(hours=2)
    running.release()
    assert running.wishes.wait(1)
    running.publish()
    assert planet.titles() == ["Later"]


def test_r1_a_feed_that_cannot_be_written_is_told_and_tried_again(planet, blog, engine, monkeypatch):
    monkeypatch.setattr("aggregator.schedule.engine.AGAIN_S", 0.05)
    planet.post("a.md", title="A")
    running = engine()
    running.look()
    assert running.wishes.wait(1)
    in_the_way = planet.output / "all"
    planet.write("out/all", "no folder")
    assert "all/rss.xml" in running.publish()
    in_the_way.unlink()
    assert running.wishes.wait(1)
    assert running.publish() == ""
    assert planet.titles() == ["A"]
    assert not running.wishes.wait(0.1)


def test_r5_a_clock_set_back_an_hour_asks_at_most_a_round_and_dates_nothing_anew(planet, web, engine):
    for number in range(1, 41):
        a_source(planet, web, number, item(number))
    running = engine()
    for _ in range(2):  # 32, then the rest
        running.refresh_due()
    running.publish()
    before = planet.documents()
    assert len(web.asked) == 40
    planet.now -= timedelta(hours=1)
    running.refresh_due()
    assert len(web.asked) <= 72
    running.publish()
    assert planet.documents() == before


def test_r5_a_clock_that_was_a_month_ahead_loses_no_post_and_leaves_no_source_waiting(planet, web, engine):
    a_source(planet, web, 1, item(1, pubDate="Wed, 01 May 2024 10:00:00 GMT"))
    running = engine()
    planet.now += timedelta(days=30)
    running.refresh_due()
    planet.now -= timedelta(days=30)
    running.refresh_due()
    running.publish()
    assert len(web.asked) == 2
    assert [one["date_published"] for one in planet.items()] == ["2024-05-01T10:00:00+00:00"]


def test_workers_that_are_killed_each_time_are_told_of_from_the_second_time_and_tried_again(
    planet, blog, engine, monkeypatch
):
    planet.post("a.md", title="A")
    running, other = engine(), Heard()
    running.look()

    def killed(*_: Any, **__: Any) -> Any:
        raise BrokenProcessPool("a process was terminated abruptly")

    with monkeypatch.context() as patched:
        patched.setattr("aggregator.pipeline.regenerate.Regenerator.regenerate", killed)
        assert running.publish() == ""
        for _ in range(2):
            with pytest.raises(PublishError, match="killed"):
                running.publish()
        running.run(Order(refresh=False), other)
        assert "killed" in other.feeds[0].error
    assert running.publish() == ""
    assert planet.titles() == ["A"]


def test_outcomes_are_counted_by_the_hour(planet, web, engine):
    a_source(planet, web, 1, item(1))
    planet.sources.append({"name": "gone", "type": "feed", "url": web.url(2, "/")})
    running = engine()
    running.refresh_due()
    planet.now += timedelta(minutes=35)
    running.refresh_due()
    with planet.store.read() as tx:
        counted = tx.fetches.since(planet.now - timedelta(hours=1))
    [hour] = counted.values()
    assert (hour["new"], hour["unchanged"]) == (1, 1)
    assert hour["failed"] in {1, 2}  # chance says how soon it is tried again


def test_what_is_published_is_missed_when_somebody_removes_it(planet, blog, engine):
    planet.post("a.md")
    running = engine()
    running.look()
    running.publish()
    assert running.is_published()
    shutil.rmtree(planet.output)
    assert not running.is_published()
    running.publish()
    assert running.is_published()


def showing(planet: Planet, web: Any, *hosts: int) -> list[str]:
    """Posts of hosts that each show an image of another one, which is to be mirrored."""
    planet.settings["images"] = {"rules": [{"action": "mirror"}]}
    urls = [web.url(10 + number, "/a.png") for number in hosts]
    for number, url in zip(hosts, urls, strict=True):
        a_source(planet, web, number, item(number, description=f"&lt;img src='{url}'&gt;"), category=f"c{number}")
    return urls


def test_copies_of_images_come_after_what_is_published_and_their_feeds_follow(planet, web, engine, heard, monkeypatch):
    monkeypatch.setattr("aggregator.schedule.engine.CHANGED_S", 0.01)
    url, other = showing(planet, web, 1, 2)
    web.put(11, "/a.png", Reply(200, picture()))
    running = engine()
    running.refresh_due()
    running.publish()
    assert url in planet.items()[0]["content_html"] + planet.items()[1]["content_html"]
    assert running.wishes.wait(5)
    running.mirror()
    assert [result.copied for result in heard.images] == [1]
    assert running.wishes.wait(5)
    heard.feeds.clear()
    running.publish()
    assert {result.slug for result in heard.feeds} >= {"all", "category/c1"}
    assert "category/c2" not in {result.slug for result in heard.feeds}
    [one] = planet.items("category/c1")
    assert 'src="https://feeds.example.com/media/' in one["content_html"]
    assert other in planet.items("category/c2")[0]["content_html"]
    running.mirror()
    assert not running.wishes.wait(0.01)
    assert len(web.asks(11)) == len(web.asks(12)) == 1


def test_a_run_that_is_handed_over_is_told_of_the_images_that_were_copied_for_it(planet, web, engine):
    showing(planet, web, 1)
    web.put(11, "/a.png", Reply(200, picture()))
    running, other = engine(), Heard()
    running.run(Order(), other)
    assert [result.in_words for result in other.images] == ["images: 1 mirrored"]
    assert "/media/" in planet.items()[0]["content_html"]
    running.run(Order(refresh=False), other)
    assert len(other.images) == 1


def test_an_image_that_takes_long_holds_up_nothing(planet, web, engine):
    showing(planet, web, 1)
    begun, released = threading.Event(), threading.Event()
    web.put(11, "/a.png", lambda _: begun.set() or (Reply(200, picture()) if released.wait(20) else Reply(500)))
    running = engine()
    running.refresh_due()
    thread = threading.Thread(target=running.mirror)
    thread.start()
    assert begun.wait(10)
    running.mirror()  # which is under way
    running.publish()
    assert planet.titles() == ["Item 1"]
    planet.now += timedelta(hours=1)
    running.refresh_due()
    assert len(web.asks(1, "/")) == 2
    released.set()
    thread.join(10)
    assert not thread.is_alive()
    running.publish()
    assert "/media/" in planet.items()[0]["content_html"]


def test_another_choice_of_feeds_mirrors_the_images_of_their_posts(planet, web, engine, heard):
    showing(planet, web, 1)
    web.put(11, "/a.png", Reply(200, picture()))
    planet.settings["images"] = {"rules": [{"action": "mirror", "feeds": "best"}]}
    running = engine()
    running.refresh_due()
    running.mirror()
    planet.settings["feeds"] = [{"slug": "best", "title": "Best"}]
    running.reconfigure(planet.config)
    running.mirror()
    assert [result.copied for result in heard.images] == [0, 1]


def test_another_configuration_mirrors_by_its_own_rules(planet, web, engine, heard):
    showing(planet, web, 1)
    web.put(11, "/a.png", Reply(200, picture()))
    rules, planet.settings["images"] = planet.settings["images"], {}
    running = engine()
    running.refresh_due()
    running.mirror()
    assert heard.images == []
    planet.settings["images"] = rules
    running.reconfigure(planet.config)
    running.mirror()
    assert [result.copied for result in heard.images] == [1]
