"""WebSub as the daemon drives it: from a post that is new to the reader who is told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from pushed import Desk, form, until

from aggregator.pipeline.websub.push import Push
from aggregator.push.signing import is_signed

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@dataclass
class Daemon:
    """A planet as push sees it."""

    planet: Any
    logged: list[str]

    @property
    def config(self):
        return self.planet.config

    @property
    def store(self):
        return self.planet.store

    def now(self) -> datetime:
        return self.planet.now

    def log(self, event, **fields):
        self.logged.append(event)


def test_a_new_post_reaches_a_reader_within_three_seconds_signed(blog, peer):
    blog.settings["websub"] = {"hub": "builtin"}
    blog.post("a.md")
    blog.run()
    daemon = Daemon(blog, [])
    push = Push(daemon, daemon.log)
    for path in ("all/feed.json", "category/a/atom.xml"):
        topic = f"https://feeds.example.com/{path}"
        push.hub.take(form(mode="subscribe", topic=topic, callback=peer.url + path, secret="s3cret"))
    until(lambda: daemon.logged.count("subscribed") == 2)

    blog.post("b.md", categories=["c"])
    started = time.monotonic()
    push.regenerated(blog.run().feeds)
    [sent] = until(lambda: peer.got("POST"))
    assert time.monotonic() - started < 3
    push.tick(blog.now)
    push.close(5)
    assert [call.path for call in peer.got("POST")] == ["/all/feed.json"]  # the other document did not change
    assert sent.body == (blog.output / "all" / "feed.json").read_bytes()
    assert sent.headers["content-type"] == "application/feed+json; charset=utf-8"
    assert is_signed(sent.headers["x-hub-signature"], "s3cret", sent.body)


def test_a_configuration_that_is_loaded_again_counts_at_once(desk, push, peer):
    topic = desk.base_url + "all/rss.xml"
    desk.publish("all/rss.xml", b"<rss/>")
    wish = form(mode="subscribe", topic=topic, callback=peer.url)
    assert push.hub.take(wish).status == 404
    desk.settings["websub"] = {"hub": "builtin"}
    assert push.hub.take(wish).status == 202
    until(lambda: desk.logged)
    desk.settings["fetch"] = {"allow_private": True, "contact": "https://contact.example/"}
    push.hub.take(wish)
    until(lambda: len(peer.calls) == 2)
    assert "contact.example" in peer.calls[1].headers["user-agent"]


def test_what_goes_wrong_on_an_errand_is_logged_and_ends_nothing_else(desk: Desk, push, peer, monkeypatch):
    desk.settings["websub"] = {"hub": "builtin"}
    desk.publish("all/rss.xml", b"<rss/>")
    wish = form(mode="subscribe", topic=desk.base_url + "all/rss.xml", callback=peer.url)
    with monkeypatch.context() as broken:
        broken.setattr("aggregator.pipeline.websub.messenger.Messenger.echo", lambda *_: 1 / 0)
        push.hub.take(wish)
        until(lambda: desk.logged)
    assert desk.logged == [("push failed", {"error": "unexpected ZeroDivisionError: division by zero"})]
    push.hub.take(wish)
    until(lambda: ("subscribed", {"topic": "all/rss.xml", "host": "127.0.0.1"}) in desk.logged)
