"""Items of JSON APIs."""

import json
import time
from datetime import UTC, datetime

import pytest

from aggregator.config.sources import JsonSource
from aggregator.errors import ParseError
from aggregator.ingest.jsonapi import parse_json, path_fault
from aggregator.models import Origin
from aggregator.normalize.dates import read_date

URL = "https://api.example.com/v1/posts"


def source(**paths):
    return JsonSource(name="x", type="json", url=URL, **{"item": "data.list", **paths})


def parse(data, *, url=URL, max_items=500, **paths):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return parse_json(body, url=url, paths=source(**paths), max_items=max_items)


def one(item, **paths):
    (draft,) = parse({"data": {"list": [item]}}, **paths).drafts
    return draft


def test_p14_an_item_gives_every_field():
    item = {"id": 7, "title": " A\n& B ", "url": "/p/7", "t": "2021-07-04", "body": "<p>x</p>", "pic": {"u": "i.jpg"}}
    draft = one(item, date="t", content="body", image="pic.u")
    assert draft.guid == "7"
    assert draft.link == draft.base_url == "https://api.example.com/p/7"
    assert (draft.title, draft.title_is_plain) == ("A & B", True)
    assert draft.published == "2021-07-04"
    assert draft.content == "<p>x</p>"
    assert draft.image == "https://api.example.com/v1/i.jpg"
    assert draft.origin == Origin("", "", URL)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (12345678901234567890, "12345678901234567890"),
        (1.0, "1"),
        (1.5, "1.5"),
        (0, "0"),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_p14_ids_that_are_numbers_are_text(number, text):
    assert one({"id": number, "title": "t"}).guid == text


@pytest.mark.parametrize(
    "written",
    [1625381766, 1625381766.5, 1625381766000, 1.625381766e12, 1625381766000000, 1625381766000000000, "1625381766"],
)
def test_p12_seconds_milliseconds_and_less_are_read_as_the_moment_that_they_are(written):
    published = one({"title": "t", "t": written}, date="t").published
    assert read_date(published, UTC) == datetime(2021, 7, 4, 6, 56, 6, tzinfo=UTC)


@pytest.mark.parametrize("written", [0, -1, True, None, [], {}, ""])
def test_p12_what_is_no_date_is_none(written):
    assert one({"title": "t", "t": written}, date="t").published is None


def test_h5_a_title_with_references_or_end_tags_is_markup_and_any_other_is_plain():
    for title, plain in (
        ("Don&#8217;t", False),
        ("a <em>hit</em>", False),
        ("AT&T <b> & 1 < 2", True),
        ("R&D; x", True),
    ):
        assert one({"title": title}).title_is_plain is plain


def test_content_without_a_tag_is_text_and_lists_are_joined():
    assert (
        one({"title": "t", "c": "1 < 2 & 3\n\nnext\nline"}, content="c").content
        == "<p>1 &lt; 2 &amp; 3</p><p>next<br>\nline</p>"
    )
    assert one({"title": "t", "c": "a &amp; b"}, content="c").content == "a &amp; b"
    blocks = {"title": "t", "blocks": [{"html": "<p>1</p>"}, {"html": None}, {"html": "<p>2</p>"}]}
    assert one(blocks, content="blocks[].html").content == "<p>1</p>\n<p>2</p>"


@pytest.mark.parametrize(
    ("written", "link"),
    [
        ("//a.example/x", "https://a.example/x"),
        ("?id=1", "https://api.example.com/v1/posts?id=1"),
        (["", "https://a.example/1", "https://a.example/2"], "https://a.example/1"),
        ("javascript:alert(1)", None),
        ("", None),
        (17, None),
        ({}, None),
    ],
)
def test_p13_links_are_absolute_or_none(written, link):
    assert one({"title": "t", "url": written}).link == link


def test_the_default_paths_fit_what_apis_usually_say():
    assert one({"title": "t", "link": "https://a.example/"}).link == "https://a.example/"
    made = one({"title": "t", "id": 5}, link="join('', ['https://a.example/', to_string(id)])")
    assert made.link == "https://a.example/5"


def test_expressions_filter_by_numbers():
    parsed = parse({"rows": [{"title": "a", "n": 1}, {"title": "b", "n": 2}]}, item="rows[?n>`1`]")
    assert [draft.title for draft in parsed.drafts] == ["b"]


def test_an_empty_list_is_fine_and_an_item_of_nothing_costs_itself():
    assert parse({"data": {"list": []}}).drafts == ()
    parsed = parse({"data": {"list": [{"title": "a"}, {}, None, 5, "x", {"x": 1}]}})
    assert [draft.title for draft in parsed.drafts] == ["a"]
    assert parsed.warnings[0] == "Item 2 has no title, link or content; it was left out."
    assert len(parsed.warnings) == 5


