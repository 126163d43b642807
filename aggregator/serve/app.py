"""The application: health, metrics, pages of others, and documents behind them all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.serve.answer import ALWAYS, Answer, plain, policy
from aggregator.serve.documents import Documents
from aggregator.serve.metrics import CONTENT_TYPE, Metrics
from aggregator.serve.notices import Notices
from aggregator.serve.observing import Observer
from aggregator.serve.running import Running
from aggregator.serve.targets import decoded, prefix_of, within


def make_app(
    running: Running,
    documents: Documents,
    *,
    routes: Sequence[BaseRoute] = (),
    observer: Observer | None = None,
    on_error: Callable[[str, Exception], None] = lambda *_: None,
) -> ASGIApp:
    """Everything that is served. `routes` come before documents; what they raise is told to `on_error`, and answered 500."""
    observer = observer or Observer()
    own: list[BaseRoute] = [
        Route("/healthz", _healthz(running)),
        Route("/readyz", _readyz(running)),
        Route("/metrics", _metrics(running, observer.metrics)),
        *routes,
    ]
    notices = Notices(running)
    app = Starlette(routes=own, exception_handlers={HTTPException: _refused(notices), Exception: _failed})
    app.router.default = _Documents(
        documents, notices
    )  # not a route, which would take what a route refuses for its method
    app.router.redirect_slashes = False  # it would redirect to whatever Host says
    return _Entrance(app, running, observer, on_error)


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Sends an answer over ASGI."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


def response_of(answer: Answer) -> Response:
    """An answer as Starlette has it."""
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    return response


class _Documents:
    """Published documents as an application of their own."""

    def __init__(self, documents: Documents, notices: Notices) -> None:
        self._documents, self._notices = documents, notices

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answers whatever no route took."""
        answer = await self._documents.answer(scope["method"].encode(), scope["whole_path"], scope["headers"])
        await send_answer(self._notices.instead_of(answer, scope), scope, send)


class _Entrance:
    """What every request passes: its path is checked, its answer counted, and nothing of an error gets out."""

    def __init__(
        self, app: ASGIApp, running: Running, observer: Observer, on_error: Callable[[str, Exception], None]
    ) -> None:
        self._app, self._running, self._observer, self._on_error = app, running, observer, on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return
        begin, status, size = time.monotonic(), 500, 0
        target: bytes = scope["raw_path"]

        async def sent(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                if status != 304:  # whose headers are those that the cache has already (RFC 9110 §15.4.5)
                    message["headers"] = _with_always(message.get("headers", ()))
            elif scope["method"] != "HEAD":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._answer(scope, receive, sent, target)
        finally:
            query = scope["query_string"]
            whole = target + b"?" + query if query else target
            client = scope["client"][0] if scope.get("client") else ""
            self._observer(scope["method"].encode(), whole, status, size, time.monotonic() - begin, client)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, target: bytes) -> None:
        """Lets the application answer for a sound path, without the path of `base_url` before it."""
        path = decoded(target)
        if path is None:
            await send_answer(plain(400), scope, send)
            return
        inner = within(path, prefix_of(self._running.config.site.base_url))
        scope = {**scope, "path": inner, "root_path": "", "whole_path": target}
        is_complete = False

        async def noted(message: Message) -> None:
            nonlocal is_complete
            is_complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            self._on_error(path, error)
            if not is_complete:  # Starlette sent `_failed` before it raised, but not into an answer that had begun
                raise


def _with_always(headers: Any) -> list[tuple[bytes, bytes]]:
    """The headers with what every answer says; what a page says itself stays."""
    given = dict(headers)
    always = (*ALWAYS, *policy(given.get(b"content-type", b"")))
    return [*headers, *(header for header in always if header[0] not in given)]


def _refused(notices: Notices) -> Callable[[Request, Exception], Response]:
    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        given = {name.lower().encode(): value.encode() for name, value in (error.headers or {}).items()}
        headers = tuple((name, value) for name, value in given.items() if name != b"cache-control")  # no error is kept
        return response_of(notices.instead_of(plain(error.status_code, headers), request.scope))

    return refused


def _failed(_: Request, __: Exception) -> Response:
    return response_of(plain(500))


def _healthz(running: Running) -> Callable[[Request], Awaitable[Response]]:
    async def healthz(_: Request) -> Response:
        problem = running.problem()
        return response_of(plain(503, text=problem) if problem else plain(200, text="It works."))

    return healthz


def _readyz(running: Running) -> Callable[[Request], Awaitable[Response]]:
    async def readyz(_: Request) -> Response:
        if running.is_ready:
            return response_of(plain(200, text="It has started."))
        return response_of(plain(503, text="It is starting, or ending."))

    return readyz


def _metrics(running: Running, metrics: Metrics | None) -> Callable[[Request], Response]:
    def scrape(_: Request) -> Response:
        if metrics is None or not running.config.serve.metrics:
            raise HTTPException(404)
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return scrape
