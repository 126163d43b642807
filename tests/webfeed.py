"""A web feed on a real local server, whose answers the test sets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


class Feed:
    """A feed on a real local server: what it answers is set by the test, what it was asked is kept."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/feed.xml")
        self.items: list[dict[str, str]] = []
        self.etag = ""
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.asked: list[Request] = []
        server.expect_request("/feed.xml").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        if self.status != 200:
            return Response("no", self.status, headers=self.headers)
        if self.etag and request.headers.get("If-None-Match") == self.etag:
            return Response(status=304, headers={"ETag": self.etag} | self.headers)
        headers = ({"ETag": self.etag} if self.etag else {}) | self.headers
        return Response(self.body or self.rss().encode(), content_type="application/rss+xml", headers=headers)

    def rss(self) -> str:
        return rss(*self.items).decode()


def an_item(number: int, **fields: str) -> dict[str, str]:
    return {
        "title": f"Item {number}",
        "guid": f"https://site.example/?p={number}",
        "link": f"https://site.example/{number}",
        "pubDate": f"Mon, 01 Jan 2024 00:00:{number:02} GMT",
        "description": f"text {number}",
        **fields,
    }


class Web:
    """Many hosts on one port of the loopback (127.0.0.1, 127.0.0.2, …), each with pages; remembers who asked what when."""

    def __init__(self) -> None:
        self.pages: dict[tuple[str, str], Callable[[Ask], Reply] | Reply] = {}
        self.asked: list[Ask] = []
        self.latency_s = 0.0
        self._lock = threading.Lock()
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                with suppress(OSError):  # whoever asked may have given up waiting
                    web._answer(self)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Says nothing: whoever asked may be gone, or killed."""

        self._server = Server(("0.0.0.0", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, host: int, path: str = "/feed.xml") -> str:
        return f"http://127.0.0.{host}:{self.port}{path}"

    def put(self, host: int, path: str, page: Callable[[Ask], Reply] | Reply) -> str:
        self.pages[f"127.0.0.{host}", path] = page
        return self.url(host, path)

    def asks(self, host: int | None = None, path: str | None = None) -> list[Ask]:
        name = None if host is None else f"127.0.0.{host}"
        return [ask for ask in self.asked if name in {None, ask.host} and path in {None, ask.path.partition("?")[0]}]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        host = handler.headers["Host"].partition(":")[0]
        ask = Ask(host, handler.path, {name.lower(): value for name, value in handler.headers.items()})
        with self._lock:
            self.asked.append(ask)
        page = self.pages.get((host, handler.path.partition("?")[0]), Reply(404))
        reply = page(ask) if callable(page) else page
        time.sleep(self.latency_s)
        etag = reply.headers.get("ETag")
        if etag and ask.headers.get("if-none-match") == etag and reply.status == 200:
            reply = replace(reply, status=304, body=b"")
        ask.ended_s = time.monotonic()
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.status != 304:
            handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)


@dataclass(slots=True)
class Ask:
    """One request: whom it was for, what it said, and from when to when it was at work (seconds)."""

    host: str
    path: str
    headers: dict[str, str]
    begun_s: float = field(default_factory=time.monotonic)
    ended_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a page answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def rss(*items: dict[str, str], more: str = "") -> bytes:
    """A feed of these items."""
    written = "".join(
        "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in item.items()) + "</item>" for item in items
    )
    head = f"<title>Feed</title><link>https://site.example/</link><description>d</description>{more}"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{written}</channel></rss>'.encode()
