"""The one GET and the one POST: bounded in bytes, redirects and seconds, to public addresses, never showing a credential.

Nothing else in the aggregator opens a connection to anybody. What a server can do to us is limited here:

* the whole exchange has one deadline, redirects included;
* a body is decoded piece by piece, and given up at `max_bytes`;
* redirects are followed by hand, because requests reads a redirect's whole body before it follows, and because each of
  them may lead to another host: with an address to check, a turn to wait for, and no right to our credentials.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping

from aggregator.errors import FetchError
from aggregator.ingest.asking import ACCEPT, MAX_REDIRECTS, Asking, Gate, Means, Sent, Terms
from aggregator.ingest.credentials import origin_of
from aggregator.ingest.failures import WIRE_ERRORS, in_words, is_timeout, root_of
from aggregator.ingest.feedurls import safe_url
from aggregator.ingest.wire import Adapter, Resolve, Watchdog
from aggregator.models import Fetched, NotModified, Validators

__all__ = ["ACCEPT", "MAX_REDIRECTS", "Fetcher", "Gate", "Terms", "safe_url"]

_TERMS = Terms()
_NO_VALIDATORS = Validators()


class Fetcher:
    """Asks for URLs, from as many threads as there are, over connections that are kept; it retries nothing.

    It looks at no environment variable, and remembers no cookie. `pool` says to how many hosts connections are kept,
    `per_host` how many to each; `gate` says when a host may be asked; `proxy` is the URL of an HTTP proxy.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        pool: int,
        per_host: int = 1,
        gate: Gate | None = None,
        proxy: str = "",
        resolve: Resolve = socket.getaddrinfo,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # urllib3 logs URLs, and with them their secrets: those whose answers have odd headers at WARNING, all at DEBUG.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        self._means = Means(user_agent, gate, proxy, resolve, clock, Watchdog())
        self._pool, self._per_host = pool, per_host
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._adapters: dict[tuple[bool, str], Adapter] = {}

    def get(self, url: str, terms: Terms = _TERMS, validators: Validators = _NO_VALIDATORS) -> Fetched | NotModified:
        """The body at a URL, whole and decoded, or that it has not changed since the validators were given.

        Raises FetchError or one of its kinds, in words that hold no credential. The URL of what comes back is the one
        after redirects, without credentials.
        """
        return self._answer(Asking(self._means, url, terms, validators))

    def post(self, url: str, body: bytes, headers: Mapping[str, str], terms: Terms = _TERMS) -> None:
        """Sends a body, with headers that say what it is; whatever the answer to it says, a 2xx status is success.

        Of redirects only 307 and 308 are followed, with the same body. It is sent again where a kept connection turns out
        to be dead, so it may arrive twice: it should do no harm then. Raises FetchError or one of its kinds, as `get`.
        """
        self._answer(Asking(self._means, url, terms, _NO_VALIDATORS, Sent(body, headers)))

    def _answer(self, ask: Asking) -> Fetched | NotModified:
        """What comes of asking, with errors in words."""
        terms = ask.terms
        try:
            return ask.follow(self._adapter(terms))
        except FetchError as error:
            # A gzip is torn, and a connection refused, because we tore and shut it.
            failure, cause = error, error.__cause__
            if ask.exchange.expired and type(error) is FetchError:
                failure = ask.exchange.timed_out()
        except WIRE_ERRORS as error:
            cause = root_of(error)
            if ask.exchange.expired or is_timeout(cause):
                failure = ask.exchange.timed_out()
            else:
                failure = FetchError(in_words(cause), url=ask.exchange.url)
        failure.url = failure.url or ask.exchange.url
        # Raised outside the handler: what requests raises quotes the URL, and must not be chained.
        raise _without_secrets(failure, ask.hide) from _harmless(cause, ask.hide)

    def _adapter(self, terms: Terms) -> Adapter:
        """The connections for sources with the same leave: one opened to a private address serves nobody without it."""
        key = (terms.allow_private, terms.ca_bundle)
        if self._means.proxy and origin_of(self._means.proxy)[0] != "http":
            raise FetchError("`fetch.proxy` is no http:// URL", url="")
        adapter = self._adapters.get(key)
        if adapter is None:
            if terms.ca_bundle:
                self._tls(terms.ca_bundle)  # say now what is wrong with it
            with self._lock:
                adapter = self._adapters.setdefault(
                    key, Adapter(self._pool, self._per_host, lambda: self._tls(terms.ca_bundle))
                )
        return adapter

    def close(self) -> None:
        """Close the connections that are kept; it can be used again afterwards."""
        with self._lock:
            for adapter in self._adapters.values():
                adapter.close()
            self._adapters.clear()
        self._means.watchdog.rest()

    def _tls(self, ca_bundle: str) -> ssl.SSLContext:
        """The one context for a list of authorities, read when it is first needed; raises FetchError."""
        with self._lock:
            context = self._contexts.get(ca_bundle)
            if context is None:
                context = self._contexts[ca_bundle] = _context(ca_bundle)
            return context


def _context(ca_bundle: str) -> ssl.SSLContext:
    """A context that requires a certificate of one of the authorities, for the host that is asked."""
    import certifi  # noqa: PLC0415 - for the first https source

    try:
        return ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except ssl.SSLError:
        problem = "it holds no certificate in PEM"
    except (OSError, ValueError) as error:
        problem = (getattr(error, "strerror", None) or "it cannot be one").lower()
    raise FetchError(f"the certificates in {ca_bundle or certifi.where()} cannot be read: {problem}", url="")


def _without_secrets(failure: FetchError, hide: Callable[[str], str]) -> FetchError:
    """The error, with every secret hidden in what it says and carries, and without what was being handled when it rose."""
    failure.args = tuple(hide(arg) if isinstance(arg, str) else arg for arg in failure.args)
    failure.url = hide(failure.url)
    failure.__context__ = None
    return failure


def _harmless(cause: BaseException | None, hide: Callable[[str], str]) -> BaseException | None:
    """The cause of an error by itself, or None where it quotes a secret, as some libraries' exceptions do."""
    if cause is None or hide(f"{cause!r} {cause} {vars(cause)}") != f"{cause!r} {cause} {vars(cause)}":
        return None
    cause.__cause__ = cause.__context__ = cause.__traceback__ = None  # its frames hold the request, and half a body
    return cause
