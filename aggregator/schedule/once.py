"""The one-shot: refresh what is due, regenerate what changed, and say how it went."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from aggregator.config.models import Config
from aggregator.config.sources import Source
from aggregator.pipeline.hearing import withheld
from aggregator.pipeline.imagerules import wants_copies
from aggregator.pipeline.refresh import Refresher
from aggregator.pipeline.regenerate import Regenerator
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult, counted
from aggregator.pipeline.rules import rules_digest
from aggregator.pipeline.subscriptions import with_subscriptions
from aggregator.schedule.due import is_due, next_due
from aggregator.schedule.workers import WorkerPool
from aggregator.store.sources import SourceState
from aggregator.store.store import Store

if TYPE_CHECKING:
    from aggregator.pipeline.imaging.mirror import Mirror

RUN_S = 60.0  # that a run waits for images; those that are not there by then come with the next one
_MANY = 1_000_000_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class RunResult:
    """How a run went: its sources in the order of the configuration, then its feeds."""

    sources: list[SourceResult] = field(default_factory=list)
    feeds: list[FeedResult] = field(default_factory=list)
    images: MirrorResult | None = None

    @property
    def failed(self) -> bool:
        """Whether any source or feed failed."""
        return any(s.error for s in self.sources) or any(f.error for f in self.feeds)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants of a run; without names, of every source that is due and of every feed."""

    every_source: bool = False
    sources: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    refresh: bool = True
    force: bool = False


def due_sources(config: Config, store: Store, now: datetime, *, longest_first: bool = False) -> list[Source]:
    """The sources that are due now, in the order of the configuration, or with those first that have been due for longest."""
    with store.read() as tx:
        states = tx.sources.all()
        unasked = {source.name: tx.sources.get(source.name) for source in config.sources if source.name not in states}
    known = states | unasked

    def wanted(source: Source) -> bool:
        state = known[source.name]
        return is_due(source, state, config.site.timezone, now) or _is_read_otherwise(config, source, state, now)

    due = [source for source in config.sources if wanted(source)]
    if longest_first:
        due.sort(key=lambda one: next_due(one, known[one.name], config.site.timezone) or _LONG_AGO)
    return due


def _is_read_otherwise(config: Config, source: Source, state: SourceState, now: datetime) -> bool:
    """Whether a source's posts are to be made anew, because of the configuration; its host's wishes and failures still count."""
    if not state.rules or state.failures or (state.not_before is not None and state.not_before > now):
        return False
    return state.rules != rules_digest(config.site, source, config.images, config.fetch)


def run_once(
    config: Config,
    store: Store,
    now: datetime,
    sources: Collection[Source],
    *,
    feeds: Collection[str] = (),
    force: bool = False,
    mirrors: bool = True,
    on_source: Callable[[SourceResult], None] = lambda _: None,
    on_feed: Callable[[FeedResult], None] = lambda _: None,
) -> RunResult:
    """Refreshes the sources, then regenerates the feeds whose posts changed, telling of each as it is done.

    Where the configuration wants that, and this run `mirrors`, images are fetched in between.
    """
    result = RunResult()
    mirror = _mirror(config, store, now) if mirrors and wants_copies(config) else None
    with WorkerPool() as workers:
        refresher = Refresher(config, store, now, workers, mirror.gate if mirror else None)
        for refreshed in chain(refresher.retire(), refresher.refresh(list(sources))):
            result.sources.append(refreshed)
            on_source(refreshed)
        place = {source.name: number for number, source in enumerate(config.sources)}
        # Feeds that a list gained in this run come after what was configured, in the order in which they came.
        result.sources.sort(key=lambda one: place.get(one.name, len(place)))  # not as the network would have it
        regenerator = Regenerator(config, store, workers)
        regenerator.release(now)
        if not force and (why := withheld(with_subscriptions(config, store), store)):
            kept = FeedResult("", error=f"{why}; --force publishes all the same")
            result.feeds.append(kept)
            on_feed(kept)
            return result
        if mirror:
            result.images = mirror.run(RUN_S)
        for made in regenerator.regenerate(only=feeds, force=force):
            result.feeds.append(made)
            on_feed(made)
    return result


def _mirror(config: Config, store: Store, now: datetime) -> Mirror:
    from aggregator.pipeline.imaging.mirror import make_mirror  # noqa: PLC0415 - for those who want copies
    from aggregator.pipeline.manners import gate_of  # noqa: PLC0415

    return make_mirror(config, store, gate=gate_of(config), clock=lambda: now)


def would_do(config: Config, store: Store, sources: Collection[Source]) -> Iterator[str]:
    """What a run would do, a line for each thing; nothing is asked and nothing written."""
    now = datetime.now(UTC)
    refresher = Refresher(config, store, now, lambda: None)
    for source in sources:
        yield refresher.preview(source)
    if wants_copies(config):
        with store.read() as tx:
            waiting = len(tx.media.due(now, _MANY, _MANY))
        yield from [f"would fetch {counted(waiting, 'image')} to mirror"] if waiting else ()
    for slug in Regenerator(config, store, lambda: None).preview():
        yield f"would regenerate {slug}"
