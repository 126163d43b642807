"""Fetching many images at once, and writing each to its place: hosts in turn, and no host more often than it likes."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, Queue
from typing import TYPE_CHECKING, Protocol

from aggregator.errors import AggregatorError, AskedToWait, FetchError, HttpStatus, PublishError
from aggregator.ingest.gate import Gate
from aggregator.ingest.lanes import Lanes
from aggregator.ingest.politeness import DAY_S, WEEK_S, backoff
from aggregator.pipeline.imaging.copies import TYPES, Copies, file_of
from aggregator.pipeline.manners import Manners
from aggregator.store.media import Copy, Due, Missed

if TYPE_CHECKING:  # requests is for runs that fetch an image
    from aggregator.pipeline.imaging.fetching import Picture

THREADS = 8  # each of which may hold a whole image
_BATCH = 256  # outcomes remembered together, and what they change published together
_BATCH_S = 15.0  # likewise: feeds are rendered anew after each
_LOOK_UP_S = 0.2  # how often it is looked whether it is time to end
_FAILED = 3  # images in a row for which a host did not answer: the others wait
_REFUSED = 8  # images that did not fit
_NO_ROOM = "there is no room for more within `images.mirror_bytes`"
_HOUR_S = 3600.0
_MONTH_S = 30 * DAY_S
_GIVEN_UP_AFTER = 10  # failures in a row; then it is asked for once a month
_TRY_AGAIN = frozenset({408, 425, 429})  # the statuses that say nothing about the image, though they begin with 4

Outcome = Copy | Missed


class Fetches(Protocol):
    """Who fetches images."""

    def fetch(self, url: str) -> Picture:
        """The image at a URL; raises FetchError and its kinds."""

    def close(self) -> None:
        """Closes the connections that were kept."""


class Room:
    """How many bytes may still be written, and why none may be any more; for all threads.

    What does not fit leaves room for what does; after some of those there is none that is worth fetching for.
    """

    def __init__(self, left: int) -> None:
        self._lock = threading.Lock()
        self._left = left
        self.refused = 0
        self.closed = _NO_ROOM if left <= 0 else ""

    def take(self, size: int) -> bool:
        """Takes so many bytes; False where there are not as many left."""
        with self._lock:
            if size <= self._left and not self.closed:
                self._left -= size
                return True
            self.refused += 1
            if self.refused >= _REFUSED:
                self.closed = self.closed or _NO_ROOM
            return False

    def close(self, why: str) -> None:
        """Lets nothing be written any more."""
        with self._lock:
            self.closed = self.closed or why

    @property
    def warning(self) -> str:
        """Why images were left out; empty: none were."""
        return self.closed or (_NO_ROOM if self.refused else "")


class Copying:
    """Fetches images and writes them; what became of each is for the caller to remember."""

    def __init__(
        self,
        fetcher: Fetches,
        copies: Copies,
        room: Room,
        *,
        gate: Gate,
        per_host: int,
        manners: Manners,
        clock: Callable[[], datetime],
        random: Callable[[], float] = random.random,
    ) -> None:
        self._fetcher, self._copies, self._room, self._gate = fetcher, copies, room, gate
        self._per_host, self._manners, self._clock, self._random = per_host, manners, clock, random
        self._silent: Counter[str] = Counter()  # images in a row that a host did not answer for

    def run(self, images: Sequence[Due], until: float, ending: threading.Event) -> Iterator[list[Outcome]]:
        """What became of images, those together that came within some seconds; those not begun by then are left out.

        It ends at a moment of the clock that only ticks, or when there is no room; the threads end with it. Once `ending`
        is set, what has not come by then is not waited for.
        """
        jobs = [(image.host, image) for image in images]
        lanes: Lanes[Due] = Lanes(jobs, self._gate.ready_in_s, self._per_host)
        done: Queue[Outcome | None] = Queue()
        count = min(THREADS, len({image.host for image in images}) * self._per_host, len(images))
        work = (threading.Thread(target=self._work, args=(lanes, done), daemon=True) for _ in range(count))
        threads = []
        for thread in work:
            with suppress(RuntimeError):  # the system gives us no more of them: those there are do the work
                thread.start()
                threads.append(thread)
        if not threads:
            raise AggregatorError("no thread could be started: the system's limit on processes is reached")
        try:
            yield from self._gather(lanes, done, len(threads), until, ending)
        finally:
            lanes.stop()
            for thread in () if ending.is_set() else threads:
                thread.join()  # a fork that comes after this must find no thread at work

    def _gather(
        self, lanes: Lanes[Due], done: Queue[Outcome | None], working: int, until: float, ending: threading.Event
    ) -> Iterator[list[Outcome]]:
        batch: list[Outcome] = []
        flush_at = time.monotonic() + _BATCH_S
        while working and not ending.is_set():
            with suppress(Empty):
                outcome = done.get(timeout=_LOOK_UP_S)
                if outcome is None:
                    working -= 1
                else:
                    batch.append(outcome)
            now = time.monotonic()
            if now > until or self._room.closed:
                lanes.stop()
            if batch and (len(batch) >= _BATCH or now > flush_at):
                yield batch
                batch, flush_at = [], time.monotonic() + _BATCH_S
        if batch:
            yield batch

    def _work(self, lanes: Lanes[Due], done: Queue[Outcome | None]) -> None:
        try:
            while (job := lanes.take()) is not None:
                host, image = job
                try:
                    outcome = self._outcome(image)
                finally:
                    lanes.done(host)
                if outcome is not None:
                    done.put(outcome)
        finally:
            done.put(None)

    def _outcome(self, image: Due) -> Outcome | None:
        """What became of one image; None where it is as if nobody had asked for it."""
        if self._silent[image.host] >= _FAILED:
            return self._put_off(image, _HOUR_S, "its host does not answer")
        try:
            picture = self._fetcher.fetch(image.origin)
        except FetchError as error:
            return self._failed(image, error)
        except Exception as error:  # noqa: BLE001 - remembered, or it would be asked for again and again
            return self._missed(image, _HOUR_S, f"unexpected {type(error).__name__}: {error}")
        self._silent[image.host] = 0
        return self._kept(image, picture)

    def _kept(self, image: Due, picture: Picture) -> Outcome | None:
        """The copy of an image, in its place."""
        if TYPES.get(picture.suffix) != picture.type:
            return self._missed(image, _MONTH_S, f"{picture.type} is not copied")
        file, size = file_of(picture.body, picture.suffix), len(picture.body)
        if not self._copies.has(file) and not self._room.take(size):
            return self._put_off(image, DAY_S, _NO_ROOM)
        try:
            self._copies.put(file, picture.body)
        except PublishError as error:
            self._room.close(str(error))
            return None
        return Copy(image.id, file.hash, file.suffix, picture.type, size, picture.width, picture.height)

    def _failed(self, image: Due, error: FetchError) -> Missed:
        """When an image is asked for again that could not be had: sooner where another time may help."""
        text, now = str(error), self._clock()
        if isinstance(error, AskedToWait):
            return Missed(image.id, image.origin, image.failures, error.until, text)
        self._silent[image.host] = 0 if error.is_answer else self._silent[image.host] + 1
        if isinstance(error, HttpStatus):
            self._manners.heed(error, now)
            until = self._manners.wait_of(error.host, now)
            if until is not None:
                return Missed(image.id, image.origin, image.failures, until, text)
        if error.is_answer and not _may_pass(error):
            return self._missed(image, WEEK_S if not image.failures else _MONTH_S, text)
        if image.failures >= _GIVEN_UP_AFTER:
            return self._missed(image, _MONTH_S, text)
        return self._missed(image, max(_HOUR_S, backoff(image.failures + 1, _HOUR_S, self._random)), text)

    def _missed(self, image: Due, wait_s: float, text: str) -> Missed:
        return Missed(image.id, image.origin, image.failures + 1, self._clock() + timedelta(seconds=wait_s), text)

    def _put_off(self, image: Due, wait_s: float, text: str) -> Missed:
        """For later, through no fault of the image's own."""
        return Missed(image.id, image.origin, image.failures, self._clock() + timedelta(seconds=wait_s), text)


def _may_pass(error: FetchError) -> bool:
    """Whether the same question may have another answer soon."""
    return isinstance(error, HttpStatus) and (error.status >= 500 or error.status in _TRY_AGAIN)
