"""WebSub over HTTP: the addresses of our hub and of our callbacks, served by a real server on the loopback."""

from __future__ import annotations

import hmac
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from pushed import Desk, Peer, form, until
from starlette.applications import Starlette
from webfeed import an_item, rss

from aggregator.pipeline.results import FeedResult
from aggregator.pipeline.websub.push import Push
from aggregator.pipeline.websub.pushing import store_push
from aggregator.serve.websub import routes
from aggregator.store.leases import Lease, LeaseState
from aggregator.store.sources import SourceState
from aggregator.store.store import Store

TOPIC = "https://site.example/feed"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Daemon(Desk):
    """A desk that stores what is pushed, and remembers it."""

    taken: list[tuple[str, bytes, str]]
    port: int
    has_room = True

    def take_push(self, source: str, body: bytes, content_type: str) -> bool:
        if self.has_room:
            self.taken.append((source, body, content_type))
            store_push(self.config, self.store, self.now(), source, body, content_type)
        return self.has_room


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Daemon, Push]]:
    """A daemon with an SQLite store in a folder, its hub and its callbacks served."""
    store = Store(f"sqlite:///{folder / 'store.db'}")
    store.open()
    listener = socket.create_server(("127.0.0.1", 0))
    daemon = Daemon(folder, store)
    daemon.taken, daemon.port = [], listener.getsockname()[1]
    daemon.base_url = f"http://127.0.0.1:{daemon.port}/"
    push = Push(daemon, daemon.log)
    app = Starlette(routes=routes(daemon, push))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield daemon, push
    finally:
        push.close(5)
        server.should_exit = True
        thread.join(5)
        listener.close()
        store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A daemon with a hub of its own, and a lease `callback` for the source `web`."""
    with serving(tmp_path_factory.mktemp("daemon")) as (daemon, push):
        daemon.settings |= {"websub": {"hub": "builtin"}, "fetch": {"allow_private": True, "max_bytes": 100_000}}
        daemon.sources = [{"name": "web", "type": "feed", "url": TOPIC}]
        later = daemon.now().replace(year=2030)
        leased = Lease(
            callback="callback",
            source="web",
            hub="http://127.0.0.1:1/",
            topic=TOPIC,
            secret="s3cret",
            state=LeaseState.ACTIVE,
            until=later,
            not_before=later,
        )
        asked = {"callback": "asked", "source": "other", "state": LeaseState.ASKED, "failures": 1, "until": None}
        with daemon.store.write() as tx:
            tx.leases.put([leased, Lease(**{**{name: getattr(leased, name) for name in leased.__slots__}, **asked})])
        yield daemon, push


def ask(daemon, method, path, body=None, headers=None):
    """The status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=5)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have said no before it read everything
            connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def signed(body):
    return {"X-Hub-Signature": f"sha256={hmac.new(b's3cret', body, 'sha256').hexdigest()}", "Content-Type": "text/xml"}


@pytest.fixture
def peer():
    served = Peer()
    yield served
    served.close()


