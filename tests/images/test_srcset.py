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


FIRST_TAKEN = (
    # the first image that a browser takes; the text
    ("", "", ",", ",,,", " , ", "u (, v"),
    ("u", "  u  1x  ", "\t\tu\t\t1x\t\t", "\n\nu\n\n1x\n\n", "\r\ru\r\r1x\r\r", "\x0c\x0cu\x0c1x\x0c"),
    ("u", "u", "u ", "u ,", "u,", "u, ", "u,,,", "u,, , ", " u", ",,,u", " , ,,u", "u 1x", "u 1x ", "u 1x,"),
    # other white space is part of a URL
    *((f"{space}u{space}1x{space}",) * 2 for space in "\x0b\x0e\x0f\x10\xa0"),
    # only parentheses hold commas together, and they do not nest
    ("w", "u ( , v 1x, ), w", "u ((( , v 1x, ), w"),
    ("v", "u [ , v 1x, ], w", "u { , v 1x, }, w", 'u " , v 1x, ", w', "u /*, v, w */", "u //, v"),
    ("v;\\,b", "u \\,v;\\,b, w"),
    ("u", "u, v (", "u, v (  ", "u, v (,", "u, v (x", "u, v ()"),
)


def test_candidates_are_split_where_the_standards_own_tests_split_them():
    for first, *texts in FIRST_TAKEN:
        for text in texts:
            assert next((url for url, _ in parse_srcset(text)), "") == first, text


SPACES = (*"\x01\xa0\u1680\u2000\u200a\u200c\u200d\u202f\u205f\u3000\ufeff",)
TAKEN = (
    *("1w 1h", "1h 1w", "007w", "0x", "-0x", "-0.0e1x", "1e0x", "1E0x", "1e-1x", "1e+1x", "1.5e1x", ".5x", ".5e1x"),
    "1.0x",
)
NOT_TAKEN = (
    *("foo", "foo foo", "foo 1x", "foo 1x foo", "foo 1w", "foo 1w foo", "foo 1h", "1h foo", "1h", "1h 1h", "1h 1x"),
    *("1x 1x", "1w 1w", "1w 1x", "1x 1w", "1h 1w 1x", "1x 1w 1h", "0w", "00w", "1w 0h", "1x 1.5e1x", "1x -0x"),
    *("1x 1e1.5x", "1.0w", "1e0w", "1www", "1W", "1X", "-x", ".x", "-.x", "1.x", "1w -1h", "1w 1.0h", "1w 1e0h"),
    *("1w 1hhh", "1w 1H"),
    *(f"{number}{unit}" for unit in "wxh" for number in ("-1", "+1", "Infinity", "NaN", "0x1", "0X1")),
    *(f"1{space}{unit}" for unit in "wx" for space in SPACES),
    *(f"{space}1{unit}" for unit in "wx" for space in SPACES),
    *(f"1w {space}1h" for space in SPACES),
)


def test_every_descriptor_of_the_standards_own_tests_is_taken_or_not_as_there():
    assert [one for one in TAKEN if not parse_srcset(f"u {one}")] == []
    assert [one for one in NOT_TAKEN if parse_srcset(f"u {one}")] == []


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
