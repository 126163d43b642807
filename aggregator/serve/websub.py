"""The two addresses of WebSub: that of our own hub, and those at which the hubs of others find us.

What strangers send is read piece by piece and given up at its limit, and for a callback that nobody has it is not read.
"""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.pipeline.websub.office import FORM, Answer
from aggregator.pipeline.websub.push import Push
from aggregator.serve.running import Running

_FORM_BYTES = 16_384  # a form holds two URLs and a secret
_BODY_S = 60.0  # that a body may take to arrive
_AGAIN_S = 60  # after which a hub may push again what there was no room for


def routes(running: Running, push: Push) -> list[Route]:
    """`POST /websub`, and `GET` and `POST /websub/CALLBACK`, whose last part is a secret that no log should show."""

    async def hub(request: Request) -> Response:
        """Somebody wants to subscribe at our hub, or to unsubscribe."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return _response(Answer(415, f"The body must be {FORM}."))
        body = await _body(request, _FORM_BYTES)
        return _response(await run_in_threadpool(push.hub.take, body))

    async def confirm(request: Request) -> Response:
        """A hub asks whether we want what we asked it for."""
        query = dict(reversed(request.query_params.multi_items()))  # of several, the first
        return _response(await run_in_threadpool(push.subscriber.confirm, request.path_params["callback"], query))

    async def take(request: Request) -> Response:
        """A hub pushes a document; it is stored later, and never fetched. Until there is room for it, it was not taken."""
        callback = request.path_params["callback"]
        refusal = await run_in_threadpool(push.subscriber.refusal, callback)
        if refusal is not None:
            return _response(refusal)
        body = await _body(request, running.config.fetch.max_bytes)
        signature = request.headers.get("x-hub-signature", "")
        taken = await run_in_threadpool(push.subscriber.take, callback, body, signature)
        if taken.source:
            kind = request.headers.get("content-type", "")
            if not await run_in_threadpool(running.take_push, taken.source, body, kind):
                return _response(Answer(503, "Too much is pushed at once.", retry_after_s=_AGAIN_S))
            await run_in_threadpool(push.subscriber.took, callback, taken)
        return _response(taken.answer)

    class Callback(HTTPEndpoint):
        """Where a hub finds us; of two routes, Starlette would name only the methods of the first to whoever it refuses."""

        get, post = staticmethod(confirm), staticmethod(take)

        async def method_not_allowed(self, request: Request) -> Response:
            """Not `HEAD` either: it would be answered as `GET` is, and must decide nothing."""
            raise HTTPException(405, f"{request.method} means nothing here.", {"Allow": "GET, POST"})

        head = method_not_allowed

    return [Route("/websub", hub, methods=["POST"]), Route("/websub/{callback}", Callback)]


async def _body(request: Request, max_bytes: int) -> bytes:
    """The body, whole; raises HTTPException where it is too large or too slow."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > max_bytes):
        raise _given_up(413, f"The body is larger than {max_bytes:,} bytes.")
    pieces, left = [], max_bytes
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.stream():
                left -= len(piece)
                if left < 0:
                    raise _given_up(413, f"The body is larger than {max_bytes:,} bytes.")
                pieces.append(piece)
    except TimeoutError:
        raise _given_up(408, f"The body took longer than {_BODY_S:g} seconds.") from None
    except ClientDisconnect:
        raise _given_up(400, "The body ends in the middle.") from None
    return b"".join(pieces)


def _given_up(status: int, text: str) -> HTTPException:
    return HTTPException(status, text, headers={"Connection": "close"})  # the rest of the body is not read


def _response(answer: Answer) -> Response:
    """An answer; what a hub makes us echo is never shown as a page (§8.2)."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    if answer.retry_after_s:
        headers["Retry-After"] = str(answer.retry_after_s)
    kind = "text/plain; charset=utf-8" if answer.status != 200 else "application/octet-stream"
    return Response(answer.text, answer.status, headers, media_type=kind)
