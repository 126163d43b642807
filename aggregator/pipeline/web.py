"""Refreshing a web feed: ask for it, and where its bytes are new, find the posts that are new or changed."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from aggregator import __version__
from aggregator.config.models import Config, FeedSource, Site
from aggregator.errors import FetchError, TooLarge
from aggregator.ingest.feed import parse_feed
from aggregator.ingest.http import get, make_session
from aggregator.models import Draft, Fetched, NotModified, Parsed, Validators
from aggregator.normalize.identity import Identity, identify
from aggregator.normalize.post import Normalizer, is_empty
from aggregator.pipeline.finding import Finder
from aggregator.pipeline.matching import Changes, hash_of, prepare, settle
from aggregator.pipeline.normalizing import normalizer
from aggregator.pipeline.rules import rules_digest
from aggregator.store.codec import digest, read_draft
from aggregator.store.store import Store, Transaction

_CONNECTIONS = 32  # kept open: one for each thread that asks


@dataclass(frozen=True, slots=True)
class Gathered:
    """What asking a web feed gave, ready to be written."""

    changes: Changes
    how: str  # not-modified | same-body | parsed
    validators: Validators
    body_hash: str
    rules: str
    title: str
    link: str


class Asker:
    """Asks web feeds, from as many threads as there are: it reads the store and writes nothing."""

    def __init__(self, config: Config, store: Store, now: datetime) -> None:
        self._config, self._store, self._now = config, store, now
        contact = quote(config.fetch.contact or config.site.base_url, safe=string.punctuation)  # a header is ASCII
        self._session = make_session(f"aggregator/{__version__} (+{contact})", _CONNECTIONS)

    def gather(self, source: FeedSource) -> Gathered:
        """What is new in a web feed; raises IngestError."""
        site, images, now = self._config.site, self._config.images, self._now
        rules, changes, normalize = rules_digest(site, source, images), Changes(), normalizer(site, source, images)
        with self._store.read() as tx:
            state = tx.sources.get(source.name)
            anew = state.rules not in {"", rules}
            if anew:
                _renormalize(tx, source.name, normalize, changes, site, now)
        answer = self._ask(source, state.validators)
        if isinstance(answer, NotModified):
            return Gathered(changes, "not-modified", answer.validators, state.body_hash, rules, state.title, state.link)
        body_hash = digest(answer.url, answer.body)
        if body_hash == state.body_hash:
            return Gathered(changes, "same-body", answer.validators, body_hash, rules, state.title, state.link)
        parsed = parse_feed(
            answer.body,
            url=answer.url,
            content_type=answer.headers.get("content-type", ""),
            language=source.language or site.language,
        )
        with self._store.read() as tx:
            _match(tx, source.name, parsed, normalize, changes, site, now, trust=not anew)
        return Gathered(changes, "parsed", answer.validators, body_hash, rules, parsed.title, parsed.link)

    def _ask(self, source: FeedSource, validators: Validators) -> Fetched | NotModified:
        fetch = self._config.fetch
        if source.is_local:
            return read_local(source.url, fetch.max_bytes)
        return get(
            self._session, source.url, validators=validators, timeout_s=fetch.timeout_s, max_bytes=fetch.max_bytes
        )


def read_local(file: str, max_bytes: int) -> Fetched:
    """A feed that is a file on this machine; raises FetchError."""
    path = Path(file)
    try:
        if path.stat().st_size > max_bytes:
            raise TooLarge(f"{path} is larger than {max_bytes:,} bytes", url=path.as_uri())
        return Fetched(path.read_bytes(), path.as_uri(), {}, Validators())
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}", url=path.as_uri()) from error


def _match(
    tx: Transaction,
    source: str,
    parsed: Parsed,
    normalize: Normalizer,
    changes: Changes,
    site: Site,
    now: datetime,
    *,
    trust: bool,
) -> None:
    """Finds which drafts of a document are new or changed; with `trust` False, unchanged drafts are made anew too."""
    changes.warnings.extend(parsed.warnings)
    drafts = [draft for draft in parsed.drafts if not is_empty(draft)]
    if len(drafts) < len(parsed.drafts):
        changes.warnings.append(f"{len(parsed.drafts) - len(drafts)} items without any content were left out")
    pairs = [(draft, identity) for draft, identity in zip(drafts, identify(drafts), strict=True) if identity]
    finder = Finder(tx, source, [identity for _, identity in pairs])
    done = {entry.id for entry in changes.entries}
    for draft, identity in pairs:
        _, hashed = hash_of(draft)
        stored = finder.exactly(identity)
        if trust and stored is not None and stored.draft_hash == hashed:
            changes.unchanged += 1
            finder.claim(stored)
            continue
        prepared = prepare(normalize, draft, identity, now)
        key, known = finder.find(prepared)
        if known is not None and known.id in done:  # made anew from its stored draft a moment ago: the fresh one wins
            changes.entries = [entry for entry in changes.entries if entry.id != known.id]
        title = prepared.post.title or prepared.post.link or prepared.post.guid
        changes.warnings.extend(f"{title[:60]}: {warning}" for warning in prepared.warnings)
        settle(changes, prepared, key=key, known=known, base_url=site.base_url)


def _renormalize(
    tx: Transaction, source: str, normalize: Normalizer, changes: Changes, site: Site, now: datetime
) -> None:
    """Makes every stored post of a source anew from its stored draft, because the rules changed."""
    for known, packed in tx.posts.drafts(source):
        draft: Draft = read_draft(packed)
        identity = Identity(known.key, known.link_key, None)
        prepared = replace(prepare(normalize, draft, identity, now), path=known.path)
        settle(changes, prepared, key=known.key, known=known, base_url=site.base_url)
