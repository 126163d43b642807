"""The fields of front matter under all their names (HOSTILE rows M7 and M9)."""

import pytest

from aggregator.ingest import frontfields
from aggregator.models import Enclosure, Person


def draft(path="a.md", /, **fields):
    return frontfields.draft(fields, path, None, None, "")


@pytest.mark.parametrize(
    ("fields", "published"),
    [
        ({"date": "a", "pubdate": "b"}, "a"),
        ({"date": "", "pubdate": "b"}, "b"),
        ({"date": "null", "created_at": "b"}, "b"),
        ({"published": "2021-07-04"}, "2021-07-04"),
        ({"published": "true"}, None),
        ({}, None),
    ],
)
def test_the_date_is_the_first_that_says_something(fields, published):
    assert draft(**fields).published == published


@pytest.mark.parametrize(
    ("path", "date"),
    [
        ("2021-07-04-a-b.md", "2021-07-04"),
        ("_posts/2021-7-4-a.md", "2021-7-4"),
        ("2021-07-04.md", None),
        ("x-2021-07-04-a.md", None),
    ],
)
def test_jekyll_s_file_name_holds_the_date_where_no_field_does(path, date):
    assert draft(path).published == date
    assert draft(path, date="d").published == "d"


@pytest.mark.parametrize("name", ["updated", "lastmod", "last_modified_at"])
def test_the_update_has_three_names(name):
    assert draft(**{name: "x"}).updated == "x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a b, c", ("a b, c",)),
        (["a", "b"], ("a", "b")),
        ([["a", "b"], "c", ["d"]], (("a", "b"), "c", ("d",))),
        (["a", "", None, []], ("a",)),
        ([{"CI": "CD"}], ("CI: CD",)),
        ([[["too", "deep"], "a"]], (("a",),)),
        ([1, 2.5], ("1", "2.5")),
        ("null", ()),
        (None, ()),
        (["x"] * 1000, ("x",) * 200),
    ],
)
def test_categories_keep_their_shape(value, expected):
    assert draft(categories=value).categories == expected
    assert draft(categories="", category=value).categories == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a b", ("a b",)),
        ("a, b，c", ("a", "b", "c")),
        (["a, b", "c"], ("a, b", "c")),
        ([["a"], "b"], ("a", "b")),
        ("", ()),
    ],
)
def test_tags_are_flat(value, expected):
    assert draft(tags=value).tags == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("趣头条", (Person("趣头条"),)),
        (["a", "b"], (Person("a"), Person("b"))),
        ("A B <a@example.com>", (Person("A B", "a@example.com"),)),
        ("a@example.com", (Person("", "a@example.com"),)),
        ({"name": "a", "Email": "b@c.d", "uri": "http://x/"}, (Person("a", "b@c.d", "http://x/"),)),
        ([{"name": "a"}, {"V2EX": "首页"}, {}], (Person("a"), Person("V2EX: 首页"))),
        ("", ()),
    ],
)
def test_authors_are_names_or_maps(value, expected):
    assert draft(author=value).authors == expected
    assert draft(author=None, authors=value).authors == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"headimg": "a", "thumbnail": "b"}, "a"),
        ({"headimg": "", "thumbnail": "b"}, "b"),
        ({"cover": "false", "image": "b"}, "b"),
        ({"cover": {"image": "a", "alt": "x"}}, "a"),
        ({"image": {"src": "//x/a.png"}}, "//x/a.png"),
        ({"banner": ["a", "b"]}, "a"),
        ({"cover": {}, "image": []}, None),
    ],
)
def test_the_cover_is_the_first_image_there_is(fields, expected):
    assert draft(**fields).image == expected


@pytest.mark.parametrize(
    ("fields", "link", "guid"),
    [
        ({"link": "https://x/a"}, "https://x/a", None),
        ({"link": "//x/a"}, "https://x/a", None),
        ({"link": "/a", "original_link": "http://x/b"}, "http://x/b", None),
        ({"permalink": "/2021/a/"}, None, "/2021/a/"),
        ({"permalink": "/:year/:title/"}, None, None),
        ({"permalink": "pretty"}, None, None),
        ({"permalink": "/a/", "abbrlink": "3f2a"}, None, "3f2a"),
        ({"link": "javascript:x"}, None, None),
        ({"link": "mailto:x@y.z"}, None, None),
        ({"link": "https://x/a b"}, None, None),
        ({"guid": "", "id": "5", "uuid": "u"}, None, "5"),
    ],
)
def test_m9_a_post_is_told_by_its_id_its_link_or_its_permalink(fields, link, guid):
    assert (draft(**fields).link, draft(**fields).guid) == (link, guid)


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({}, False),
        ({"draft": "true"}, True),
        ({"draft": True}, True),
        ({"draft": "false"}, False),
        ({"hidden": "Yes"}, True),
        ({"published": "false"}, True),
        ({"published": False}, True),
        ({"published": "true"}, False),
        ({"published": "2021-07-04"}, False),
        ({"published": "true", "hidden": "true"}, True),
    ],
)
def test_m7_a_post_that_says_so_is_hidden(fields, hidden):
    assert draft(**fields).hidden is hidden


def test_m7_what_lies_among_the_drafts_is_hidden_unless_it_says_otherwise():
    assert draft("source/_drafts/a.md").hidden is True
    assert draft("source/_drafts/a.md", published="true").hidden is False
    assert draft("source/_drafts.md").hidden is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a < b & c &#123;", "a &lt; b &amp; c &#123;"), ("<b>a</b> & b", "<b>a</b> & b"), ("null", None)],
)
def test_an_excerpt_is_html(value, expected):
    assert draft(description=value).summary == expected


def test_an_excerpt_that_is_written_comes_before_the_one_from_the_body():
    assert frontfields.draft({"excerpt": "a"}, "a.md", None, None, "<p>b</p>").summary == "a"
    assert frontfields.draft({"excerpt": ""}, "a.md", None, None, "<p>b</p>").summary == "<p>b</p>"


def test_enclosures_are_urls_or_maps():
    given = [{"url": "http://x/a.mp3", "type": "audio/mpeg", "length": "12"}, "http://x/b.mp3", {"type": "no url"}]
    assert draft(enclosure=given).enclosures == (
        Enclosure("http://x/a.mp3", "audio/mpeg", 12),
        Enclosure("http://x/b.mp3"),
    )
    assert draft(audio="http://x/c.mp3").enclosures == (Enclosure("http://x/c.mp3"),)


def test_the_language_is_named_lang():
    assert draft(lang="zh-CN").language == "zh-CN"
