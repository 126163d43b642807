"""A run that mirrors: from posts to documents that show copies of our own."""

from __future__ import annotations

import re

import pytest
from lxml import etree
from pictures import path_of, picture
from planet import Planet
from webfeed import Reply, Web, an_item, rss

from aggregator.schedule.once import would_do
from aggregator.store.store import Store

CAT, DOG = picture("PNG"), picture("JPEG", (40, 10))
BASE = "https://feeds.example.com/"


@pytest.fixture
def store(sqlite: Store) -> Store:
    """Of one kind: what the store does is tested on both beside it, and what an engine does with it, too."""
    return sqlite


@pytest.fixture
def shop(planet: Planet, web: Web) -> Planet:
    """A planet with a web feed whose posts show images of other hosts, which are mirrored."""
    planet.settings["images"] = {"rules": [{"action": "mirror"}, {"wrap": "https://wsrv.nl/?url={href:q}"}]}
    planet.sources.append({"name": "web", "type": "feed", "url": web.url(1), "category": "news"})
    return planet


def serve(web: Web, *items: dict[str, str]) -> None:
    web.put(1, "/feed.xml", Reply(200, rss(*items)))


def showing(number: int, *urls: str, **fields: str) -> dict[str, str]:
    return an_item(number, description="".join(f"&lt;img src='{url}'&gt;" for url in urls), **fields)


def test_the_first_document_shows_the_copy_and_the_next_run_asks_nobody_again(shop, web):
    cat = web.put(2, "/cat.jpg", Reply(200, CAT))
    serve(web, showing(1, cat))
    result = shop.run()
    assert result.images.in_words == "images: 1 mirrored"
    copy = f"{BASE}{path_of(CAT, 'png')}"
    [item] = shop.items()
    assert re.findall('src="([^"]+)"', item["content_html"]) == [copy]
    assert (shop.output / path_of(CAT, "png")).read_bytes() == CAT
    before = shop.documents()
    assert shop.run().images.in_words == ""
    assert shop.documents() == before
    assert len(web.asks(2)) == 1


def test_what_cannot_be_had_is_published_by_the_next_rule_and_the_copy_once_it_is_there(shop, web):
    cat, dog = web.url(2, "/cat.png"), web.put(3, "/dog.png", Reply(200, DOG))
    web.put(2, "/cat.png", Reply(500))
    serve(web, showing(1, cat), showing(2, dog, category="dogs"))
    assert not shop.run().failed
    assert [f"{BASE}media/" in item["content_html"] for item in shop.items()] == [True, False]
    assert "https://wsrv.nl/?url=http%3A%2F%2F127.0.0.2" in shop.items()[1]["content_html"]
    web.put(2, "/cat.png", Reply(200, CAT))
    for _ in range(3):
        shop.run()  # an hour later each
    assert all(f"{BASE}media/" in item["content_html"] for item in shop.items())


def test_files_and_media_say_what_the_copy_is(shop, web):
    cat, dog = web.put(2, "/cat.jpg", Reply(200, CAT)), web.put(2, "/dog.png", Reply(200, DOG))
    item = an_item(1)
    text = rss(item).replace(
        b"</item>",
        f'<enclosure url="{cat}" type="image/jpeg" length="0"/>'
        f'<m:content url="{dog}" medium="image" type="image/png" width="9" height="9"/></item>'.encode(),
    )
    text = text.replace(b"<rss ", b'<rss xmlns:m="http://search.yahoo.com/mrss/" ')
    web.put(1, "/feed.xml", Reply(200, text))
    shop.run()
    read = etree.parse(shop.output / "all" / "rss.xml")
    [file] = read.iter("enclosure")
    assert dict(file.attrib) == {
        "url": f"{BASE}{path_of(CAT, 'png')}",
        "type": "image/png",
        "length": str(len(CAT)),
    }
    [medium] = read.iter("{http://search.yahoo.com/mrss/}content")
    assert medium.get("url") == f"{BASE}{path_of(DOG, 'jpg')}"
    assert (medium.get("type"), medium.get("width"), medium.get("height")) == ("image/jpeg", "40", "10")


