from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from aggregator.models import Category, Draft, Enclosure, Media, Origin, Person, State
from aggregator.normalize.identity import Identity, identify
from aggregator.normalize.post import Normalized, Normalizer, Rules, is_empty

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Cleaned(NamedTuple):
    html: str
    images: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def normalized(draft: Draft, images: tuple[str, ...] = (), **rules: Any) -> Normalized:
    """The post of a draft, with cleaning that only notes its base, and one image proxy."""
    defaults = {"source": "blog", "base_url": "https://feeds.example.com/", "zone": ZoneInfo("Asia/Shanghai")}
    normalize = Normalizer(
        Rules(**{**defaults, **rules}),
        clean=lambda html, base: Cleaned(f"{html}@{base}" if html else "", images),
        unwrap=lambda url: None if "tracker" in url else url.removeprefix("https://proxy.example/?"),
        is_placeholder=lambda url: "picsum" in url,
    )
    return normalize(draft, Identity("guid:1", "", "urn:x:1"), NOW)


def test_a_date_without_a_zone_is_in_the_zone_of_the_source():
    post, dated, warnings = normalized(Draft(published="2022-01-13 04:28:54"))
    assert (post.published, dated, warnings) == (datetime(2022, 1, 12, 20, 28, 54, tzinfo=UTC), True, ())


@pytest.mark.parametrize("raw", ["Invalid Date", "2021-02-31", "1970-01-01", "", None])
def test_p12_an_unreadable_missing_or_implausible_date_is_when_it_was_first_seen(raw):
    post, dated, [warning] = normalized(Draft(published=raw))
    assert (post.published, dated) == (NOW, False)
    assert warning.endswith("dated when first seen")


def test_an_entry_that_only_says_when_it_was_updated_is_dated_by_that():
    post, dated, _ = normalized(Draft(updated="2022-01-13T00:00:00Z"))
    assert (post.published.year, post.updated, dated) == (2022, None, True)


def test_p12_a_future_post_is_held_or_published_by_the_rules_of_its_source():
    draft = Draft(published="2099-01-01T00:00:00Z")
    assert normalized(draft).post.state is State.HELD
    assert normalized(draft, publish_future=True).post.state is State.LIVE


def test_an_update_in_the_future_is_none():
    assert normalized(Draft(published="2022-01-01", updated="2099-01-01")).post.updated is None


def test_m7_a_hidden_draft_is_a_hidden_post():
    assert normalized(Draft(published="2022-01-01", hidden=True)).post.state is State.HIDDEN


def test_a_template_makes_the_link_of_a_post_that_carries_none():
    template = "https://blog.example.com/{year}/{month}/{name}/?p={path}"
    draft = Draft(path="新/a b.md", published="2022-01-13 04:28:54")
    assert normalized(draft, link=template).post.link == "https://blog.example.com/2022/01/a%20b/?p=%E6%96%B0/a%20b"
    own = Draft(path="a.md", link="https://own.example.com/x?utm_source=rss&a=1")
    assert normalized(own, link=template).post.link == "https://own.example.com/x?a=1"


@pytest.mark.parametrize("link", [None, "javascript:alert(1)", "ftp://e.example/"])
def test_h3_a_post_without_a_safe_link_has_none(link):
    assert normalized(Draft(link=link)).post.link is None


def test_relative_urls_are_resolved_against_the_base_else_the_link():
    assert normalized(Draft(content="x", link="https://e.example/p/")).post.content == "x@https://e.example/p/"
    with_base = Draft(content="x", link="https://e.example/p/", base_url="https://b.example/")
    assert normalized(with_base).post.content == "x@https://b.example/"


def test_a_title_is_decoded_once_unless_it_is_plain_already():
    assert normalized(Draft(title="A &#123;x&#125; <b>bold</b>")).post.title == "A {x} bold"
    assert normalized(Draft(title="&amp;lt;")).post.title == "&lt;"
    assert normalized(Draft(title="Vec&lt;T&gt;", title_is_plain=True)).post.title == "Vec&lt;T&gt;"


INSIDE = "http://10.0.0.1/a"


def test_h8_no_field_leads_into_a_private_network_unless_the_source_may():
    draft = Draft(
        link=INSIDE,
        image=INSIDE,
        enclosures=(Enclosure(INSIDE, "audio/mpeg"),),
        media=(Media(INSIDE),),
        authors=(Person("Ann", "", INSIDE),),
        origin=Origin("o", INSIDE, INSIDE),
    )
    post = normalized(draft).post
    assert (post.link, post.image, post.enclosures, post.media) == (None, None, (), ())
    assert (post.authors, post.origin) == ((Person("Ann"),), Origin("o"))
    allowed = normalized(draft, allow_private=True).post
    assert (allowed.link, allowed.image) == (INSIDE, INSIDE)
    assert (allowed.enclosures, allowed.media, allowed.origin) == (draft.enclosures, draft.media, draft.origin)


def test_h8_the_template_for_links_is_the_operators_own():
    assert normalized(Draft(path="a.md"), link="http://localhost:4000/{name}").post.link == "http://localhost:4000/a"


