"""Refreshing: every source that is asked gives what it has; what changed is stored; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from aggregator.config.models import Config, FeedSource, FrontMatterSource, Source
from aggregator.errors import AggregatorError, IngestError
from aggregator.ingest.feedurls import safe_url
from aggregator.normalize.text import clean_text
from aggregator.pipeline.folder import CHUNK, FolderPlan, plan_folder, refresh_folder
from aggregator.pipeline.results import SourceResult, Workers, counted
from aggregator.pipeline.rules import rules_digest
from aggregator.store.sources import FORMER
from aggregator.store.store import Store

if TYPE_CHECKING:  # feedparser and requests are for runs that ask a web feed
    from aggregator.pipeline.web import Gathered

_THREADS = 32  # web feeds asked at a time: they wait far more than they work
_PARALLEL_FROM = 3 * CHUNK  # files; below that, starting processes costs more than they save


@dataclass(frozen=True, slots=True)
class Refresher:
    """What refreshing needs: the configuration, the store, the moment of the run, and who can work in parallel."""

    config: Config
    store: Store
    now: datetime
    workers: Workers

    def retire(self) -> Iterator[SourceResult]:
        """Withdraws the posts of sources that left the configuration; they come back if the source does."""
        names = {source.name for source in self.config.sources}
        with self.store.read() as tx:
            former = [name for name, state in tx.sources.all().items() if name not in names and state.rules != FORMER]
        for name in former:
            with self.store.write() as tx:
                withdrawn = tx.posts.withdraw_source(name, self.now)
                tx.files.forget_all(name)
                tx.sources.left(name, self.now)
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
        to_read = sum(len(plan.to_read) for plan in plans)
        executor = None
        if to_read >= _PARALLEL_FROM:
            self.store.close()
            executor = self.workers()  # forks, so it comes before any thread
        web = [source for source in sources if isinstance(source, FeedSource)]
        with ThreadPoolExecutor(min(_THREADS, len(web)) or 1, "source") as threads:
            asked = self._ask(web, threads) if web else {}
            for plan in plans:
                work = partial(refresh_folder, self.store, self.config, plan, self.now, executor)
                yield self._guarded(plan.source.name, work)
            for task in as_completed(asked):
                yield self._guarded(asked[task], partial(self._store_gathered, asked[task], task))

    def preview(self, source: Source) -> str:
        """What refreshing a source would mean, in a line; a folder is looked at, a web feed is not asked."""
        if not isinstance(source, FrontMatterSource):
            return f"would ask {source.name}: {safe_url(source.url)}"
        try:
            plan = self._plan(source)
        except IngestError as error:
            return f"would fail at {source.name}: {error}"
        return f"would read {source.name}: {counted(len(plan.to_read), 'file')} to read, {len(plan.gone)} gone"

    def _plan(self, source: FrontMatterSource) -> FolderPlan:
        rules = rules_digest(self.config.site, source, self.config.images)
        with self.store.read() as tx:
            trust = tx.sources.get(source.name).rules == rules
            seen = tx.files.of(source.name)
        return plan_folder(source, seen, rules, trust=trust)

    def _ask(self, web: Sequence[FeedSource], threads: Executor) -> dict[Future[Gathered], str]:
        """Asks web feeds, each in a thread of its own."""
        from aggregator.pipeline.web import Asker  # noqa: PLC0415

        asker = Asker(self.config, self.store, self.now)
        return {threads.submit(asker.gather, source): source.name for source in web}

    def _store_gathered(self, name: str, task: Future[Gathered]) -> SourceResult:
        """Writes what a web feed gave, together with what to ask it with next time."""
        gathered = task.result()
        result = SourceResult(name, how=gathered.how)
        result.add(gathered.changes)
        with self.store.write() as tx:
            tx.posts.put(gathered.changes.entries, gathered.changes.known, self.now)
            tx.posts.touch(gathered.changes.touched)
            tx.sources.succeeded(
                name,
                now=self.now,
                result=result.in_words,
                changed=result.is_news,
                validators=gathered.validators,
                body_hash=gathered.body_hash,
                rules=gathered.rules,
                title=gathered.title,
                link=gathered.link,
            )
        return result

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
            tx.sources.failed(name, now=self.now, error=text)
        return SourceResult(name, error=text)
