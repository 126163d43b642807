"""Refreshing: every source that is asked gives what it has; what changed is stored; one that fails stops no other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from aggregator.config.models import Config
from aggregator.config.sources import FrontMatterSource, OpmlSource, Source, WebSource
from aggregator.errors import AggregatorError, IngestError
from aggregator.ingest.feedurls import safe_url
from aggregator.normalize.text import clean_text
from aggregator.pipeline.folder import CHUNK, FolderPlan, plan_folder, refresh_folder
from aggregator.pipeline.remembering import after_failure, after_leaving
from aggregator.pipeline.results import SourceResult, Workers, counted
from aggregator.pipeline.rules import rules_digest
from aggregator.store.sources import FORMER
from aggregator.store.store import Store

if TYPE_CHECKING:  # requests is for runs that ask a web source
    from aggregator.ingest.gate import Gate
    from aggregator.pipeline.crawl import Crawled
    from aggregator.pipeline.writing import Crawler

_PARALLEL_FROM = 3 * CHUNK  # files; below that, starting processes costs more than they save
_FILE_MODULES = ("aggregator.pipeline.reading", "aggregator.pipeline.rendering")
_PARALLEL_SOURCES = 4  # web sources; likewise
_EVERY_S = 1800.0  # what failing folders are asked again after, at first


@dataclass(frozen=True, slots=True)
class Refresher:
    """What refreshing needs: the configuration, the store, the moment of the run, and who can work in parallel.

    Who refreshes again and again keeps one `gate`, so that the pauses of hosts last from one time to the next, and may set
    `ending`: then what is stored by then is all there is. What lists gained is asked in the same run, if `asks_gained`.
    """

    config: Config
    store: Store
    now: datetime
    workers: Workers
    gate: Gate | None = None
    ending: threading.Event = field(default_factory=threading.Event)
    asks_gained: bool = True

    def retire(self) -> Iterator[SourceResult]:
        """Withdraws the posts of sources that left the configuration; they come back if the source does.

        A feed that left a subscription list keeps its posts, as long as the list is configured.
        """
        names = {source.name for source in self.config.sources}
        with self.store.read() as tx:
            kept = {row.name for row in tx.subscriptions.all() if row.list in names}
            states = tx.sources.all()
        former = [name for name, state in states.items() if name not in names | kept and state.rules != FORMER]
        for name in former:
            with self.store.write() as tx:
                withdrawn = tx.posts.withdraw_source(name, self.now)
                tx.files.forget_all(name)
                tx.seen.forget(name)
                tx.subscriptions.forget([name])
                tx.sources.put([after_leaving(states[name], self.now)])
            yield SourceResult(name, withdrawn=withdrawn, how="left the configuration")

    def refresh(self, sources: Sequence[Source]) -> Iterator[SourceResult]:
        """Refreshes sources, giving each one's result as soon as it is stored."""
        plans: list[FolderPlan] = []
        for source in sources:
            if isinstance(source, FrontMatterSource):
                try:
                    plans.append(self._plan(source))
                except Exception as error:  # noqa: BLE001 - recorded, as below
                    yield self._failed(source.name, error)
        web: list[Crawled] = [source for source in sources if isinstance(source, WebSource)]
        many_files = sum(len(plan.to_read) for plan in plans) >= _PARALLEL_FROM
        executor = None
        if many_files or len(web) >= _PARALLEL_SOURCES:
            self.store.close()
            # It forks, so it comes before any thread. What web sources need is imported when the first has something new.
            executor = self.workers(*_FILE_MODULES) if many_files else self.workers()
        for plan in plans:
            if self.ending.is_set():
                return
            work = partial(refresh_folder, self.store, self.config, plan, self.now, executor)
            yield self._guarded(plan.source.name, work)
        if web:
            from aggregator.pipeline.writing import Crawler  # noqa: PLC0415

            with Crawler(self.config, self.store, self.now, executor, gate=self.gate, ending=self.ending) as crawler:
                yield from self._crawl(crawler, web)

    def _crawl(self, crawler: Crawler, web: Sequence[Crawled]) -> Iterator[SourceResult]:
        """Refreshes web sources; subscription lists first, so that what they gained can be asked in the same run."""
        lists = [source for source in web if isinstance(source, OpmlSource)]
        gained: list[Crawled] = []
        gone: set[str] = set()
        if lists:
            from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415

            before = {source.name for source in self.config.sources}
            yield from crawler.refresh(lists)
            own = self.config.model_copy(update={"sources": crawler.own_sources})
            after = with_subscriptions(own, self.store).sources
            if self.asks_gained:
                gained = [one for one in after if isinstance(one, WebSource) and one.name not in before]
            gone = before - {source.name for source in after}
        rest = [source for source in (*web, *gained) if source.name not in gone and source not in lists]
        yield from crawler.refresh(rest)

    def preview(self, source: Source) -> str:
        """What refreshing a source would mean, in a line; a folder is looked at, a web source is not asked."""
        if isinstance(source, WebSource):
            return f"would ask {source.name}: {safe_url(source.address)}"
        try:
            plan = self._plan(source)
        except IngestError as error:
            return f"would fail at {source.name}: {error}"
        return f"would read {source.name}: {counted(len(plan.to_read), 'file')} to read, {len(plan.gone)} gone"

    def _plan(self, source: FrontMatterSource) -> FolderPlan:
        rules = rules_digest(self.config.site, source, self.config.images, self.config.fetch)
        with self.store.read() as tx:
            trust = tx.sources.get(source.name).rules == rules
            seen = tx.files.of(source.name)
        return plan_folder(source, seen, rules, trust=trust)

    def _guarded(self, name: str, work: Callable[[], SourceResult]) -> SourceResult:
        """The result of a source's refresh; that it failed is recorded, and ends nothing but itself.

        Whatever it raises: a fault of ours that one source brings to light must not take the others down. If the store
        itself is the trouble, recording the failure raises again, and the run ends.
        """
        try:
            return work()
        except Exception as error:  # noqa: BLE001
            return self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> SourceResult:
        is_expected = isinstance(error, AggregatorError)
        text = clean_text(str(error) if is_expected else f"unexpected {type(error).__name__}: {error}")
        with self.store.write() as tx:
            state = tx.sources.get(name)
            tx.sources.put([after_failure(state, error, text, now=self.now, every_s=_EVERY_S, random=random.random)])
        return SourceResult(name, error=text)
