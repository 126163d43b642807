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
        ("https://c.example/?https%3A%2F%2Fe.example%2Fa%0Ab.jpg", "https://c.example/?", None),
        ("https://c.example/?http://例え.jp/a.jpg", "https://c.example/?", "http://例え.jp/a.jpg"),
        ("https://c.example/?http://[2606:4700::1111]/a.jpg", "https://c.example/?", "http://[2606:4700::1111]/a.jpg"),
        # Whether anybody may be sent there is for the policy to say, which would otherwise take the whole for an origin.
        ("https://c.example/?http://10.0.0.1/a.jpg", "https://c.example/?", "http://10.0.0.1/a.jpg"),
        (f"https://other.example/?{ORIGIN}", "https://c.example/?", None),
    ],
)  # fmt: skip
def test_what_stood_in_front_is_taken_off(url, prefix, origin):
    assert without_prefix(url, prefix) == origin
