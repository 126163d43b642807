"""Storing what was pushed, beside polling, which remembers nothing of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from webfeed import an_item, rss

from aggregator.pipeline.websub import pushing
from aggregator.pipeline.websub.pushing import store_push
from aggregator.store.leases import Lease, LeaseState

DAY = timedelta(days=1)


@pytest.fixture
def pushed(planet):
    """Stores a body that was pushed for the source, for which there is a lease."""

    def store(body):
        until = planet.now + 10 * DAY
        lease = Lease(
            callback="c",
            source="web",
            hub="h",
            topic="t",
            secret="s",
            state=LeaseState.ACTIVE,
            until=until,
            not_before=until,
        )
        with planet.store.write() as tx:
            tx.leases.put([lease])
        return store_push(planet.config, planet.store, planet.now, "web", body, "application/rss+xml")

    return store


def test_a_pushed_post_is_stored_once_and_nothing_is_fetched_for_it(planet, feed, pushed):
    feed.items, feed.etag = [an_item(1), an_item(2)], '"v1"'
    planet.run()
    before = planet.state()
    result = pushed(rss(an_item(3)))  # a hub may leave out what it has delivered
    assert (result.new, result.changed, result.error, result.how) == (1, 0, "", "pushed")
    assert planet.state() == replace(before, changed_at=planet.now, push_until=planet.now + 10 * DAY)
    again = pushed(rss(an_item(3)))
    assert (again.is_news, again.unchanged) == (False, 1)
    assert len(feed.asked) == 1


def test_what_was_pushed_is_published_and_not_news_to_the_next_poll(planet, feed, pushed):
    feed.items = [an_item(1), an_item(2)]
    planet.run()
    pushed(rss(an_item(3), an_item(2, description="edited")))
    feed.items = [an_item(1), an_item(2, description="edited"), an_item(3)]
    [polled] = planet.run().sources
    assert (polled.new, polled.changed, polled.unchanged) == (0, 0, 3)
    assert planet.titles() == ["Item 3", "Item 2", "Item 1"]
    assert planet.state().push_until is not None


def test_a_poll_that_finds_a_post_that_was_not_pushed_ends_the_waiting_for_pushes(planet, feed, pushed):
    feed.items = [an_item(1)]
    planet.run()
    pushed(rss(an_item(2)))
    feed.items = [an_item(1), an_item(2, description="edited")]
    planet.run()
    assert planet.state().push_until is not None  # an edit alone may well not have been pushed
    feed.items = [an_item(1), an_item(2, description="edited"), an_item(3)]
    planet.run()
    assert planet.state().push_until is None


def test_s7_a_push_that_is_no_feed_changes_nothing(planet, feed, pushed):
    feed.items = [an_item(1)]
    planet.run()
    before = planet.state()
    page = b"<!doctype html><html><title>Log in</title></html>"
    for body, words in ((page, "HTML"), (b"", "empty"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"ping", "plain text")):
        result = pushed(body)
        assert words in result.error
    assert planet.state() == before


def test_a_push_for_no_source_is_an_error(planet):
    assert store_push(planet.config, planet.store, planet.now, "gone", rss(an_item(1)), "").error != ""


def test_a_push_before_the_first_poll_is_stored(planet, feed, pushed):
    assert pushed(rss(an_item(1))).new == 1
    feed.items = [an_item(1)]
    [polled] = planet.run().sources
    assert (polled.new, polled.changed, polled.unchanged) == (0, 0, 1)
    assert planet.titles() == ["Item 1"]


def test_a_poll_that_stores_the_same_post_at_the_same_time_does_no_harm(planet, feed, pushed, monkeypatch):
    feed.items = [an_item(1)]
    planet.run()
    digest_answer, polls = pushing.digest_answer, []

    def meanwhile(store, task):
        gathered = digest_answer(store, task)
        if not polls:
            feed.items = [an_item(2), an_item(1)]
            polls.append(planet.run())
        return gathered

    monkeypatch.setattr(pushing, "digest_answer", meanwhile)
    result = pushed(rss(an_item(2)))
    assert (result.error, result.new, result.unchanged) == ("", 0, 1)
    assert planet.titles() == ["Item 2", "Item 1"]
