"""The srcset attribute: HTML §4.8.4.3.10 and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.images.srcset import Candidate, parse_srcset, write_srcset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ,, ", []),
        ("a.jpg", [("a.jpg", "")]),
        ("a.jpg, b.jpg 2x", [("a.jpg", ""), ("b.jpg", "2x")]),
        ("a.jpg 1x,b.jpg 2x", [("a.jpg", "1x"), ("b.jpg", "2x")]),
        ("a.jpg,, b.jpg 640w", [("a.jpg", ""), ("b.jpg", "640w")]),
        ("\n  a.jpg\t 100w   50h ,\n", [("a.jpg", "100w 50h")]),
        ("https://e.example/w_1,h_2/a.jpg 1x", [("https://e.example/w_1,h_2/a.jpg", "1x")]),
        ("a.jpg,b.jpg 2x", [("a.jpg,b.jpg", "2x")]),
        ("a.jpg 1.5x, b.jpg .5x, c.jpg 1e1x", [("a.jpg", "1.5x"), ("b.jpg", ".5x"), ("c.jpg", "1e1x")]),
    ],
)
def test_candidates_are_read_as_browsers_read_them(text, expected):
    assert parse_srcset(text) == tuple(Candidate(*pair) for pair in expected)


@pytest.mark.parametrize(
    "descriptor", ["1x 2x", "0w", "-1x", "1.5w", "100w 2x", "50h", "foo", "(x, y)", "2X", "١x", "1x (a", "100w 100w"]
)
def test_a_candidate_with_descriptors_that_no_browser_takes_is_left_out(descriptor):
    assert parse_srcset(f"a.jpg {descriptor}, b.jpg") in ((Candidate("b.jpg"),), ())


def test_a_comma_in_parentheses_separates_nothing():
    assert parse_srcset("a.jpg (1, 2), b.jpg") == (Candidate("b.jpg"),)


def test_a_comma_at_the_end_of_a_url_is_escaped_because_it_would_be_lost():
    assert write_srcset([Candidate(",a,b,", "2x"), Candidate("c")]) == "%2Ca,b%2C 2x, c"
    assert parse_srcset("%2Ca,b%2C 2x, c") == (Candidate("%2Ca,b%2C", "2x"), Candidate("c"))


@settings(derandomize=True, max_examples=400)
@given(st.text(alphabet="ab1., xw()\n2h", max_size=30))
def test_what_was_written_is_read_back(text):
    candidates = parse_srcset(text)
    assert parse_srcset(write_srcset(candidates)) == candidates
