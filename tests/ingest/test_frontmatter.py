"""Files with front matter as drafts (HOSTILE rows M1 to M5, M7 and M8)."""

import json
import time

import pytest

from aggregator.ingest import frontmatter
from aggregator.ingest.frontmatter import read_post
from aggregator.models import Person

BODY = "\n<p>body</p>\n"


def post(matter, body=BODY, path="a.md"):
    return read_post(f"---\n{matter}\n---\n{body}".encode(), path)


def draft(matter, body=BODY, path="a.md"):
    return post(matter, body, path).draft


def test_a_clean_post_is_read_whole_and_without_a_warning():
    read = read_post(
        b"\n---\ntitle: 'a &#123;b&#125;'\ncategories: \n - \xe6\x96\xb0\n - \xe6\xb3\xa2\nheadimg: 'http://x/h.png'\nauthor: y\n"
        b"comments: false\ndate: Sun, 04 Jul 2021 06:56:06 GMT\nthumbnail: 'http://x/t.png'\n---\n\n<div>   \n<p>b</p>  \n</div>\n    ",
        "新/a.md",
    )
    assert (read.warnings, read.lenient) == ((), False)
    assert read.draft.path == "新/a.md"
    assert read.draft.title == "a &#123;b&#125;"
    assert read.draft.title_is_plain is False
    assert read.draft.categories == ("新", "波")
    assert read.draft.image == "http://x/h.png"
    assert read.draft.authors == (Person("y"),)
    assert read.draft.published == "Sun, 04 Jul 2021 06:56:06 GMT"
    assert read.draft.content == "<div>   \n<p>b</p>  \n</div>"
    assert read.draft.updated is read.draft.summary is read.draft.link is read.draft.guid is None
    assert read.draft.hidden is False


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: a\ndate: d\n---\nbody",
        "\n \n---\ntitle: a\ndate: d\n---\nbody",
        "\ufeff---\ntitle: a\ndate: d\n---\nbody",
        "\ufeff\n---\ntitle: a\ndate: d\n---\nbody",
        "# comment\n\n---\ntitle: a\ndate: d\n---\nbody",
        "<!-- a\n comment -->\n---\ntitle: a\ndate: d\n---\nbody",
        "---\r\ntitle: a\r\ndate: d\r\n---\r\nbody\r\n",
        "---  \ntitle: a\ndate: d\n--- \nbody",
        "----\ntitle: a\ndate: d\n----\nbody",
        "---\ntitle: a\ndate: d\n...\nbody",
        "---\n\n  title: a\n  date: d\n\n---\nbody",
        "+++\ntitle = 'a'\ndate = 'd'\n+++\nbody",
        ';;;\n"title": "a",\n"date": "d"\n;;;\nbody',
        '"title": "a",\n"date": "d"\n;;;\nbody',
        '{\n"title": "a", "date": "d"}\n\nbody',
        "title: a\ndate: d\n---\nbody",
        "---\nTitle: a\nDATE: d\n---\nbody",
    ],
)
def test_m1_front_matter_is_found_in_every_dress(text):
    read = read_post(text.encode(), "a.md")
    assert (read.draft.title, read.draft.published, read.draft.content) == ("a", "d", "<p>body</p>")
    assert (read.warnings, read.lenient) == ((), False)


def test_m1_no_final_newline_and_no_body_is_a_post_too():
    read = read_post(b"---\ntitle: a\n---", "a.md")
    assert (read.draft.title, read.draft.content, read.warnings) == ("a", None, ())


