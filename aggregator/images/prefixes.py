"""What once stood before origins in what we published, and still stands in posts that came from there."""

from __future__ import annotations

import re
from urllib.parse import unquote

from aggregator.images.signing import decoded

_WEB = re.compile(r"https?://[^/?#]")
_FOLDED = re.compile(r"(https?):/+(?=[^/])", re.IGNORECASE)  # servers and caches fold `//` in a path into `/`


def without_prefix(url: str, prefix: str) -> str | None:
    """The origin behind a prefix: plain, percent-encoded, or the last part of a path in base64 or hexadecimal.

    None where the URL does not begin with the prefix, or holds no http(s) URL behind it.

    >>> without_prefix("https://cors.example/?http://e.example/a.jpg", "https://cors.example/?")
    'http://e.example/a.jpg'
    >>> without_prefix("https://old.example/img/c2ln/aHR0cDovL2UuZXhhbXBsZS9hLmpwZw", "https://old.example/img/")
    'http://e.example/a.jpg'
    """
    if not url.startswith(prefix):
        return None
    rest = url[len(prefix) :]
    folded = _FOLDED.match(rest)
    if folded is not None:
        return _origin(f"{folded[1].lower()}://{rest[folded.end() :]}")
    if rest[:5].lower() in {"http%", "https"}:
        return _origin(unquote(rest))
    bare, mark, fragment = rest.partition("#")
    last = bare.rpartition("/")[2]
    for text in (decoded(last), _of_hex(last)):
        if text is not None and (origin := _origin(text)) is not None:
            return origin + mark + fragment
    return None


def _origin(text: str) -> str | None:
    return text if _WEB.match(text) and text.isprintable() and " " not in text else None


def _of_hex(text: str) -> str | None:
    try:
        return bytes.fromhex(text).decode()
    except ValueError:
        return None
