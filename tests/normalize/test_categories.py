"""Categories as the dialects of sources list them."""

import pytest

from aggregator.models import Category
from aggregator.normalize.categories import categories


def paths(*args, **kwargs):
    return [category.names for category in categories(*args, **kwargs)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), []),
        (("新媒体", "趣头条", "分类"), [("新媒体", "趣头条", "分类")]),
        (("新媒体",), [("新媒体",)]),
        (("a b, c",), [("a b, c",)]),
        ((("a", "b"), ("c",)), [("a", "b"), ("c",)]),
        ((("a", "b"), "c", "d"), [("a", "b"), ("c",), ("d",)]),
        ((("a", ""), ()), [("a",)]),
    ],
)
def test_hexo_reads_a_list_as_one_path_and_lists_in_it_as_several(given, expected):
    assert paths(given, "hexo") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("a", "b c"), [("a",), ("b c",)]),
        (("a b",), [("a",), ("b",)]),
        (("新闻 News",), [("新闻 News",)]),
        ((("a", "b"), "c"), [("a",), ("b",), ("c",)]),
    ],
)
def test_jekyll_reads_every_name_by_itself_and_splits_a_lone_ascii_text(given, expected):
    assert paths(given, "jekyll") == expected


@pytest.mark.parametrize("dialect", ["hugo", "flat"])
def test_hugo_and_feeds_read_every_name_by_itself_and_never_split_one(dialect):
    assert paths(("a b", "c/d", ("e", "f")), dialect) == [("a b",), ("c/d",), ("e", "f")]


def test_a_slash_inside_a_name_stays_inside_the_name():
    (category,) = categories(("CI/CD",), "flat")
    assert category.path == "CI\\/CD"


def test_h5_names_are_plain_text_decoded_once():
    assert paths(("<b>Q&amp;A</b>", "&amp;lt;", "<script>x</script>"), "flat") == [("Q&A",), ("&lt;",)]


def test_p10_names_hold_no_control_characters_and_no_runs_of_spaces():
    assert paths(("a\x00\n  b\ufffe",), "flat") == [("a b",)]


def test_one_name_is_one_category_however_it_was_typed_but_case_counts():
    assert paths(("e\u0301", "é", "Foo", "foo", "Foo "), "flat") == [("é",), ("Foo",), ("foo",)]


HOME = Category(("家", "源"))


@pytest.mark.parametrize(
    ("mode", "given", "expected"),
    [
        ("fallback", ("a",), [("a",)]),
        ("fallback", (), [("家", "源")]),
        ("fallback", (" ",), [("家", "源")]),
        ("prefix", ("a", "b"), [("家", "源", "a"), ("家", "源", "b")]),
        ("prefix", (), [("家", "源")]),
        ("replace", ("a",), [("家", "源")]),
    ],
)
def test_the_category_of_the_source_stands_in_before_or_instead(mode, given, expected):
    assert paths(given, "flat", HOME, mode) == expected


@pytest.mark.parametrize("mode", ["fallback", "prefix", "replace"])
def test_a_source_without_a_category_changes_nothing(mode):
    assert paths(("a",), "flat", None, mode) == [("a",)]
    assert paths(("a",), "flat", Category(()), mode) == [("a",)]
    assert paths((), "flat", None, mode) == []