def test_a_post_of_one_planet_is_in_the_store_of_another_within_three_seconds(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with serving(tmp_path / "one") as (publisher, hub), serving(tmp_path / "two") as (reader, push):
        publisher.settings["websub"] = {"hub": "builtin"}
        publisher.publish("all/rss.xml", rss(an_item(1)))
        topic = publisher.base_url + "all/rss.xml"
        reader.sources = [{"name": "web", "type": "feed", "url": topic}]
        with reader.store.write() as tx:
            tx.sources.put([SourceState(name="web", hub=publisher.base_url + "websub", topic=topic)])
        push.tick(reader.now())
        until(lambda: ("subscribed", {"topic": "all/rss.xml", "host": "127.0.0.1"}) in publisher.logged)

        started = time.monotonic()
        publisher.publish("all/rss.xml", rss(an_item(2), an_item(1)))
        hub.regenerated([FeedResult("all", written=("all/rss.xml",))])
        until(lambda: reader.taken)
        until(lambda: _pushed_until(reader))
        assert time.monotonic() - started < 3
        assert reader.taken == [("web", rss(an_item(2), an_item(1)), "application/rss+xml; charset=utf-8")]
        with reader.store.read() as tx:
            [lease] = tx.leases.all()
            assert tx.sources.post_counts()["web"] == {"live": 2}
        assert _pushed_until(reader) == lease.until == reader.now().replace(day=11)


def _pushed_until(daemon):
    with daemon.store.read() as tx:
        return tx.sources.get("web").push_until


def test_a_form_is_taken_and_verified(served, peer):
    daemon, _ = served
    topic = daemon.base_url + "all/rss.xml"
    daemon.publish("all/rss.xml", b"<rss/>")
    body = form(mode="subscribe", topic=topic, callback=peer.url)
    assert ask(daemon, "POST", "/websub", body, FORM)[0] == 202
    until(lambda: peer.calls)
    assert ask(daemon, "POST", "/websub", form(mode="subscribe", topic="x", callback=peer.url), FORM)[0] == 404


def test_s7_what_is_no_form_is_refused(served):
    daemon, _ = served
    assert ask(daemon, "POST", "/websub", b"{}", {"Content-Type": "application/json"})[0] == 415
    assert ask(daemon, "POST", "/websub", b"", FORM)[0] == 400
    assert ask(daemon, "POST", "/websub", b"\xff\xfe", FORM)[0] == 400
    assert ask(daemon, "GET", "/websub")[0] == 405


@pytest.mark.parametrize(("path", "headers"), [("/websub", FORM), ("/websub/callback", {})])
def test_s7_a_ping_of_50_mb_is_given_up_at_the_limit(served, path, headers):
    daemon, _ = served
    assert ask(daemon, "POST", path, b"", {**headers, "Content-Length": str(50_000_000)})[0] == 413
    sent = []

    def pieces():
        for _ in range(800):
            sent.append(1)
            yield b"x" * 65_536

    assert ask(daemon, "POST", path, pieces(), headers)[0] == 413
    assert len(sent) < 400
    assert daemon.taken == []


def test_s7_a_push_is_stored_only_with_a_valid_signature_and_once(served):
    daemon, _ = served
    body = rss(an_item(1))
    for headers in ({}, {"X-Hub-Signature": "sha256=" + "0" * 64}, signed(b"another body")):
        assert ask(daemon, "POST", "/websub/callback", body, headers)[0] == 202
    assert daemon.taken == []
    for _ in range(2):
        assert ask(daemon, "POST", "/websub/callback", body, signed(body))[0] == 202
    assert daemon.taken == [("web", body, "text/xml")]


def test_s7_a_push_without_room_is_not_taken_until_it_comes_again(served):
    daemon, _ = served
    daemon.taken.clear()
    body = rss(an_item(3))
    daemon.has_room = False
    status, headers, _ = ask(daemon, "POST", "/websub/callback", body, signed(body))
    assert (status, headers["retry-after"]) == (503, "60")
    daemon.has_room = True
    assert ask(daemon, "POST", "/websub/callback", body, signed(body))[0] == 202
    assert daemon.taken == [("web", body, "text/xml")]


def test_s7_an_unknown_callback_is_404_and_what_is_sent_there_is_not_read(served):
    daemon, _ = served
    assert ask(daemon, "POST", "/websub/nobody", b"", {"Content-Length": "50000000"})[0] == 404
    assert ask(daemon, "GET", f"/websub/nobody?hub.mode=subscribe&hub.topic={TOPIC}&hub.challenge=x")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PROPFIND", "HEAD"])
def test_s7_a_callback_says_what_may_be_done_with_it(served, method):
    daemon, _ = served
    for callback in ("callback", "nobody"):
        status, headers, _ = ask(daemon, method, f"/websub/{callback}", b"")
        assert (status, headers["allow"]) == (405, "GET, POST")


def test_s7_a_verification_that_nobody_asked_for_is_404(served):
    daemon, _ = served
    for mode in ("subscribe", "unsubscribe"):
        query = f"hub.mode={mode}&hub.topic={TOPIC}&hub.challenge=x&hub.lease_seconds=60"
        assert ask(daemon, "GET", f"/websub/callback?{query}")[0] == 404


def test_a_challenge_is_echoed_so_that_no_browser_shows_it(served):
    daemon, _ = served
    query = f"hub.mode=subscribe&hub.topic={TOPIC}&hub.challenge=%3Cscript%3E&hub.lease_seconds=3600"
    assert ask(daemon, "HEAD", f"/websub/asked?{query}")[0] == 405  # and decides nothing
    status, headers, body = ask(daemon, "GET", f"/websub/asked?{query}")
    assert (status, body) == (200, b"<script>")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
