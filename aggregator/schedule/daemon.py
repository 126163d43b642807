"""A daemon from its start to its end: what it does by the clock, what it reacts to, and how it stops.

One tick of APScheduler asks the store what is due; there is no job for a source. A second one does what else has to be done
now and then. Beside them a watcher knows of saved posts, a keeper looks every second at what the system does not tell of
(local feeds, the configuration, the clock), looks at files and a publisher, which regenerates what changed, have threads of
their own, and orders of `aggregator run` come in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from apscheduler.schedulers.background import BackgroundScheduler

from aggregator.config.models import Config
from aggregator.errors import AggregatorError, LockHeld, StoreError
from aggregator.pipeline.private import without_folders, without_tokens
from aggregator.pipeline.results import Queue
from aggregator.schedule.clocks import ClockWatch
from aggregator.schedule.engine import Engine, Listener
from aggregator.schedule.handover import Taker
from aggregator.schedule.looks import Looks
from aggregator.schedule.once import Order
from aggregator.schedule.reloading import Watched
from aggregator.schedule.systemd import Notifier
from aggregator.schedule.watching import Glances, Watcher
from aggregator.store.store import Store

TICK_S = 5  # between two looks at what is due
LOOK_S = 60  # between two looks at all files: what the system did not tell of is found then
_KEEP_S = 1.0
_PUSHES = 64  # documents that were pushed and wait to be stored; what is beyond has to come again
_STUCK_S = 120.0  # without a tick, something is wrong
_END_S = 3.5  # that what is being written may take at the end


class Log(Protocol):
    """Where a daemon says what it does."""

    def info(self, event: str, **ids: Any) -> None:
        """Something was done."""

    def warning(self, event: str, **ids: Any) -> None:
        """Something had to be guessed or left out."""

    def error(self, event: str, **ids: Any) -> None:
        """Something failed."""


class Helper(Protocol):
    """Something that has work to do now and then beside the engine: it is called every few seconds, and must be quick."""

    def tick(self, now: datetime) -> None:
        """Does what is due, or hands it to threads of its own."""

    def close(self) -> None:
        """Ends, within a second."""


class Daemon:
    """Runs an engine; as `serve.running.Running` it is what a server has to know.

    `guard` is called every few seconds, and raises LockHeld where the store is somebody else's by now, StoreError where
    that cannot be known.
    """

    def __init__(
        self,
        watched: Watched,
        engine: Engine,
        *,
        log: Log,
        notifier: Notifier,
        taker: Callable[[Callable[[Path, Order, Listener], None]], Taker] | None = None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine = engine
        self.is_ready = False
        self.helpers: list[Helper] = []
        self._log, self._notifier, self._guard = log, notifier, guard
        self._pushes, self._room = ThreadPoolExecutor(1, "pushes"), threading.Semaphore(_PUSHES)
        self._taker = taker(self._ordered) if taker else None
        self._reloading = threading.Lock()
        self._watched = watched
        self._scheduler = BackgroundScheduler(
            timezone="UTC", executors={"default": {"type": "threadpool", "max_workers": 5}}
        )
        self._looks = Looks(self._looked)
        self._watcher = Watcher(self._looks.wish, log.warning)
        self._glances = Glances(engine.config)
        self._clock = ClockWatch()
        self._ticked_at = time.monotonic()
        self._trouble: dict[str, str] = {}
        self._withheld = ""
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("publisher", self._publish), ("keeper", self._keep))
        ]

    # -- what a server asks -------------------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.engine.config

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the newest configuration is not in force."""
        return self._watched.faults

    @property
    def store(self) -> Store:
        """The store, open."""
        return self.engine.store

    @property
    def queue(self) -> Queue:
        """How much there is to do."""
        return self.engine.queue

    def now(self) -> datetime:
        """The moment."""
        return self.engine.now()

    def problem(self) -> str:
        """Why it does not work as it should; empty: it does."""
        if self._is_stuck():
            return f"nothing was scheduled for {time.monotonic() - self._ticked_at:.0f} seconds"
        # Anybody may ask: where on this machine things lie is for the log.
        return without_folders(next(iter(tuple(self._trouble.values())), ""))  # others change it meanwhile

    def _is_stuck(self) -> bool:
        return time.monotonic() - self._ticked_at > _STUCK_S

    def next_due(self) -> dict[str, datetime | None]:
        """When each source is due, by name; None: at any moment."""
        return self.engine.next_due()

    def take_push(self, source: str, body: bytes, content_type: str) -> bool:
        """Has a document stored that was pushed for a source, and returns at once; whether it will be. Raises StoreError."""
        if self.engine.ending.is_set():
            return False
        if not self._room.acquire(blocking=False):
            self._log.warning("a push was refused: too many wait to be stored", source=source)
            return False
        is_taken = False
        try:
            self.engine.expect_push(source)
            is_taken = self._submit(source, body, content_type)
        finally:
            if not is_taken:
                self._room.release()
        return is_taken

    def _submit(self, source: str, body: bytes, content_type: str) -> bool:
        try:
            self._pushes.submit(self._store_pushed, source, body, content_type)
        except RuntimeError:  # it has begun to end
            self.engine.forget_push(source)
            return False
        return True

    # -- from start to end --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Completes what an earlier run left, then works by itself until `stop`."""
        self._published()
        if self.engine.ending.is_set():
            return
        self.is_ready = True
        for thread in self._threads:
            thread.start()
        self._looks.start()
        for name, work, every_s in (
            ("refresh", self.engine.refresh_due, TICK_S),
            ("upkeep", self._upkeep, TICK_S),
            ("look at all", self._looks.wish, LOOK_S),
            ("index", self.engine.index, TICK_S),
            ("mirror", self.engine.mirror, TICK_S),
        ):
            self._scheduler.add_job(
                self._job(name, work),
                "interval",
                seconds=every_s,
                id=name,
                next_run_time=datetime.now(self._scheduler.timezone),
                coalesce=True,
                misfire_grace_time=None,
                max_instances=1,
            )
        self._scheduler.start()
        self._watcher.start(self.config)
        if self._taker:
            try:
                self._taker.start()
            except OSError as error:
                self._log.warning(f"no work can be taken over from `aggregator run`: {error}")
        self._notifier.ready(self._standing())

    def stop(self) -> bool:
        """Takes on nothing more and lets what is being written be finished, for some seconds; whether it was."""
        self.is_ready = False
        self._notifier.stopping()
        until = time.monotonic() + _END_S
        self.engine.ending.set()
        self._pushes.shutdown(wait=False)  # those that wait are stored, as their hubs were told; others come again
        self.engine.wishes.wish(0)
        if self._taker:
            self._taker.close()
        self._watcher.close()
        self._looks.close()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for helper in self.helpers:
            helper.close()
        is_stored = all(self._room.acquire(timeout=max(until - time.monotonic(), 0.01)) for _ in range(_PUSHES))
        return self.engine.settle(until) and is_stored

    def reload(self) -> None:
        """Goes on with the configuration as it is saved now; where that is wrong, goes on with the old one and says why.

        Where it cannot be put in force, because the store fails, that is tried again by itself.
        """
        with self._noted("reload"):
            self._reload()

    def _reload(self) -> None:
        """Likewise; raises StoreError where the store fails."""
        with self._reloading:
            self._notifier.reloading()
            standing = "the new configuration is not in force; the old one stays"
            try:
                config, faults = self._watched.read()
                for line in faults:
                    self._log.error(f"the new configuration is refused, the old one stays: {line}")
                if config is None:
                    return
                self._reconfigure(config)
                standing = self._standing()
            finally:
                self._notifier.ready(standing)
            self._log.info("the configuration was read again", sources=len(self.config.sources))

    def _reconfigure(self, config: Config) -> None:
        try:
            self.engine.reconfigure(config)
        except AggregatorError:
            self._watched.forget()
            raise
        self._watcher.watch(self.config)
        self._glances = Glances(self.config)
        self._hurry()

    # -- what it does -------------------------------------------------------------------------------------------------

    def _upkeep(self) -> None:
        self._ticked_at = time.monotonic()
        if (problem := self._problem()) != self._trouble.get("store", ""):
            self._log.error(problem) if problem else self._log.info("the store can be used again")
        self._trouble.pop("store", None)
        if problem:
            self._trouble["store"] = problem
            return
        now = self.now()
        self.engine.release()
        if not self.engine.is_published() and "publish" not in self._trouble:  # which is tried again at its own time
            self.engine.wishes.wish(0)
        for helper in self.helpers:
            helper.tick(now)
        self.engine.rest()

    def _problem(self) -> str:
        """Why the store cannot be used; empty: it can. Raises LockHeld where it is somebody else's by now."""
        try:
            self._guard()
        except StoreError as error:
            return str(error)
        return self.engine.check()

    def _publish(self) -> None:
        while not self.engine.ending.is_set():
            if self.engine.wishes.wait(_KEEP_S) and not self.engine.ending.is_set():
                self._published()

    def _published(self) -> None:
        failed = ""
        with self._noted("publish"):
            failed = self.engine.publish()
            if (why := self.engine.withheld()) != self._withheld:
                self._withheld = why
                self._log.warning(why) if why else self._log.info("the sources were heard, and it is published")
        if failed:  # told already, feed by feed
            self._trouble["publish"] = without_tokens(failed)

    def _store_pushed(self, source: str, body: bytes, content_type: str) -> None:
        try:
            with self._noted("push"):
                self.engine.take_push(source, body, content_type)
        finally:
            self._room.release()

    def _keep(self) -> None:
        beat_s = self._notifier.watchdog_s / 3
        beaten_at = time.monotonic()
        while not self.engine.ending.wait(_KEEP_S):
            with self._noted("keeper"):
                if jumped := self._clock.jump_s():
                    self._log.warning(f"the clock was set by {jumped:+.0f} seconds")
                    self._hurry()
                if saved := self._glances.changed() | self._watcher.replaced():
                    self._looks.wish(saved)
                if self._watched.is_changed() and "store" not in self._trouble:
                    self.reload()
            # What else is wrong (a disk that is full) is not mended by starting anew.
            if beat_s and time.monotonic() - beaten_at >= beat_s and not self._is_stuck():
                beaten_at = time.monotonic()
                self._notifier.alive()

    def _hurry(self) -> None:
        """Has every job run now: the scheduler waits for moments on the wall's clock, which may have moved away."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(self._scheduler.timezone))

    def _looked(self, names: Collection[str] | None) -> None:
        with self._noted("look"):
            self.engine.look(names)

    def _ordered(self, file: Path, order: Order, tell: Listener) -> None:
        """Does what `aggregator run` wants; raises LockHeld where that is not ours to do."""
        ours = self._watched.file
        if file.resolve() != ours.resolve():
            raise LockHeld(f"aggregator daemon, which runs another configuration, {ours}")
        if not self.is_ready:
            raise LockHeld("aggregator daemon, which is starting or ending")
        if self._watched.is_changed():
            self._reload()
        if self.faults:
            raise LockHeld(f"aggregator daemon, which refuses the configuration: {self.faults[0]}")
        self._log.info("took over a run")
        self.engine.run(order, tell)

    def _job(self, name: str, work: Callable[[], object]) -> Callable[[], None]:
        def job() -> None:
            with self._noted(name):
                work()

        return job

    @contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        """Notes what went wrong, and what is well again: one thing that fails must not end the others."""
        try:
            yield
        except AggregatorError as error:
            self._log.error(str(error), job=name)
            self._trouble[name] = without_tokens(str(error))
        except Exception as error:  # noqa: BLE001 - said, and remembered as what is wrong
            import traceback  # noqa: PLC0415

            self._log.error(
                f"unexpected {type(error).__name__}: {error}", job=name, trace=traceback.format_exc().splitlines()
            )
            self._trouble[name] = f"unexpected {type(error).__name__} in {name}"
        else:
            self._trouble.pop(name, None)

    def _standing(self) -> str:
        return f"{len(self.config.sources)} sources"
