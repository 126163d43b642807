import dataclasses
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import feedparser
import pytest
from lxml import etree

from aggregator.models import Enclosure, Origin, Person
from aggregator.publish import atom
from aggregator.publish.facts import link_of

DATA = Path(__file__).parent / "data"
ATOM = "{http://www.w3.org/2005/Atom}"


def entries(document):
    return etree.fromstring(document.body).findall(f"{ATOM}entry")


def test_a_feed_is_what_the_golden_file_says(golden, feed, rich_posts, site):
    document = atom.render(feed, rich_posts, site)
    assert document.path == "category/新媒体/atom.xml"
    assert document.media_type == "application/atom+xml; charset=utf-8"
    golden(DATA / "rich.atom.xml", document.body)


def test_an_empty_feed_was_never_updated(feed, site):
    updated = etree.fromstring(atom.render(feed, [], site).body).findtext(f"{ATOM}updated")
    assert datetime.fromisoformat(updated) == atom.NEVER


def test_every_enclosure_keeps_what_is_known_of_it(feed, make_post, site):
    post = make_post(
        enclosures=(
            Enclosure("https://example.com/a.mp3", "audio/mpeg", 7, "A & B"),
            Enclosure("https://example.com/b"),
        )
    )
    links = [dict(link.attrib) for link in entries(atom.render(feed, [post], site))[0].findall(f"{ATOM}link")]
    assert links == [
        {"href": link_of(post, site)},
        {
            "rel": "enclosure",
            "href": "https://example.com/a.mp3",
            "type": "audio/mpeg",
            "length": "7",
            "title": "A & B",
        },
        {"rel": "enclosure", "href": "https://example.com/b", "type": "application/octet-stream"},
    ]


def test_a_post_without_a_title_is_called_by_its_first_words(feed, make_post, site):
    post = make_post(title="", content="<p>加装<b>电梯</b></p>")
    assert entries(atom.render(feed, [post], site))[0].findtext(f"{ATOM}title") == "加装电梯"


def test_the_site_is_the_author_only_of_posts_without_one(feed, make_post, site):
    signed = atom.render(feed, [make_post(authors=(Person("a"),))], site)
    unsigned = atom.render(feed, [make_post()], site)
    assert etree.fromstring(signed.body).find(f"{ATOM}author") is None
    assert etree.fromstring(unsigned.body).findtext(f"{ATOM}author/{ATOM}name") == site.title


@pytest.mark.parametrize("link", [None, "https://example.com/x", "javascript:alert(1)"])
def test_an_entry_has_content_or_a_link(feed, make_post, site, link):
    for fields in ({"content": ""}, {"content": "", "summary": "s"}, {"content": "", "title": ""}):
        entry = entries(atom.render(feed, [make_post(link=link, **fields)], site))[0]
        assert entry.find(f"{ATOM}content") is not None or entry.find(f"{ATOM}link") is not None


def test_h3_a_link_that_would_run_stays_out(feed, make_post, site):
    assert b"script:" not in atom.render(feed, [make_post(link=" JavaScript:alert(1)")], site).body


def test_f16_the_origins_credentials_are_not_published(feed, make_post, site):
    post = make_post(origin=Origin("", "https://me:secret@example.com/f", ""))
    assert b"secret" not in atom.render(feed, [post], site).body


@pytest.mark.parametrize("bad", ["\x00", "\x1f", "\uffff", "\udfff"])
def test_p10_control_characters_break_no_document(feed, make_post, site, bad):
    post = make_post(
        title=bad, content=f"<p>a{bad}</p>", tags=(f"x{bad}",), enclosures=(Enclosure(f"https://example.com/{bad}"),)
    )
    document = atom.render(dataclasses.replace(feed, description=bad), [post], site)
    assert entries(document)[0].findtext(f"{ATOM}title") == "a"


def test_reading_a_feed_again_gives_the_same_posts(feed, rich_posts, site):
    parsed = feedparser.parse(
        atom.render(feed, rich_posts, site).body, sanitize_html=False, resolve_relative_uris=False
    )
    assert not parsed.bozo
    rich, entry = rich_posts[0], parsed.entries[0]
    assert (entry.title, entry.summary, entry.content[0].value) == (rich.title, rich.summary, rich.content)
    assert datetime(*entry.published_parsed[:6], tzinfo=UTC) == rich.published
    assert datetime(*entry.updated_parsed[:6], tzinfo=UTC) == rich.updated
    # feedparser hands an author's e-mail on to the next one that has none, so only the names and the first are told apart
    assert [author.name for author in entry.authors] == ["趣头条", "梅向阳", "a@example.com"]
    assert dict(entry.authors[0]) == {"name": "趣头条", "email": "news@example.com", "href": "https://example.com/"}
    assert [(tag.term, tag.label) for tag in entry.tags] == [
        ("新媒体/趣头条/分类", "分类"), ("编程/CI\\/CD", "CI/CD"), ("电梯", None), ("R&D", None),
    ]  # fmt: skip
    assert [(file.href, file.type, file.get("length"), file.get("title")) for file in entry.enclosures] == [
        ("https://img.example.com/talk.mp3", "audio/mpeg", "123456", "The talk"),
        ("https://img.example.com/talk.pdf", "application/pdf", None, "The slides"),
        ("https://img.example.com/talk.mp4", "video/mp4", "99", None),
    ]
    assert entry.rights == rich.rights
    assert (entry.source.title, entry.source.link) == ("趣头条", "https://example.com/")
    assert [entry.id for entry in parsed.entries][1:] == [post.guid for post in rich_posts][1:]
    assert unescape(parsed.entries[2].title) == rich_posts[2].title
    assert parsed.entries[2].title_detail.language == "en"
