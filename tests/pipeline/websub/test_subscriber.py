"""Subscribing at hubs of others, with a hub on the loopback."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import pytest
from pushed import until
from webfeed import Reply

from aggregator.pipeline.websub.subscriber import reaches, wanted_of
from aggregator.store.leases import LeaseState
from aggregator.store.sources import SourceState

TOPIC = "https://site.example/feed"
DAY = timedelta(days=1)


@pytest.fixture
def named(desk, peer):
    """A source that names the peer as its hub; we are reachable for it on the loopback."""
    desk.base_url = "http://127.0.0.1:1/"
    desk.sources = [{"name": "web", "type": "feed", "url": TOPIC}]
    peer.answer = lambda _: Reply(202)
    with desk.store.write() as tx:
        tx.sources.put([SourceState(name="web", hub=peer.url, topic=TOPIC)])


def lease(desk):
    with desk.store.read() as tx:
        return next(iter(tx.leases.all()), None)


def push_until(desk):
    with desk.store.read() as tx:
        return tx.sources.get("web").push_until


def verify(push, call, lease_seconds="864000"):
    """Asks the callback of a request as a hub does."""
    [callback] = call.form["hub.callback"]
    query = {"hub.mode": call.form["hub.mode"][0], "hub.topic": TOPIC, "hub.challenge": "echo"}
    return push.subscriber.confirm(callback.rpartition("/")[2], query | {"hub.lease_seconds": lease_seconds})


@pytest.fixture
def active(desk, push, peer, named):
    """A lease that the hub has confirmed."""
    push.tick(desk.now())
    [call] = until(lambda: peer.calls)
    assert verify(push, call).text == "echo"
    return lease(desk)


def test_a_source_that_names_a_hub_is_subscribed(desk, push, peer, active):
    asked = {name: values[0] for name, values in peer.calls[0].form.items()}
    assert asked == {
        "hub.mode": "subscribe",
        "hub.topic": TOPIC,
        "hub.callback": f"http://127.0.0.1:1/websub/{active.callback}",
        "hub.lease_seconds": "864000",
        "hub.secret": active.secret,
    }
    assert min(len(active.callback), len(active.secret)) >= 43
    assert (active.state, active.until) == (LeaseState.ACTIVE, desk.now() + 10 * DAY)
    push.tick(desk.now() + 7 * DAY)
    push.close(5)
    assert len(peer.calls) == 1


def test_a_lease_is_renewed_before_its_end(desk, push, peer, active):
    desk.moment += 8 * DAY
    push.tick(desk.now())
    until(lambda: len(peer.calls) == 2)
    assert verify(push, peer.calls[1]).status == 200
    assert lease(desk).until == desk.now() + 10 * DAY
    assert lease(desk).callback == active.callback


def test_a_lost_lease_falls_back_to_polling_and_is_asked_for_again(desk, push, peer, active):
    with desk.store.write() as tx:
        tx.sources.expect_pushes(["web"], active.until)
    peer.answer = lambda _: Reply(503)
    desk.moment += 8 * DAY
    push.tick(desk.now())
    until(lambda: any(event == "a hub could not be asked" for event, _ in desk.logged))
    assert push_until(desk) == active.until  # it is not lost yet
    desk.moment = active.until
    push.tick(desk.now())
    assert (push_until(desk), lease(desk).until) == (None, None)
    until(lambda: len([log for log in desk.logged if log[0] == "a hub could not be asked"]) == 2)
    peer.answer = lambda _: Reply(202)
    desk.moment = lease(desk).not_before
    push.tick(desk.now())
    until(lambda: len(peer.calls) == 4)
    assert verify(push, peer.calls[-1]).status == 200
    assert lease(desk).state is LeaseState.ACTIVE


def test_a_lease_that_is_denied_falls_back_to_polling(desk, push, peer, active):
    with desk.store.write() as tx:
        tx.sources.expect_pushes(["web"], active.until)
    answer = push.subscriber.confirm(active.callback, {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "no"})
    assert (answer.status, push_until(desk), lease(desk).state) == (200, None, LeaseState.ASKED)


def test_a_source_that_left_the_configuration_is_unsubscribed(desk, push, peer, active):
    desk.sources = []
    push.tick(desk.now())
    until(lambda: len(peer.calls) == 2)
    assert peer.calls[1].form["hub.mode"] == ["unsubscribe"]
    assert "hub.secret" not in peer.calls[1].form
    assert verify(push, peer.calls[1]).text == "echo"
    assert push.subscriber.take(active.callback, b"x", "").answer.status == 410
    assert push.subscriber.confirm(active.callback, {"hub.mode": "subscribe", "hub.topic": TOPIC}).status == 410


def test_nobody_is_subscribed_who_cannot_reach_us_or_is_not_to(desk, push, peer, named):
    hubs = {"web": ("https://hub.example/", TOPIC)}
    desk.base_url = "https://feeds.example.com/"
    assert wanted_of(desk.config, hubs) == hubs
    assert wanted_of(desk.config, {"web": ("https://hub.example/", "https://feeds.example.com/all/rss.xml")}) == {}
    assert wanted_of(desk.config, {"other": ("https://hub.example/", TOPIC)}) == {}
    desk.sources[0]["fulltext"] = True
    assert wanted_of(desk.config, hubs) == {}
    desk.sources[0].pop("fulltext")
    desk.settings["websub"] = {"subscribe": False}
    assert wanted_of(desk.config, hubs) == {}
    desk.settings.clear()
    for place in ("http://localhost:8000/", "http://192.168.1.2/", "http://nas/", "https://planet.local/"):
        desk.base_url = place
        assert wanted_of(desk.config, hubs) == {}


@pytest.mark.parametrize(
    ("hub", "base_url", "leave", "can"),
    [
        ("https://hub.example/", "https://feeds.example.com/", False, True),
        ("http://127.0.0.1:99/", "https://feeds.example.com/", False, False),
        ("http://127.0.0.1:99/", "https://feeds.example.com/", True, True),
        ("http://127.0.0.1:99/", "http://127.0.0.1:1/", True, True),
        ("https://hub.example/", "http://127.0.0.1:1/", True, False),
        ("https://[2606:4700::1]/", "https://[2606:4700::2]/", False, True),
    ],
)
def test_a_hub_is_asked_where_it_can_be_and_where_it_can_reach_us(hub, base_url, leave, can):
    assert reaches(hub, base_url, allow_private=leave) is can


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_push_that_is_signed_is_for_its_source_and_a_replay_for_nobody(push, active, method):
    header = f"{method}={hmac.new(active.secret.encode(), b'<rss/>', getattr(hashlib, method)).hexdigest()}"
    taken = push.subscriber.take(active.callback, b"<rss/>", header)
    assert (taken.answer.status, taken.source) == (202, "web")
    assert push.subscriber.take(active.callback, b"<rss/>", header).source == "web"  # it could not be stored
    push.subscriber.took(active.callback, taken)
    again = push.subscriber.take(active.callback, b"<rss/>", header)
    assert (again.answer.status, again.source) == (202, "")


def test_s7_a_push_that_is_not_signed_as_it_should_be_is_ignored(desk, push, active):
    wrong = hmac.new(b"wrong", b"<rss/>", "sha256").hexdigest()
    for header in ("", f"sha256={wrong}", "sha256=", "md5=1"):
        taken = push.subscriber.take(active.callback, b"<rss/>", header)
        assert (taken.answer.status, taken.source) == (202, "")
    assert push_until(desk) is None


def test_s7_an_unknown_callback_is_404(push, named):
    assert push.subscriber.take("unknown", b"x", "").answer.status == 404
    assert push.subscriber.confirm("unknown", dict.fromkeys(("hub.mode", "hub.topic"), "x")).status == 404