def test_rules_in_the_body_stay_in_the_body():
    assert draft("title: a", "one\n\n---\n\ntwo\n\n---\n\n    code").content == (
        "<p>one</p>\n<hr />\n<p>two</p>\n<hr />\n<pre><code>code\n</code></pre>"
    )


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('"""\'x\'"""', "x"),
        ('"""""\'x\'"""""', "x"),
        ("a: b", "a: b"),
        ("'It's \"x\"'", 'It\'s "x"'),
        ("a\n                    \n                  第二行", "a 第二行"),
        ("a\n第二行", "a 第二行"),
        ("'a\n((()))\n'", "a ((()))"),
        ("a\tb", "a b"),
        ("@a", "@a"),
        ("- a", "- a"),
        ("*a*", "*a*"),
        ("%a", "%a"),
        ("[a] b", "[a] b"),
        ("[a]", "[a]"),
        ("[a, b]", "[a, b]"),
        ("{a}", "{a}"),
        ("{{ a }}", "{{ a }}"),
        ("> a", "> a"),
        ('"a" and "b"', '"a" and "b"'),
        ('"C:\\path"', "C:\\path"),
        ('"say \\"hi\\""', 'say "hi"'),
        ("|\n  a\n  b", "a b"),
    ],
)
def test_m2_a_title_is_what_somebody_wrote(title, expected):
    read = post(f"title: {title}\ncategories: \n - x\n - y\nauthor: z: w")
    assert read.draft.title == expected
    assert read.draft.categories == ("x", "y")
    assert read.draft.authors == (Person("z: w"),)
    alone = post(f"title: {title}\ndate: d")
    assert (alone.draft.title, alone.draft.published) == (expected, "d")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (text, text)
        for text in ("2002", "12_00", "012", "1.10", "NO", "null", "~", "12:30", "2021-07-04", "0x1F", "1e3", "true")
    ]
    + [("#", None), ("", None), (" ", None), ("''", None), ("'012'", "012"), ("! a", "a")],
)
def test_m3_a_title_is_text_whatever_yaml_would_make_of_it(title, expected):
    assert draft(f"title: {title}\ndate: d").title == expected


def test_m2_what_was_read_leniently_is_said_with_file_line_and_field():
    read = post("title: a\nauthor: b: c", path="x/y.md")
    assert read.lenient
    (warning,) = read.warnings
    assert warning.startswith("x/y.md: the front matter is not valid YAML at line 3 (author): ")
    assert warning.endswith("; it was read line by line")


def test_m2_duplicate_names_give_the_last_that_says_something_and_a_warning():
    read = post("title: a\nDate: x\ntitle: b\ntitle:")
    assert read.draft.title == "b"
    assert read.lenient
    assert "names title more than once" in read.warnings[0]


def test_m2_a_quote_that_swallows_other_fields_is_noticed():
    read = post("title: 'a\ndate: d\nexcerpt: e'")
    assert read.draft.published == "d"
    assert "hides date" in read.warnings[0]


def test_m2_a_list_as_front_matter_is_read_as_fields():
    read = post("- title: a\n- date: d")
    assert (read.draft.title, read.draft.published, read.lenient) == ("a", "d", True)
    assert "is a list" in read.warnings[0]
    assert post("- a\n- b").draft.content == "<p>body</p>"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("---\ntitle: a\n", None),
        ("---\ntitle: a\n\nBody text\n", "<p>Body text</p>"),
        ("---\ntitle: a\n<div>body</div>\n", "<div>body</div>"),
        ("---\ntitle: a\n\n# Head\n\nText\n\n---\n\nrest\n", "<h1>Head</h1>\n<p>Text</p>\n<hr />\n<p>rest</p>"),
        ("+++\ntitle = 'a'\n", None),
    ],
)
def test_m2_front_matter_that_nobody_closed_is_read_to_where_the_body_begins(text, content):
    read = read_post(text.encode(), "a.md")
    assert (read.draft.title, read.draft.content, read.lenient) == ("a", content, True)


@pytest.mark.parametrize(
    "text",
    ["---\n\none\n\n---\n\ntwo", "-----\n\none two", "# one\n\ntwo\n\n---\n\nthree", "Note: one\n---\ntwo", "one"],
)
def test_a_text_without_front_matter_is_all_body(text):
    read = read_post(text.encode(), "a.md")
    assert read.draft.title is None
    assert "one" in read.draft.content
    assert read.draft.content.count("two") == text.count("two")
    assert "no front matter" in read.warnings[0]


def test_m2_broken_toml_and_json_lose_nothing_either():
    toml = read_post(b"+++\ntitle = 'it's'\ndate = 2021-02-31\ntags = ['a', 'b']\n+++\nbody", "a.md")
    assert (toml.draft.title, toml.draft.published, toml.draft.tags, toml.lenient) == (
        "it's",
        "2021-02-31",
        ("a", "b"),
        True,
    )
    broken = read_post(b';;;\n"title": "a"\n"date": "d"\n;;;\nbody', "a.md")
    assert (broken.draft.title, broken.draft.published, broken.lenient) == ("a", "d", True)


def test_toml_and_json_values_are_text_as_written():
    toml = read_post(
        b"+++\ntitle = 1.10\ndate = 2021-07-04T14:56:06+08:00\ndraft = true\n[cover]\nimage = '/x.png'\n+++\n", "a.md"
    ).draft
    assert (toml.title, toml.published, toml.hidden, toml.image) == (
        "1.10",
        "2021-07-04T14:56:06+08:00",
        True,
        "/x.png",
    )
    matter = json.dumps({"title": 12, "date": 1625381766, "published": False, "categories": [["a", "b"], "c"]})
    read = read_post(f"{matter}\nbody".encode(), "a.md").draft
    assert (read.title, read.published, read.hidden, read.categories) == ("12", "1625381766", True, (("a", "b"), "c"))


