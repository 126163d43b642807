import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.models import Category
from aggregator.publish.paths import MAX_BYTES, assign, segment

SUFFIX = re.compile(r"~[0-9a-f]{8}$")


@pytest.mark.parametrize("name", ["新媒体", "C++", "V2EX", "🎉👨‍👩‍👧", "a b", "R&D #1 100%", "é", "v1.0", "字" * 40])
def test_a_name_that_is_safe_stays_as_it_is(name):
    assert segment(name) == name


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "/", "\\", "a:b", "CON", "con.txt", "LPT1", "com¹.a", "nul .x", "a" * 300, "字" * 100, "rss.xml",
     "Index.HTML", ".hidden", "end.", "end ", "e\u0301", "\x00", "\ud800", "x~1234abcd", "a\u202etxt.exe", "a\u2028b"],
)  # fmt: skip
def test_r7_a_name_that_is_not_safe_gets_a_safe_one_with_a_hash(name):
    found = segment(name)
    assert SUFFIX.search(found)
    assert found != name
    assert len(found.encode()) <= MAX_BYTES


@given(st.text(max_size=200))
def test_r7_every_segment_is_safe_on_every_file_system(name):
    found = segment(name)
    assert 0 < len(found.encode()) <= MAX_BYTES
    assert not set(found) & set('/\\:*?"<>|')
    assert all(unicodedata.category(character) not in {"Cc", "Cs"} for character in found)
    assert found[0] != "."
    assert found[-1] not in ". "
    assert unicodedata.normalize("NFC", found) == found
    assert found.partition(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


@given(st.text(max_size=30), st.text(max_size=30))
def test_r7_two_names_never_share_a_segment(one, other):
    assert one == other or segment(one) != segment(other)


def test_a_name_that_looks_like_a_changed_one_cannot_meet_it():
    assert segment(segment("a:b")) != segment("a:b")


def test_a_child_lies_below_its_parent_whether_or_not_that_was_asked_for():
    given = [Category(("CI/CD", "x")), Category(("新媒体", "趣头条")), Category(("新媒体",))]
    found = assign(given, {})
    assert found == {
        "CI\\/CD/x": f"category/{segment('CI/CD')}/x",
        "新媒体": "category/新媒体",
        "新媒体/趣头条": "category/新媒体/趣头条",
    }


def test_r7_names_that_differ_only_by_case_or_normalisation_get_distinct_directories():
    names = ["Foo", "foo", "FOO", "café", "cafe\u0301", "CAFÉ", "straße", "STRASSE"]
    found = assign([Category((name, "child")) for name in names], {})
    folded = {unicodedata.normalize("NFD", directory).casefold() for directory in found.values()}
    assert len(folded) == len(names)
    assert found["FOO/child"] == "category/FOO/child"  # the first in sorted order keeps the plain name


def test_what_is_taken_stays_and_is_not_given_again():
    taken = {"foo": "category/foo", "bar/x": "category/elsewhere/x"}
    found = assign([Category(("Foo",)), Category(("foo",)), Category(("bar", "y")), Category(("elsewhere",))], taken)
    assert set(found) == {"Foo", "bar/y", "elsewhere"}
    assert found["Foo"] == f"category/{'Foo'}~{found['Foo'][-8:]}"
    assert found["bar/y"] == "category/elsewhere/y"  # the parent's directory follows from its other child's
    assert found["elsewhere"].startswith("category/elsewhere~")


def test_the_order_of_asking_does_not_matter():
    categories = [Category((name,)) for name in ("b", "B", "a", "A", "a:b", "c")]
    assert assign(categories, {}) == assign(categories[::-1], {})


def test_the_root_has_no_directory():
    assert assign([Category(())], {}) == {}


def test_r7_ten_thousand_categories_are_quick_and_distinct():
    categories = [Category((f"n{i % 100}", f"名{i % 1000}", str(i))) for i in range(10_000)]
    started = time.process_time()
    found = assign(categories, {})
    assert time.process_time() - started < 3
    assert len(set(found.values())) == 10_000
    assert assign(categories, found) == {}
