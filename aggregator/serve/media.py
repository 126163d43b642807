"""`/media/…`: our own copies of images, each under the hash of its bytes, so that it never changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from aggregator.pipeline.imaging.copies import TYPES, file_named, open_copy
from aggregator.serve.conditions import NOT_MODIFIED, OK, PARTIAL, UNSATISFIABLE, asked, outcome
from aggregator.serve.running import Running

_PIECE = 262_144  # bytes sent together: what is in memory of an image, however large it is
_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "content-security-policy": "default-src 'none'; sandbox",
    "accept-ranges": "bytes",
}


def routes(running: Running) -> list[Route]:
    """`GET /media/HH/HASH.SUFFIX`; what is no copy of ours by its name is nothing, whatever lies there."""

    async def copy(request: Request) -> Response:
        file = file_named(request.path_params["folder"], request.path_params["name"])
        opened = await run_in_threadpool(open_copy, running.config.output, file) if file is not None else None
        if file is None or opened is None:
            raise HTTPException(404)
        try:
            return _answer(request, f'"{file.hash}"', TYPES[file.suffix], *opened)
        except BaseException:
            opened[0].close()
            raise

    return [Route("/media/{folder}/{name}", copy, methods=["GET"])]


def _answer(request: Request, etag: str, media_type: str, opened: BinaryIO, size: int) -> Response:
    """The image or a part of it, or that it is the one which the reader has; it closes the file."""
    ask = asked(request.method.encode(), request.headers.raw)
    headers = {**_HEADERS, "etag": etag}
    status, start, end = outcome(ask, size, etag.encode(), None), 0, size
    if isinstance(status, tuple):
        (start, end), status = status, PARTIAL
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    elif status == NOT_MODIFIED:
        opened.close()
        return Response(None, status, headers)
    elif status != OK:
        raise HTTPException(status, headers={"Content-Range": f"bytes */{size}"} if status == UNSATISFIABLE else None)
    headers["content-length"] = str(end - start)
    if ask.is_head:
        opened.close()
        return Response(None, status, headers, media_type)
    return StreamingResponse(_pieces(opened, start, end), status, headers, media_type)


async def _pieces(opened: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    async for piece in iterate_in_threadpool(_read(opened, start, end)):
        yield piece


def _read(opened: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with opened:
        opened.seek(start)
        while start < end and (piece := opened.read(min(_PIECE, end - start))):
            start += len(piece)
            yield piece
