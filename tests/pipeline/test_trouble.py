"""What goes wrong costs the source it comes from, and only for as long as it lasts."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from typing import Any

import pytest
from webfeed import Ask, Reply, an_item, rss

from aggregator.errors import StoreError
from aggregator.pipeline import digester, digesting
from aggregator.pipeline.refresh import Refresher
from aggregator.pipeline.subscriptions import with_subscriptions
from aggregator.schedule.due import next_due
from aggregator.store.posts import Posts
from aggregator.store.store import Store


def a_web_source(planet: Any, url: str, name: str = "web", **more: Any) -> None:
    planet.sources.append({"name": name, "type": "feed", "url": url, **more})


def test_posts_that_could_not_be_written_come_with_the_next_run(planet, feed, monkeypatch):
    feed.items, feed.etag = [an_item(1), an_item(2)], '"v1"'

    def full(*_: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Posts, "put", full)
        [result] = planet.run().sources
        assert "the disk is full" in result.error
    [result] = planet.run().sources
    assert (result.how, result.new) == ("parsed", 2)


def test_a_store_that_fails_leaves_no_thread_of_the_round_behind(planet, monkeypatch):
    monkeypatch.setattr(digester, "_ROOM", 1)
    for number in range(8):
        planet.write(f"{number}.xml", rss(an_item(number)))
        a_web_source(planet, f"{number}.xml", f"web{number}")

    def locked(_: Any) -> Any:
        raise StoreError("the store is locked by another program")

    monkeypatch.setattr(Store, "write", locked)
    asking = Refresher(planet.config, planet.store, planet.now, lambda *_: None).refresh(planet.config.sources)
    with pytest.raises(StoreError):
        list(asking)
    left = [thread for thread in threading.enumerate() if thread.name.startswith("source-")]
    for thread in left:
        thread.join(5)
    assert [thread for thread in left if thread.is_alive()] == []


def test_a_page_is_followed_to_its_feed_again_after_an_outage(planet, web):
    link = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
    page = web.put(1, "/", Reply(200, f"<!doctype html><html><head>{link}</head></html>".encode()))
    good = Reply(200, rss(an_item(1)))
    web.put(1, "/feed.xml", good)
    a_web_source(planet, page)
    planet.run()
    web.put(1, "/feed.xml", Reply(500))
    for _ in range(4):
        planet.run()
    web.put(1, "/feed.xml", good)
    assert planet.run().sources[0].error == ""
    assert planet.state().url.endswith("/feed.xml")


@pytest.mark.slow
def test_a_feed_that_kills_its_process_has_failed_and_no_other(planet, web, monkeypatch):
    real = digesting.parse_feed

    def parse(body: bytes, **options: Any) -> Any:
        if b"poison" in body and os.getpid() != main:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(body, **options)

    main = os.getpid()
    monkeypatch.setattr(digesting, "parse_feed", parse)
    monkeypatch.setattr("aggregator.pipeline.digester.digest_in_worker", _digest_or_die)
    for number in range(1, 9):
        items = [an_item(number, description="poison" if number == 4 else "text " * 20_000)]
        a_web_source(planet, web.put(number, "/", Reply(200, rss(*items))), f"w{number}")
    results = {result.name: result.error for result in planet.run().sources}
    assert "killed" in results.pop("w4")
    assert set(results.values()) == {""}


def _digest_or_die(store_url: str, task: Any) -> Any:
    """What a worker does that the system kills at one feed, whatever process it is."""
    if b"poison" in task.answer.body:
        os.kill(os.getpid(), signal.SIGKILL)
    return digesting.digest_in_worker(store_url, task)


INSTANCE = "http://bob:S3cretPassword@127.0.0.{}:{}/?k=SECRETKEY123"


def test_f16_nothing_secret_of_an_instance_is_remembered_or_shown(planet, web):
    instances = [INSTANCE.format(host, web.port) for host in (1, 2)]
    planet.settings["rsshub"] = {"instances": instances}
    planet.sources.append({"name": "web", "type": "rsshub", "path": "/a/b"})
    web.put(2, "/a/b", Reply(200, rss(an_item(1))))
    said = repr(planet.run()) + repr(planet.state())
    web.put(2, "/a/b", Reply(500))
    for _ in range(4):
        said += repr(planet.run()) + repr(planet.state())
    assert "k=SECRETKEY123" in web.asked[0].path
    assert "S3cret" not in said
    assert "SECRETKEY" not in said


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_f16_a_token_in_the_address_of_a_feed_is_not_published(planet, web, charset):
    def echo(ask: Ask) -> Reply:
        token = ask.path.partition("token=")[2]
        item = an_item(1, guid=f"https://x.example/?t={token}", description=f"you said {token}")
        text = rss(item).decode().replace("?>", f' encoding="{charset}"?>')
        return Reply(200, text.encode(charset))

    a_web_source(planet, web.put(1, "/", echo) + "?token=hunter2hunter2")
    assert planet.run().sources[0].new == 1
    said = "".join(body.decode(errors="replace") for body, _ in planet.documents().values()) + repr(planet.state())
    assert "hunter2" not in said


def test_a_route_whose_instances_differ_in_trouble_does_not_wait_for_the_slowest(planet, web):
    planet.settings["rsshub"] = {"instances": [web.url(1, ""), web.url(2, "")]}
    planet.sources.append({"name": "web", "type": "rsshub", "path": "/a"})
    web.put(1, "/a", Reply(429, b"", {"Retry-After": "86000"}))
    web.put(2, "/a", Reply(200, rss(an_item(1))))
    planet.run()
    web.put(2, "/a", Reply(500))
    [result] = planet.run().sources
    assert "500" in result.error
    assert planet.state().not_before - planet.now < timedelta(hours=2)


def test_other_selectors_read_the_same_page_again(planet, web):
    page = b"<html><body><li><a href='/1'>One</a></li><p><a href='/2'>Two</a></p></body></html>"
    url = web.put(1, "/", Reply(200, page, {"ETag": '"1"'}))
    planet.sources.append({"name": "web", "type": "page", "url": url, "item": "li"})
    planet.run()
    planet.sources[0]["item"] = "p"
    assert planet.run().sources[0].new == 1
    planet.sources[0] = {"name": "web", "type": "feed", "url": url}
    assert "an HTML page" in planet.run().sources[0].error


def test_a_feed_that_left_a_list_can_be_configured_under_its_name(planet, web):
    url = web.put(2, "/", lambda _: Reply(200, rss(an_item(1))))
    outlines = [f'<outline xmlUrl="{url}"/>', f'<outline xmlUrl="{web.url(3)}"/>']
    web.put(1, "/l", lambda _: Reply(200, f"<opml version='2.0'><body>{''.join(outlines)}</body></opml>".encode()))
    planet.sources.append({"name": "friends", "type": "opml", "path": web.url(1, "/l")})
    planet.run()
    name = with_subscriptions(planet.config, planet.store).sources[1].name
    outlines.pop(0)
    planet.run()
    a_web_source(planet, url, name)
    for _ in range(2):
        assert name in {result.name for result in planet.run().sources}
    assert len(web.asks(2)) == 3


def test_r5_a_wait_remembered_while_the_clock_was_ahead_does_not_hold(planet, web):
    url = web.put(1, "/", Reply(429, b"", {"Retry-After": "600"}))
    a_web_source(planet, url)
    right = planet.now
    planet.now += timedelta(days=365)
    planet.run()
    web.put(1, "/", Reply(200, rss(an_item(1))))
    planet.now = right
    assert planet.run().sources[0].new == 1


def test_a_robots_txt_that_cannot_be_had_forbids_every_page_of_its_host(planet, web):
    web.put(2, "/robots.txt", Reply(503))
    items = [an_item(n, link=web.url(2, f"/{n}")) for n in range(1, 4)]
    a_web_source(planet, web.put(1, "/", Reply(200, rss(*items))), fulltext=True)
    [result] = planet.run().sources
    assert result.new == 3
    assert {ask.path for ask in web.asks(2)} == {"/robots.txt"}
    assert any("no article" in warning for warning in result.warnings)


def test_full_text_of_posts_whose_guids_change_is_fetched_once(planet, web):
    page = "<html><body><article>" + "".join(f"<p>Sentence {n} of it, long enough.</p>" for n in range(40))
    link = web.put(2, "/1", Reply(200, page.encode()))
    guids = iter("abcd")
    a_web_source(
        planet, web.put(1, "/", lambda _: Reply(200, rss(an_item(1, link=link, guid=next(guids))))), fulltext=True
    )
    for _ in range(3):
        planet.run()
    assert len(web.asks(path="/1")) == 1
    assert "Sentence 39" in planet.items()[0]["content_html"]


def test_a_hint_of_a_day_does_not_skip_a_cron_tick(planet, feed):
    feed.items, feed.headers = [an_item(1)], {"Cache-Control": "max-age=86400"}
    planet.sources[0]["every"] = "0 7 * * *"
    planet.now = planet.now.replace(hour=6, minute=0, second=5)
    planet.run()
    due = next_due(planet.config.sources[0], planet.state(), "UTC")
    assert due == (planet.now + timedelta(days=1)).replace(second=0)


def test_a_category_beyond_every_index_loses_no_post(planet, feed):
    feed.items = [an_item(1, category="x" * 9000), an_item(2, category="/".join(["y" * 150] * 30))]
    assert planet.run().sources[0].error == ""
    assert len(planet.items()) == 2
