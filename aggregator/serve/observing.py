"""Every answered request is counted and logged here, whichever way it was answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from aggregator.serve.accesslog import AccessLog
from aggregator.serve.metrics import Metrics
from aggregator.serve.targets import decoded, prefix_of, within

_OF_NAMES = {
    "rss.xml": "rss",
    "atom.xml": "atom",
    "feed.json": "json",
    "feeds.opml": "opml",
    "index.html": "page",
    "": "page",
}
_OF_FOLDERS = frozenset({
    "healthz", "readyz", "metrics", "status", "status.json", "search", "posts", "websub", "static", "img", "media",
})  # fmt: skip
REFUSED = "refused"


class Observer:
    """Tells metrics and log; either may be missing. `base_url` gives the site's, whose path a proxy may leave in place."""

    def __init__(
        self,
        metrics: Metrics | None = None,
        log: AccessLog | None = None,
        *,
        base_url: Callable[[], str] = lambda: "http://localhost/",
    ) -> None:
        self.metrics, self.log, self._base_url = metrics, log, base_url

    def __call__(
        self, method: bytes, target: bytes, status: int, size: int, seconds: float, client: str, kind: str = ""
    ) -> None:
        """`target` is the path with its query, as it came; `size` the body's, as sent."""
        if self.metrics is not None:
            self.metrics.request(kind or kind_of(target, status, self._base_url()), status, size, seconds)
        if self.log is not None:
            self.log(method.decode("latin-1"), target.decode("latin-1"), status, size, seconds, client)


@lru_cache(maxsize=1024)
def kind_of(target: bytes, status: int, base_url: str) -> str:
    """One of a few words for what was asked for, so that nobody can make up new ones.

    >>> site = "https://example.com/planet/"
    >>> kind_of(b"/all/rss.xml", 200, site), kind_of(b"/planet/search?q=x", 200, site), kind_of(b"/wp-login.php", 404, site)
    ('rss', 'search', 'other')
    """
    path = within(decoded(target.partition(b"?")[0]) or "", prefix_of(base_url))
    folder = path[1:].partition("/")[0]
    if folder in _OF_FOLDERS:
        return folder
    return "other" if status in {400, 404} else _OF_NAMES.get(path.rpartition("/")[2], "other")
