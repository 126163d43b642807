"""Bodies as they are sent, decoded piece by piece and given up as soon as they pass their limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aggregator.errors import FetchError, TooLarge

CHUNK = 1 << 16
_MOST_CODINGS = 4  # nobody has a reason to apply more, and each keeps a window of 32 KB


def decoded(raw: Any, headers: Mapping[str, str], url: str, max_bytes: int, in_time: Callable[[], object]) -> bytes:
    """The decoded body of a urllib3 response; raises TooLarge as soon as it, or a stage of it, passes `max_bytes`.

    `in_time` is called between pieces, and raises when there is no time left. A body that is torn, broken or in an
    encoding that was not asked for raises FetchError; so does one shorter than its declared length.
    """
    too_large = TooLarge(f"the body is larger than {max_bytes:,} bytes", url=url)
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > max_bytes):
        raise too_large
    pieces = _capped(_wire(raw, in_time), max_bytes, too_large)
    codings = [name.strip() for name in headers.get("content-encoding", "").lower().split(",")]
    if len(codings) > _MOST_CODINGS:
        raise FetchError(f"the body is encoded {len(codings)} times over", url=url)
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip", "deflate"):
            pieces = _capped(_inflated(pieces, coding, url, in_time), max_bytes, too_large)
        elif coding in ("br", "zstd", "compress", "x-compress", "dcb", "dcz"):
            raise FetchError(f"sent the body in an encoding that was not asked for: {coding}", url=url)
        # Anything else ("utf-8", "none") is no coding at all, and servers that say it send the body as it is.
    return b"".join(pieces)


def _wire(raw: Any, in_time: Callable[[], object]) -> Iterator[bytes]:
    """The bytes as they were sent, without their chunks."""
    while piece := raw.read(CHUNK, decode_content=False):
        in_time()
        yield piece


def _capped(pieces: Iterator[bytes], max_bytes: int, too_large: TooLarge) -> Iterator[bytes]:
    """The pieces, as long as they come to no more than `max_bytes`."""
    left = max_bytes
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise too_large
        yield piece


def _inflated(pieces: Iterator[bytes], coding: str, url: str, in_time: Callable[[], object]) -> Iterator[bytes]:
    """The pieces decompressed, at most 64 KB at a time; an end that is missing or broken raises FetchError.

    urllib3 lifts its bound at the end of a body, and takes a torn gzip for a whole one.
    """
    window = 31 if coding != "deflate" else 15
    decoder = zlib.decompressobj(window)
    seen = False
    try:
        for piece in pieces:
            data = piece
            if not seen and coding == "deflate" and not _has_zlib_header(data):
                decoder = zlib.decompressobj(-15)  # many servers leave the wrapper out (RFC 9110 §8.4.1.2)
            seen = True
            while data:
                if decoder.eof:
                    if coding == "deflate" or not data.strip(b"\0"):
                        break  # padding
                    decoder = zlib.decompressobj(window)  # the next member (RFC 1952 §2.2)
                if out := decoder.decompress(data, CHUNK):
                    in_time()
                    yield out
                data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        while not decoder.eof and (out := decoder.decompress(b"", CHUNK)):
            yield out
    except zlib.error as error:
        raise FetchError(f"the {coding} body is broken", url=url) from error
    if seen and not decoder.eof:
        raise FetchError(f"the {coding} body ends in the middle", url=url)


def _has_zlib_header(data: bytes) -> bool:
    """Whether deflated data is wrapped as it should be (RFC 1950 §2.2)."""
    return len(data) < 2 or (data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0)