def test_a_path_that_cannot_be_followed_in_one_item_costs_its_field():
    parsed = parse(
        {"data": {"list": [{"title": "a", "tags": ["x", "y"]}, {"title": "b", "tags": 5}]}}, content="join(' ', tags)"
    )
    assert [(draft.title, draft.content) for draft in parsed.drafts] == [("a", "<p>x y</p>"), ("b", None)]
    assert parsed.warnings[0].startswith("The path of `content` cannot be followed in item 2: ")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            {"code": 403, "message": "x"},
            "(data.list) matches nothing; the document is an object with the keys code, message",
        ),
        ({"data": {"list": {"a": 1}}}, "leads to an object with the keys a, not to a list"),
        ({"data": {"list": "x"}}, "leads to a text, not to a list"),
        ([], "matches nothing; the document is a list"),
        ({}, "an object with nothing in it"),
        ({f"key{n}": n for n in range(50)}, "key11 and 38 more"),
        (None, "the document is null"),
    ],
)
def test_a_path_that_leads_to_no_list_says_what_there_is(data, says):
    with pytest.raises(ParseError) as error:
        parse(data)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a": 1,\n "b" 2}', "broken JSON: expecting ':' delimiter in line 2, column 6"),
        (b'{"a": "x', "in line 1, column 7"),
        (b"callback({})", "in line 1, column 1"),
        (b"", "an empty body, not JSON"),
        (b"<!doctype html><title>Log in</title>", "an HTML page, not JSON (its title is “Log in”)"),
        (b"\x89PNG\r\n", "a PNG image, not JSON"),
    ],
)
def test_p14_malformed_json_is_an_error_that_says_where(body, says):
    with pytest.raises(ParseError) as error:
        parse(body)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"a":' * 200_000, b"[" + b"9" * 2_000_000 + b"]", b"[NaN, -Infinity, 1e999]", b'["\\ud800"]'],
    ids=["lists", "objects", "digits", "nan", "surrogate"],
)
def test_p7_nothing_in_the_numbers_or_the_nesting_is_more_than_an_error(body):
    start = time.process_time()
    with pytest.raises(ParseError):
        parse(body)
    assert time.process_time() - start < 1


def test_p7_odd_numbers_are_no_text():
    body = b'{"data":{"list":[{"title":"t","id":1e999,"t":1e300},{"title":"u","id":NaN,"t":-1e999},{"title":"v","id":%s}]}}'
    drafts = parse(body % (b"9" * 5_000), date="t").drafts
    assert [(draft.guid or "")[:3] for draft in drafts] == ["", "", "999"]
    assert [draft.published for draft in drafts] == [None, None, None]


def test_p7_the_first_items_are_read_and_the_others_counted():
    parsed = parse({"data": {"list": [{"title": str(number)} for number in range(20_000)]}}, max_items=3)
    assert [draft.title for draft in parsed.drafts] == ["0", "1", "2"]
    assert parsed.warnings == ("The document has 20000 items; the first 3 were read.",)


def test_p8_a_byte_order_mark_and_utf_16_are_read():
    text = '{"data":{"list":[{"title":"标题"}]}}'
    for body in (text.encode("utf-8-sig"), text.encode("utf-16")):
        assert parse(body).drafts[0].title == "标题"


def test_f16_secrets_of_the_url_are_not_in_a_draft():
    assert "s3cret" not in repr(parse({"data": {"list": [{"title": "t", "url": "/x"}]}}, url=f"{URL}?key=s3cret"))


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("data.", "is no JMESPath expression"),
        ("[" * 3_000, "is no JMESPath expression"),
        ("a b", "is no JMESPath expression"),
        ("lower(title)", "lower(), a function that JMESPath does not have"),
        ("[*].{a: nope(@)}", "nope()"),
        ("join(a)", "with 1 arguments, of which it takes 2"),
        ("length(a, b)", "with 2 arguments, of which it takes 1"),
    ],
)
def test_a_path_that_cannot_be_used_says_why(expression, says):
    assert says in path_fault(expression)
    broken = source().model_copy(update={"item": expression})
    with pytest.raises(ParseError, match="the path of `item`"):
        parse_json(b"{}", url=URL, paths=broken)


@pytest.mark.parametrize(
    "expression", ["a.b[0].c", "not_null(a, b, c)", "a[?b=='x'] | [*].c", "merge(a, b)", "@", "keys(@)"]
)
def test_a_path_that_can_be_used_has_no_fault(expression):
    assert path_fault(expression) == ""