def test_a_copy_changes_the_page_of_a_post_without_a_link(blog, web):
    blog.settings["images"] = {"rules": [{"action": "mirror"}]}
    cat = web.put(2, "/cat.png", Reply(503))
    blog.post("one.md", f'<img src="{cat}">')
    blog.run()
    [page] = [name for name in blog.documents() if re.fullmatch(r"posts/\w+/index.html", name)]
    assert cat in (blog.output / page).read_text()
    web.put(2, "/cat.png", Reply(200, CAT))
    for _ in range(3):
        blog.run()
    assert f"{BASE}{path_of(CAT, 'png')}" in (blog.output / page).read_text()


def test_a_removed_file_is_not_shown_and_without_its_origin_the_next_rule_is_for_it(shop, web):
    cat = web.put(2, "/cat.png", Reply(200, CAT))
    serve(web, showing(1, cat))
    shop.run()
    (shop.output / path_of(CAT, "png")).unlink()
    web.put(2, "/cat.png", Reply(404))
    shop.run()
    assert "https://wsrv.nl/" in shop.items()[0]["content_html"]


def test_other_rules_are_for_all_posts_and_only_what_they_want_is_asked_for(shop, web):
    cat, dog = web.put(2, "/cat.png", Reply(200, CAT)), web.put(3, "/dog.png", Reply(200, DOG))
    serve(web, showing(1, cat), showing(2, dog))
    shop.settings["images"] = {"rules": [{"hosts": "127.0.0.3", "action": "mirror"}]}
    shop.run()
    assert [len(web.asks(host)) for host in (2, 3)] == [0, 1]
    assert cat in shop.items()[1]["content_html"]
    shop.settings["images"] = {"rules": [{"hosts": "127.0.0.3", "action": "drop"}, {"action": "mirror"}]}
    shop.run()
    assert [len(web.asks(host)) for host in (2, 3)] == [1, 1]
    shop.settings["images"] = {}
    assert shop.run().images is None
    assert {cat in item["content_html"] or dog in item["content_html"] for item in shop.items()} == {True}


def test_a_rule_for_some_feeds_is_for_the_images_of_their_posts_and_of_others_once_they_are_in(shop, web):
    cat, dog = web.put(2, "/cat.png", Reply(200, CAT)), web.put(3, "/dog.png", Reply(200, DOG))
    serve(web, showing(1, cat), showing(2, dog, category="dogs"))
    shop.settings["images"] = {"rules": [{"feeds": "favourites", "action": "mirror"}]}
    favourites = {"slug": "favourites", "title": "Favourites", "categories": ["dogs"]}
    shop.settings["feeds"] = [favourites]
    assert shop.run().images.in_words == "images: 1 mirrored"
    assert [len(web.asks(host)) for host in (2, 3)] == [0, 1]
    assert f"{BASE}media/" in shop.items("favourites")[0]["content_html"]
    shop.settings["feeds"] = [favourites | {"title": "Best of", "limit": 9}]
    assert shop.run().images.in_words == ""
    shop.settings["feeds"] = [favourites | {"categories": ["dogs", "news"]}]
    assert shop.run().images.in_words == "images: 1 mirrored"
    assert [f"{BASE}media/" in item["content_html"] for item in shop.items("favourites")] == [True, True]


def test_trouble_with_images_keeps_nothing_from_being_published(shop, web, monkeypatch):
    cat = web.put(2, "/cat.png", Reply(200, CAT))
    serve(web, showing(1, cat))
    monkeypatch.setattr("aggregator.store.media.Media.due", lambda *_: 1 / 0)
    result = shop.run()
    assert result.images.warnings == ["images could not be mirrored: unexpected ZeroDivisionError: division by zero"]
    assert "https://wsrv.nl/" in shop.items()[0]["content_html"]


def test_a_run_that_asks_nobody_asks_for_no_image_either(shop, web):
    cat = web.put(2, "/cat.png", Reply(500))
    serve(web, showing(1, cat))
    shop.run()
    shop.run(mirrors=False)
    assert len(web.asks(2)) == 1
    assert "would fetch 1 image to mirror" in list(would_do(shop.config, shop.store, ()))


def test_images_wait_for_the_pause_after_their_host_was_asked_for_a_feed(shop, web):
    shop.settings["fetch"] = {"min_gap_s": 0.4}
    cat = web.put(1, "/cat.png", Reply(200, CAT))
    serve(web, showing(1, cat))
    shop.run()
    feed, image = web.asks(1)
    assert image.begun_s - feed.ended_s >= 0.39
