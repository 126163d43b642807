"""Published documents, answered: at once where everything is in memory, and otherwise after looking."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aggregator.config.models import Config
from aggregator.errors import StoreError
from aggregator.models import Feed
from aggregator.pipeline.published import private_feeds, published_feeds, sources_of
from aggregator.serve import replies
from aggregator.serve.answer import Answer, plain
from aggregator.serve.coding import compressed
from aggregator.serve.conditions import OK, Ask, asked, precondition, tags
from aggregator.serve.deltas import cut, is_wanted
from aggregator.serve.freshness import PATIENCE_S, Freshness
from aggregator.serve.negotiate import acceptable
from aggregator.serve.running import Running
from aggregator.serve.shelf import Shelf
from aggregator.serve.targets import PRIVATE, View, decoded, find, view_of, within
from aggregator.serve.versions import Variant, Version

CACHE_BYTES = 64_000_000
_THREADS = 4
_MOST_TARGETS = 20_000  # paths of requests that are known to be documents
_ASK_AGAIN_S = 5.0  # after the store failed
_NO_TOKEN_S = 1.0  # likewise while a private feed has no token: the next regenerating gives it one
_FEEDS_HOLD_S = 10.0  # how long the list of feeds is taken to be right


class Documents:
    """What was published, by the path of a request. All is asked in the event loop's thread."""

    def __init__(
        self,
        running: Running,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        max_bytes: int = CACHE_BYTES,
    ) -> None:
        self._running, self._clock, self._monotonic = running, clock, monotonic
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="documents")
        self._asking = ThreadPoolExecutor(
            1, thread_name_prefix="documents-store"
        )  # a store that hangs holds no document up
        self.shelf = Shelf(clock, self._threads, max_bytes=max_bytes)
        self._freshness = Freshness(running, clock, self._asking)
        self._view: View | None = None
        self._private_until = -math.inf  # how long its private feeds are taken to be right
        self._targets: dict[bytes, str] = {}
        self._holders = _Holders(running, clock)

    def figures(self) -> dict[str, int]:
        """What the status page says of the documents in memory; sizes in KB."""
        return {"documents_cached": len(self.shelf), "documents_kb": self.shelf.size // 1000}

    def close(self) -> None:
        """Ends the threads; what they are doing is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._asking.shutdown(wait=False, cancel_futures=True)

    # -- at once ----------------------------------------------------------------------------------------------------------

    def hot(self, target: bytes, ask: Ask) -> Answer | None:
        """The answer to a GET or HEAD, if nothing has to be looked up for it; the same as `answer` would give."""
        path = self._targets.get(target)
        view = self._view
        if path is None or view is None or view.config is not self._running.config or ask.a_im is not None:
            return None
        version = self.shelf.hot(path)
        if version is None:
            return None
        variant = version.variant(acceptable(ask.accept_encoding))
        return None if variant is None else self._reply(ask, version, variant, view)

    # -- after looking ----------------------------------------------------------------------------------------------------

    async def answer(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> Answer:
        """What a request is answered: `target` is its path as it came, without a query, and headers have lower-case names.

        Raises:
            PublishError: what was published cannot be told.
        """
        view = self._viewed()
        path = decoded(target)
        if path is None:
            return plain(400)
        if path.startswith(f"/{PRIVATE}") or within(path, view.prefix).startswith(f"/{PRIVATE}"):
            view = await self._with_private(view)  # what is public does not need the store
        await self.shelf.refresh()
        found = find(path, view, self.shelf.listed)
        if found is None:
            return plain(404)
        if method not in {b"GET", b"HEAD"}:
            return replies.options() if method == b"OPTIONS" else plain(405, ((b"allow", replies.METHODS),))
        if found.directory is not None:
            return replies.moved(found.directory, view)
        version = await self.shelf.read(found.path)
        if version is not None:
            self._remember(target, path, version, view)
            return await self._of(version, asked(method, headers), view)
        return plain(404)

    async def _of(self, version: Version, ask: Ask, view: View) -> Answer:
        """The answer to a GET or HEAD of a version that is in memory."""
        codings = acceptable(ask.accept_encoding)
        await self.shelf.code(version, codings)
        await self._freshness.learn()
        if version.sources is None and version.format:
            await self._learn_sources(version)
        variant = version.variant(codings)
        assert variant is not None
        if ask.a_im is not None and is_wanted(ask.a_im):
            made = await self._new_items(ask, version, variant, view)
            if made is not None:
                return made
        return self._reply(ask, version, variant, view)

    def _reply(self, ask: Ask, version: Version, variant: Variant, view: View) -> Answer:
        max_age = self._freshness.max_age(version.sources)
        return replies.reply(ask, version, variant, view, max_age=max_age, now=self._clock())

    async def _new_items(self, ask: Ask, version: Version, variant: Variant, view: View) -> Answer | None:
        """Only the items that the version named by If-None-Match did not hold; None where that cannot be told."""
        if ask.is_head or ask.if_none_match is None or ask.range is not None or not version.format:
            return None
        is_old = self._clock() - version.modified >= replies.YOUNG_S
        if precondition(ask, variant.etag, version.modified if is_old else None) != OK:
            return None
        known = self.shelf.memory.find(version.path, tags(ask.if_none_match))
        if known is None:
            return None
        base, digests = known
        key = ("delta", version, base, variant.coding)
        body = await self.shelf.once(key, _delta, version.body, version.format, digests, variant.coding)
        return None if body is None else replies.new_items(version, variant, view, base, body)

    async def _learn_sources(self, version: Version) -> None:
        """Whose posts a feed holds, if the store says so soon; otherwise the answer holds as long as for any source."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._asking, self._holders.sources, version.path)

        def learnt(done: asyncio.Future[frozenset[str]]) -> None:
            if not done.cancelled() and done.exception() is None:
                version.sources = done.result()

        version.sources = frozenset()  # asked for once
        work.add_done_callback(learnt)
        await asyncio.wait({work}, timeout=PATIENCE_S)

    def _viewed(self) -> View:
        """What the configuration in force says, and those of its private feeds that are known."""
        config = self._running.config
        if self._view is None or self._view.config is not config:
            self._targets.clear()
            self.shelf.move(config.output)
            self._view, self._private_until = view_of(config, ()), -math.inf
        return self._view

    async def _with_private(self, view: View) -> View:
        """The view with its private feeds, for which the store is asked until each has its token."""
        config = view.config
        if self._monotonic() < self._private_until:
            return view
        try:
            key = ("private", id(config))
            private = await self.shelf.once(key, private_feeds, config, self._running.store, threads=self._asking)
        except StoreError:
            found, holds_s = view, _ASK_AGAIN_S
        else:
            is_complete = len(private) == sum(feed.private for feed in config.feeds)
            found, holds_s = view_of(config, private), math.inf if is_complete else _NO_TOKEN_S
        if self._view is not None and self._view.config is config:  # otherwise it is another's turn by now
            self._view, self._private_until = found, self._monotonic() + holds_s
        return found

    def _remember(self, target: bytes, path: str, version: Version, view: View) -> None:
        """Notes that a target is a document; not those that name a directory, which others may have a page for, nor secrets."""
        if version.path.startswith(PRIVATE) or not within(path, view.prefix).endswith(version.path):
            return
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        self._targets[target] = version.path


class _Holders:
    """Which sources' posts a document holds, as the store says; asked in a thread of its own."""

    def __init__(self, running: Running, clock: Callable[[], float]) -> None:
        self._running, self._clock = running, clock
        self._feeds: dict[str, Feed] = {}
        self._looked: tuple[Config, float] | None = None

    def sources(self, path: str) -> frozenset[str]:
        """Their names; none where that cannot be told."""
        config, now = self._running.config, self._clock()
        with contextlib.suppress(StoreError):
            if self._looked is None or self._looked[0] is not config or not 0 <= now - self._looked[1] < _FEEDS_HOLD_S:
                found = published_feeds(config, self._running.store)  # 50 ms where there are 10,000 categories
                self._feeds = {feed.directory: feed for feed in found}
                self._looked = (config, now)
            feed = self._feeds.get(path.rpartition("/")[0])
            return sources_of(self._running.store, [feed]) if feed is not None else frozenset()
        return frozenset()


def _delta(body: bytes, name: str, digests: bytes, coding: str) -> bytes | None:
    pieces = cut(body, name)
    if pieces is None:
        return None
    return compressed(pieces.without(digests), coding, quickly=True)
