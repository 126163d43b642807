"""What a URL asks for, and of whom: read once, so that every check and the connection itself see the same host."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

from aggregator.errors import Refused
from aggregator.ingest.credentials import NOWHERE, Origin, origin_of, trimmed, userinfo_of

_FEED = re.compile(r"feed:(?://)?(?=https?:)", re.IGNORECASE)  # feed:https://host/path
_FEED_HTTP = re.compile(r"feed:(?=//)", re.IGNORECASE)  # feed://host/path
_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # 300 and 304 say where else, not go there (RFC 9110 §15.4)
PERMANENT = frozenset({301, 308})


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be asked: `url` is escaped, with a host in IDNA, and without fragment, user and password."""

    url: str
    origin: Origin
    user: str = ""
    password: str = ""

    @property
    def host(self) -> str:
        """The host's name: lower-case, IDNA, without port and trailing dot."""
        return self.origin[1]


def target_of(url: str, shown: str, where: str = "") -> Target:
    """What a URL asks for; raises Refused for one that is not asked, in words that begin with `where`.

    `shown` is the URL that the error carries.
    """
    url = _FEED_HTTP.sub("http:", _FEED.sub("", trimmed(url), count=1), count=1)
    try:
        scheme = urlsplit(url).scheme
        if scheme not in ("http", "https"):
            what = f"a {scheme}: address" if scheme else "an address without a scheme"
            raise Refused(f"{where}{what}; only http: and https: are fetched", url=shown)
        request = requests.PreparedRequest()
        request.prepare_url(url, None)
        scheme, netloc, path, query, _ = urlsplit(str(request.url))
        bare = urlunsplit((scheme, netloc.rpartition("@")[2], path, query, ""))
        origin = origin_of(bare) if bare.isascii() else NOWHERE
    except (requests.RequestException, ValueError):
        origin, bare = NOWHERE, ""
    if origin == NOWHERE or ("%" in origin[1] and ":" not in origin[1]):
        raise Refused(f"{where}something that is no URL", url=shown)
    return Target(bare, origin, *userinfo_of(str(request.url)))


def redirect_of(status: int, location: str | None, base: str) -> str | None:
    """Where an answer redirects to, made absolute against the URL that was asked; None where it does not.

    Raises ValueError for a location that cannot be read.
    """
    if status not in _REDIRECTS or not location:
        return None
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")  # headers arrive as Latin-1, and URLs are in UTF-8
    return urljoin(base, location.strip())
