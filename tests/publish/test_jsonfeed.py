import json
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aggregator.models import Person
from aggregator.publish import jsonfeed
from aggregator.publish.facts import link_of

DATA = Path(__file__).parent / "data"

TOP = {
    "version": str,
    "title": str,
    "home_page_url": str,
    "feed_url": str,
    "description": str,
    "language": str,
    "items": list,
}
ITEM = {"id": str, "url": str, "external_url": str, "title": str, "content_html": str, "content_text": str, "summary": str,
        "image": str, "banner_image": str, "date_published": str, "date_modified": str, "authors": list, "tags": list,
        "language": str, "attachments": list}  # fmt: skip
AUTHOR = {"name": str, "url": str, "avatar": str}
ATTACHMENT = {"url": str, "mime_type": str, "title": str, "size_in_bytes": int, "duration_in_seconds": int}


def check(value, fields, required):
    """Holds an object against the fields that the specification knows; extensions begin with an underscore."""
    for name, found in value.items():
        if name.startswith("_"):
            assert isinstance(found, dict)
        else:
            assert isinstance(found, fields[name]), name
            assert found != "", name
    assert required <= value.keys()


def check_feed(body):
    """JSON Feed 1.1: every required field, no unknown one, right types, absolute URLs, RFC 3339 dates, unique ids."""
    feed = json.loads(body)
    check(feed, TOP, {"version", "title", "items"})
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    for item in feed["items"]:
        check(item, ITEM, {"id"})
        assert "content_html" in item or "content_text" in item
        for name in ("date_published", "date_modified"):
            assert name not in item or datetime.fromisoformat(item[name]).tzinfo
        for name in ("url", "image"):
            assert name not in item or urlsplit(item[name]).scheme
        for author in item.get("authors", []):
            check(author, AUTHOR, set())
            assert author
        for attachment in item.get("attachments", []):
            check(attachment, ATTACHMENT, {"url", "mime_type"})
        assert all(isinstance(tag, str) for tag in item.get("tags", []))
    ids = [item["id"] for item in feed["items"]]
    assert len(set(ids)) == len(ids)
    return feed


def test_a_feed_is_what_the_golden_file_says(golden, feed, rich_posts, site):
    document = jsonfeed.render(feed, rich_posts, site)
    assert document.path == "category/新媒体/feed.json"
    assert document.media_type == "application/feed+json; charset=utf-8"
    golden(DATA / "rich.feed.json", document.body)


def test_a_feed_holds_to_the_specification(feed, rich_posts, site):
    assert len(check_feed(jsonfeed.render(feed, rich_posts, site).body)["items"]) == len(rich_posts)
    assert check_feed(jsonfeed.render(feed, [], site).body)["items"] == []


def test_every_field_of_a_post_is_there(feed, rich_posts, site):
    rich = rich_posts[0]
    item = json.loads(jsonfeed.render(feed, rich_posts, site).body)["items"][0]
    assert (item["id"], item["title"], item["content_html"]) == (rich.guid, rich.title, rich.content)
    assert item["summary"] == "小区里很多腿脚不便的老人。"
    assert item["tags"] == ["新媒体/趣头条/分类", "编程/CI\\/CD", "电梯", "R&D"]
    assert [author["name"] for author in item["authors"]] == ["趣头条", "梅向阳", "a@example.com"]
    assert [file.get("size_in_bytes") for file in item["attachments"]] == [123456, None, 99]
    assert item["_aggregator"]["rights"] == rich.rights
    assert item["_aggregator"]["source"]["feed_url"] == "https://example.com/feed.xml"
    assert item["_aggregator"]["summary_html"] == rich.summary


def test_a_post_without_title_has_none_and_one_without_link_leads_to_its_page(feed, rich_posts, site):
    item = json.loads(jsonfeed.render(feed, rich_posts, site).body)["items"][1]
    assert item.keys() == {"id", "url", "content_html", "date_published"}
    assert item["url"] == link_of(rich_posts[1], site)


def test_a_category_that_is_a_tag_too_stands_once(feed, make_post, site):
    post = make_post(categories=feed.categories, tags=("新媒体", "x"))
    assert json.loads(jsonfeed.render(feed, [post], site).body)["items"][0]["tags"] == ["新媒体", "x"]


@pytest.mark.parametrize("bad", ["\x00", "\x08", "\x0c", "\x1f", "\ud800"])
def test_p10_control_characters_are_gone(feed, make_post, site, bad):
    post = make_post(title=f"a{bad}b", content=f"<p>c\\u0000{bad}d</p>", authors=(Person(bad), Person("x")))
    item = check_feed(jsonfeed.render(feed, [post], site).body)["items"][0]
    assert (item["title"], item["content_html"]) == ("ab", "<p>c\\u0000d</p>")
    assert item["authors"] == [{"name": "x"}]


def test_text_that_only_looks_like_an_escape_stays(feed, make_post, site):
    content = "<code>\\u0000 \\b \\f \t \n</code>"
    assert (
        json.loads(jsonfeed.render(feed, [make_post(content=content)], site).body)["items"][0]["content_html"]
        == content
    )
