"""One-click links: where a person who uses this or that reader subscribes to a feed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

# Each takes the feed's URL at its end, percent-encoded; `feed:` is what readers on this very machine register for, and
# takes it as it is.
_READERS = (
    ("Feedly", "https://feedly.com/i/subscription/feed%2F"),
    ("Inoreader", "https://www.inoreader.com/?add_feed="),
    ("NewsBlur", "https://www.newsblur.com/?url="),
    ("The Old Reader", "https://theoldreader.com/feeds/subscribe?url="),
    ("Feedbin", "https://feedbin.com/?subscribe="),
)


def reader_links(url: str) -> Iterator[tuple[str, str]]:
    """The readers by name, with the link that subscribes there; the empty name is whatever this machine has.

    >>> dict(reader_links("https://a.example/?b"))["NewsBlur"]
    'https://www.newsblur.com/?url=https%3A%2F%2Fa.example%2F%3Fb'
    """
    for name, address in _READERS:
        yield name, address + quote(url, safe="")
    yield "", f"feed:{url}"
