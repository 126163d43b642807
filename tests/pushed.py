"""Hubs and subscribers on real local servers, and a daemon as push sees it, whose clock the test turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from webfeed import Reply

from aggregator.config.models import Config
from aggregator.models import Document
from aggregator.publish.writer import Writer
from aggregator.store.store import Store

BASE = "https://feeds.example.com/"


@dataclass
class Desk:
    """A configuration that is written as Python, a store, and a clock."""

    folder: Path
    store: Store
    settings: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    moment: datetime = datetime(2024, 5, 1, 12, tzinfo=UTC)
    base_url: str = BASE
    logged: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    _made: tuple[str, Any] = ("", None)

    @property
    def config(self) -> Config:
        data = {
            "site": {"base_url": self.base_url},
            "store": self.store.url,
            "output": "out",
            "fetch": {"allow_private": True, "min_gap_s": 0},
            "sources": self.sources,
        }
        known, made = self._made
        if known != repr((data, self.settings)):  # as the daemon has it: another object only when it is another
            made = Config.model_validate(data | self.settings, context={"folder": self.folder})
            self._made = (repr((data, self.settings)), made)
        return made

    def now(self) -> datetime:
        return self.moment

    def log(self, event: str, **fields: object) -> None:
        self.logged.append((event, fields))

    def publish(self, path: str, body: bytes) -> str:
        """Puts a document into the output, as regenerating does; gives its ETag."""
        writer = Writer(self.folder / "out")
        writer.register([path])
        writer.write([Document(path, body, "application/rss+xml; charset=utf-8")])
        return Document(path, body, "").etag


@dataclass
class Call:
    """One request that a peer got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())


class Peer:
    """A server that answers as it is told, and remembers what it was sent; by default a callback that agrees to everything."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Callable[[Call], Reply] = agrees
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                with suppress(OSError):
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    call = Call(self.command, self.path, headers, body)
                    peer.calls.append(call)
                    reply = peer.answer(call)
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)

            do_POST = do_GET  # noqa: N815 - http.server's name

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def got(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def agrees(call: Call) -> Reply:
    """What a callback answers that wants everything it is asked about, and takes everything it is sent."""
    return Reply(200, call.query.get("hub.challenge", "").encode())


def form(**fields: str) -> bytes:
    return urlencode({f"hub.{name}": value for name, value in fields.items()}).encode()


def until(condition: Callable[[], Any], timeout_s: float = 3.0) -> Any:
    """Waits until something is true; gives what it is then."""
    end = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.003)
    return found
