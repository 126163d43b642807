"""Telling somebody else's hub what changed."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from pushed import BASE, until
from webfeed import Reply

from aggregator.pipeline.results import FeedResult
from aggregator.pipeline.websub import notifying

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # nothing of it is kept


@pytest.fixture(autouse=True)
def _hub(desk, peer):
    desk.settings["websub"] = {"hub": peer.url}
    peer.answer = lambda _: Reply(204)


def topics(peer):
    return sorted(topic for call in peer.calls for topic in call.form["hub.topic"])


def test_the_hub_is_told_of_each_document_whose_bytes_changed_and_of_nothing_else(desk, push, peer):
    changed = ("a/rss.xml", "category/新媒体/feed.json", "a/index.html", "private/0123456789abcdef/x/rss.xml")
    push.regenerated(
        [FeedResult("a", written=changed, unchanged=("a/atom.xml",)), FeedResult("", written=("feeds.opml",))]
    )
    until(lambda: len(peer.calls) == 2)
    push.regenerated([FeedResult("a", unchanged=changed)])
    push.tick(desk.now() + timedelta(days=1))
    push.close(5)
    assert topics(peer) == [BASE + "a/rss.xml", BASE + "category/%E6%96%B0%E5%AA%92%E4%BD%93/feed.json"]
    assert peer.calls[0].form["hub.mode"] == ["publish"]
    assert peer.calls[0].form["hub.url"] == peer.calls[0].form["hub.topic"]
    assert peer.calls[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_hub_that_is_known_to_take_many_is_told_in_few_requests(desk, push, peer, monkeypatch):
    monkeypatch.setattr(notifying, "_TAKE_MANY", {"127.0.0.1"})
    paths = tuple(f"f{number}/rss.xml" for number in range(60))
    push.regenerated([FeedResult("f", written=paths)])
    until(lambda: len(peer.calls) == 2)
    assert len(topics(peer)) == 60


def test_a_hub_that_fails_is_told_again_a_few_times_and_what_changed_again_once(desk, push, peer):
    peer.answer = lambda _: Reply(503)
    push.regenerated([FeedResult("a", written=("a/rss.xml",))])
    for tries in range(1, 5):
        until(lambda tries=tries: len(desk.logged) == tries)
        push.tick(desk.now() + timedelta(seconds=1))  # too early
        desk.moment += timedelta(hours=7)
        push.tick(desk.now())
    push.tick(desk.now() + timedelta(days=1))
    assert [log[1]["then"] for log in desk.logged] == ["tried again later"] * 3 + ["given up"]
    peer.answer = lambda _: Reply(204)
    push.regenerated([FeedResult("a", written=("a/rss.xml",))])
    until(lambda: len(peer.calls) == 5)
    push.close(5)
    assert len(peer.calls) == 5


def test_what_changes_faster_than_the_hub_listens_is_told_once_more_and_not_each_time(desk, push, peer):
    listens = threading.Event()
    peer.answer = lambda _: (listens.wait(5), Reply(204))[1]
    for _ in range(20):
        push.regenerated([FeedResult("a", written=("a/rss.xml", "a/atom.xml"))])
    listens.set()
    until(lambda: (push.tick(desk.now()), len(peer.calls) >= 4)[1])
    push.tick(desk.now() + timedelta(days=1))
    push.close(5)
    assert topics(peer) == [BASE + "a/atom.xml"] * 2 + [BASE + "a/rss.xml"] * 2


def test_a_redirect_of_the_hub_is_followed_as_the_specification_says(desk, push, peer):
    there = peer.url + "there"
    peer.answer = lambda call: Reply(204) if call.path == "/there" else Reply(307, headers={"Location": there})
    push.regenerated([FeedResult("a", written=("a/rss.xml",))])
    until(lambda: len(peer.calls) == 2)
    assert peer.calls[1].form == peer.calls[0].form
    assert desk.logged == []


def test_a_run_that_ends_tells_the_hub_once(desk, peer):
    results = [FeedResult("a", written=("a/rss.xml", "a/index.html", "private/0123456789abcdef/x/rss.xml"))]
    notifying.tell_once(desk.config, results, desk.log)
    assert topics(peer) == [BASE + "a/rss.xml"]
    notifying.tell_once(desk.config, [FeedResult("a", unchanged=("a/rss.xml",))], desk.log)
    assert len(peer.calls) == 1
    peer.answer = lambda _: Reply(500)
    notifying.tell_once(desk.config, results, desk.log)
    assert [(event, fields["then"]) for event, fields in desk.logged] == [("the hub could not be told", "given up")]
    notifying.tell_once(desk.config, results, desk.log, wait_s=-1)
    assert len(peer.calls) == 2
    desk.settings["websub"] = {"hub": "builtin"}
    notifying.tell_once(desk.config, results, desk.log)
    assert len(peer.calls) == 2
