from __future__ import annotations

import doctest

import pytest

from aggregator.images import prefixes
from aggregator.images.prefixes import without_prefix

ORIGIN = "https://e.example/a.jpg?x=1&y=%E6%96%B0"


def test_the_examples_are_true():
    assert doctest.testmod(prefixes).failed == 0


@pytest.mark.parametrize(
    ("url", "prefix", "origin"),
    [
        (f"https://c.example/?{ORIGIN}", "https://c.example/?", ORIGIN),
        ("https://c.example/https:/e.example/a.jpg", "https://c.example/", "https://e.example/a.jpg"),
        ("https://c.example/?u=https%3A%2F%2Fe.example%2Fa.jpg%3Fx%3D1", "https://c.example/?u=", "https://e.example/a.jpg?x=1"),
        (f"https://c.example/{ORIGIN.encode().hex()}", "https://c.example/", ORIGIN),
        ("https://c.example/img/sig/aHR0cHM6Ly9lLmV4YW1wbGUvYS5qcGc=#top", "https://c.example/img/", "https://e.example/a.jpg#top"),
        ("https://c.example/about", "https://c.example/", None),
        ("https://c.example/javascript:alert(1)", "https://c.example/", None),
        ("https://c.example/?https%3A%2F%2Fe.example%2Fa%0Ab.jpg", "https://c.example/?", "https://e.example/a%0Ab.jpg"),
        ("https://c.example/?http://192.168.1.1/reboot", "https://c.example/?", None),
        (f"https://other.example/?{ORIGIN}", "https://c.example/?", None),
    ],
)  # fmt: skip
def test_what_stood_in_front_is_taken_off(url, prefix, origin):
    assert without_prefix(url, prefix) == origin
