import doctest

import pytest

from aggregator.serve import preferences
from aggregator.serve.preferences import coding_for, language_for

BOTH = ("en", "zh-CN")


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(preferences).failed == 0


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh-CN"),
        ("en", "en"),
        ("zh-Hant-HK", "zh-CN"),
        ("fr, de;q=0.9", "zh-CN"),
        ("fr, *;q=0.1", "zh-CN"),
        ("en;q=0.1, zh;q=0.2", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=2", "en"),
        (";;,,q=1,=", "zh-CN"),
        ("english", "zh-CN"),
        ("en-" + "x" * 100_000, "en"),
    ],
)
def test_the_language_is_the_one_liked_best(header, language):
    assert language_for(header, BOTH, "zh-CN") == language


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("br", "br"),
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("*", "br"),
        ("gzip;q=0", ""),
        ("zstd", ""),
    ],
)
def test_the_coding_is_the_one_liked_best(header, coding):
    assert coding_for(header) == coding
