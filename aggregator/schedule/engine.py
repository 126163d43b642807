"""The work of a daemon: web sources are asked as they come due, files are looked at when they change, feeds follow.

Everything here may be called from any thread. Four things happen at most once at a time, each beside the others: a round
of web sources, a look at files, a minute of fetching images, a regeneration. So a post that is saved is published while a slow
host is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from aggregator.config.models import Config
from aggregator.config.sources import Source
from aggregator.errors import PublishError, StoreError
from aggregator.pipeline.hearing import withheld
from aggregator.pipeline.imagerules import wants_copies
from aggregator.pipeline.manners import gate_of
from aggregator.pipeline.published import manifest_stamp
from aggregator.pipeline.refresh import Refresher
from aggregator.pipeline.regenerate import Regenerator
from aggregator.pipeline.results import FeedResult, MirrorResult, Queue, SourceResult
from aggregator.pipeline.searching import index_posts
from aggregator.pipeline.subscriptions import with_subscriptions
from aggregator.pipeline.websub.pushing import store_push
from aggregator.schedule.backlog import Backlog
from aggregator.schedule.debounce import Debounce
from aggregator.schedule.due import is_looked_at, next_due
from aggregator.schedule.once import RUN_S, Order, due_sources
from aggregator.schedule.pushed import Pushed
from aggregator.schedule.workers import WorkerPool
from aggregator.store.sources import SourceState
from aggregator.store.store import Store

if TYPE_CHECKING:
    from aggregator.pipeline.imaging.mirror import Mirror

CHANGED_S = 2.0  # within which changes of web sources are published: what comes meanwhile is rendered once
SAVED_S = 0.2  # likewise of files, whose author is looking
AGAIN_S = 60.0  # after which it is tried again to write what could not be written
_BREATH_S = 0.05  # between two batches of posts that are indexed
_HEARD_S = 2.0  # between two looks whether a new store has heard its sources
_IDLE_S = 120.0  # without work for them, worker processes end


class Listener(Protocol):
    """Who is told of results as they come, from whatever thread they come in."""

    def source(self, result: SourceResult) -> None:
        """A source was refreshed."""

    def feed(self, result: FeedResult) -> None:
        """A feed was regenerated."""

    def mirrored(self, result: MirrorResult) -> None:
        """Images were looked for, and perhaps fetched."""


class Observer(Listener, Protocol):
    """Who is told of all that an engine does."""

    def published(self, results: Sequence[FeedResult]) -> None:
        """A regeneration came to its end, with these results."""


class Engine:
    """Refreshes and regenerates for as long as it lives; `clock` gives the moment, in whole seconds."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        clock: Callable[[], datetime],
        workers: WorkerPool,
        observer: Observer,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.now = store, clock
        self.wishes = Debounce()
        self.ending = threading.Event()
        self.queue = Queue()
        self._own = config
        self._workers, self._observer, self._monotonic = workers, observer, monotonic
        self._gate = gate_of(config)
        self._backlog = Backlog(monotonic)
        self._asking, self._looking, self._publishing = threading.Lock(), threading.Lock(), threading.Lock()
        self._mirroring = threading.Lock()
        self._mirror: tuple[object, Mirror] | None = None  # with what it was made of
        self._pushed = Pushed()
        self._worked_at = monotonic()
        self._killed = 0  # regenerations in a row that the death of a worker ended
        self._is_heard = False  # the store may be published over what is there
        self._configuring = threading.Lock()  # of what follows
        self._lists_changed = False  # a list was read since its feeds were last taken up
        self._retires = True  # whether sources may have left since it was last looked
        self._config = with_subscriptions(config, store)

    @property
    def config(self) -> Config:
        """The configuration in force, with the feeds of its subscription lists as far as the store knows them."""
        return self._config

    def reconfigure(self, config: Config) -> None:
        """Goes on with another configuration: what is under way ends by the old one, and all that follows is by this one.

        Raises StoreError; then nothing is other than before.
        """
        with self._configuring:
            self._config = with_subscriptions(config, self.store)
            self._own, self._gate = config, gate_of(config)
            self._retires = True
        self.wishes.wish(0)

    def _take_up(self) -> None:
        """Makes sources of what lists hold that were read since; what they held no more is none from now on."""
        with self._configuring:
            if self._lists_changed:
                self._config = with_subscriptions(self._own, self.store)
                self._lists_changed, self._retires = False, True

    # -- sources ------------------------------------------------------------------------------------------------------

    def refresh_due(self) -> None:
        """Asks the web sources that are due, or as many of them as one round may; nothing where a round is under way."""
        if not self._asking.acquire(blocking=False):
            return
        try:
            self._take_up()  # where it failed before
            self._retire()
            config = self._config
            due = due_sources(config, self.store, self.now(), longest_first=True)  # so that nobody starves
            due = [one for one in due if not is_looked_at(one) and not self._pushed.count(one.name)]
            chosen = self._backlog.share(due, len(config.sources))
            self.queue = Queue(len(due), len(chosen))
            for result in self._refresh(config, chosen):
                self._observer.source(result)
        finally:
            self.queue = Queue(max(self.queue.due - self.queue.asking, 0))
            self._asking.release()

    def look(self, names: Collection[str] | None = None) -> None:
        """Looks at the files of these sources, or of all that have some, and publishes what changed at once.

        No host is asked: the feeds that a list gained are due in the next round.
        """
        with self._looking:
            config = self._config
            chosen = [one for one in config.sources if is_looked_at(one) and (names is None or one.name in names)]
            for result in self._refresh(config, chosen, asks_gained=False):
                if result.is_news:
                    self.wishes.wish(SAVED_S)
                if result.is_news or result.error or result.warnings:
                    self._observer.source(result)

    def expect_push(self, name: str) -> None:
        """A document was pushed for a source, and `take_push` comes to it later; raises StoreError.

        Its hub sends it only once. So the store says meanwhile that nothing is pushed for the source: whoever is killed asks
        it at the next start, and not a day later. This process does not ask it as long as it has something to store.
        """
        self._pushed.add(name)
        try:
            with self.store.write() as tx:
                tx.sources.expect_pushes([name], None)
        except StoreError:
            self._pushed.remove(name)
            raise

    def forget_push(self, name: str) -> None:
        """What `expect_push` announced is not going to come."""
        self._pushed.remove(name)

    def take_push(self, name: str, body: bytes, content_type: str) -> None:
        """Stores a document that was pushed for a source, and publishes what is new in it."""
        try:
            result = store_push(
                self._config,
                self.store,
                self.now(),
                name,
                body,
                content_type,
                is_last=lambda: self._pushed.count(name) == 1,
            )
        finally:
            self._pushed.remove(name)
        if result.is_news:
            self.wishes.wish(SAVED_S)
        self._observer.source(result)

    def index(self) -> None:
        """Makes posts that changed known to the search, a few at a time, so that others may write in between."""
        while self._config.serve.search and not self.ending.is_set() and index_posts(self.store):
            self.ending.wait(_BREATH_S)

    def release(self) -> None:
        """Publishes posts whose date has come."""
        if Regenerator(self._config, self.store, self._workers).release(self.now()):
            self.wishes.wish(SAVED_S)

    def mirror(self) -> MirrorResult | None:
        """Fetches images that are to be mirrored, for a minute; None where that is under way, or none are. Their feeds follow."""
        if not self._mirroring.acquire(blocking=False):
            return None
        try:
            config = self._config
            if not wants_copies(config):
                self._mirror = None
                return None
            kept = (config.images, config.fetch, config.site, config.output, config.feeds, config.by_category)
            made_of = (self._gate, *kept)
            if self._mirror is None or self._mirror[0] != made_of:
                self._mirror = (made_of, self._make_mirror(config))
            result = self._mirror[1].run(RUN_S, self.ending)
            self._observer.mirrored(result)
            return result
        finally:
            self._mirroring.release()

    def next_due(self) -> dict[str, datetime | None]:
        """When each source is due, by name; None: at any moment."""
        config = self._config
        with self.store.read() as tx:
            known = tx.sources.all()
        zone = config.site.timezone
        return {
            one.name: next_due(one, known.get(one.name) or SourceState(name=one.name), zone) for one in config.sources
        }

    def _refresh(
        self, config: Config, sources: Sequence[Source], *, asks_gained: bool = True
    ) -> Iterator[SourceResult]:
        refresher = Refresher(config, self.store, self.now(), self._workers, self._gate, self.ending, asks_gained)
        for result in refresher.refresh(sources) if sources else ():
            self._worked_at = self._monotonic()
            if result.is_news:
                self.wishes.wish(CHANGED_S)
            if result.feeds is not None:  # a list: from now on its feeds are sources, or are not any more
                self._lists_changed = True
                self._take_up()
            yield result

    def _make_mirror(self, config: Config) -> Mirror:
        from aggregator.pipeline.imaging.mirror import make_mirror  # noqa: PLC0415 - for those who want copies

        return make_mirror(
            config, self.store, gate=self._gate, clock=self.now, on_change=lambda: self.wishes.wish(CHANGED_S)
        )

    def _retire(self) -> None:
        """Withdraws the posts of sources that left the configuration, while nobody asks them."""
        if not self._retires:
            return
        with self._looking:
            with self._configuring:
                config, self._retires = self._config, False
            try:
                for result in self._withdrawn(config):
                    self._observer.source(result)
            except BaseException:
                self._retires = True
                raise

    def _withdrawn(self, config: Config) -> Iterator[SourceResult]:
        for result in Refresher(config, self.store, self.now(), self._workers).retire():
            self.wishes.wish(CHANGED_S)
            yield result

    # -- feeds --------------------------------------------------------------------------------------------------------

    def withheld(self) -> str:
        """Why nothing is published yet, over what was published from a store that is lost; empty: it is."""
        why = "" if self._is_heard else withheld(self._config, self.store)
        self._is_heard = not why
        return why

    def regenerate(self, only: Collection[str] = (), *, force: bool = False) -> Iterator[FeedResult]:
        """Regenerates the feeds whose posts changed; raises PublishError or StoreError where nothing can be published."""
        with self._publishing:
            self._worked_at = self._monotonic()
            made: list[FeedResult] = []
            regenerator = Regenerator(self._config, self.store, self._workers)
            try:
                for result in regenerator.regenerate(only=only, force=force):
                    made.append(result)
                    self._observer.feed(result)
                    yield result
                    if self.ending.is_set():
                        return
            except BrokenExecutor as error:  # the next call starts others
                self._killed += 1
                raise PublishError("a process that renders was killed, perhaps for want of memory") from error
            else:
                self._killed = 0
            finally:
                self._observer.published(made)

    def publish(self) -> str:
        """Regenerates what changed; why some of it could not be written, empty where all was. That is tried again later.

        Does nothing as long as it is withheld. That a worker was killed is an accident once, and a fault in a row.
        """
        try:
            if self.withheld():
                self.wishes.wish(_HEARD_S)
                return ""
            failed = [result.error for result in self.regenerate() if result.error]
        except (PublishError, StoreError) as error:
            if isinstance(error.__cause__, BrokenExecutor) and self._killed == 1:
                self.wishes.wish(CHANGED_S)
                return ""
            self.wishes.wish(AGAIN_S)
            raise
        if failed:
            self.wishes.wish(AGAIN_S)
        return failed[0] if failed else ""

    # -- both ---------------------------------------------------------------------------------------------------------

    def run(self, order: Order, tell: Listener) -> None:
        """Does what `aggregator run` would do, after what is under way; tells of each result as it comes."""
        with self._asking:
            for result in self._ordered(order):
                self._observer.source(result)
                tell.source(result)
        self.release()
        if not order.force and (why := self.withheld()):
            tell.feed(FeedResult("", error=why))
            return
        if order.refresh and (images := self.mirror()):
            tell.mirrored(images)
        try:
            for made in self.regenerate(order.feeds, force=order.force):
                tell.feed(made)
        except PublishError as error:
            self.wishes.wish(CHANGED_S)
            tell.feed(FeedResult("", error=str(error)))

    def _ordered(self, order: Order) -> Iterator[SourceResult]:
        """Refreshes what a run is to refresh: files first, so that who saves one does not wait for the hosts behind it."""
        with self._looking:
            config = self._config
            chosen = self._chosen(config, order)
            files = [one for one in chosen if is_looked_at(one)]
            yield from chain(self._withdrawn(config), self._refresh(config, files, asks_gained=False))
        known = {one.name for one in config.sources}
        wanted = {one.name for one in chosen}
        now = self._config  # a list may have lost feeds, and gained others, which belong to it
        rest = [one for one in now.sources if not is_looked_at(one) and (one.name in wanted or one.name not in known)]
        yield from self._refresh(now, rest if order.refresh else ())

    def _chosen(self, config: Config, order: Order) -> Sequence[Source]:
        if not order.refresh:
            return ()
        if order.sources:
            return [one for one in config.sources if one.name in set(order.sources)]
        return config.sources if order.every_source else due_sources(config, self.store, self.now())

    def rest(self) -> None:
        """Ends the worker processes where there was nothing to do for a while: their memory is better used by others."""
        if self._monotonic() - self._worked_at < _IDLE_S:
            return
        locks = (self._asking, self._looking, self._publishing)
        taken = [lock for lock in locks if lock.acquire(blocking=False)]
        try:
            if len(taken) == len(locks):
                self._workers.rest()
        finally:
            for lock in taken:
                lock.release()

    def settle(self, until: float) -> bool:
        """Waits for what is under way to end, until a moment of the clock that only ticks; whether it did."""
        locks = (self._publishing, self._looking, self._asking, self._mirroring)
        done = [lock.acquire(timeout=max(until - self._monotonic(), 0.01)) for lock in locks]
        if all(done):
            self._workers.rest()
            self.store.close()
        return all(done)

    def is_published(self) -> bool:
        """Whether what we published is still there: somebody may have removed it."""
        return manifest_stamp(self._config.output) is not None

    def check(self) -> str:
        """Why the store cannot be used; empty: it can."""
        try:
            with self.store.read() as tx:
                tx.settings.get("")
        except StoreError as error:
            return str(error)
        return ""
