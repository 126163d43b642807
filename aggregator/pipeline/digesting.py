"""What the answer of a web source means: its drafts, held against the store, become the posts that are new or changed.

This is the work of the processor, and it is done in worker processes: everything here can be pickled, reads the store
and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from aggregator.config.images import Images
from aggregator.config.models import Fetch, Site
from aggregator.config.sources import AskedSource, JsonSource, PageSource
from aggregator.ingest.feed import parse_feed
from aggregator.ingest.hubs import hub_of
from aggregator.models import Draft, FeedHints, Fetched, Parsed, Seen, SeenItem
from aggregator.normalize.identity import Identity, identify
from aggregator.normalize.post import Normalizer, is_empty
from aggregator.pipeline.finding import Finder
from aggregator.pipeline.matching import Changes, Written, prepare, settle, written
from aggregator.pipeline.normalizing import normalizer
from aggregator.pipeline.rules import rules_digest
from aggregator.store.codec import read_draft
from aggregator.store.seen import packed_items
from aggregator.store.store import Store, Transaction


@dataclass(frozen=True, slots=True)
class Task:
    """An answer on its way to be digested: `answer` is None where nothing came, and only the rules changed.

    `articles` holds the pages that were fetched for full text, as HTML, by the link of the post; None before they were.
    """

    site: Site
    images: Images
    fetch: Fetch
    source: AskedSource
    now: datetime
    anew: bool  # whether the rules changed: every stored post is then made anew
    answer: Fetched | None
    articles: Mapping[str, str] | None = None


@dataclass(slots=True)
class Gathered:
    """What asking a source gave, ready to be written."""

    rules: str
    changes: Changes = field(default_factory=Changes)
    title: str = ""
    link: str = ""
    hub: str = ""
    topic: str = ""
    hints: FeedHints | None = None  # None: no document was read
    seen: tuple[str, bytes] | None = None  # to be remembered of the document, packed
    wants: tuple[str, ...] = ()  # links of new posts whose pages are to be fetched first


def digest_answer(store: Store, task: Task) -> Gathered:
    """What is new in an answer; raises IngestError."""
    source, site = task.source, task.site
    found = Gathered(rules_digest(site, source, task.images, task.fetch))
    normalize = normalizer(site, source, task.images, task.fetch)
    with store.read() as tx:
        if task.anew:
            _renormalize(tx, source.name, normalize, found.changes, site, task.now)
        if task.answer is None:
            return found
        parsed = parse_answer(task.answer, source, site, None if task.anew else tx.seen.of(source.name))
        if not _Matching(task, normalize, found).match(tx, parsed):
            parsed = parse_answer(task.answer, source, site)
            _Matching(task, normalize, found).match(tx, parsed)
    found.title, found.link, found.hints = parsed.title, parsed.link, parsed.hints
    found.hub, found.topic = hub_of(parsed, task.answer.headers.get("link", ""), task.answer.url)
    return found


def digest_in_worker(store_url: str, task: Task) -> Gathered:
    """The same in a worker process, which opens the store for itself."""
    return digest_answer(_store(store_url), task)


@lru_cache(maxsize=1)  # a worker works for one run, on one store; opening it costs more than a look into it
def _store(url: str) -> Store:
    return Store(url)


def parse_answer(answer: Fetched, source: AskedSource, site: Site, seen: Seen | None = None) -> Parsed:
    """The drafts that an answer holds; raises ParseError."""
    language, kind = source.language or site.language, answer.headers.get("content-type", "")
    if isinstance(source, PageSource):
        from aggregator.ingest.page import parse_page  # noqa: PLC0415 - few sources are pages

        return parse_page(
            answer.body,
            url=answer.url,
            content_type=kind,
            selectors=source,
            language=language,
            max_items=source.max_items,
        )
    if isinstance(source, JsonSource):
        from aggregator.ingest.jsonapi import parse_json  # noqa: PLC0415 - few sources are APIs

        return parse_json(answer.body, url=answer.url, paths=source, max_items=source.max_items)
    return parse_feed(
        answer.body, url=answer.url, content_type=kind, language=language, max_items=source.max_items, seen=seen
    )


def _still_holds(parsed: Parsed, finder: Finder, numbers: Sequence[int], identities: Sequence[Identity | None]) -> bool:
    """Whether each item that was not read again still is the post that was made of it."""
    for number, identity in zip(numbers, identities, strict=True):
        if number in parsed.seen and identity is not None:
            stored = finder.exactly(identity)
            if stored is None or stored.draft_hash != parsed.seen[number].draft_hash:
                return False
    return True


@dataclass(slots=True)
class _Matching:
    """Finds which drafts of one document are new or changed."""

    task: Task
    normalize: Normalizer
    found: Gathered

    def match(self, tx: Transaction, parsed: Parsed) -> bool:
        """Files every draft under the post it is, and notes what to remember of the document.

        Where an item that was not read again is no longer the post that was made of it, this does nothing and says False.
        """
        changes = self.found.changes
        numbers = [number for number, draft in enumerate(parsed.drafts) if number in parsed.seen or not is_empty(draft)]
        identities = identify([parsed.drafts[number] for number in numbers])
        finder = Finder(tx, self.task.source.name, [identity for identity in identities if identity])
        if parsed.seen and not _still_holds(parsed, finder, numbers, identities):
            return False
        changes.warnings.extend(parsed.warnings)
        if len(numbers) < len(parsed.drafts):
            changes.warnings.append(f"{len(parsed.drafts) - len(numbers)} items without any content were left out")
        done = {entry.id for entry in changes.entries}
        remembered: dict[str, SeenItem] = {}
        wants: list[str] = []
        for number, identity in zip(numbers, identities, strict=True):
            draft = parsed.drafts[number]
            fresh = None if number in parsed.seen else written(draft)
            hashed = fresh.hash if fresh else parsed.seen[number].draft_hash
            if parsed.items and parsed.items[number]:
                remembered[parsed.items[number]] = SeenItem(draft.guid, draft.link, draft.title, hashed)
            if identity is None:
                continue
            stored = finder.exactly(identity)
            if not self.task.anew and stored is not None and stored.draft_hash == hashed:
                changes.unchanged += 1
                finder.claim(stored)
                continue
            is_new = self._settle(tx, finder, draft, identity, fresh, done)
            if self._lacks_article(draft, is_new=is_new):
                wants.append(draft.link or "")
        self.found.wants = tuple(dict.fromkeys(wants))
        if parsed.context:
            self.found.seen = packed_items(Seen(parsed.context, remembered))
        return True

    def _lacks_article(self, draft: Draft, *, is_new: bool) -> bool:
        return self.task.source.fulltext and self.task.articles is None and is_new and bool(draft.link)

    def _settle(
        self,
        tx: Transaction,
        finder: Finder,
        draft: Draft,
        identity: Identity,
        fresh: Written | None,
        done: set[int],
    ) -> bool:
        """Files a draft that is new or changed; says whether the store had no post for it."""
        changes, site = self.found.changes, self.task.site
        told = self._with_article(draft)
        prepared = prepare(self.normalize, told, identity, self.task.now, fresh if told is draft else None)
        key, known = finder.find(prepared)
        if known is not None and self.task.source.fulltext and not self._article(draft):
            kept = read_draft(tx.posts.draft(known.id)).article
            if kept:  # it was fetched when the post was new, and stays what it is while the feed's own text changes
                prepared = prepare(self.normalize, replace(draft, article=kept), identity, self.task.now)
        if known is not None and known.id in done:  # made anew from its stored draft a moment ago: the fresh one wins
            changes.entries = [entry for entry in changes.entries if entry.id != known.id]
        title = prepared.post.title or prepared.post.link or prepared.post.guid
        changes.warnings.extend(f"{title[:60]}: {warning}" for warning in prepared.warnings)
        settle(changes, prepared, key=key, known=known, base_url=site.base_url)
        return known is None

    def _article(self, draft: Draft) -> str:
        return (self.task.articles or {}).get(draft.link or "", "")

    def _with_article(self, draft: Draft) -> Draft:
        article = self._article(draft)
        return replace(draft, article=article) if article else draft


def _renormalize(
    tx: Transaction, source: str, normalize: Normalizer, changes: Changes, site: Site, now: datetime
) -> None:
    """Makes every stored post of a source anew from its stored draft, because the rules changed."""
    for known, packed in tx.posts.drafts(source):
        draft: Draft = read_draft(packed)
        identity = Identity(known.key, known.link_key, None)
        prepared = replace(prepare(normalize, draft, identity, now), path=known.path)
        settle(changes, prepared, key=known.key, known=known, base_url=site.base_url)