def test_h7_trackers_are_no_lead_image_and_nothing_attached():
    tracker = "https://tracker.example/p"
    pixel = Media("https://o.example/p", "thumbnail", width=1, height=1)
    draft = Draft(
        image=tracker,
        enclosures=(Enclosure(tracker, "image/gif"), Enclosure(tracker, "audio/mpeg")),
        media=(Media(tracker, "thumbnail"), Media(tracker, medium="image"), pixel),
    )
    post = normalized(draft).post
    assert (post.image, post.media) == (None, ())
    assert normalized(Draft(media=(Media("https://o.example/a", width=0, height=0),))).post.media
    assert [enclosure.type for enclosure in post.enclosures] == ["audio/mpeg"]


def test_h7_the_guid_keeps_what_the_link_loses():
    draft = Draft(guid="https://o.example/?utm_source=a&p=1", link="https://o.example/?utm_source=a&p=1")
    (identity,) = identify([draft])
    assert identity.guid == draft.guid
    assert normalized(draft).post.link == "https://o.example/?p=1"


def test_the_lead_image_is_the_cover_unwrapped():
    draft = Draft(image="https://proxy.example/?http://o.example/cover.jpg")
    assert normalized(draft, images=("http://o.example/body.jpg",)).post.image == "http://o.example/cover.jpg"


@pytest.mark.parametrize("cover", [None, "", "https://picsum.photos/400/300", "javascript:x"])
def test_a_placeholder_is_no_lead_image_the_first_of_the_body_is(cover):
    assert (
        normalized(Draft(image=cover), images=("http://o.example/body.jpg",)).post.image == "http://o.example/body.jpg"
    )
    assert normalized(Draft(image=cover)).post.image is None
    attached = Draft(
        media=(Media("https://picsum.photos/1", "thumbnail"),),
        enclosures=(
            Enclosure("https://picsum.photos/2", "image/jpeg"),
            Enclosure("https://o.example/e.jpg", "image/jpeg"),
        ),
    )
    assert normalized(attached).post.image == "https://o.example/e.jpg"


def test_media_and_enclosures_serve_as_lead_image_where_there_is_nothing_else():
    thumbnail = Media("https://o.example/t.jpg", "thumbnail")
    photo = Enclosure("https://o.example/e.jpg", "image/jpeg")
    assert normalized(Draft(media=(thumbnail,), enclosures=(photo,))).post.image == "https://o.example/t.jpg"
    assert normalized(Draft(enclosures=(photo,))).post.image == "https://o.example/e.jpg"


def test_attached_images_are_unwrapped_and_unsafe_attachments_dropped():
    draft = Draft(
        enclosures=(
            Enclosure("https://proxy.example/?http://o.example/e.jpg", "image/jpeg"),
            Enclosure("https://proxy.example/?http://o.example/e.mp3", "audio/mpeg"),
            Enclosure("javascript:x", "audio/mpeg"),
        )
    )
    assert [enclosure.url for enclosure in normalized(draft).post.enclosures] == [
        "http://o.example/e.jpg",
        "https://proxy.example/?http://o.example/e.mp3",
    ]


def test_people_keep_only_what_can_be_published():
    draft = Draft(authors=(Person("Ann &amp; Bo", "ann@example.com"), Person("", "hidden"), Person(url="javascript:x")))
    assert normalized(draft).post.authors == (Person("Ann & Bo", "ann@example.com"), Person("hidden"))


def test_the_categories_follow_the_rules_of_the_source():
    draft = Draft(categories=("a", "b"))
    prefix = {"category": Category.parse("x"), "category_mode": "prefix"}
    assert [c.path for c in normalized(draft, dialect="hexo").post.categories] == ["a/b"]
    assert [c.path for c in normalized(draft, dialect="jekyll").post.categories] == ["a", "b"]
    assert [c.path for c in normalized(draft, dialect="hexo", **prefix).post.categories] == ["x/a/b"]


def test_the_origin_keeps_what_is_safe():
    draft = Draft(origin=Origin("A &amp; B", "https://o.example/feed", "javascript:x"))
    assert normalized(draft).post.origin == Origin("A & B", "https://o.example/feed", "")
    assert normalized(Draft(origin=Origin())).post.origin is None


def test_a_summary_that_says_the_same_as_the_content_is_dropped():
    assert normalized(Draft(content="same", summary="same")).post.summary == ""
    assert normalized(Draft(content="long", summary="short")).post.summary == "short@None"


def test_an_empty_draft_is_known_as_such():
    assert is_empty(Draft(title=" ", content=""))
    assert not is_empty(Draft(enclosures=(Enclosure("https://o.example/e.mp3"),)))
    assert is_empty(Draft(path="a.md", guid="1"))


def test_times_are_whole_seconds():
    post = normalized(Draft(published="2022-01-13T00:00:00.75Z")).post
    assert post.published == datetime(2022, 1, 13, tzinfo=UTC)
    assert post.published.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("given", "published"), [("en_US", "en-US"), ("zh-Hans-CN", "zh-Hans-CN"), ("日本語", ""), ("english", "")]
)
def test_a_language_is_published_only_as_a_tag(given, published):
    assert normalized(Draft(language=given)).post.language == published


@pytest.mark.parametrize(("given", "published"), [("audio/mpeg; q=1", "audio/mpeg"), ("a b", ""), ("mp3", "")])
def test_a_media_type_is_published_only_as_one(given, published):
    [enclosure] = normalized(Draft(enclosures=(Enclosure("https://o.example/e", given),))).post.enclosures
    assert enclosure.type == published
