"""The `srcset` attribute as candidates and back, by the algorithm of HTML §4.8.4.3.10 ("parsing a srcset attribute")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_SPACE = " \t\n\f\r"
_SPACES = re.compile(rf"[{_SPACE}]+")
_URL = re.compile(rf"[{_SPACE},]*([^{_SPACE}]*)")
_DESCRIPTORS = re.compile(r"(?:\([^)]*\)?|[^(,])*")  # a comma in parentheses is theirs
_WIDTH = r"(?!0+w)\d+w"  # a valid non-negative integer greater than zero
# A valid floating-point number that is not below zero, as -0 is not.
_DENSITY = r"(?:-(?=[0.]+[eEx]))?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?x"
_HEIGHT = r"(?!0+h)\d+h"
_DESCRIPTOR = re.compile(rf"(?a:|{_WIDTH}(?: {_HEIGHT})?|{_HEIGHT} {_WIDTH}|{_DENSITY})")


class Candidate(NamedTuple):
    """One image of a srcset: its URL as written, and its descriptor (`2x`, `640w`), empty where it has none."""

    url: str
    descriptor: str = ""


def parse_srcset(text: str) -> tuple[Candidate, ...]:
    """The candidates of a srcset, in order; those that a browser would not take are left out.

    A comma separates candidates only where a URL has ended: `a,b.jpg 2x` is one URL with a comma in it.

    >>> parse_srcset("https://e.example/w_1,h_2/a.jpg 1x, b.jpg 2x")
    (Candidate(url='https://e.example/w_1,h_2/a.jpg', descriptor='1x'), Candidate(url='b.jpg', descriptor='2x'))
    """
    candidates: list[Candidate] = []
    position = 0
    while True:
        found = _URL.match(text, position)
        if found is None or not found[1]:
            return tuple(candidates)
        url, position = found[1], found.end()
        descriptor = ""
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            rest = _DESCRIPTORS.match(text, position)
            assert rest is not None  # it matches the empty string
            descriptor, position = _SPACES.sub(" ", rest[0].strip(_SPACE)), rest.end()
        if _DESCRIPTOR.fullmatch(descriptor):
            candidates.append(Candidate(url, descriptor))


def write_srcset(candidates: Iterable[Candidate]) -> str:
    """A srcset that parses into these candidates; a comma at either end of a URL is escaped, because it would be lost."""
    return ", ".join(f"{_held(url)} {descriptor}" if descriptor else _held(url) for url, descriptor in candidates)


def _held(url: str) -> str:
    head = len(url) - len(url.lstrip(","))
    tail = len(url) - len(url.rstrip(",")) if head < len(url) else 0
    return "%2C" * head + url[head : len(url) - tail] + "%2C" * tail
