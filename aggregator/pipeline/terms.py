"""Where and how a source is asked, out of its configuration: addresses, credentials, limits."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from aggregator import __version__
from aggregator.config.models import Config
from aggregator.config.sources import RsshubInstance, RsshubSource, WebSource
from aggregator.errors import IngestError
from aggregator.ingest.credentials import NO_CREDENTIALS, Credentials, within_url
from aggregator.ingest.feedurls import without_userinfo
from aggregator.ingest.http import Terms
from aggregator.ingest.robots import AGENT
from aggregator.ingest.rsshub import order, route_url
from aggregator.store.codec import digest
from aggregator.store.sources import SourceState

# What of a source decides what it is asked for, and what is read in the answer; secrets are not among it.
_ASKED = {"type", "parameters", "max_items", "item", "title", "link", "date", "content", "image", "id"}
_WIDE = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # charsets in which a secret is spelled otherwise
_LONGEST_FILE = 65_536  # characters of a file that holds a secret


@dataclass(frozen=True, slots=True)
class Address:
    """A place where a source can be asked; `instead` is what is remembered of it, empty where it is as configured."""

    url: str
    terms: Terms
    instead: str = ""

    def redact(self, text: str) -> str:
        """The text without the credentials, those in the URL among them."""
        return within_url(self.url).redact(self.terms.credentials.redact(text))

    def redact_body(self, body: bytes) -> bytes:
        """Likewise a body, which may echo what it was asked with."""
        secret = (self.terms.credentials, within_url(self.url))
        if not any(one.secrets() for one in secret):
            return body
        charset = next((name for mark, name in _WIDE if body.startswith(mark)), "")
        if charset:
            body = body.decode(charset, "replace").encode()
        for one in secret:
            body = one.redact_bytes(body)
        return body.decode(errors="replace").encode(charset) if charset else body


def user_agent(config: Config) -> str:
    """What we call ourselves, with where to complain."""
    contact = quote(config.fetch.contact or config.site.base_url, safe=string.punctuation)  # a header is ASCII
    return f"{AGENT}/{__version__} (+{contact})"


def asked_digest(source: WebSource) -> str:
    """Names where a source is configured to be asked; when it changes, what was learnt there counts no more."""
    decides = source.model_dump_json(include=_ASKED)
    return digest(source.address, decides, *sorted(source.query))


def addresses(config: Config, source: WebSource, state: SourceState) -> tuple[Address, ...]:
    """Where to ask, best first; more than one only for a route of RSSHub. Raises IngestError."""
    if isinstance(source, RsshubSource):
        return _instances(config, source, state)
    url = source.address
    terms = terms_of(config, source, credentials_of(source, url))
    return (Address(state.url or url, terms, state.url),)


def terms_of(config: Config, source: WebSource, credentials: Credentials, allow_private: bool | None = None) -> Terms:
    """How a source may be asked, with these credentials."""
    for said in (allow_private, source.allow_private, config.fetch.allow_private):
        if said is not None:
            is_allowed = said
            break
    return Terms(
        timeout_s=config.fetch.timeout_s,
        max_bytes=config.fetch.max_bytes,
        credentials=credentials,
        allow_private=is_allowed,
        ca_bundle=str(source.ca_bundle) if source.ca_bundle else "",
    )


def credentials_of(source: WebSource, url: str, more_query: tuple[tuple[str, str], ...] = ()) -> Credentials:
    """What a source is asked with at its own host; raises IngestError where a file with a secret cannot be read."""
    username = password = ""
    if source.auth:
        username = source.auth.username
        password = _one(source.auth.password, source.auth.password_file)
    headers = _pairs(source.headers, source.headers_file)
    cookies = _pairs(source.cookies, source.cookies_file)
    query = _pairs(source.query, source.query_file) | dict(more_query)
    if not (username or password or headers or cookies or query or "@" in url):
        return NO_CREDENTIALS
    return Credentials.for_url(url, user=username, password=password, headers=headers, cookies=cookies, query=query)


def _instances(config: Config, source: RsshubSource, state: SourceState) -> tuple[Address, ...]:
    found = []
    given = {bare(instance.url): instance for instance in source.instances or config.rsshub.instances}
    if not given:
        raise IngestError("it needs instances of RSSHub, here or at the top level under `rsshub`")
    for url in order(tuple(given), state.url):
        instance: RsshubInstance = given[url]
        route = route_url(
            instance.url,
            source.path,
            source.parameters,
            access_key=_one(instance.access_key, instance.access_key_file),
            access_code=source.access_code.get_secret_value(),
        )
        credentials = credentials_of(source, route.url, route.query)
        found.append(Address(route.url, terms_of(config, source, credentials, instance.allow_private), url))
    return tuple(found)


def bare(url: str) -> str:
    """An instance's URL without user, password and query, each of which may be a key: what is remembered of it."""
    return without_userinfo(url).partition("?")[0]


def _one(secret: SecretStr, file: Path | None) -> str:
    return _read(file).strip() if file else secret.get_secret_value()


def _pairs(given: Mapping[str, SecretStr], file: Path | None) -> dict[str, str]:
    """Names and values from the configuration and, where there is one, from a file with a line `name: value` each."""
    pairs = {name: value.get_secret_value() for name, value in given.items()}
    for line in _read(file).splitlines() if file else ():
        name, colon, value = line.partition(":")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon or not name.strip():
            raise IngestError(f"{file} holds a line that is not `name: value`")
        pairs[name.strip()] = value.strip()
    return pairs


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig") as opened:
            return opened.read(_LONGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise IngestError(f"{file} cannot be read: {reason}") from error
