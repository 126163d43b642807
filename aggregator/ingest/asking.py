"""One request from its first hop to its last: what it asks with, where it may go, and what it brings back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from http import HTTPStatus as Status
from http.client import HTTPException
from typing import Any, Protocol

import requests
import urllib3
from requests.cookies import RequestsCookieJar, get_cookie_header

from aggregator.errors import FetchError, HttpStatus, Refused
from aggregator.ingest.addresses import is_private_host
from aggregator.ingest.credentials import NO_CREDENTIALS, NOWHERE, Credentials, within_url
from aggregator.ingest.decoding import CHUNK, decoded
from aggregator.ingest.failures import root_of
from aggregator.ingest.feedurls import safe_url
from aggregator.ingest.targets import PERMANENT, Target, redirect_of, target_of
from aggregator.ingest.wire import Adapter, Exchange, Resolve, Watchdog, current
from aggregator.models import Fetched, NotModified, Validators

MAX_REDIRECTS = 10
ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
_NO_VALIDATORS = Validators()
_SAME_METHOD = frozenset({307, 308})  # the redirects after which a POST is still one (RFC 9110 §15.4)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.1
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")  # §5.5: no line may end in it
_VERBATIM = re.compile(r"[\x20-\x7e\xa0-\xff]{1,4096}")  # what a header gave us and can carry back


class Gate(Protocol):
    """Who may ask a host now: within `turn` the caller may, and it waits until it is its turn."""

    def turn(self, host: str) -> AbstractContextManager[None]:
        """Wait for the caller's turn at a host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a source may be asked.

    `timeout_s` covers everything from the first connection to the last byte, but not the waiting for a turn;
    `max_bytes` is counted after decoding; `ca_bundle` is the path of a PEM file with the authorities to trust. Without
    `redirects` none is followed: it counts as the status that it is. `headers` hold nothing secret: they go to every hop,
    and win over our own.
    """

    timeout_s: float = 30
    max_bytes: int = 15_728_640
    credentials: Credentials = NO_CREDENTIALS
    allow_private: bool = False
    ca_bundle: str = ""
    accept: str = ACCEPT
    redirects: bool = True
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a POST brings: a body, and the headers that say what it is."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Means:
    """What every request of a fetcher has in common; `proxy` is the URL of an HTTP proxy, empty where there is none."""

    user_agent: str
    gate: Gate | None
    proxy: str
    resolve: Resolve
    clock: Callable[[], float]
    watchdog: Watchdog


@dataclass(slots=True)
class Asking:
    """One GET, or one POST where there is something `sent`: how far it may go, and how far it has come."""

    means: Means
    url: str
    terms: Terms
    validators: Validators
    sent: Sent | None = None
    exchange: Exchange = field(init=False)
    in_url: Credentials = field(init=False)  # user and password of the last URL that held some
    chain: list[str] = field(default_factory=list)
    cookies: RequestsCookieJar | None = None  # some sites set one and redirect to themselves; they live as long as this
    moved: str = ""

    def __post_init__(self) -> None:
        means, terms = self.means, self.terms
        self.exchange = Exchange(
            safe_url(self.url),
            terms.timeout_s,
            means.clock,
            means.resolve,
            allow_private=terms.allow_private,
        )
        self.in_url = NO_CREDENTIALS

    def hide(self, text: str) -> str:
        """The text without any secret that is known here."""
        for known in (self.terms.credentials, within_url(self.url), within_url(self.means.proxy)):
            text = known.redact(text)
        return text

    def follow(self, adapter: Adapter) -> Fetched | NotModified:
        """The answer at the end of the redirects; raises FetchError, and what the libraries below raise."""
        url, has_moved = self.url, True
        while True:
            target = self.target(url)
            if has_moved and self.chain:
                self.moved = self.terms.credentials.unasked_url(target.url)
            self.chain.append(target.url)
            if len(self.chain) > MAX_REDIRECTS + 1:
                shown = " → ".join(safe_url(hop)[:200] for hop in self.chain)
                raise Refused(f"redirected more than {MAX_REDIRECTS} times: {shown}", url=self.exchange.url)
            with self.turn(target.host), self.means.watchdog.watching(self.exchange):
                response = self.send(adapter, self.prepare(target))
                try:
                    status = response.status_code
                    onward = self.onward(response, target)
                    if onward is None:
                        return self.read(response, target)
                    _drain(response.raw)
                finally:
                    response.close()
            has_moved = has_moved and status in PERMANENT
            url = onward

    def target(self, url: str) -> Target:
        """What the next hop asks for; raises Refused for what is not asked."""
        is_first, credentials = not self.chain, self.terms.credentials
        target = target_of(url, self.exchange.url, "" if is_first else "it redirects to ")
        if not self.terms.allow_private and is_private_host(target.host):  # a proxy would look it up without asking us
            self.exchange.hops = len(self.chain)
            raise self.exchange.refusal(target.host)
        if target.user or target.password:
            self.in_url = Credentials(origin=target.origin, user=target.user, password=target.password)
        if is_first and credentials.query and credentials.covers(target.origin):
            return Target(credentials.asked_url(target.url), target.origin)
        return target

    def turn(self, host: str) -> AbstractContextManager[None]:
        """Wait for a turn at a host, where there is a gate."""
        return self.means.gate.turn(host) if self.means.gate else nullcontext()

    def prepare(self, target: Target) -> requests.PreparedRequest:
        """The request for a hop; what is secret goes to the host it is for, and to no other."""
        headers = {
            "User-Agent": self.means.user_agent,
            "Accept": self.terms.accept,
            "Accept-Encoding": "gzip, deflate",
        }
        old = self.validators
        if old != _NO_VALIDATORS:
            conditions = {"If-None-Match": old.etag, "If-Modified-Since": old.last_modified}
            headers |= {name: value for name, value in conditions.items() if _VERBATIM.fullmatch(value)}
            headers["A-IM"] = "feed"  # RFC 3229, and the `feed` that feed servers know: only what is new
        headers |= dict(self.terms.headers)
        request = requests.PreparedRequest()  # the session's own way merges settings that we never have: 0.2 ms
        request.method, request.url = "GET", target.url
        if self.sent is not None:
            request.method, request.body = "POST", self.sent.body
            headers |= {**self.sent.headers, "Content-Length": str(len(self.sent.body))}
        request.headers = headers  # type: ignore[assignment]  # it need not be one that knows no case: ours are written once
        cookies = get_cookie_header(self.cookies, request) if self.cookies else None  # type: ignore[no-untyped-call]
        if self.in_url.covers(target.origin) and (authorization := self.in_url.authorization()):
            headers["Authorization"] = authorization
        if self.terms.credentials.covers(target.origin):
            self.add_credentials(headers, cookies or "")
        elif cookies:
            headers["Cookie"] = cookies
        return request

    def add_credentials(self, headers: dict[str, Any], cookies: str) -> None:
        """Put the source's credentials into headers, where `cookies` are those that a redirect set."""
        credentials = self.terms.credentials
        if authorization := credentials.authorization():
            headers["Authorization"] = authorization
        set_here = {pair.partition("=")[0].strip() for pair in cookies.split(";")}
        pairs = [f"{name}={value}" for name, value in credentials.cookies if name not in set_here]
        if cookies or pairs:
            headers["Cookie"] = "; ".join([*pairs, cookies] if cookies else pairs)
        for name, value in credentials.headers:
            known = next((known for known in headers if known.lower() == name.lower()), name)
            cookies = headers.pop(known, "") if known == "Cookie" else ""  # cookies add up; of all else, this one wins
            headers.pop(known, None)
            headers[name] = f"{value}; {cookies}" if cookies else value
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise FetchError(f"the {self.hide(name)!r} header holds what no header can", url=self.exchange.url)
            headers[name] = value.encode("utf-8", "surrogatepass") if not value.isascii() else value

    def send(self, adapter: Adapter, request: requests.PreparedRequest) -> requests.Response:
        """The head of the answer; asked for again where a kept connection turns out to be dead (RFC 9112 §9.3.1)."""
        exchange, proxy = self.exchange, self.means.proxy
        exchange.hops = len(self.chain) - 1
        token = current.set(exchange)
        try:
            while True:
                left = exchange.left_s()
                try:
                    return adapter.send(
                        request, stream=True, timeout=(left, left), proxies={"all": proxy} if proxy else None
                    )
                except requests.ConnectionError as error:
                    # Each try takes one dead connection out of the pool, until one is new.
                    if not exchange.is_reused or not isinstance(root_of(error), ConnectionError):
                        raise
        finally:
            current.reset(token)

    def onward(self, response: requests.Response, target: Target) -> str | None:
        """Where an answer redirects to, having kept the cookies it sets; None where it does not, or where it may not.

        A POST is never turned into a GET, as browsers do after 301, 302 and 303.
        """
        if not self.terms.redirects or (self.sent is not None and response.status_code not in _SAME_METHOD):
            return None
        try:
            onward = redirect_of(response.status_code, response.headers.get("location"), target.url)
        except ValueError:
            onward = "http://"
        if onward is not None and response.cookies:
            self.cookies = self.cookies or RequestsCookieJar()
            self.cookies.update(response.cookies)
        return onward

    def read(self, response: requests.Response, target: Target) -> Fetched | NotModified:
        """What an answer that redirects no further says."""
        known, exchange = self.terms.credentials, self.exchange
        given = Validators(response.headers.get("etag", ""), response.headers.get("last-modified", ""))
        headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "set-cookie"}
        url = target.url
        if known.origin != NOWHERE:
            url = known.redact_answer(known.unasked_url(url))
        for secret in (known, within_url(self.url)):
            if secret.secrets():
                headers = {name: secret.redact_answer(value) for name, value in headers.items()}
        moved = self.moved if self.moved != known.unasked_url(self.chain[0]) else ""
        status = response.status_code
        if status == Status.NOT_MODIFIED and self.validators != _NO_VALIDATORS:
            _drain(response.raw)
            old = self.validators
            kept = Validators(given.etag or old.etag, given.last_modified or old.last_modified)
            return NotModified(url, headers, kept, moved)
        if not 200 <= status < 300:
            _drain(response.raw)
            raise HttpStatus(
                _status_in_words(status, self.chain),
                url=exchange.url,
                status=status,
                host=target.host,
                retry_after=headers.get("retry-after", "")[:100],  # the longest date has 33
            )
        if self.sent is not None:  # what is said of a POST that went well is of no use to anybody
            _drain(response.raw)
            return Fetched(b"", url, headers, given, moved)
        body = decoded(response.raw, response.headers, exchange.url, self.terms.max_bytes, exchange.left_s)
        if exchange.expired:  # a body without a length ends cleanly when the watchdog shuts the socket
            raise exchange.timed_out()
        return Fetched(body, url, headers, given, moved)


def _drain(raw: Any) -> None:
    """Read a short body to its end, so that the connection can be used again; a long one is not worth it."""
    with suppress(urllib3.exceptions.HTTPError, HTTPException, OSError):
        raw.read(CHUNK, decode_content=False)


def _status_in_words(status: int, chain: list[str]) -> str:
    """`answered 404 Not Found`, in the standard's words: a server's own may be anything."""
    try:
        phrase = f" {Status(status).phrase}"
    except ValueError:
        phrase = ""
    hops = f", after a redirect to {safe_url(chain[-1])}" if len(chain) > 1 else ""
    return f"answered {status}{phrase}{hops}"
