"""JSON Feeds, as their two versions and their many writers have them."""

import json
import time

import pytest

from aggregator.errors import ParseError
from aggregator.ingest.jsonfeed import parse_jsonfeed
from aggregator.models import Enclosure, Origin, Person

URL = "https://example.com/feed.json"
V1 = "https://jsonfeed.org/version/1"
V11 = "https://jsonfeed.org/version/1.1"


def feed(*items, **fields):
    return json.dumps(
        {"version": V11, "title": "News", "home_page_url": "https://example.org/", **fields, "items": items}
    ).encode()


def parse(body, url=URL):
    return parse_jsonfeed(body, url=url)


def one(body):
    (draft,) = parse(body).drafts
    return draft


def test_p14_a_version_1_1_item_gives_every_field():
    draft = one(
        feed(
            {
                "id": "n-1",
                "url": "/1",
                "external_url": "https://other.example/",
                "title": "Tom & <b>Jerry</b>",
                "content_html": "<p>Long</p>",
                "content_text": "Long",
                "summary": "Short & sweet",
                "image": "/cover.jpg",
                "banner_image": "/banner.jpg",
                "date_published": "2021-07-04T06:56:06Z",
                "date_modified": "2021-07-05T00:00:00Z",
                "authors": [{"name": "Ann", "url": "https://ann.example/"}, {"url": "mailto:bob@example.org"}, {}],
                "tags": ["cats", "A/B", "cats", ""],
                "language": "en-GB",
                "attachments": [
                    {
                        "url": "/1.mp3",
                        "mime_type": "audio/mpeg",
                        "title": "Listen",
                        "size_in_bytes": 1234,
                        "duration_in_seconds": 6,
                    },
                    {"mime_type": "audio/ogg"},
                ],
                "_extension": {"about": "ignored"},
            }
        )
    )
    assert (draft.guid, draft.link, draft.base_url) == ("n-1", "https://example.org/1", "https://example.org/1")
    assert (draft.title, draft.title_is_plain) == ("Tom & <b>Jerry</b>", True)
    assert (draft.content, draft.summary) == ("<p>Long</p>", "<p>Short &amp; sweet</p>")
    assert draft.image == "https://example.org/cover.jpg"
    assert (draft.published, draft.updated) == ("2021-07-04T06:56:06Z", "2021-07-05T00:00:00Z")
    assert draft.authors == (Person("Ann", "", "https://ann.example/"), Person("", "bob@example.org"))
    assert draft.categories == ("cats", "A/B")
    assert draft.language == "en-GB"
    assert draft.enclosures == (Enclosure("https://example.org/1.mp3", "audio/mpeg", 1234, "Listen"),)
    assert draft.origin == Origin("News", URL, "https://example.org/")


def test_p14_a_version_1_0_item_has_one_author():
    draft = one(feed({"id": "1", "content_text": "x", "author": {"name": "Ann"}}, version=V1))
    assert draft.authors == (Person("Ann"),)


def test_an_item_without_author_or_language_has_the_feeds():
    draft = one(feed({"id": "1", "content_text": "x"}, authors=[{"name": "Ann"}], language="fr"))
    assert (draft.authors, draft.language) == ((Person("Ann"),), "fr")
    assert one(feed({"id": "1", "content_text": "x"}, author={"name": "Bob"})).authors == (Person("Bob"),)


