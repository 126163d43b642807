"""Items seen before are not read again, and the posts are the same as if they had been."""

from __future__ import annotations

from pathlib import Path

import pytest
from seen_posts import compare
from webfeed import Reply, an_item, rss

from aggregator.pipeline import digesting


@pytest.fixture
def parsed(monkeypatch) -> list[int]:
    """How many items each parse had seen before."""
    counts = []
    real = digesting.parse_feed

    def parse(*arguments, **options):
        found = real(*arguments, **options)
        counts.append(len(found.seen))
        return found

    monkeypatch.setattr(digesting, "parse_feed", parse)
    return counts


def test_items_that_were_seen_are_not_read_again(planet, feed, parsed):
    feed.items = [an_item(n) for n in range(1, 6)]
    planet.run()
    feed.items = [an_item(6), *feed.items]
    [result] = planet.run().sources
    assert (result.new, result.changed, result.unchanged) == (1, 0, 5)
    assert parsed == [0, 5]
    feed.items[2] = {**feed.items[2], "description": "edited"}
    [result] = planet.run().sources
    assert (result.new, result.changed, result.unchanged) == (0, 1, 5)
    assert parsed == [0, 5, 5]
    assert planet.titles() == [f"Item {n}" for n in range(6, 0, -1)]


def test_a_post_that_is_not_what_its_item_said_is_made_again(planet, feed, parsed):
    """A file deleted by hand, a store put back from a copy: what was seen is not what is there."""
    feed.items = [an_item(1), an_item(2)]
    planet.run()
    with planet.store.write() as tx:
        [known] = tx.posts.known("web", ["guid:https://site.example/?p=1"]).values()
        tx.posts.withdraw([known.id], planet.now)
    feed.items = [an_item(3), *feed.items]
    [result] = planet.run().sources
    assert (result.new, result.changed) == (1, 1)
    assert parsed == [0, 2, 0]
    assert planet.titles() == ["Item 3", "Item 2", "Item 1"]


def test_when_the_rules_change_every_item_is_read(planet, feed, parsed):
    feed.items = [an_item(1)]
    planet.run()
    planet.sources[0]["category"] = "other"
    feed.items = [an_item(2), an_item(1)]
    planet.run()
    assert parsed == [0, 0]
    assert len(planet.items("category/other")) == 2


def test_what_stands_around_the_items_counts(planet, web, parsed):
    more = iter(("<language>en</language>", "<language>de</language>", "<language>de</language>"))
    items = [an_item(1), an_item(2)]
    url = web.put(1, "/", lambda _: Reply(200, rss(*items, more=next(more))))
    planet.sources.append({"name": "web", "type": "feed", "url": url})
    planet.run()
    planet.run()
    assert parsed == [0, 0]
    assert {item["language"] for item in planet.items()} == {"de"}
    items.insert(0, an_item(3))
    planet.run()
    assert parsed[-1] == 2


def test_posts_are_the_same_with_the_shortcut_and_without(tmp_path):
    """Over every feed among the tests' own data; the same runs over any folder, see `seen_posts`."""
    data = Path(__file__).parent.parent / "ingest" / "data"
    samples = Path(__file__).parent.parent.parent / "config" / "samples" / "feeds"
    files = [file for folder in (data, samples) for file in sorted(folder.rglob("*")) if file.is_file()]
    counts, differ = compare({str(file): file.read_bytes() for file in files}, tmp_path)
    assert differ == []
    assert counts["files with posts"] >= 3
