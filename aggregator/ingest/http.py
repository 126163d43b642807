"""The one GET: bounded in bytes, in redirects and in seconds, and never showing a credential.

Nothing else in the aggregator opens a connection to a source. What a server can do to us is limited here:

* the whole exchange has one deadline, redirects included;
* a body is decoded piece by piece, and given up at `max_bytes`;
* redirects are followed by hand, because requests reads a redirect's whole body before it follows.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus as Status
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.cookies import RequestsCookieJar

from aggregator.errors import FetchError, HttpStatus, Refused, TimedOut, TooLarge
from aggregator.ingest.feedurls import safe_url, without_userinfo
from aggregator.ingest.wire import Adapter, Exchange, current
from aggregator.models import Fetched, NotModified, Validators

__all__ = ["get", "make_session", "safe_url"]

MAX_REDIRECTS = 10
ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
_CHUNK = 1 << 16
_WIRE_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)


def make_session(user_agent: str, pool: int, *, ca_file: str = "") -> requests.Session:
    """A session that keeps `pool` connections open, retries nothing, and looks at no environment variable.

    `ca_file` holds the certificates to trust, in PEM; without one, those that come with requests.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.headers.update({"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Encoding": "gzip, deflate"})
    adapter = Adapter(pool, ca_file)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def get(
    session: requests.Session,
    url: str,
    *,
    validators: Validators,
    timeout_s: float,
    max_bytes: int,
    clock: Callable[[], float] = time.monotonic,
) -> Fetched | NotModified:
    """The body at a URL, whole and decoded, or that it has not changed since the validators were given.

    `timeout_s` covers everything from the first connection to the last byte; only the system's look-up of a name
    cannot be cut short, and has its own limit (resolv.conf). Raises FetchError or one of its kinds, in words that
    hold no credential. The URL of what comes back is the one after redirects, without user and password.
    """
    exchange = Exchange(url, timeout_s, clock)
    cause: BaseException
    failure: FetchError
    adapter = session.adapters.get("https://")
    if not isinstance(adapter, Adapter):
        raise TypeError("the session must come from make_session")
    token = current.set(exchange)
    try:
        with adapter.watchdog.watching(exchange):
            return _Get(session, exchange, validators, max_bytes).follow(adapter, url)
    except (TimedOut, TooLarge, HttpStatus, Refused):
        raise
    except FetchError as error:
        if not exchange.expired:
            raise
        cause, failure = error, exchange.timed_out()  # a gzip is torn because we tore it
    except _WIRE_ERRORS as error:
        cause = _root(error)
        failure = _in_words(cause, exchange)
    finally:
        current.reset(token)
    raise failure from cause  # outside the handler: what requests raises quotes the URL, and must not be chained