@pytest.mark.parametrize(
    ("written", "guid"),
    [
        ("1", "1"),
        ("1.10", "1.10"),
        ("12345678901234567890", "12345678901234567890"),
        ('" a "', "a"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_p14_numbers_as_ids_are_kept_as_written(written, guid):
    body = b'{"version": "%s", "items": [{"id": %s, "content_text": "x"}]}' % (V1.encode(), written.encode())
    assert one(body).guid == guid


def test_plain_text_becomes_paragraphs_of_escaped_html():
    draft = one(feed({"id": "1", "content_text": "1 < 2\nnext\n\nlast", "summary": "1 < 2\nnext\n\nlast"}))
    assert (draft.content, draft.summary) == ("<p>1 &lt; 2<br>\nnext</p><p>last</p>", None)


def test_a_lone_summary_is_the_content():
    draft = one(feed({"id": "1", "summary": "Short"}))
    assert (draft.content, draft.summary) == ("<p>Short</p>", None)


def test_an_item_without_a_url_of_its_own_links_to_what_it_is_about():
    draft = one(feed({"id": "1", "external_url": "//other.example/x"}))
    assert draft.link == "https://other.example/x"
    assert one(feed({"id": "1"})).link is None


def test_p14_a_feed_without_items_is_fine():
    assert parse(feed()).drafts == ()
    assert parse(feed()).title == "News"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_p14_marks_and_wide_encodings_are_tolerated(encoding):
    body = feed({"id": "1", "title": "新闻"}).decode().encode(encoding)
    assert one(body).title == "新闻"


def test_p14_malformed_json_is_an_error_that_says_where():
    with pytest.raises(ParseError, match=r"broken JSON: .* in line 2, column 12"):
        parse(b'{"version": "https://jsonfeed.org/version/1",\n "items": [}')
    with pytest.raises(ParseError, match=r"broken JSON: .* in line 1, column 47"):
        parse(b'{"version": "https://jsonfeed.org/version/1", ')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "no such feed", "code": 404}', "not a JSON Feed: an object with the keys error, code"),
        (
            b'{"items": [{"id": 1, "name": "x"}], "version": "2.0"}',
            "not a JSON Feed: an object with the keys items, version",
        ),
        (b"{}", "an object with nothing in it"),
        (b"[1, 2]", "not a JSON Feed: a list"),
        (b"null", "not a JSON Feed: null"),
        (b'"x"', "not a JSON Feed: a text or a number"),
        (b"true", "not a JSON Feed: true or false"),
        (b'{"version": "https://jsonfeed.org/version/1"}', "a JSON Feed without a list of items"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": {}}', "a JSON Feed without a list of items"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_p14_json_that_is_no_feed_is_named(body, words):
    with pytest.raises(ParseError, match=words):
        parse(body)


def test_a_feed_that_forgot_its_version_is_read_with_a_warning():
    parsed = parse(b'{"items": [{"id": "1", "content_html": "x"}]}')
    assert len(parsed.drafts) == 1
    assert "version" in parsed.warnings[0]


def test_what_is_of_the_wrong_type_counts_as_missing_and_is_told():
    parsed = parse(
        feed(
            {
                "id": {"a": 1},
                "url": ["x"],
                "title": True,
                "content_html": 5,
                "tags": "cats",
                "authors": "Ann",
                "attachments": {},
                "image": None,
            },
            "not an item",
            {
                "id": "3",
                "tags": [1, None, "cats"],
                "authors": ["Ann", None],
                "attachments": [None, {"url": 5}, {"url": "/x", "size_in_bytes": "big"}],
            },
        )
    )
    first, last = parsed.drafts
    assert (first.guid, first.link, first.title, first.content, first.categories) == (None, None, None, "5", ())
    assert (last.guid, last.categories) == ("3", ("1", "cats"))
    assert [enclosure.length for enclosure in last.enclosures] == [None, None]
    assert {warning.partition(" has")[0] for warning in parsed.warnings} == {
        "Item 1",
        "Item 2 is no object; it was left out.",
    }


def test_p7_only_the_newest_items_are_read():
    days = ["03", "01", "05", "02", "04"]
    body = feed(*({"id": day, "date_published": f"2021-01-{day}T00:00:00Z"} for day in days))
    parsed = parse_jsonfeed(body, url=URL, max_items=3)
    assert [draft.guid for draft in parsed.drafts] == ["03", "05", "04"]
    assert parsed.warnings == ("The document has 5 items; only the newest 3 were read.",)
    assert parse_jsonfeed(body, url=URL, max_items=5).warnings == ()


def test_p7_of_items_without_dates_the_first_are_read():
    parsed = parse_jsonfeed(feed({"id": "1", "date_modified": "x"}, 5, {"id": "3"}), url=URL, max_items=2)
    assert [draft.guid for draft in parsed.drafts] == ["1"]
    assert parsed.warnings[1:] == ("Item 2 is no object; it was left out.",)


def test_p7_20_000_items_are_read_in_a_second():
    body = feed(*({"id": str(n), "content_html": "x", "date_published": "2021-01-01"} for n in range(20_000)))
    started = time.process_time()
    assert len(parse(body).drafts) == 500
    assert time.process_time() - started < 2


def test_p10_characters_that_no_document_may_hold_do_not_break_the_reading():
    draft = one(
        b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": "a\\u0000b", "title": "\\ud800", "content_text": "\\ufffe\\u000b", "url": "\\udfff"}]}'
    )
    assert draft.guid == "a\0b"


def test_f16_a_feed_fetched_with_a_secret_does_not_tell_it():
    (draft,) = parse(feed({"id": "1"}), url="https://me:pw@example.com/feed.json?token=abc").drafts
    assert draft.origin.url == "https://example.com/feed.json"
