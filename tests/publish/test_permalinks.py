import doctest

import pytest

from aggregator.publish import permalinks, readers, view, words
from aggregator.publish.permalinks import post_directory, post_id_of


@pytest.mark.parametrize("module", [permalinks, readers, view, words])
def test_the_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("number", [0, 1, 4711, 2**62, 2**63 - 1])
def test_an_id_comes_back_from_its_page(number):
    name = post_directory(number).removeprefix("posts/")
    assert len(name) == 13
    assert post_id_of(name) == number


@pytest.mark.parametrize(
    "name",
    ["", "x", "vvvvvvvvvvvvv", "000000000096E", "0" * 12, "0" * 14, "0000000000941", "../../../etc/a", "🙂" * 13],
)
def test_s1_no_other_name_is_a_page(name):
    assert post_id_of(name) is None