@dataclass(frozen=True, slots=True)
class _Get:
    """One GET: what it asks with, and how far it may go."""

    session: requests.Session
    exchange: Exchange
    validators: Validators
    max_bytes: int

    def follow(self, adapter: Adapter, url: str) -> Fetched | NotModified:
        """The answer at the end of the redirects."""
        chain = [url]
        cookies = RequestsCookieJar()  # some sites set one and redirect to themselves; they live as long as this
        request = None
        while True:
            request = self.prepare(chain, cookies, request)
            response = self.send(adapter, request)
            try:
                onward = self.session.get_redirect_target(response)
                if onward is None:
                    return self.read(response, chain)
                cookies.update(response.cookies)
                _drain(response.raw)
                chain.append(urljoin(chain[-1], onward))
            finally:
                response.close()
            if len(chain) > MAX_REDIRECTS + 1:
                shown = " → ".join(safe_url(hop)[:200] for hop in chain)
                raise Refused(f"redirected more than {MAX_REDIRECTS} times: {shown}", url=self.exchange.url)

    def send(self, adapter: Adapter, request: requests.PreparedRequest) -> requests.Response:
        """The head of the answer; asked for again where a kept connection turns out to be dead (RFC 9112 §9.3.1)."""
        while True:
            left = self.exchange.left_s()
            try:
                return adapter.send(request, stream=True, timeout=(left, left))
            except requests.ConnectionError as error:
                # Each try takes one dead connection out of the pool, until one is new.
                if not self.exchange.is_reused or not isinstance(_root(error), ConnectionError):
                    raise

    def prepare(
        self, chain: list[str], cookies: RequestsCookieJar, previous: requests.PreparedRequest | None
    ) -> requests.PreparedRequest:
        """The request for the last URL of the chain; raises Refused for one that we do not ask."""
        url = chain[-1].strip()
        where = "it redirects to " if previous else ""
        conditions = {"If-None-Match": self.validators.etag, "If-Modified-Since": self.validators.last_modified}
        headers = {name: value for name, value in conditions.items() if value and value.isprintable()}
        try:
            scheme = urlsplit(url).scheme
            if scheme not in ("http", "https"):
                what = f"a {scheme}: address" if scheme else "an address without a scheme"
                raise Refused(f"{where}{what}; only http: and https: are fetched", url=self.exchange.url)
            request = requests.PreparedRequest()  # the session's own way merges settings that we never have: 0.2 ms
            request.prepare("GET", url, headers={**self.session.headers, **headers}, cookies=cookies or None)
        except (requests.RequestException, ValueError) as error:
            raise Refused(f"{where}something that is no URL", url=self.exchange.url) from _root(error)
        if previous is not None and "@" not in urlsplit(url).netloc:  # credentials stay with the host they are for
            request.headers.pop("Authorization", None)
            authorization = previous.headers.get("Authorization")
            strip: Callable[[str | None, str | None], bool] = self.session.should_strip_auth
            if authorization and not strip(previous.url, request.url):
                request.headers["Authorization"] = authorization
        return request

    def read(self, response: requests.Response, chain: list[str]) -> Fetched | NotModified:
        """What an answer that redirects no further says."""
        headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "set-cookie"}
        given = Validators(headers.get("etag", ""), headers.get("last-modified", ""))
        url = without_userinfo(str(response.url))
        status = response.status_code
        if status == Status.NOT_MODIFIED and self.validators != Validators():
            _drain(response.raw)
            old = self.validators
            return NotModified(
                url, headers, Validators(given.etag or old.etag, given.last_modified or old.last_modified)
            )
        if not 200 <= status < 300:
            _drain(response.raw)
            raise HttpStatus(_status_in_words(status, chain), url=self.exchange.url, status=status)
        body = _body(response.raw, headers, self.exchange, self.max_bytes)
        if self.exchange.expired:  # a body without a length ends cleanly when the watchdog shuts the socket
            raise self.exchange.timed_out()
        return Fetched(body, url, headers, given)


def _body(raw: Any, headers: Mapping[str, str], exchange: Exchange, max_bytes: int) -> bytes:
    """The decoded body; raises TooLarge as soon as it, or a stage of its decoding, is seen to pass `max_bytes`."""
    too_large = TooLarge(f"the body is larger than {max_bytes:,} bytes", url=exchange.url)
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    pieces = _capped(_wire(raw, exchange), max_bytes, too_large)
    for coding in reversed([name.strip() for name in headers.get("content-encoding", "").lower().split(",")]):
        if coding in ("gzip", "x-gzip", "deflate"):
            pieces = _capped(_inflated(pieces, coding, exchange), max_bytes, too_large)
        elif coding in ("br", "zstd", "compress", "dcb", "dcz"):
            raise FetchError(f"sent the body in an encoding that was not asked for: {coding}", url=exchange.url)
        # Anything else ("utf-8", "none") is no coding at all, and servers that say it send the body as it is.
    return b"".join(pieces)


def _wire(raw: Any, exchange: Exchange) -> Iterator[bytes]:
    """The bytes as they were sent, without their chunks; a body shorter than its declared length raises."""
    while piece := raw.read(_CHUNK, decode_content=False):
        exchange.left_s()
        yield piece


