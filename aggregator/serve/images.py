"""`/img/SIGNATURE/ORIGIN`: images of others, from memory, from the disk, or from where they are; never one that we did not sign.

What is in memory is answered at once, as documents are. Whatever takes longer is done in threads, once for all who want it.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from aggregator.config.models import Config
from aggregator.errors import FetchError, Refused
from aggregator.pipeline.imagerules import signing_key
from aggregator.pipeline.imaging.cache import Kept
from aggregator.pipeline.imaging.failures import Failure, Failures, domain_of
from aggregator.pipeline.imaging.proxy import HOLDS_S, LOOP, ImageProxy, file_name
from aggregator.pipeline.imaging.scaling import Form, form_of
from aggregator.serve import replies
from aggregator.serve.answer import Answer, plain
from aggregator.serve.app import send_answer
from aggregator.serve.conditions import Ask, asked
from aggregator.serve.flights import Flights
from aggregator.serve.imagereplies import Shown, failed, looped, unsigned
from aggregator.serve.line import Full, Line
from aggregator.serve.negotiate import names
from aggregator.serve.running import Running

T = TypeVar("T")

MEMORY_BYTES = 64_000_000
_MOST_TARGETS = 20_000  # paths of requests that are known to be images
_FETCHING, _PER_HOST = 16, 4  # at a time
_MOST_IN_LINE, _MOST_OF_A_HOST = 1000, 200  # over HTTP/2 a browser asks for all pictures of a page at once
_READING, _SCALING = 2, 1  # threads: a picture of 50 megapixels takes 150 MB while it is scaled
# Bytes of images that wait to be scaled, where a small one counts as some: it may take as long as a large one.
_SCALING_BYTES, _SCALED_AS = 64_000_000, 2_000_000
_SCALING_PATIENCE_S = 5.0  # that a reader waits for a scaled image, who then gets it as it is
_PATIENCE_S = 60.0  # that a reader waits, with the time in line
_STALE_PATIENCE_S = 3.0  # where there is an older image to show
_SOON_S = 10.0  # until it is looked again whether what took too long is there


class Images:
    """The proxy as the server has it. All is asked in the event loop's thread."""

    def __init__(
        self,
        running: Running,
        *,
        clock: Callable[[], float] = time.time,
        max_bytes: int = MEMORY_BYTES,
        resolve: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._running, self._clock, self._resolve, self._room = running, clock, resolve, max_bytes
        self._fetching = ThreadPoolExecutor(_FETCHING, thread_name_prefix="images-fetch")
        self._reading = ThreadPoolExecutor(_READING, thread_name_prefix="images")
        self._scaling = ThreadPoolExecutor(_SCALING, thread_name_prefix="images-scale")
        self._line = Line(at_a_time=_FETCHING, per_host=_PER_HOST, most=_MOST_IN_LINE, most_per_host=_MOST_OF_A_HOST)
        self._flights = Flights()
        self._making: dict[Hashable, int] = {}  # what is being scaled or waits for it, with the bytes that it counts as
        self._failures = Failures(clock)
        self._config: Config | None = None
        self._proxy: ImageProxy | None = None
        self._shown: OrderedDict[tuple[str, bool], Shown] = OrderedDict()
        self._targets: dict[bytes, str] = {}
        self._size = 0
        self.fetched = self.failed = 0

    def routes(self) -> list[Route]:
        """The one route, for every method."""
        return [Route("/img/{path:path}", self)]

    def figures(self) -> dict[str, int]:
        """What the status page and the metrics say of images; sizes in KB."""
        cache = self._proxy.cache if self._proxy is not None else None
        return {
            "images_cached": len(cache) if cache is not None else 0,
            "images_kb": cache.size // 1000 if cache is not None else 0,
            "images_fetched": self.fetched,
            "images_failed": self.failed,
            "images_not_written": cache.faults if cache is not None else 0,
        }

    def close(self) -> None:
        """Ends the threads; what they are doing is not waited for."""
        for threads in (self._fetching, self._reading, self._scaling):
            threads.shutdown(wait=False, cancel_futures=True)
        if self._proxy is not None:
            self._proxy.close()

    # -- at once ----------------------------------------------------------------------------------------------------------

    def hot(self, target: bytes, ask: Ask) -> Answer | None:
        """The answer to a GET or HEAD, if the image is in memory; the same as `answer` would give."""
        origin = self._targets.get(target)
        config = self._config
        if origin is None or config is None or config is not self._running.config:
            return None
        shown = self._in_memory((origin, _takes(config, ask)))
        return None if shown is None else shown.reply(ask, self._clock())

    # -- after looking ----------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answers as an application of its own."""
        path: str = scope["path_params"]["path"]
        answer = await self.answer(scope["method"].encode(), path, scope["whole_path"], scope["headers"])
        await send_answer(answer, scope, send)

    async def answer(self, method: bytes, path: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> Answer:
        """What a request is answered: `path` is what follows `/img/`, `target` the path as it came, without a query.

        Raises:
            StoreError: the key that the URLs are signed with cannot be told.
        """
        if method not in {b"GET", b"HEAD"}:
            return replies.options() if method == b"OPTIONS" else plain(405, ((b"allow", replies.METHODS),))
        proxy, config = await self._opened()
        origin = proxy.origin(path)
        if origin is None:
            return unsigned()
        ask = asked(method, headers)
        key = (origin, _takes(config, ask))
        shown: Shown | Failure | None = self._in_memory(key)
        if shown is None:
            if _is_from(proxy, headers):
                return looped()
            shown = await self._flights.once(("show", id(proxy), *key), self._show, proxy, config, *key)
        if isinstance(shown, Failure):
            return failed(shown.status, shown.text, shown.until - self._clock())
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        self._targets[target] = origin
        return shown.reply(ask, self._clock())

    async def _opened(self) -> tuple[ImageProxy, Config]:
        """The proxy by the configuration in force; another one where another says something else of images."""
        config = self._running.config
        if self._proxy is not None and self._config is not None and _is_same(config, self._config):
            self._config = config
            return self._proxy, config
        opened: ImageProxy = await self._flights.once(("open", id(config)), self._in, self._reading, self._open, config)
        if config is not self._running.config:
            return await self._opened()
        if opened is not self._proxy:  # else another request has put it there
            self._replace(opened)
        self._config = config
        return opened, config

    def _replace(self, proxy: ImageProxy) -> None:
        """Goes on with another proxy: nothing that is in memory holds."""
        if self._proxy is not None:
            self._proxy.close()
        self._proxy = proxy
        self._shown.clear()
        self._targets.clear()
        self._size, self._failures = 0, Failures(self._clock)

    def _open(self, config: Config) -> ImageProxy:
        key = signing_key(config, self._running.store)
        return ImageProxy(config, key, clock=self._clock, resolve=self._resolve)

    async def _show(self, proxy: ImageProxy, config: Config, origin: str, takes_format: bool) -> Shown | Failure:
        """An image that is not in memory, or not any more what its origin has; or why it cannot be had."""
        kept, now = await self._in(self._reading, proxy.kept, origin), self._clock()
        holds_until = 0.0 if kept is None else kept.fetched + HOLDS_S
        # One that was fetched after now was so while the clock was ahead, nobody knows when.
        if kept is None or not kept.fetched <= now < holds_until:
            found = await self._asked(proxy, origin, kept)
            if isinstance(found, Kept):
                kept, holds_until = found, found.fetched + HOLDS_S
            elif kept is None:
                return found
            else:
                holds_until = found.until
        form = form_of(config.images.proxy, takes_format=takes_format)
        if form is not None:
            formed = await self._formed(proxy, origin, kept, form)
            if formed is None:
                holds_until = min(holds_until, self._clock() + _SOON_S)
            kept = formed or kept
        shown = Shown(
            kept.body,
            kept.type,
            name=file_name(origin, kept.suffix),
            modified=min(kept.modified, self._clock()),
            holds_until=holds_until,
            varies=config.images.proxy.format is not None,
        )
        if proxy is self._proxy:
            self._put((origin, takes_format), shown)
        return shown

    async def _formed(self, proxy: ImageProxy, origin: str, kept: Kept, form: Form) -> Kept | None:
        """An image in another form; None where that is not there yet, because it takes long or too many wait for theirs."""
        known = await self._in(self._reading, proxy.known, origin, kept, form)
        if known is not None:
            return known
        key, size = (id(proxy), origin, form), max(len(kept.body), _SCALED_AS)
        if key in self._making or sum(self._making.values()) + size > _SCALING_BYTES:
            return None
        self._making[key] = size
        making = asyncio.ensure_future(self._in(self._scaling, proxy.made, origin, kept, form))
        making.add_done_callback(lambda _: self._making.pop(key))
        done, _ = await asyncio.wait([making], timeout=_SCALING_PATIENCE_S)
        return making.result() if done else None

    async def _asked(self, proxy: ImageProxy, origin: str, former: Kept | None) -> Kept | Failure:
        """What the origin has now, or why it cannot be had; it is not asked while it is known that it cannot."""
        known = self._failures.find(origin)
        if known is not None:
            return known
        if proxy.is_own(origin):
            return self._failures.note(origin, Refused("it is a URL of our own proxy", url=origin))
        try:
            async with asyncio.timeout(_PATIENCE_S if former is None else _STALE_PATIENCE_S):
                return await self._flights.once(("fetch", id(proxy), origin), self._fetch, proxy, origin, former)
        except TimeoutError:
            return Failure(504, "Its server takes too long.", self._clock() + _SOON_S)

    async def _fetch(self, proxy: ImageProxy, origin: str, former: Kept | None) -> Kept | Failure:
        """Asks the origin when it is its turn."""
        try:
            async with self._line.turn(domain_of(origin)):
                known = self._failures.find(origin)  # its host may have said meanwhile that it wants to be left alone
                if known is not None:
                    return known
                kept = await self._in(self._fetching, proxy.fetch, origin, former)
        except Full:
            return Failure(503, "This server has too much to do; try again soon.", self._clock() + _SOON_S)
        except FetchError as error:
            self.failed += 1
            return self._failures.note(origin, error)
        self.fetched += 1
        self._failures.forget(origin)
        return kept

    async def _in(self, threads: Executor, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)

    # -- in memory --------------------------------------------------------------------------------------------------------

    def _in_memory(self, key: tuple[str, bool]) -> Shown | None:
        shown, now = self._shown.get(key), self._clock()
        if shown is None or not now < shown.holds_until <= now + HOLDS_S:  # longer than that: the clock was set back
            return None
        self._shown.move_to_end(key)
        return shown

    def _put(self, key: tuple[str, bool], shown: Shown) -> None:
        """Keeps an image in memory, a large one too: a hundred slow readers of it share its bytes."""
        former = self._shown.pop(key, None)
        self._size -= len(former.body) if former is not None else 0
        self._shown[key] = shown
        self._size += len(shown.body)
        while self._size > self._room and len(self._shown) > 1:
            self._size -= len(self._shown.popitem(last=False)[1].body)


def _takes(config: Config, ask: Ask) -> bool:
    """Whether a reader says that it takes the format that images are encoded in."""
    wanted = config.images.proxy.format
    return wanted is not None and names(ask.accept, f"image/{wanted}")


def _is_from(proxy: ImageProxy, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether it is the proxy itself that asks."""
    return any(name == LOOP.lower().encode() and proxy.pseudonym.encode() in value for name, value in headers)


def _is_same(config: Config, other: Config) -> bool:
    """Whether two configurations say the same of images, and of how servers are asked."""
    return config is other or (
        config.images == other.images
        and config.fetch == other.fetch
        and config.site.base_url == other.site.base_url  # which is in what we call ourselves
    )
