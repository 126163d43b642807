"""Front matter read line by line (HOSTILE rows M2 and M3)."""

import pytest

from aggregator.ingest.frontfields import KNOWN
from aggregator.ingest.lenient import Reader, unquoted


def fields(block, style="yaml"):
    return {field.name: field.value for field in Reader(KNOWN, style).fields(block)}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("words", "words"),
        ("'words'", "words"),
        ('"""""\'words\'"""""', "words"),
        ('"""words"""', "words"),
        ("""'It's "words"'""", """It's "words\""""),
        ("'It''s'", "It's"),
        ('"say \\"hi\\" \\u4e2d"', 'say "hi" 中'),
        ('"C:\\path\\new"', "C:\\path\\new"),
        ('"He said "hi" to me"', 'He said "hi" to me'),
        ('"a" and "b"', '"a" and "b"'),
        ("'a' or 'b'", "'a' or 'b'"),
        ('"他说"你好"然后走了"', '他说"你好"然后走了'),
        ("'", ""),
        ("''", ""),
        ('""', ""),
        ("'a", "'a"),
        ("5 o'clock'", "5 o'clock'"),
        ("'" * 200, ""),
    ],
)
def test_m2_quotes_around_a_whole_value_are_stripped_and_no_others(written, expected):
    assert (
        unquoted(written).strip("'") == expected.strip("'") if set(written) == {"'"} else unquoted(written) == expected
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("title: a\n                    \n                  第二行", "a 第二行"),
        ("title: a\n第二行没有缩进", "a 第二行没有缩进"),
        ("title: 'a\n((()))\n'", "a ((()))"),
        ("title: a\n第二行: 副标题", "a 第二行: 副标题"),
        ("title: 'a\nDocker: b'", "a Docker: b"),
        ("title: a\n- b", "a - b"),
        ("title:\n  a\n  b", "a b"),
        ("title:\ta\tb", "a b"),
        ("title: a: b: c", "a: b: c"),
        ("title:a", "a"),
        ("title：全角", "全角"),
        ("'title': a", "a"),
        ("  title: a", "a"),
        ("title: #", ""),
        ("title: # nothing", ""),
        ("title: a # b", "a"),
        ("title: C# and F#", "C# and F#"),
        ("title: 'a # b' # c", "a # b"),
        ("title: http://example.com/", "http://example.com/"),
        ("title: [转载] a", "[转载] a"),
    ],
)
@pytest.mark.parametrize("after", ["", "\ndate: x", "\ncategories:\n - x"])
def test_m2_a_value_is_what_its_lines_say_joined_by_single_spaces(lines, expected, after):
    assert fields(lines + after)["title"] == expected


@pytest.mark.parametrize(
    "block",
    [
        "categories:\n - a\n - b",
        "categories: \n- a\n\n- 'b'",
        "categories:\n\t- a\n\t- b",
        "categories: # the path\n    - a\n    - b # last",
        "# comment\ncategories:\n# comment\n  -   a\n  -\n  - b",
    ],
)
def test_m2_lists_are_read_at_any_indent(block):
    assert fields("title: x\n" + block + "\nauthor: y") == {"title": "x", "categories": ["a", "b"], "author": "y"}


def test_an_item_may_go_on_in_the_next_line():
    assert fields("categories:\n - a\n   b\n - c") == {"categories": ["a b", "c"]}


def test_what_needs_a_parser_says_so():
    found = {
        field.name: field.simple for field in Reader(KNOWN).fields("author:\n  name: x\ntags: [a]\ntitle: a\nlang: zh")
    }
    assert found == {"author": False, "tags": False, "title": True, "lang": True}


def test_toml_and_json_are_read_the_same_way():
    assert fields("title = 'a'b'\ndate = 2021-02-31\n[params]\ntitle = 'no'", "toml") == {
        "title": "a'b",
        "date": "2021-02-31",
    }
    assert fields('"title": "a",\n"date": "2021"', "json") == {"title": "a", "date": "2021"}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("title: a\n", "\nBody text\n"),
        ("title: a\ncategories:\n- x\n\n- y\n", "\n# Head\n"),
        ("title: a\n", "<div>text</div>"),
        ("title: a\n\n  b\n\nauthor: c\n", "\nNote: this is the body.\n"),
        ("title: a\n", "\n- a list\n- in the body\n"),
        ("title: a\ndate: b", ""),
    ],
)
def test_m2_a_block_that_nobody_closed_ends_where_its_lines_stop_being_fields(head, body):
    text = head + body
    assert text[Reader(KNOWN).end(text) :].strip() == body.strip()
