"""Who goes out for push: asks and tells hubs and callbacks, which are strangers, through the one safe fetcher."""

from __future__ import annotations

import string
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from aggregator import __version__
from aggregator.config.models import Config
from aggregator.errors import FetchError
from aggregator.ingest.http import Fetcher, Terms
from aggregator.ingest.robots import AGENT
from aggregator.models import Fetched
from aggregator.push.messages import FORM

_TIMEOUT_S = 5.0  # for one exchange: there are few threads, and what fails is tried again
_ANSWER_BYTES = 4096  # of a callback that echoes a challenge, which has 43
_HOSTS = 64  # to which connections are kept


class Messenger:
    """Asks and tells, from as many threads as there are; raises FetchError and its kinds, and follows no callback elsewhere."""

    def __init__(self, config: Config) -> None:
        fetch = config.fetch
        contact = quote(fetch.contact or config.site.base_url, safe=string.punctuation)
        self._fetcher = Fetcher(
            f"{AGENT}/{__version__} (+{contact})",
            pool=_HOSTS,
            proxy=fetch.proxy.get_secret_value() if fetch.proxy else "",
        )
        self._terms = Terms(
            timeout_s=min(fetch.timeout_s, _TIMEOUT_S),
            max_bytes=_ANSWER_BYTES,
            allow_private=fetch.allow_private,
            accept="*/*",
            redirects=False,  # §5.3, §7: a callback that redirects has failed
        )
        self._hub_terms = Terms(
            timeout_s=self._terms.timeout_s, allow_private=fetch.allow_private, accept="*/*"
        )  # §5.1.2: a hub may send us to another, by 307 or 308

    def echo(self, url: str) -> bytes:
        """What a callback answers when it is asked whether it wants something."""
        answer = self._fetcher.get(url, self._terms)
        return answer.body if isinstance(answer, Fetched) else b""

    def deliver(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Sends a document to a callback."""
        self._fetcher.post(url, body, headers, self._terms)

    def tell_hub(self, url: str, form: bytes) -> None:
        """Sends a form to a hub."""
        self._fetcher.post(url, form, {"Content-Type": FORM}, self._hub_terms)

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._fetcher.close()


def host_of(url: str) -> str:
    """The host of a URL, as errands are sorted by it; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def why(error: FetchError) -> str:
    """What went wrong, for a log."""
    return f"{host_of(error.url)}: {error}" if error.url else str(error)
