"""Where a route of RSSHub is asked: the URL at one instance, what is secret about it, and which instance comes next.

RSSHub compares the parameter `code` with the MD5 of the path it was asked for, its leading slash included and as it was
sent (percent-encoded), followed by its `ACCESS_KEY` (docs.rsshub.app/deploy/config, `lib/middleware/access-control.ts`).
The parameters are no part of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from aggregator.errors import IngestError, TooLarge

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_IN_PATH = "/%:@!$&'()*+,;="  # what stays as it is in a path (RFC 3986 §3.3)


@dataclass(frozen=True, slots=True)
class Route:
    """A route at one instance: its URL, and the parameters that no log or error may show."""

    url: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def route_url(
    instance_url: str,
    path: str,
    parameters: Mapping[str, str | int | bool] | None = None,
    *,
    access_key: str = "",
    access_code: str = "",
) -> Route:
    """The route at an instance. `parameters` are RSSHub's own, kept in their order.

    The code made from the instance's `access_key` goes before `access_code`, which may have been made for another one. A
    query in the instance's URL counts as secret: nothing but a key stands there.

    >>> route_url("https://rsshub.example.com/", "/36kr/newsflashes", {"limit": 5, "brief": True}).url
    'https://rsshub.example.com/36kr/newsflashes?limit=5&brief=true'
    """
    parts = urlsplit(instance_url)
    wire = _encoded(path if path.startswith("/") else f"/{path}")
    pairs = [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in (parameters or {}).items()
    ]
    url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + wire, urlencode(pairs, quote_via=quote), ""))
    secret = parse_qsl(parts.query)
    if access_key:
        # Not for secrecy of ours: RSSHub defines it so.
        secret.append(("code", hashlib.md5((wire + access_key).encode(), usedforsecurity=False).hexdigest()))
    elif access_code:
        secret.append(("code", access_code))
    return Route(url, tuple(secret))


def _encoded(path: str) -> str:
    """The path as it goes over the wire, so that the code is made from the same text that RSSHub sees.

    An HTTP client decodes needless escapes and writes the others in capitals; what is done here leaves it nothing to do.
    """

    def escape(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16))
        return char if _UNRESERVED.fullmatch(char) else found[0].upper()

    path = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", path)
    return quote(_ESCAPE.sub(escape, path), safe=_IN_PATH, errors="replace")


def read_route(url: str) -> tuple[str, dict[str, str]] | None:
    """The path and the parameters that a `rsshub://` address names; None where it names none.

    >>> read_route("rsshub://36kr/newsflashes?limit=5")
    ('/36kr/newsflashes', {'limit': '5'})
    """
    found = re.match(r"rsshub:/*([^/?#\s][^?#\s]*)(?:\?([^#]*))?", url.strip(), re.IGNORECASE)
    return ("/" + unquote(found[1]), dict(parse_qsl(found[2] or ""))) if found else None


def order(instances: Sequence[str], preferred: str = "") -> tuple[str, ...]:
    """The instances in the order in which they are asked: the one that answered last, then as they are configured."""
    return tuple(sorted(dict.fromkeys(instances), key=lambda url: url != preferred))


def is_instance_fault(error: Exception) -> bool:
    """Whether another instance may do better at the same route.

    RSSHub answers 503 for nearly everything that goes wrong upstream, wrong parameters among it, 403 for a wrong key, and
    404 for a route that its version does not have; a dead instance times out, or shows somebody's HTML page. All of that
    can be otherwise elsewhere. A document that is too large is so everywhere.
    """
    return isinstance(error, IngestError) and not isinstance(error, TooLarge)
