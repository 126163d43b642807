"""Asking web sources: at the right address, with what was remembered, as politely as their hosts want it."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, OpmlSource, PageSource, RsshubSource, WebSource
from aggregator.errors import AggregatorError, AskedToWait, FetchError, HttpStatus, IngestError, Refused, TooLarge
from aggregator.ingest.credentials import NO_CREDENTIALS
from aggregator.ingest.feedurls import host_of, public_url, safe_url
from aggregator.ingest.gate import Gate
from aggregator.ingest.http import Fetcher, Terms
from aggregator.ingest.robots import MAX_BYTES as ROBOTS_BYTES
from aggregator.ingest.robots import Rules, allowed, read_robots, robots_url, rules_of
from aggregator.ingest.rsshub import is_instance_fault
from aggregator.ingest.sniff import looks_like_html
from aggregator.models import Fetched, NotModified, Validators
from aggregator.normalize.text import clean_text
from aggregator.pipeline.manners import Manners, PoliteGate, gate_of
from aggregator.pipeline.remembering import Place, conditions
from aggregator.pipeline.terms import Address, addresses, bare, terms_of, user_agent
from aggregator.store.sources import SourceState

_MOST_HOSTS = 1024  # whose connections are kept
THREADS = 200  # that ask at a time: they wait far more than they work, but each holds an answer in the end


def files_to_spare() -> int:
    """How many more files the system lets this process open than it needs for itself: sockets are files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max((1_000_000 if soft == resource.RLIM_INFINITY else soft) - 100, 50)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source answered, and what is to be remembered of where."""

    answer: Fetched | NotModified
    place: Place
    redact: Callable[[str], str]
    notes: tuple[str, ...] = ()


class Asker:
    """Asks web sources, from as many threads as there are; it neither reads the store nor writes to it."""

    def __init__(self, config: Config, now: datetime, manners: Manners | None = None, gate: Gate | None = None) -> None:
        self.config, self._now = config, now
        self.manners = manners or Manners()
        self._begun = time.monotonic()
        self._rules: dict[str, Rules] = {}  # of each robots.txt in this run
        fetch = config.fetch
        self.gate = gate or gate_of(config)
        self._fetcher = Fetcher(
            user_agent(config),
            pool=min(_MOST_HOSTS, files_to_spare() // 3),
            per_host=fetch.per_host,
            gate=PoliteGate(self.gate, self._check),
            proxy=fetch.proxy.get_secret_value() if fetch.proxy else "",
        )

    def now(self) -> datetime:
        """The moment: that of the run, and the time since it began."""
        return self._now + timedelta(seconds=time.monotonic() - self._begun)

    def close(self) -> None:
        """Closes the connections that were kept."""
        self._fetcher.close()

    def host_of(self, source: WebSource, state: SourceState) -> str:
        """The host that a source will be asked at first; a local file is a host of its own."""
        if isinstance(source, RsshubSource):
            known = [bare(instance.url) for instance in source.instances or self.config.rsshub.instances]
            url = state.url if state.url in known else next(iter(known), "")
        else:
            url = state.url or source.address
        return host_of(url) or f"file:{url}"

    def ask(self, source: WebSource, state: SourceState) -> Asked:
        """What a source answers to its validators; raises IngestError. Of several instances, the first that serves."""
        if isinstance(source, FeedSource | OpmlSource) and source.is_local:
            local = read_local(source.address, self.config.fetch.max_bytes)
            return Asked(local, Place(), NO_CREDENTIALS.redact)
        found = addresses(self.config, source, state)
        if isinstance(source, PageSource) and source.robots:
            self._mind_robots(found[0].url, found[0].terms)
        failed: list[str] = []
        errors: list[FetchError] = []
        for address in found:
            is_same = address.instead == state.url
            validators = conditions(state, self._now) if is_same else Validators()
            try:
                answer = self._get(address.url, address.terms, validators)
                if len(found) > 1:
                    _refuse_page(answer)
            except FetchError as error:
                if len(found) == 1 or not is_instance_fault(error):
                    raise
                errors.append(error)
                failed.append(f"{address.instead}: {error}")
                continue
            return self._asked(source, address, answer, failed)
        # One that has to be waited for says less than one that failed; of those alone, the first that may be asked again.
        raise min(
            errors, key=lambda error: (error.until.timestamp(), 1) if isinstance(error, AskedToWait) else (0.0, 0)
        )

    def follow(self, source: WebSource, url: str) -> Asked:
        """What the feed answers that the page of a source names; it is asked without the source's credentials."""
        answer = self._get(url, terms_of(self.config, source, NO_CREDENTIALS), Validators())
        page = safe_url(source.address)
        is_public = public_url(url) == url.partition("#")[0]
        note = f"{page} is a page; the feed it names is asked: {safe_url(url)}"
        return Asked(answer, Place(found=url if is_public else "", note=note), NO_CREDENTIALS.redact, (note,))

    def page(self, source: WebSource, url: str) -> Fetched | None:
        """The page that a post links to, for its full text; None where it cannot or may not be had."""
        # Posts link wherever they like: leave to reach a private network is for the source's own host.
        is_own = host_of(url) == host_of(source.address)
        terms = terms_of(self.config, source, NO_CREDENTIALS, None if is_own else self.config.fetch.allow_private)
        try:
            if source.robots:
                self._mind_robots(url, terms)
            answer = self._get(url, terms, Validators())
        except FetchError:
            return None  # the post has what the source gave; it is not worth an error
        return answer if isinstance(answer, Fetched) else None

    def fetch_once(self, url: str, *, allow_private: bool = False) -> Fetched:
        """What stands at an address, asked for the first time; raises FetchError."""
        fetch = self.config.fetch
        terms = Terms(
            timeout_s=fetch.timeout_s,
            max_bytes=fetch.max_bytes,
            credentials=NO_CREDENTIALS,
            allow_private=allow_private or fetch.allow_private,
        )
        answer = self._get(url, terms, Validators())
        if isinstance(answer, NotModified):
            raise FetchError("answered 304 to a question without conditions", url=safe_url(url))
        return answer

    def _asked(self, source: WebSource, address: Address, answer: Fetched | NotModified, failed: list[str]) -> Asked:
        """What is remembered of an address that answered."""
        credentials, redact = address.terms.credentials, address.redact
        notes = [f"{line}; another instance was asked" for line in failed]
        moved = "" if isinstance(source, RsshubSource) else answer.moved
        note = ""
        if moved and (public_url(moved) != moved.partition("#")[0] or credentials.redact_answer(moved) != moved):
            note = f"it moved permanently to {redact(safe_url(moved))}: change its address"
            moved = ""  # never stored, because it holds a secret
        if moved.startswith("http:") and address.url.startswith("https:"):
            moved = ""  # whoever is on the way could say so
        if isinstance(answer, Fetched):
            answer = replace(answer, body=address.redact_body(answer.body))
        return Asked(answer, Place(address.instead, moved, note=note), redact, tuple(notes))

    def _get(self, url: str, terms: Terms, validators: Validators) -> Fetched | NotModified:
        """One GET, of which a Retry-After is remembered for the host that said it."""
        try:
            return self._fetcher.get(url, terms, validators)
        except HttpStatus as error:
            self.manners.heed(error, self.now())
            raise

    def in_words(self, source: WebSource, error: BaseException) -> str:
        """What went wrong, in words that hold none of the source's secrets."""
        is_expected = isinstance(error, AggregatorError)
        text = str(error) if is_expected else f"unexpected {type(error).__name__}: {error}"
        for address in self._known_addresses(source):
            text = address.redact(text)
        return clean_text(text)

    def _known_addresses(self, source: WebSource) -> tuple[Address, ...]:
        try:
            return addresses(self.config, source, SourceState(name=source.name))
        except IngestError:  # its secrets cannot be read, so nothing can have shown them
            return ()

    def wait_of(self, error: HttpStatus) -> datetime | None:
        """Until when the host of an error is to be left alone, where it said so."""
        return self.manners.wait_of(error.host, self.now())

    def _check(self, host: str) -> None:
        self.manners.check(host, self.now())

    def _mind_robots(self, url: str, terms: Terms) -> None:
        """Raises FetchError where the site's robots.txt forbids a page (RFC 9309); it is asked for once a day."""
        place = robots_url(url)
        rules = self._rules.get(place)
        if rules is None and (text := self.manners.robots.get(place)) is not None:
            rules = read_robots(text)
        elif rules is None:
            rules, text = self._robots(place, terms)
            if not rules.reason:  # where it could not be had, it is asked for again in the next run
                self.manners.heed_robots(place, text)
        self._rules[place] = rules
        if not allowed(rules, url):
            raise Refused(rules.reason or "the site's robots.txt forbids this page", url=safe_url(url))

    def _robots(self, place: str, terms: Terms) -> tuple[Rules, str]:
        try:
            answer = self._get(place, terms, Validators())
        except AskedToWait:
            raise
        except HttpStatus as error:
            return rules_of(error.status), ""
        except FetchError:
            return rules_of(None), ""
        body = answer.body if isinstance(answer, Fetched) else b""
        return rules_of(200, body), body[:ROBOTS_BYTES].decode("utf-8", "replace")


def _refuse_page(answer: Fetched | NotModified) -> None:
    """Raises FetchError for the page that an instance shows in place of a feed: another one may serve it."""
    if isinstance(answer, Fetched) and looks_like_html(answer.body):
        raise FetchError("it answers with an HTML page", url=safe_url(answer.url))


def read_local(file: str, max_bytes: int) -> Fetched:
    """A feed that is a file on this machine; raises FetchError."""
    path = Path(file)
    try:
        if path.stat().st_size > max_bytes:
            raise TooLarge(f"{path} is larger than {max_bytes:,} bytes", url=path.as_uri())
        return Fetched(path.read_bytes(), path.as_uri(), {}, Validators())
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}", url=path.as_uri()) from error
