"""`aggregator daemon`: puts engine, server, push and log together, and hears signals."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aggregator.cli.accesslines import access_lines
from aggregator.cli.logs import Log, LogFormat, hush
from aggregator.cli.moments import present
from aggregator.config.models import Config
from aggregator.errors import AggregatorError, LockHeld
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult, counted
from aggregator.pipeline.websub.push import Push
from aggregator.schedule.daemon import Daemon
from aggregator.schedule.engine import Engine
from aggregator.schedule.handover import Taker, socket_path
from aggregator.schedule.reloading import Watched
from aggregator.schedule.systemd import Notifier
from aggregator.schedule.workers import WorkerPool
from aggregator.serve import media, pages, websub
from aggregator.serve.accesslog import AccessLog, shown_target
from aggregator.serve.app import make_app
from aggregator.serve.documents import Documents
from aggregator.serve.images import Images
from aggregator.serve.metrics import Metrics
from aggregator.serve.observing import Observer
from aggregator.serve.protocol import Limits
from aggregator.serve.server import Server
from aggregator.store.lock import RunLock, run_lock
from aggregator.store.store import Store

_LOOK_S = 0.1  # how often it is looked whether the server listens
_EXIT_S = 0.5  # that the interpreter may take to end
_GRACE_S = 1  # that requests have to finish at the end
_LEAST_BODY = 1_048_576  # bytes; documents that hubs push may be as large as those that are fetched
_BODY_S = 60.0  # that one may take to arrive

Ends = queue.SimpleQueue[int | AggregatorError]  # what comes in: signals, and what makes it impossible to go on


class Told:
    """Who is told of what an engine does: the log, the metrics, and those who push."""

    def __init__(self, log: Log, metrics: Metrics) -> None:
        self.push: Push | None = None
        self._log, self._metrics = log, metrics

    def source(self, result: SourceResult) -> None:
        """What a source gave, where that is news, and what was wrong with it."""
        self._metrics.source(result)
        for warning in result.warnings:
            self._log.warning(warning, source=result.name)
        if result.error:
            self._log.error(result.error, source=result.name)
        elif result.is_news or result.feeds is not None:
            self._log.info(result.in_words, source=result.name)

    def feed(self, result: FeedResult) -> None:
        """Why a feed failed."""
        self._metrics.feed(result)
        if result.error:
            self._log.error(result.error, feed=result.slug or "pages")

    def published(self, results: Sequence[FeedResult]) -> None:
        """How many documents changed."""
        if written := sum(len(result.written) for result in results):
            feeds = counted(sum(bool(result.slug) for result in results), "feed")
            self._log.info(f"{feeds} regenerated, {counted(written, 'document')} written")
        if self.push is not None:
            self.push.regenerated(results)

    def mirrored(self, result: MirrorResult) -> None:
        """How many images were fetched."""
        for warning in result.warnings:
            self._log.warning(warning)
        if result.in_words:
            self._log.info(result.in_words)


def run_daemon(file: Path, *, host: str | None, port: int | None, serve: bool, log_format: LogFormat) -> None:
    """Works until SIGTERM or SIGINT; SIGHUP has the configuration read again. Raises AggregatorError where it cannot start.

    Where it cannot go on, it ends with exit code 3 if another one has taken its lock, else with 1.
    """
    watched = Watched(file)
    config = _listening(watched.config, host, port)
    log, metrics = Log(log_format), Metrics()
    hush("apscheduler")  # which tells of each round that takes longer than a tick
    ends: Ends = queue.SimpleQueue()
    store = Store(config.store)
    with run_lock(config.store, "aggregator daemon") as lock:
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(one, lambda number, _: ends.put(number))
        store.open()
        told = Told(log, metrics)
        engine = Engine(config, store, clock=present, workers=WorkerPool(has_threads=True), observer=told)
        daemon = Daemon(
            watched,
            engine,
            log=log,
            notifier=Notifier(os.environ),
            taker=lambda do: Taker(socket_path(config, os.environ), do),
            guard=lambda: _guard(lock, ends),
        )
        if not serve and config.websub.hub == "builtin":
            log.warning(
                "feeds name our own hub, and nothing serves it: `websub.hub` is `builtin`, and this is --no-serve"
            )
        told.push = push = Push(
            daemon, lambda event, **ids: (log.warning if "error" in ids else log.info)(event, **ids)
        )
        daemon.helpers.append(push)
        if serve:
            with _served(daemon, push, metrics, log, ends) as server:
                code, is_done = _work(daemon, log, ends, server)
        else:
            code, is_done = _work(daemon, log, ends)
        if not is_done:
            log.warning("ended before everything under way was done; the next start does it")
        # Python waits for the threads of its pools, whatever those wait for: a host, or a store that somebody has locked.
        last = threading.Timer(_EXIT_S if is_done else 0, os._exit, (code,))
        last.daemon = True
        last.start()
    if code:
        raise SystemExit(code)


def _work(daemon: Daemon, log: Log, ends: Ends, server: Server | None = None) -> tuple[int, bool]:
    """Lets the daemon work until it is to end; the exit code, and whether all that was under way is done."""

    def start() -> None:
        try:
            daemon.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing works
            ends.put(AggregatorError(f"it could not start: {type(error).__name__}: {error}"))
        else:
            log.info("started", sources=len(daemon.config.sources), store=daemon.store.shown)

    threading.Thread(target=start, name="start", daemon=True).start()  # which may take long, and signals come meanwhile
    while (why := ends.get()) == signal.SIGHUP:
        daemon.reload()
    code = 0
    if isinstance(why, AggregatorError):
        code = 3 if isinstance(why, LockHeld) else 1
        log.error("ending", error=str(why))
    else:
        log.info("ending", signal=signal.Signals(why).name)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # whoever says it twice means it; SIGTERM is being obeyed
    if server is not None:
        server.stop()  # it has its own second to end, meanwhile
    return code, daemon.stop()


def _guard(lock: RunLock, ends: Ends) -> None:
    """Ends the daemon where the lock was lost to somebody else; raises what `check` does."""
    try:
        lock.check()
    except LockHeld as held:
        ends.put(held)
        raise


@contextmanager
def _served(daemon: Daemon, push: Push, metrics: Metrics, log: Log, ends: Ends) -> Iterator[Server]:
    """Serves in a thread of its own for the length of the block: what was published before is there at once."""
    serve = daemon.config.serve
    documents, images = Documents(daemon), Images(daemon)
    metrics.watch(daemon, documents, images.figures)
    access_log = AccessLog(access_lines(log.format)) if serve.access_log else None
    observer = Observer(metrics, access_log, base_url=lambda: daemon.config.site.base_url)
    app = make_app(
        daemon,
        documents,
        routes=[
            *websub.routes(daemon, push),
            *images.routes(),
            *media.routes(daemon),
            *pages.routes(daemon, figures=lambda: {**documents.figures(), **images.figures()}),
        ],
        observer=observer,
        on_error=lambda path, error: log.error(
            "a request failed", path=shown_target(path), error=f"{type(error).__name__}: {error}"
        ),
    )
    server = Server(
        app,
        (documents, images),
        serve.host,
        serve.port,
        observer=observer,
        limits=Limits(body_bytes=max(daemon.config.fetch.max_bytes, _LEAST_BODY), body_s=_BODY_S),
        grace_s=_GRACE_S,
        on_listening=lambda host, port: log.info("listening", host=host, port=port),
    )

    failed: list[AggregatorError] = []

    def work() -> None:
        failed.append(_ended(server))
        ends.put(failed[0])

    thread = threading.Thread(target=work, name="server", daemon=True)
    thread.start()
    while not server.wait_listening(_LOOK_S):
        if not thread.is_alive():
            raise failed[0]
    try:
        yield server
    finally:
        server.stop()
        thread.join(_GRACE_S)
        documents.close()
        images.close()


def _ended(server: Server) -> AggregatorError:
    """Serves; what it ended by. A daemon without its server is of no use, whatever that was."""
    try:
        server.run()
    except AggregatorError as error:
        return error
    except BaseException as error:  # noqa: BLE001 - in a thread of its own nobody else would hear it
        return AggregatorError(f"the server ended: {type(error).__name__}: {error}")
    return AggregatorError("the server ended")


def _listening(config: Config, host: str | None, port: int | None) -> Config:
    """The configuration with what the command line says of where to listen."""
    said = {"host": host, "port": port}
    serve = config.serve.model_copy(update={key: value for key, value in said.items() if value is not None})
    return config.model_copy(update={"serve": serve})
