import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from aggregator.errors import PublishError
from aggregator.models import Category, Document, Enclosure, Media, Origin, Person, Post
from aggregator.publish import atom, jsonfeed, opml, pages, rss
from aggregator.publish.facts import guarded, headline, link_of, media_of, newest, source_of, type_of
from aggregator.publish.permalinks import post_directory

TEXT = st.text(max_size=12)
POSTS = st.builds(
    Post,
    source=st.just("s"), key=TEXT, guid=TEXT, link=st.none() | TEXT, title=TEXT, content=TEXT, summary=TEXT,
    published=st.just(datetime(2021, 7, 4, tzinfo=UTC)), language=TEXT, rights=TEXT, image=st.none() | TEXT,
    categories=st.tuples(st.builds(Category, st.tuples(TEXT))), tags=st.tuples(TEXT),
    authors=st.tuples(st.builds(Person, TEXT, TEXT, TEXT)),
    enclosures=st.tuples(st.builds(Enclosure, TEXT, TEXT, st.none() | st.integers(-1, 9), TEXT), st.builds(Enclosure, TEXT)),
    media=st.tuples(st.builds(Media, TEXT, st.sampled_from(["content", "thumbnail"]), TEXT, TEXT)),
    origin=st.none() | st.builds(Origin, TEXT, TEXT, TEXT),
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(post=POSTS)
def test_p10_whatever_a_post_holds_every_document_is_well_formed(feed, site, post):
    assert len(etree.fromstring(rss.render(feed, [post], site).body).findall("channel/item")) == 1
    assert len(etree.fromstring(atom.render(feed, [post], site).body).findall("{*}entry")) == 1
    assert len(json.loads(jsonfeed.render(feed, [post], site).body)["items"]) == 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(post=POSTS)
def test_p10_whatever_a_post_holds_its_page_is_utf_8(feed, site, post):
    assert "</html>" in pages.feed_page(feed, [post], site).body.decode()


def test_a_feed_that_cannot_be_built_is_told_by_name(feed, site):
    def broken(*_):
        raise ValueError("no")

    with pytest.raises(PublishError, match="cannot be built: no") as caught:
        guarded(broken, feed, [], site)
    assert caught.value.feed == feed.slug


def test_everything_a_worker_gets_and_gives_can_be_pickled(feed, rich_posts, site):
    assert pickle.loads(pickle.dumps((feed, rich_posts, site))) == (feed, rich_posts, site)
    document = opml.render([feed], site)
    assert isinstance(pickle.loads(pickle.dumps(document)), Document)


def test_the_newest_change_counts_not_the_newest_post(make_post):
    day = make_post().published
    assert newest(
        [make_post(updated=day + timedelta(days=9)), make_post(published=day + timedelta(days=1))]
    ) == day + timedelta(days=9)
    assert newest([]) is None


def test_a_headline_is_never_empty(make_post):
    assert headline(make_post(title=" ", content="<p> </p>", summary="<i>s</i>")) == "s"
    assert headline(make_post(title="", content="<img src='x'>", link=None)) == make_post().guid


@pytest.mark.parametrize(
    ("url", "given", "expected"),
    [
        ("https://example.com/a.MP3", "", "audio/mpeg"),
        ("https://example.com/a.mp3", "audio/x-own; q=1", "audio/x-own; q=1"),
        ("https://example.com/a.mp3", "nonsense", "audio/mpeg"),
        ("https://example.com/", "", "application/octet-stream"),
        ("http://[broken", "", "application/octet-stream"),
    ],
)
def test_a_file_always_has_a_media_type(url, given, expected):
    assert type_of(Enclosure(url, given)) == expected


def test_the_lead_image_is_the_first_thumbnail_and_stands_once(make_post):
    thumbnails = (
        Media("https://example.com/a.jpg", "thumbnail"),
        Media("https://example.com/b.jpg", "thumbnail", width=8),
    )
    found = media_of(make_post(image="https://example.com/b.jpg", media=thumbnails))
    assert found == [
        ("thumbnail", {"url": "https://example.com/b.jpg", "width": "8"}),
        ("thumbnail", {"url": "https://example.com/a.jpg"}),
    ]


def test_an_origin_without_anything_is_none(make_post):
    assert source_of(make_post(origin=Origin())) is None
    assert source_of(make_post(origin=Origin(url="https://example.com/f"))).title == "https://example.com/f"


def test_a_post_without_a_link_is_read_at_its_page_and_one_whose_link_runs_code_too(make_post, site):
    post = make_post(link=None)
    own = f"https://feeds.example.com/{post_directory(post.id)}/"
    assert link_of(post, site) == own
    assert link_of(make_post(link="javascript:alert(1)"), site) == own
    assert link_of(make_post(link="https://example.com/ü"), site) == "https://example.com/%C3%BC"