@pytest.mark.parametrize("value", ["2023-09-01 21:50:74", "2021-02-31", "Invalid Date"])
def test_m4_a_date_that_is_none_costs_nothing_else(value):
    read = post(f"title: a\ndate: {value}")
    assert (read.draft.title, read.draft.published, read.warnings) == ("a", value, ())


def test_m4_python_objects_are_never_made():
    read = post(
        "title: a\ndate: !!python/object/apply:os.system ['touch /tmp/never']\nauthor: !!python/name:os.system x"
    )
    assert (read.draft.title, read.draft.published) == ("a", None)


def test_m4_a_bomb_of_aliases_stays_small():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    began = time.perf_counter()
    read = post("\n".join([*lines, "title: a", "categories: *a1", "tags: *a8", "author: *a8"]))
    assert time.perf_counter() - began < 1
    assert read.draft.title == "a"
    assert read.draft.categories == (("x",) * 10,) * 10
    assert read.draft.tags == ()


def test_m4_a_list_inside_itself_ends():
    assert draft("title: a\nx: &x [*x, y]\ncategories: *x").categories == (("y",), "y")


@pytest.mark.parametrize("nested", ["[" * 60_000, "{" * 60_000, "- " * 30_000, "? " * 30_000, "[" * 500 + "]" * 500])
def test_m4_nesting_that_would_overflow_the_stack_is_not_parsed(nested):
    read = post(f"title: a\nx: {nested}\ndate: d")
    assert (read.draft.title, read.draft.published, read.lenient) == ("a", "d", True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\x89PNG\r\n\x1a\n\xff", "a PNG image"),
        (bytes(99), "binary"),
    ],
)
def test_m5_a_file_that_holds_no_post_is_skipped_by_name(data, words):
    read = read_post(data, "x\n.md")
    assert read.draft is None
    assert read.warnings[0].startswith("x\\n.md: skipped, ")
    assert words in read.warnings[0]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le"])
def test_m5_a_post_in_another_encoding_is_read_with_a_warning(encoding):
    read = read_post("---\ntitle: 中文标题\nauthor: 某人\n---\n\n<p>正文</p>\n".encode(encoding), "a.md")
    assert (read.draft.title, read.draft.content) == ("中文标题", "<p>正文</p>")
    assert len(read.warnings) == 1


def test_m5_a_file_of_twenty_megabytes_is_read_in_a_moment():
    began = time.perf_counter()
    read = post("title: a", "<p>" + "字" * 7_000_000 + "</p>")
    assert len(read.draft.content) > 7_000_000
    assert len(post("title: a\nx: " + "[" * 5_000_000).draft.title) == 1
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("control", ["\x00", "\x08", "\x1b", "\ufffe", "\x7f"])
def test_p10_a_control_character_in_front_matter_costs_nothing(control):
    read = post(f"title: a{control}b\ndate: d\nauthor: c{control}")
    assert read.draft.title.replace(control, "") == "ab"
    assert read.draft.published == "d"


def test_m8_a_markdown_body_is_rendered_with_its_excerpt_and_warnings():
    read = post("title: a", "**one**\n\n<!-- more -->\n\n{% note %}two{% endnote %}\n", path="p.md")
    assert read.draft.summary == "<p><strong>one</strong></p>"
    assert read.draft.content == "<p><strong>one</strong></p>\n\n<p>two</p>"
    assert read.warnings == ("p.md: tags that are not known here were dropped: note",)


def test_an_html_file_is_never_markdown():
    assert draft("title: a", "*one*\n\n<p>two</p>", path="a.html").content == "*one*\n\n<p>two</p>"


def test_without_its_c_loader_yaml_is_read_the_same_way(monkeypatch):
    import importlib

    import yaml

    with monkeypatch.context() as patch:
        patch.delattr(yaml, "CBaseLoader")
        slow = importlib.reload(frontmatter)
        read = slow.read_post(b"---\ntitle: 1.10\ncategories: [a, [b, c]]\nx: &x [*x]\n---\nbody", "a.md")
    importlib.reload(frontmatter)
    assert (read.draft.title, read.draft.categories, read.warnings) == ("1.10", ("a", ("b", "c")), ())
