"""What once stood before origins in what we published, and still stands in posts that came from there."""

from __future__ import annotations

from aggregator.images.proxies import absolute, decoded


def without_prefix(url: str, prefix: str) -> str | None:
    """The origin behind a prefix: plain, percent-encoded, or the last part of a path in base64 or hexadecimal.

    None where the URL does not begin with the prefix, or leads to no public host behind it.

    >>> without_prefix("https://cors.example/?http://e.example/a.jpg", "https://cors.example/?")
    'http://e.example/a.jpg'
    >>> without_prefix("https://old.example/img/c2ln/aHR0cDovL2UuZXhhbXBsZS9hLmpwZw", "https://old.example/img/")
    'http://e.example/a.jpg'
    """
    if not url.startswith(prefix):
        return None
    rest = url[len(prefix) :]
    plain = absolute(decoded(rest, "auto") or "")
    if plain is not None:
        return plain
    bare, mark, fragment = rest.partition("#")
    last = bare.rpartition("/")[2]
    found = (absolute(decoded(last, rule) or "") for rule in ("base64", "hex"))
    origin = next((one for one in found if one is not None), None)
    return None if origin is None else origin + mark + fragment
