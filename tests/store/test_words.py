import doctest

import pytest

from aggregator.store import words
from aggregator.store.words import LONGEST, MAX_TERMS, cut, terms


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(words).failed == 0


def test_signs_without_spaces_become_pairs_and_each_begins_one():
    assert cut("停电") == "停电 电"
    assert cut("声優の") == "声優 優の の"
    assert cut("字") == "字"
    assert cut("5G手机") == "5g 手机 机"


def test_what_looks_the_same_is_the_same():
    assert cut("ＡＢＣ ｶﾅ Ａ\u0301") == "abc カナ ナ á"


@pytest.mark.parametrize("query", ["", " ", "\0", '"', "'", "*", "()&|!:", "-", "\ud800", "😡"])
def test_s5_a_query_without_words_asks_for_nothing(query):
    assert terms(query) == ()


def test_s5_operators_are_words():
    assert [term.words for term in terms("a AND NEAR(b, 2) OR c:* <-> !d")] == [
        ("a",), ("and",), ("near",), ("b",), ("2",), ("or",), ("c",), ("d",),
    ]  # fmt: skip


def test_s5_a_long_query_is_bounded():
    assert len(terms("a b " * 5000)) <= MAX_TERMS
    assert terms("x" * 10_000)[0].words == ("x" * LONGEST,)
    assert terms("x" * 10_000)[0].is_open
