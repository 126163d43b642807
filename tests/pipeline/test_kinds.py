"""Every kind of source, from its configuration to what is published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from webfeed import Ask, Reply, an_item, rss

ARTICLE = "".join(
    f"<p>Paragraph {n} of the whole article, with quite a few words to read in it.</p>" for n in range(12)
)
PAGE = f"<html><head><title>T</title></head><body><nav>Menu</nav><article><h1>T</h1>{ARTICLE}</article></body></html>"


def opml(*folders: tuple[str, list[str]]) -> bytes:
    outlines = "".join(
        f'<outline text="{folder}">'
        + "".join(f'<outline type="rss" text="F" xmlUrl="{url}"/>' for url in urls)
        + "</outline>"
        for folder, urls in folders
    )
    return f'<opml version="2.0"><head><title>Friends</title></head><body>{outlines}</body></opml>'.encode()


@pytest.fixture
def friends(planet: Any, web: Any) -> list[tuple[str, list[str]]]:
    """A remote list of nine feeds in three folders, on as many hosts."""
    folders = []
    for number, folder in enumerate(("技术", "News", "Friends")):
        urls = [
            web.put(n, "/feed.xml", Reply(200, rss(an_item(n % 60)), {"ETag": f'"{n}"'}))
            for n in range(10 + number * 10, 13 + number * 10)
        ]
        folders.append((folder, urls))
    web.put(1, "/list.opml", lambda _: Reply(200, opml(*folders)))
    planet.sources.append({"name": "friends", "type": "opml", "path": web.url(1, "/list.opml"), "category": "blogs"})
    return folders


def test_a_remote_list_becomes_sources_whose_folders_are_categories(planet, web, friends):
    result = planet.run()
    assert not any(one.error for one in result.sources)
    assert result.sources[0].in_words == "9 feeds"
    assert sum(one.new for one in result.sources) == 9
    assert [len(planet.items(f"category/blogs/{folder}")) for folder in ("技术", "News", "Friends")] == [3, 3, 3]
    again = planet.run()
    assert {one.name: one.how for one in again.sources}.pop("friends") == "same-body"
    assert sum(one.how == "not-modified" for one in again.sources) == 9


def test_a_feed_that_left_the_list_is_asked_no_more_and_keeps_its_posts(planet, web, friends):
    planet.run()
    friends[0][1].pop(0)
    result = planet.run()
    assert result.sources[0].in_words == "8 feeds"
    assert len(web.asks(10)) == 1
    assert len(web.asks(11)) == 2
    planet.run()
    assert len(web.asks(10)) == 1
    assert len(planet.items("category/blogs/技术")) == 3


def test_a_feed_that_joined_the_list_is_asked_in_the_same_run(planet, web, friends):
    planet.run()
    friends[1][1].append(web.put(50, "/feed.xml", Reply(200, rss(an_item(50)))))
    result = planet.run()
    assert sum(one.new for one in result.sources) == 1
    assert len(planet.items("category/blogs/News")) == 4


def test_a_list_that_cannot_be_read_leaves_its_feeds_as_they_were(planet, web, friends):
    planet.run()
    web.put(1, "/list.opml", Reply(200, b"<html><body>Log in</body></html>"))
    result = planet.run()
    assert "HTML page" in result.sources[0].error
    assert sum(one.how == "not-modified" for one in result.sources) == 9


def test_a_list_that_leaves_the_configuration_takes_its_feeds_along(planet, web, friends):
    planet.run()
    friends[0][1].pop(0)
    planet.run()
    planet.sources.clear()
    planet.run()
    assert planet.items() == []
    with planet.store.read() as tx:
        assert tx.subscriptions.all() == []


def test_a_local_list_is_read_too_but_names_no_file_of_this_machine(planet, web):
    planet.write("local.xml", rss(an_item(1)))
    url = web.put(2, "/feed.xml", Reply(200, rss(an_item(2))))
    planet.write("list.opml", opml(("F", [url, "local.xml", str(planet.folder / "local.xml"), "file:///etc/passwd"])))
    planet.sources.append({"name": "friends", "type": "opml", "path": "list.opml"})
    planet.run()
    assert planet.titles() == ["Item 2"]


def route(ask: Ask) -> Reply:
    host = ask.host
    item = an_item(1, guid="https://origin.example/1", description=f"from {host}")
    return Reply(200, rss({**item, "description": "text"}), {"ETag": '"1"'})


@pytest.fixture
def hub(planet: Any, web: Any) -> Any:
    for host in (1, 2):
        web.put(host, "/36kr/newsflashes", route)
    instances = [web.url(1, ""), {"url": web.url(2, ""), "access_key": "hunter2hunter2"}]
    planet.settings["rsshub"] = {"instances": instances}
    planet.sources.append(
        {"name": "web", "type": "rsshub", "path": "/36kr/newsflashes", "parameters": {"limit": 5, "mode": "fulltext"}}
    )
    return web


def test_a_route_is_asked_of_the_first_instance_with_its_parameters(planet, hub):
    assert planet.run().sources[0].new == 1
    assert [ask.path for ask in hub.asked] == ["/36kr/newsflashes?limit=5&mode=fulltext"]


@pytest.mark.parametrize("death", ["refused", "503", "html", "404"])
def test_an_instance_that_dies_is_replaced_within_the_refresh_and_guids_stay(planet, hub, death):
    planet.run()
    before = planet.items()
    replies = {"503": Reply(503), "html": Reply(200, b"<!doctype html><html>nginx</html>"), "404": Reply(404)}
    if death == "refused":
        planet.settings["rsshub"]["instances"][0] = "http://127.0.0.1:9"
    else:
        hub.put(1, "/36kr/newsflashes", replies[death])
    result = planet.run()
    assert (result.sources[0].error, result.sources[0].new) == ("", 0)
    assert planet.items() == before
    [asked] = hub.asks(2)
    assert "code=" in asked.path
    assert "hunter2" not in asked.path
    assert "another instance was asked" in "".join(result.sources[0].warnings)
    planet.run()  # the one that serves is kept
    assert len(hub.asks(2)) == 2
    assert len(hub.asks(1)) == (1 if death == "refused" else 2)
    assert hub.asks(2)[1].headers["if-none-match"] == '"1"'


def test_a_route_that_no_instance_serves_has_failed_once(planet, hub):
    for host in (1, 2):
        hub.put(host, "/36kr/newsflashes", Reply(500))
    result = planet.run()
    assert "500" in result.sources[0].error
    assert planet.state().failures == 1


def test_f17_rsshub_addresses_name_a_route(planet, hub):
    from aggregator.config.reading import read_config

    [instance, _] = planet.settings["rsshub"]["instances"]
    sources = "[{name: r, type: feed, url: 'rsshub://36kr/newsflashes'}]"
    file = planet.write("hub.yaml", f"rsshub: {{instances: ['{instance}']}}\nsources: {sources}\n")
    [source] = read_config(file).sources
    assert (source.type, source.path) == ("rsshub", "/36kr/newsflashes")


def test_p1_a_page_that_names_its_feed_is_followed_once_and_told(planet, web):
    feed = web.put(1, "/feed.xml", Reply(200, rss(an_item(1)), {"ETag": '"1"'}))
    link = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
    page = web.put(1, "/", Reply(200, f"<!doctype html><html><head>{link}</head></html>".encode()))
    planet.sources.append({"name": "web", "type": "feed", "url": page})
    [result] = planet.run().sources
    assert (result.new, result.error) == (1, "")
    assert any(f"the feed it names is asked: {feed}" in warning for warning in result.warnings)
    assert planet.state().url == feed
    [result] = planet.run().sources
    assert result.how == "not-modified"
    assert [ask.path for ask in web.asked] == ["/", "/feed.xml", "/feed.xml"]
    assert "the feed it names is asked" in planet.state().note


def test_p1_a_feed_that_became_a_page_is_an_error_that_names_the_feed(planet, web):
    url = web.put(1, "/feed.xml", Reply(200, rss(an_item(1))))
    planet.sources.append({"name": "web", "type": "feed", "url": url})
    planet.run()
    link = '<link rel="alternate" type="application/rss+xml" href="/other.xml">'
    web.put(1, "/feed.xml", Reply(200, f"<!doctype html><html><head>{link}<title>Log in</title></head>".encode()))
    [result] = planet.run().sources
    assert "an HTML page, not a feed" in result.error
    assert "/other.xml" in result.error
    assert planet.titles() == ["Item 1"]
    assert len(web.asked) == 2


def test_p1_a_page_behind_a_page_is_not_followed(planet, web):
    link = '<link rel="alternate" type="application/rss+xml" href="/b">'
    for path in ("/a", "/b"):
        web.put(1, path, Reply(200, f"<!doctype html><html><head>{link}</head></html>".encode()))
    planet.sources.append({"name": "web", "type": "feed", "url": web.url(1, "/a")})
    [result] = planet.run().sources
    assert "an HTML page" in result.error
    assert len(web.asked) == 2


def test_a_page_is_a_source_and_its_robots_are_respected(planet, web):
    items = "".join(f'<li><a href="/p/{n}">Post {n}</a><time datetime="2024-01-0{n}">x</time></li>' for n in (1, 2))
    page = web.put(1, "/news", Reply(200, f"<html><body><ul>{items}</ul></body></html>".encode()))
    planet.sources.append({"name": "web", "type": "page", "url": page, "item": "li", "date": "time"})
    assert planet.run().sources[0].new == 2
    assert planet.titles() == ["Post 2", "Post 1"]
    assert planet.items()[0]["url"] == web.url(1, "/p/2")
    planet.run()
    assert len(web.asks(path="/robots.txt")) == 1
    planet.now = planet.now.replace(day=planet.now.day + 2)  # a day later it is asked for again
    web.put(1, "/robots.txt", Reply(200, b"User-agent: *\nDisallow: /news\n"))
    [result] = planet.run().sources
    assert "robots.txt forbids" in result.error
    assert len(web.asks(path="/news")) == 2
    planet.sources[0]["robots"] = False
    assert planet.run().sources[0].error == ""


def test_a_json_api_is_a_source(planet, web):
    data = {"data": {"list": [{"id": 7, "title": "A & B", "url": "/a", "at": 1704067200, "html": "<p>x</p>"}]}}
    url = web.put(1, "/api", Reply(200, json.dumps(data).encode(), {"Content-Type": "application/json"}))
    source = {"name": "web", "type": "json", "url": url, "item": "data.list", "date": "at", "content": "html"}
    planet.sources.append(source)
    assert planet.run().sources[0].new == 1
    [item] = planet.items()
    assert (item["title"], item["url"]) == ("A & B", web.url(1, "/a"))
    assert item["date_published"] == "2024-01-01T00:00:00+00:00"
    assert "<p>x</p>" in item["content_html"]


def test_full_text_is_fetched_once_for_each_new_post(planet, web):
    links = [web.put(2, f"/post/{n}", Reply(200, PAGE.encode(), {"Content-Type": "text/html"})) for n in (1, 2)]
    items = [an_item(n + 1, link=link, description="A teaser.") for n, link in enumerate(links)]
    web.put(1, "/feed.xml", lambda _: Reply(200, rss(*items)))
    planet.sources.append({"name": "web", "type": "feed", "url": web.url(1), "fulltext": True})
    planet.run()
    assert all("Paragraph 11" in item["content_html"] for item in planet.items())
    assert all("Menu" not in item["content_html"] for item in planet.items())
    assert planet.items()[0]["summary"] == "A teaser."
    before = [item["id"] for item in planet.items()]
    items[0] = {**items[0], "title": "Edited", "description": "Another teaser."}
    planet.run()
    edited = planet.items()[1]
    assert (edited["title"], edited["summary"]) == ("Edited", "Another teaser.")
    assert "Paragraph 11" in edited["content_html"]
    assert [item["id"] for item in planet.items()] == before
    assert len(web.asks(path="/post/1")) == len(web.asks(path="/post/2")) == 1


def test_full_text_that_cannot_be_had_leaves_what_the_feed_gave(planet, web):
    web.put(2, "/robots.txt", Reply(200, b"User-agent: aggregator\nDisallow: /private\n"))
    paths = ["/missing", "/private/x", "/empty"]
    web.put(2, "/private/x", Reply(200, PAGE.encode()))
    web.put(2, "/empty", Reply(200, b"<html></html>"))
    items = [an_item(n, link=web.url(2, path), description=f"teaser {n}") for n, path in enumerate(paths, 1)]
    web.put(1, "/feed.xml", Reply(200, rss(*items)))
    planet.sources.append({"name": "web", "type": "feed", "url": web.url(1), "fulltext": True})
    [result] = planet.run().sources
    assert (result.new, result.error) == (3, "")
    assert ["teaser" in item["content_html"] for item in planet.items()] == [True] * 3
    assert len(web.asks(path="/private/x")) == 0
