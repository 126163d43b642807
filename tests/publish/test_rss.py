import dataclasses
import locale
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path

import feedparser
import pytest
from lxml import etree

from aggregator.models import Enclosure, Origin, Person
from aggregator.publish import rss

DATA = Path(__file__).parent / "data"
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}


def texts(document, path):
    return [element.text for element in etree.fromstring(document.body).iterfind(path, NAMESPACES)]


def test_a_feed_is_what_the_golden_file_says(golden, feed, rich_posts, site):
    document = rss.render(feed, rich_posts, site)
    assert document.path == "category/新媒体/rss.xml"
    assert document.media_type == "application/rss+xml; charset=utf-8"
    golden(DATA / "rich.rss.xml", document.body)


def test_the_same_posts_give_the_same_bytes(feed, rich_posts, site):
    assert rss.render(feed, rich_posts, site) == rss.render(feed, list(rich_posts), site)


def test_an_empty_feed_has_no_build_date_and_a_description(feed, site):
    document = rss.render(dataclasses.replace(feed, description=""), [], site)
    assert texts(document, "channel/lastBuildDate") == []
    assert unescape(texts(document, "channel/description")[0]) == feed.title


def test_the_build_date_is_that_of_the_newest_change(feed, make_post, site):
    posts = [
        make_post(guid="https://example.com/1", updated=datetime(2022, 1, 2, tzinfo=UTC)),
        make_post(guid="https://example.com/2"),
    ]
    built = texts(rss.render(feed, posts, site), "channel/lastBuildDate")[0]
    assert parsedate_to_datetime(built) == datetime(2022, 1, 2, tzinfo=UTC)


def test_posts_keep_their_order(feed, rich_posts, site):
    assert texts(rss.render(feed, rich_posts, site), "channel/item/guid") == [post.guid for post in rich_posts]


def test_the_guid_is_a_permalink_only_when_it_is_the_link(feed, make_post, site):
    posts = [
        make_post(guid="https://example.com/1", link="https://example.com/1"),
        make_post(guid="tag:example.com,2021:1", link="https://example.com/1"),
    ]
    root = etree.fromstring(rss.render(feed, posts, site).body)
    assert [guid.get("isPermaLink") for guid in root.iterfind("channel/item/guid")] == ["true", "false"]


def test_content_stands_once_and_beside_a_summary_in_its_own_element(feed, make_post, site):
    alone = rss.render(feed, [make_post(content="<p>all</p>")], site)
    assert texts(alone, "channel/item/description") == ["<p>all</p>"]
    assert texts(alone, "channel/item/content:encoded") == []
    both = rss.render(feed, [make_post(content="<p>all</p>", summary="<p>some</p>")], site)
    assert texts(both, "channel/item/description") == ["<p>some</p>"]
    assert texts(both, "channel/item/content:encoded") == ["<p>all</p>"]


def test_a_post_with_nothing_to_say_says_where_it_is(feed, make_post, site):
    document = rss.render(feed, [make_post(title="", content="", link="https://example.com/x")], site)
    assert texts(document, "channel/item/title") == ["https://example.com/x"]


def test_text_that_looks_like_html_is_the_same_text_after_decoding_it_once(feed, make_post, site):
    for title in ("The <b> tag & more", "AT&amp;T", "R&D", "1 < 2"):
        found = texts(rss.render(feed, [make_post(title=title)], site), "channel/item/title")[0]
        assert unescape(found) == title


def test_markup_characters_in_plain_text_are_hexadecimal_references(feed, make_post, site):
    body = rss.render(feed, [make_post(title="Q&A", content="<p>a &amp; b</p>")], site).body
    assert b"<title>Q&#x26;A</title>" in body
    assert b"&lt;p&gt;a &amp;amp; b&lt;/p&gt;" in body


def test_an_enclosure_always_has_a_type_and_a_length(feed, make_post, site):
    post = make_post(enclosures=(Enclosure("https://example.com/a.MP3?x"),))
    element = etree.fromstring(rss.render(feed, [post], site).body).find("channel/item/enclosure")
    assert dict(element.attrib) == {"url": "https://example.com/a.MP3?x", "length": "0", "type": "audio/mpeg"}


def test_f16_the_origins_credentials_are_not_published(feed, make_post, site):
    post = make_post(origin=Origin("x", "https://me:secret@example.com/f", "https://me:secret@example.com/"))
    assert b"secret" not in rss.render(feed, [post], site).body


def test_h3_a_link_that_would_run_stays_out(feed, make_post, site):
    body = rss.render(feed, [make_post(link="java\tscript:alert(1)")], site).body
    assert b"script:" not in body


@pytest.mark.parametrize("bad", ["\x00", "\x08", "\x1f", "\ufffe", "\ud800"])
def test_p10_control_characters_break_no_document(feed, make_post, rich_posts, site, bad):
    post = make_post(title=f"a{bad}b", content=f"<p>{bad}</p>", tags=(bad,), authors=(Person(f"x{bad}"),), rights=bad)
    document = rss.render(dataclasses.replace(feed, title=f"t{bad}"), [post, *rich_posts], site)
    assert texts(document, "channel/title") == ["t"]
    assert texts(document, "channel/item/title")[0] == "ab"
    assert len(texts(document, "channel/item/guid")) == len(rich_posts) + 1


def test_the_locale_is_as_it_was(feed, rich_posts, site):
    before = locale.setlocale(locale.LC_ALL)
    rss.render(feed, rich_posts, site)
    assert locale.setlocale(locale.LC_ALL) == before


def test_reading_a_feed_again_gives_the_same_posts(feed, rich_posts, site):
    parsed = feedparser.parse(rss.render(feed, rich_posts, site).body, sanitize_html=False, resolve_relative_uris=False)
    assert not parsed.bozo
    assert parsed.feed.language == "zh-CN"
    assert parsed.feed.link == site.page_url(feed)
    rich, entry = rich_posts[0], parsed.entries[0]
    assert (entry.id, entry.title, entry.summary) == (rich.guid, rich.title, rich.summary)
    assert entry.content[0].value == rich.content
    assert datetime(*entry.published_parsed[:6], tzinfo=UTC) == rich.published
    assert datetime(*entry.updated_parsed[:6], tzinfo=UTC) == rich.updated
    assert [author.get("name") or author.email for author in entry.authors] == ["趣头条", "梅向阳", "a@example.com"]
    assert [tag.term for tag in entry.tags] == ["新媒体/趣头条/分类", "编程/CI\\/CD", "电梯", "R&D"]
    assert entry.tags[0].scheme == "https://feeds.example.com/category/"
    assert entry.rights == rich.rights
    assert (entry.source.title, entry.source.href) == ("趣头条", "https://example.com/feed.xml")
    assert [(file.href, file.length, file.type) for file in entry.enclosures] == [
        ("https://img.example.com/talk.mp3", "123456", "audio/mpeg")
    ]
    assert {medium["url"] for medium in entry.media_content} == {
        f"https://img.example.com/talk.{end}" for end in ("mp4", "pdf")
    }
    assert entry.media_thumbnail[0]["url"] == "https://img.example.com/%E5%B0%81%E9%9D%A2.jpeg"
    assert [unescape(entry.get("title", "")) for entry in parsed.entries][:5] == [post.title for post in rich_posts][:5]