def _capped(pieces: Iterator[bytes], max_bytes: int, too_large: TooLarge) -> Iterator[bytes]:
    """The pieces, as long as they come to no more than `max_bytes`."""
    left = max_bytes
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise too_large
        yield piece


def _inflated(pieces: Iterator[bytes], coding: str, exchange: Exchange) -> Iterator[bytes]:
    """The pieces decompressed, at most 64 KB at a time; an end that is missing or broken raises FetchError.

    urllib3 lifts its bound at the end of a body, and takes a torn gzip for a whole one.
    """
    window = 31 if coding != "deflate" else 15
    decoder = zlib.decompressobj(window)
    seen = False
    try:
        for piece in pieces:
            data = piece
            if not seen and coding == "deflate" and not _has_zlib_header(data):
                decoder = zlib.decompressobj(-15)  # many servers leave the wrapper out (RFC 9110 §8.4.1.2)
            seen = True
            while data:
                if decoder.eof:
                    if coding == "deflate" or not data.strip(b"\0"):
                        break  # padding
                    decoder = zlib.decompressobj(window)  # the next member (RFC 1952 §2.2)
                if out := decoder.decompress(data, _CHUNK):
                    exchange.left_s()
                    yield out
                data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        while not decoder.eof and (out := decoder.decompress(b"", _CHUNK)):
            yield out
    except zlib.error as error:
        raise FetchError(f"the {coding} body is broken", url=exchange.url) from error
    if seen and not decoder.eof:
        raise FetchError(f"the {coding} body ends in the middle", url=exchange.url)


def _has_zlib_header(data: bytes) -> bool:
    """Whether deflated data is wrapped as it should be (RFC 1950 §2.2)."""
    return len(data) < 2 or (data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0)


def _drain(raw: Any) -> None:
    """Read a short body to its end, so that the connection can be used again; a long one is not worth it."""
    with suppress(urllib3.exceptions.HTTPError, HTTPException, OSError):
        raw.read(_CHUNK, decode_content=False)


def _status_in_words(status: int, chain: list[str]) -> str:
    """`answered 404 Not Found`, in the standard's words: a server's own may be anything."""
    try:
        phrase = f" {Status(status).phrase}"
    except ValueError:
        phrase = ""
    hops = f", after a redirect to {safe_url(chain[-1])}" if len(chain) > 1 else ""
    return f"answered {status}{phrase}{hops}"


def _root(error: BaseException) -> BaseException:
    """What the network or the library said first: everything wrapped around it quotes the URL, token and all."""
    seen = {error}
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        inner = next((arg for arg in (inner, *error.args) if isinstance(arg, BaseException)), None)
        if inner is None or inner in seen:
            return error
        seen.add(inner)
        error = inner


def _in_words(cause: BaseException, exchange: Exchange) -> FetchError:
    """The error that a person can read, for one that a library raised."""
    if exchange.expired or isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError):
        return exchange.timed_out()
    return FetchError(_cause_in_words(cause), url=exchange.url)


def _cause_in_words(cause: BaseException) -> str:
    """What went wrong, from the library's or the system's exception."""
    match cause:
        case ssl.SSLCertVerificationError():
            words = f"its certificate is not to be trusted: {cause.verify_message.rstrip('.')}"
        case ssl.SSLError():
            words = f"the TLS connection failed: {(cause.reason or 'no reason given').lower().replace('_', ' ')}"
        case RemoteDisconnected():
            words = "the server closed the connection without an answer"
        case ConnectionError():
            words = f"the connection was lost: {(cause.strerror or 'reset').lower()}"
        case BadStatusLine():
            words = "the answer is not HTTP"
        case _ if type(cause).__name__ == "IncompleteRead" or "prematurely" in str(cause):
            words = "the body ends in the middle"
        case _:
            words = f"the answer cannot be read ({type(cause).__name__})"
    return words
