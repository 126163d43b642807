"""A published folder, a daemon that is made up, and a real server on the loopback."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aggregator.config.models import Config
from aggregator.models import Document
from aggregator.pipeline.published import media_type
from aggregator.publish.manifest import MANIFEST
from aggregator.publish.writer import Writer
from aggregator.serve.accesslog import AccessLog
from aggregator.serve.app import make_app
from aggregator.serve.documents import Documents
from aggregator.serve.metrics import Metrics
from aggregator.serve.observing import Observer
from aggregator.serve.running import Queue
from aggregator.serve.server import Server
from aggregator.store.store import Store

BASE_URL = "https://feeds.example.com/"


@dataclass
class Daemon:
    """What the server knows of a daemon, all of it up to the test."""

    config: Config
    store: Store
    due: dict[str, datetime | None] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    is_ready: bool = True
    queue: Queue = field(default_factory=Queue)
    trouble: str = ""

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)

    def problem(self) -> str:
        return self.trouble

    def next_due(self) -> dict[str, datetime | None]:
        return self.due

    def take_push(self, source: str, body: bytes, content_type: str) -> bool:
        raise AssertionError


@dataclass
class Place:
    """An output with documents in it, and the daemon that serves them."""

    folder: Path
    store: Store
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.daemon = Daemon(self.config, self.store)

    @property
    def config(self) -> Config:
        data = {"site": {"base_url": BASE_URL}, "output": "out", "store": self.store.url, **self.settings}
        return Config.model_validate(data, context={"folder": self.folder})

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def configure(self, **settings: Any) -> None:
        self.settings.update(settings)
        self.daemon.config = self.config

    def publish(self, path: str, body: bytes, *, age_s: float = 3600) -> Path:
        """Writes a document as regenerating does, dated back, so that it has a Last-Modified."""
        writer = Writer(self.output)
        documents = [str(file.relative_to(self.output)) for file in self.output.rglob("*") if file.is_file()]
        writer.register({path, *(one for one in documents if one != MANIFEST)})
        writer.write([Document(path, body, media_type(path))])
        file = self.output / path
        age(file, age_s)
        return file


def age(file: Path, age_s: float) -> None:
    import os
    import time

    moment = int(time.time()) - age_s
    os.utime(file, (moment, moment))


@dataclass
class Reply:
    """An answer, its headers by lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes


class Site:
    """A running server, and requests to it over one connection or many."""

    def __init__(
        self, place: Place, documents: Documents, port: int, events: list[dict[str, Any]], metrics: Metrics
    ) -> None:
        self.place, self.documents, self.port, self.events, self.metrics = place, documents, port, events, metrics

    def get(self, target: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.putrequest(method, target, skip_accept_encoding=True, skip_host="Host" in given)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def raw(self, request: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return drained(connection)


def drained(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65_536):
        received += data
    return received


@pytest.fixture
def place(tmp_path: Path, sqlite: Store) -> Place:
    return Place(tmp_path, sqlite)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


class Stage:
    """Where a test's application stands in for the one before it: a server of its own would cost a quarter of a second."""

    def __init__(self) -> None:
        self.port = 0
        self.app: Any = None
        self.documents: Any = None
        self.observer: Any = None

    async def play(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def hot(self, *arguments: Any) -> Any:
        return self.documents.hot(*arguments)

    def observe(self, *arguments: Any) -> None:
        self.observer(*arguments)


def prepared(place: Place, routes: Any = ()) -> tuple[Any, Documents, Observer, list[dict[str, Any]]]:
    """An application over a place, and what it logs."""
    events: list[dict[str, Any]] = []
    documents = Documents(place.daemon)
    log = AccessLog(lambda event, **fields: events.append({"event": event, **fields}))
    observer = Observer(Metrics(), log, base_url=lambda: place.daemon.config.site.base_url)
    observer.metrics.watch(place.daemon, documents)

    def failed(path: str, error: Exception) -> None:
        events.append({"event": "failed", "path": path, "error": error})

    return (
        make_app(place.daemon, documents, routes=routes, observer=observer, on_error=failed),
        documents,
        observer,
        events,
    )


@contextmanager
def listening(app: Any, *at_once: Any, **options: Any) -> Iterator[Server]:
    """A server in a thread."""
    server = Server(app, at_once, "127.0.0.1", 0, **{"sweep_s": 0.1, "grace_s": 1, **options})
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.wait_listening(10)
        yield server
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    made = Stage()
    with listening(made.play, made, observer=made.observe) as server:
        made.port = server.port
        yield made


def staged(place: Place, stage: Stage) -> Iterator[Site]:
    stage.app, stage.documents, stage.observer, events = prepared(place)
    yield Site(place, stage.documents, stage.port, events, stage.observer.metrics)
    stage.documents.close()


@pytest.fixture
def site(place: Place, stage: Stage) -> Iterator[Site]:
    yield from staged(place, stage)


@pytest.fixture
def engine_site(tmp_path: Path, store: Store, stage: Stage) -> Iterator[Site]:
    """A site whose plan is a real engine's, over a store of each kind, with a source and a private feed."""
    from aggregator.schedule.engine import Engine
    from aggregator.schedule.workers import WorkerPool

    place = Place(tmp_path, store, {
        "sources": [{"name": "web", "type": "feed", "url": "https://web.example/feed"}],
        "feeds": [{"slug": "mine", "title": "Mine", "private": True}],
    })  # fmt: skip
    engine = Engine(place.config, store, clock=place.daemon.now, workers=WorkerPool(1), observer=Metrics())  # type: ignore[arg-type]
    place.daemon.next_due = engine.next_due  # type: ignore[method-assign]
    yield from staged(place, stage)


@pytest.fixture
def serve(place: Place) -> Callable[..., Any]:
    """A server with other limits or routes: `with serve(limits=…) as site`."""

    @contextmanager
    def make(*, routes: Any = (), at_once: Any = (), **options: Any) -> Iterator[Site]:
        app, documents, observer, events = prepared(place, routes)
        try:
            with listening(app, documents, *at_once, observer=observer, **options) as server:
                yield Site(place, documents, server.port, events, observer.metrics)
        finally:
            documents.close()

    return make
