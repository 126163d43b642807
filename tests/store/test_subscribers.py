from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON

from aggregator.store.subscribers import Subscriber

HOUR = timedelta(hours=1)
ONE = Subscriber(topic="all/rss.xml", callback="https://r/1", host="r", secret="s", until=NOON + 10 * HOUR, sent='"v1"')


@pytest.fixture
def subscribed(store):
    with store.write() as tx:
        for one in (
            ONE,
            replace(ONE, callback="https://q/2", host="q"),
            replace(ONE, topic="all/atom.xml", sent='"v2"'),
        ):
            tx.subscribers.put(one)
    return store


def test_who_has_not_got_a_version_is_owed_it(subscribed):
    with subscribed.write() as tx:
        assert tx.subscribers.owed("all/rss.xml", '"v1"', NOON) == []
        assert [one.callback for one in tx.subscribers.owed("all/rss.xml", '"v2"', NOON)] == [
            "https://q/2",
            "https://r/1",
        ]
        tx.subscribers.delivered("all/rss.xml", "https://q/2", '"v2"')
        assert tx.subscribers.owed("all/rss.xml", '"v2"', NOON) == [ONE]
        assert tx.subscribers.topics() == ["all/atom.xml", "all/rss.xml"]


def test_what_failed_waits_and_is_found_when_its_time_has_come(subscribed):
    with subscribed.write() as tx:
        tx.subscribers.failed("all/rss.xml", "https://r/1", 1, NOON + HOUR)
        assert [one.callback for one in tx.subscribers.owed("all/rss.xml", '"v2"', NOON)] == ["https://q/2"]
        assert tx.subscribers.waiting(NOON) == []
        assert tx.subscribers.waiting(NOON + HOUR) == ["all/rss.xml"]
        [again] = [one for one in tx.subscribers.owed("all/rss.xml", '"v2"', NOON + HOUR) if one.failures]
        assert again == replace(ONE, failures=1, not_before=NOON + HOUR)
        tx.subscribers.delivered("all/rss.xml", "https://r/1", '"v2"')
        assert tx.subscribers.at("all/rss.xml", "https://r/1") == replace(ONE, sent='"v2"')


def test_the_longest_callback_that_our_hub_takes_can_be_stored(subscribed):
    path = f"{random.Random(1).randbytes(400).hex()}/rss.xml"
    longest = replace(ONE, topic=path, callback=f"https://r/{random.Random(2).randbytes(495).hex()}")
    with subscribed.write() as tx:
        tx.subscribers.put(longest)
        assert tx.subscribers.at(path, longest.callback) == longest


def test_what_waits_since_the_clock_was_ahead_waits_no_longer(subscribed):
    with subscribed.write() as tx:
        tx.subscribers.failed("all/rss.xml", "https://r/1", 1, NOON + timedelta(days=365))
        assert tx.subscribers.waiting(NOON) == ["all/rss.xml"]
        owed = tx.subscribers.owed("all/rss.xml", '"v2"', NOON)
        assert [one.callback for one in owed] == ["https://q/2", "https://r/1"]
        tx.subscribers.failed(
            "all/rss.xml", "https://r/1", 9, NOON + timedelta(hours=7.5)
        )  # the longest that it may be
        assert tx.subscribers.waiting(NOON) == []


def test_subscriptions_are_counted_in_all_and_by_host(subscribed):
    with subscribed.read() as tx:
        assert (tx.subscribers.count(), tx.subscribers.count("r"), tx.subscribers.count("x")) == (3, 2, 0)


def test_subscriptions_end_with_their_lease_or_when_they_are_removed(subscribed):
    with subscribed.write() as tx:
        tx.subscribers.put(replace(ONE, until=NOON + HOUR))
        assert tx.subscribers.expire(NOON + HOUR) == 1
        tx.subscribers.remove("all/rss.xml", "https://q/2")
        tx.subscribers.delivered("all/rss.xml", "https://q/2", '"v2"')  # was on its way
        assert tx.subscribers.topics() == ["all/atom.xml"]
