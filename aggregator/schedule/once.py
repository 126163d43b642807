"""The one-shot: refresh what is due, regenerate what changed, and say how it went."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from aggregator.config.models import Config
from aggregator.config.sources import Source
from aggregator.pipeline.refresh import Refresher
from aggregator.pipeline.regenerate import Regenerator
from aggregator.pipeline.results import FeedResult, SourceResult
from aggregator.schedule.due import is_due
from aggregator.schedule.workers import WorkerPool
from aggregator.store.store import Store


@dataclass(slots=True)
class RunResult:
    """How a run went: its sources in the order of the configuration, then its feeds."""

    sources: list[SourceResult] = field(default_factory=list)
    feeds: list[FeedResult] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether any source or feed failed."""
        return any(s.error for s in self.sources) or any(f.error for f in self.feeds)


def due_sources(config: Config, store: Store, now: datetime) -> list[Source]:
    """The sources that are due now, in the order of the configuration."""
    with store.read() as tx:
        states = tx.sources.all()
        unasked = {source.name: tx.sources.get(source.name) for source in config.sources if source.name not in states}
    known = states | unasked
    return [source for source in config.sources if is_due(source, known[source.name], config.site.timezone, now)]


def run_once(
    config: Config,
    store: Store,
    now: datetime,
    sources: Collection[Source],
    *,
    feeds: Collection[str] = (),
    force: bool = False,
    on_source: Callable[[SourceResult], None] = lambda _: None,
    on_feed: Callable[[FeedResult], None] = lambda _: None,
) -> RunResult:
    """Refreshes the sources, then regenerates the feeds whose posts changed, telling of each as it is done."""
    result = RunResult()
    with WorkerPool() as workers:
        refresher = Refresher(config, store, now, workers)
        for refreshed in chain(refresher.retire(), refresher.refresh(list(sources))):
            result.sources.append(refreshed)
            on_source(refreshed)
        place = {source.name: number for number, source in enumerate(config.sources)}
        # Feeds that a list gained in this run come after what was configured, in the order in which they came.
        result.sources.sort(key=lambda one: place.get(one.name, len(place)))  # not as the network would have it
        regenerator = Regenerator(config, store, workers)
        regenerator.release(now)
        for made in regenerator.regenerate(only=feeds, force=force):
            result.feeds.append(made)
            on_feed(made)
    return result


def would_do(config: Config, store: Store, sources: Collection[Source]) -> Iterator[str]:
    """What a run would do, a line for each thing; nothing is asked and nothing written."""
    refresher = Refresher(config, store, datetime.now(UTC), lambda: None)
    for source in sources:
        yield refresher.preview(source)
    for slug in Regenerator(config, store, lambda: None).preview():
        yield f"would regenerate {slug}"
