"""Our own hub, with subscribers on the loopback that behave as they should, and as they should not."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from pushed import BASE, agrees, form, until
from webfeed import Reply

from aggregator.errors import StoreError
from aggregator.pipeline.results import FeedResult
from aggregator.pipeline.websub import hub as hub_module
from aggregator.pipeline.websub.push import Push
from aggregator.pipeline.websub.topics import Published
from aggregator.push.signing import is_signed
from aggregator.store.subscribers import Subscribers

RSS = "all/rss.xml"
TOPIC = BASE + RSS
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _builtin(desk):
    desk.settings["websub"] = {"hub": "builtin"}
    desk.publish(RSS, b"<rss>1</rss>")


@pytest.fixture
def subscribe(desk, push, peer):
    """Subscribes the peer and waits until it is remembered."""

    def subscribed(topic=TOPIC, **fields):
        wish = {"mode": "subscribe", "topic": topic, "callback": peer.url + "cb?id=1", **fields}
        answer = push.hub.take(form(**wish))
        assert answer.status == 202, answer.text
        return until(lambda: [log for log in desk.logged if log[0] == f"{wish['mode']}d"])

    return subscribed


def subscriber(desk, peer, path=RSS):
    with desk.store.read() as tx:
        return tx.subscribers.at(path, peer.url + "cb?id=1")


def news(desk, push, body):
    """A new version of the document, as a regeneration tells of it."""
    desk.publish(RSS, body)
    push.regenerated([FeedResult("all", written=(RSS,))])


def test_a_subscriber_is_verified_and_gets_a_signed_push_of_the_next_version(desk, push, peer, subscribe):
    subscribe(secret="s3cret", lease_seconds="7200")
    [asked] = peer.got("GET")
    challenge = asked.query["hub.challenge"]
    assert asked.path.startswith("/cb?id=1&hub.mode=subscribe&")
    assert asked.query == {
        "id": "1",
        "hub.mode": "subscribe",
        "hub.topic": TOPIC,
        "hub.challenge": challenge,
        "hub.lease_seconds": "7200",
    }
    assert len(challenge) >= 43
    push.tick(desk.now())  # the version that there was is not news

    started = time.monotonic()
    news(desk, push, "<rss>二</rss>".encode())
    [sent] = until(lambda: peer.got("POST"))
    assert time.monotonic() - started < 3
    assert (sent.path, sent.body) == ("/cb?id=1", "<rss>二</rss>".encode())
    assert sent.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert sent.headers["link"] == f'<{BASE}websub>; rel="hub", <{TOPIC}>; rel="self"'
    assert is_signed(sent.headers["x-hub-signature"], "s3cret", sent.body)
    assert subscriber(desk, peer).until == desk.now() + timedelta(hours=2)


def test_the_same_version_is_never_sent_twice(desk, push, peer, subscribe):
    subscribe()
    for _ in range(3):
        news(desk, push, b"<rss>2</rss>")
    etag = desk.publish(RSS, b"<rss>2</rss>")
    until(lambda: subscriber(desk, peer).sent == etag)
    push.tick(desk.now())
    push.close(5)
    assert len(peer.got("POST")) == 1
    assert "x-hub-signature" not in peer.got("POST")[0].headers  # it gave no secret


def test_a_document_that_changed_twice_meanwhile_is_sent_in_its_newest_version(desk, push, peer, subscribe):
    subscribe()
    desk.publish(RSS, b"<rss>2</rss>")
    news(desk, push, b"<rss>3</rss>")
    until(lambda: peer.got("POST"))
    push.close(5)
    assert [call.body for call in peer.got("POST")] == [b"<rss>3</rss>"]


def test_what_changes_while_it_is_delivered_is_delivered_afterwards(desk, push, peer, subscribe):
    subscribe()

    def slow(call):
        if b"2" in call.body:
            news(desk, push, b"<rss>3</rss>")
        return agrees(call)

    peer.answer = slow
    news(desk, push, b"<rss>2</rss>")

    def arrived():
        push.tick(desk.now())
        return len(peer.got("POST")) == 2

    until(arrived)
    assert [call.body for call in peer.got("POST")] == [b"<rss>2</rss>", b"<rss>3</rss>"]


def test_an_older_version_that_arrives_while_a_newer_one_is_seen_is_not_the_last(
    desk, push, peer, subscribe, monkeypatch
):
    subscribe()
    arrives, send = threading.Event(), push.hub._send
    peer.answer = lambda call: (b"2" not in call.body or arrives.wait(5), agrees(call))[1]

    def sent(one):
        send(one)  # it is under way to this one, and will be seen to have the older version
        arrives.set()
        until(lambda: not push.hub._underway)

    news(desk, push, b"<rss>2</rss>")
    until(lambda: peer.got("POST"))
    monkeypatch.setattr(push.hub, "_send", sent)
    news(desk, push, b"<rss>3</rss>")
    monkeypatch.undo()
    push.tick(desk.now())
    until(lambda: len(peer.got("POST")) == 2)
    assert peer.got("POST")[1].body == b"<rss>3</rss>"


def test_who_subscribes_while_the_document_changes_gets_the_new_version(desk, push, peer, subscribe, monkeypatch):
    subscribe(callback=peer.url + "other")
    etag, changes = Published.etag, iter([b"<rss>2</rss>"])

    def read(documents, path):
        found = etag(documents, path)
        if threading.current_thread().name == "courier" and (body := next(changes, None)):
            news(desk, push, body)
        return found

    monkeypatch.setattr(Published, "etag", read)
    desk.logged.clear()
    subscribe()
    push.tick(desk.now())
    until(lambda: {call.path for call in peer.got("POST")} == {"/other", "/cb?id=1"})


@pytest.mark.parametrize(
    ("what", "name"), [(Subscribers, "owed"), (Subscribers, "at"), (Published, "read")], ids=["owed", "at", "gone"]
)
def test_what_cannot_be_read_on_the_way_to_a_delivery_is_read_again(
    desk, push, peer, subscribe, monkeypatch, what, name
):
    subscribe()
    desk.publish(RSS, b"<rss>2</rss>")
    failed = threading.Event()

    def fails(*_):
        failed.set()
        if what is Subscribers:
            raise StoreError("the store is locked")

    monkeypatch.setattr(what, name, fails)
    with suppress(StoreError):
        push.tick(desk.now())
    until(lambda: failed.is_set() and not push.hub._underway)
    monkeypatch.undo()
    push.tick(desk.now())
    until(lambda: peer.got("POST"))


def test_what_is_owed_survives_a_restart_whoever_wrote_the_document(desk, push, peer, subscribe):
    subscribe(secret="s")
    push.close()
    desk.publish(RSS, b"<rss>2</rss>")  # by `aggregator run`, say
    again = Push(desk, desk.log)
    again.tick(desk.now())
    [sent] = until(lambda: peer.got("POST"))
    again.close(5)
    assert sent.body == b"<rss>2</rss>"


def test_a_delivery_that_fails_is_tried_again_later_and_later_and_then_given_up_for_that_version(
    desk, push, peer, subscribe
):
    subscribe()
    peer.answer = lambda call: Reply(302, headers={"Location": peer.url}) if call.method == "POST" else agrees(call)
    news(desk, push, b"<rss>2</rss>")
    for tries in range(1, 6):
        until(lambda tries=tries: len(peer.got("POST")) == tries)
        until(lambda tries=tries: len([log for log in desk.logged if log[0] == "a delivery failed"]) == tries)
        push.tick(desk.now())  # too early
        waits = subscriber(desk, peer).not_before
        desk.moment = waits or desk.moment + DAY
        push.tick(desk.now())
    assert desk.logged[-1][1]["then"] == "given up"
    assert subscriber(desk, peer).failures == 0
    peer.answer = agrees
    news(desk, push, b"<rss>3</rss>")  # the subscription has not ended
    assert until(lambda: len(peer.got("POST")) == 6 and peer.got("POST")[-1].body == b"<rss>3</rss>")


def test_a_subscriber_who_answers_410_has_left(desk, push, peer, subscribe):
    subscribe()
    peer.answer = lambda call: Reply(410)
    news(desk, push, b"<rss>2</rss>")
    until(lambda: subscriber(desk, peer) is None)


def test_a_subscription_ends_with_its_lease(desk, push, peer, subscribe):
    subscribe(lease_seconds="3600")
    desk.moment += timedelta(hours=1)
    news(desk, push, b"<rss>2</rss>")
    push.close(5)
    assert peer.got("POST") == []
    assert subscriber(desk, peer) is None


def test_a_subscription_is_renewed_with_another_secret(desk, push, peer, subscribe):
    subscribe(secret="one")
    desk.moment += DAY
    desk.logged.clear()
    subscribe(secret="two", lease_seconds="")
    assert (subscriber(desk, peer).secret, subscriber(desk, peer).until) == ("two", desk.now() + 10 * DAY)


def test_one_who_unsubscribes_is_asked_and_forgotten(desk, push, peer, subscribe):
    subscribe()
    subscribe(mode="unsubscribe")
    assert subscriber(desk, peer) is None
    assert "hub.lease_seconds" not in peer.got("GET")[1].query


def test_s7_a_subscription_that_the_callback_does_not_confirm_is_none(desk, push, peer):
    elsewhere = Reply(302, headers={"Location": "/"})
    for number, reply in enumerate(
        (Reply(404), Reply(200, b"wrong"), Reply(200), elsewhere, Reply(200, b"x" * 10_000)), 1
    ):
        peer.answer = lambda _, reply=reply: reply
        push.hub.take(form(mode="subscribe", topic=TOPIC, callback=peer.url + "cb?id=1"))
        until(lambda number=number: len(desk.logged) == number)
        assert subscriber(desk, peer) is None
    assert len(peer.calls) == 5


def test_s7_one_that_was_confirmed_stays_when_an_attacker_ends_it(desk, push, peer, subscribe):
    subscribe(secret="mine")
    peer.answer = lambda _: Reply(404)
    push.hub.take(form(mode="unsubscribe", topic=TOPIC, callback=peer.url + "cb?id=1"))
    push.hub.take(form(mode="subscribe", topic=TOPIC, callback=peer.url + "cb?id=1", secret="theirs"))
    until(lambda: any(log[0] == "a callback did not confirm" for log in desk.logged))
    push.close(5)
    assert subscriber(desk, peer).secret == "mine"


def test_s7_only_our_own_documents_are_topics(desk, push, peer):
    others = [
        "all/atom.xml",
        "all/index.html",
        f"{RSS}?x=1",
        f"{RSS}#x",
        "",
        f"../{RSS}",
        "%2e%2e/store.db",
        "%ff/rss.xml",
    ]
    for topic in (
        *(BASE + other for other in others),
        BASE + ".aggregator-manifest.json",
        "https://x.example/" + RSS,
        "x",
    ):
        assert push.hub.take(form(mode="subscribe", topic=topic, callback=peer.url)).status == 404
    assert peer.calls == []


def test_a_topic_is_known_however_it_is_escaped(desk, push, peer, subscribe):
    path = "category/新媒体/a+b/rss.xml"
    desk.publish(path, b"<rss/>")
    subscribe(topic=BASE + "category/%e6%96%b0媒体/a+%62/rss.xml")
    assert subscriber(desk, peer, path) is not None


def test_a_private_feeds_secret_is_a_topic_and_stands_in_no_log(desk, push, peer, subscribe):
    path = "private/0123456789abcdef/mine/rss.xml"
    desk.publish(path, b"<rss/>")
    subscribe(topic=BASE + path)
    assert subscriber(desk, peer, path) is not None
    assert desk.logged == [("subscribed", {"topic": "private/***/mine/rss.xml", "host": "127.0.0.1"})]


def test_s7_a_callback_in_a_private_network_is_refused_and_never_asked(desk, push, peer):
    desk.settings["fetch"] = {"allow_private": False}
    for callback in (peer.url, "http://localhost/", "http://[::1]/", "http://2130706433/", "http://169.254.169.254/"):
        answer = push.hub.take(form(mode="subscribe", topic=TOPIC, callback=callback))
        assert (answer.status, answer.text) == (400, "hub.callback is no public address.")
    assert peer.calls == []


def test_s7_a_host_is_not_asked_more_than_so_often_in_a_minute(push, peer):
    statuses = [
        push.hub.take(form(mode="subscribe", topic=TOPIC, callback=f"{peer.url}{number}")).status
        for number in range(70)
    ]
    assert statuses == [202] * 60 + [429] * 10


def test_s7_a_wish_that_is_repeated_is_asked_about_once(desk, push, peer):
    let_go = threading.Event()
    peer.answer = lambda call: (let_go.wait(5), agrees(call))[1]
    push.hub.take(form(mode="subscribe", topic=TOPIC, callback=peer.url + "slow"))
    until(lambda: peer.calls)  # the one courier that may go there is busy
    for _ in range(5):
        push.hub.take(form(mode="subscribe", topic=TOPIC, callback=peer.url + "cb?id=1"))
    let_go.set()
    until(lambda: subscriber(desk, peer))
    push.close(5)
    assert len(peer.calls) == 2


def test_s7_there_are_only_so_many_subscriptions(desk, push, peer, subscribe, monkeypatch):
    monkeypatch.setattr(hub_module, "MOST_PER_HOST", 1)
    subscribe()
    other = form(mode="subscribe", topic=TOPIC, callback=peer.url + "other")
    assert (push.hub.take(other).status, push.hub.take(other).retry_after_s) == (503, 3600)
    assert push.hub.take(form(mode="subscribe", topic=TOPIC, callback=peer.url + "cb?id=1")).status == 202  # renewed
    monkeypatch.setattr(hub_module, "MOST", 1)
    monkeypatch.setattr(hub_module, "MOST_PER_HOST", 5)
    assert push.hub.take(other).status == 503


def test_there_is_no_hub_where_none_is_configured(desk, push, peer):
    desk.settings["websub"] = {"hub": "https://hub.example.com/"}
    assert push.hub.take(form(mode="subscribe", topic=TOPIC, callback=peer.url)).status == 404
    push.tick(desk.now())
    assert push.hub.take(b"\xff").status == 404
