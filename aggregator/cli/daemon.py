"""`aggregator daemon`: puts engine, server and log together, and hears signals."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from aggregator.cli.logs import Log, LogFormat
from aggregator.cli.moments import now
from aggregator.config.models import Config
from aggregator.config.reading import read_config
from aggregator.pipeline.push import Push
from aggregator.pipeline.results import FeedResult, SourceResult, counted
from aggregator.schedule.daemon import Daemon
from aggregator.schedule.engine import Engine
from aggregator.schedule.handover import Taker, socket_path
from aggregator.schedule.systemd import Notifier
from aggregator.schedule.workers import WorkerPool
from aggregator.store.lock import run_lock
from aggregator.store.store import Store


class Told:
    """Says in the log what an engine did."""

    def __init__(self, log: Log) -> None:
        self.push: Push | None = None
        self._log = log

    def source(self, result: SourceResult) -> None:
        """What a source gave, where that is news, and what was wrong with it."""
        for warning in result.warnings:
            self._log.warning(warning, source=result.name)
        if result.error:
            self._log.error(result.error, source=result.name)
        elif result.is_news or result.feeds is not None:
            self._log.info(result.in_words, source=result.name)

    def feed(self, result: FeedResult) -> None:
        """Why a feed failed."""
        if result.error:
            self._log.error(result.error, feed=result.slug or "the front page")

    def published(self, results: Sequence[FeedResult]) -> None:
        """How many documents changed."""
        if written := sum(len(result.written) for result in results):
            feeds = counted(sum(bool(result.slug) for result in results), "feed")
            self._log.info(f"{feeds} regenerated, {counted(written, 'document')} written")
        if self.push is not None:
            self.push.regenerated(results)


def run_daemon(file: Path, *, host: str | None, port: int | None, serve: bool, log_format: LogFormat) -> None:
    """Works until SIGTERM or SIGINT; SIGHUP has the configuration read again. Raises AggregatorError where it cannot start."""
    config = _listening(read_config(file), host, port)
    log, notifier = Log(log_format), Notifier(os.environ)
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    store = Store(config.store)
    with ExitStack() as held:
        held.enter_context(run_lock(config.store, "aggregator daemon"))
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(one, lambda number, _: signals.put(number))
        store.open()
        workers = WorkerPool(has_threads=True)
        told = Told(log)
        engine = Engine(config, store, clock=now, workers=workers, observer=told)
        daemon = Daemon(
            file,
            engine,
            log=log,
            notifier=notifier,
            taker=lambda do: Taker(socket_path(config, os.environ), do),
        )
        told.push = Push(daemon, log.warning)
        daemon.helpers.append(told.push)
        daemon.start()
        log.info("started", sources=len(daemon.config.sources), store=store.shown)
        while (number := signals.get()) == signal.SIGHUP:
            daemon.reload()
        log.info("ending", signal=signal.Signals(number).name)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: os._exit(1))  # whoever says it twice means it
        if not daemon.stop():
            log.warning("ended before everything under way was done; the next run does it")
            os._exit(0)  # threads that wait for a host, or a long transaction, would be waited for


def _listening(config: Config, host: str | None, port: int | None) -> Config:
    """The configuration with what the command line says of where to listen."""
    said = {"host": host, "port": port}
    serve = config.serve.model_copy(update={key: value for key, value in said.items() if value is not None})
    return config.model_copy(update={"serve": serve})
