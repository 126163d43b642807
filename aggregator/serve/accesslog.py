"""One event for each request, with nothing secret in it and nothing that a terminal would obey."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Log = Callable[..., Any]  # log(event, **fields), as structlog's loggers have it

_PRIVATE = re.compile(r"(private/)[^/?#]+", re.IGNORECASE)
# A path that only looks like one of ours (`/private//TOKEN`, `/%2570rivate/TOKEN`) may hold a secret that was mistyped.
_MISTYPED = re.compile(r"(private)(?!/\*\*\*)[/\\%][^?#]*", re.IGNORECASE)
_SECRET = re.compile(
    r"([?&;](?:token|access_token|key|secret|password|sig|signature|hub\.secret)=)[^&;#]*", re.IGNORECASE
)
_CALLBACK = re.compile(r"(/websub/)[^/?#]+")  # a lease's callback: whoever knows it may push
_DECODED = 3  # times that a letter may have been escaped
_ESCAPED = re.compile(r"%(?:25|70|72|69|76|61|74|65|2f|74|6f|6b|6e|77|62|73|75|3d)", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_LONGEST = 500  # characters of a target that are worth keeping


class AccessLog:
    """Tells a logger of each request that was answered."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __call__(self, method: str, target: str, status: int, size: int, seconds: float, client: str) -> None:
        """`size` is the body's, in bytes as sent; `seconds` from the head of the request to the end of the answer."""
        self._log(
            "request",
            method=method if method.isalpha() else _harmless(method),
            target=shown_target(target),
            status=status,
            bytes=size,
            ms=round(seconds * 1000, 1),
            client=client,
        )


@lru_cache(maxsize=1024)  # four passes of expressions take as long as all the rest of a request
def shown_target(target: str) -> str:
    """What was asked for, as it may be logged.

    >>> shown_target("/private/s3cret/mine/rss.xml"), shown_target("/status?page=2&token=s3cret")
    ('/private/***/mine/rss.xml', '/status?page=2&token=***')
    """
    # A letter written as %70 must not hide the word before a secret.
    plain = target
    for _ in range(_DECODED if "%" in target else 0):
        plain = _ESCAPED.sub(lambda match: chr(int(match[0][1:], 16)), plain)
    for pattern in (_PRIVATE, _SECRET, _CALLBACK):
        plain = pattern.sub(r"\1***", plain)
    plain = _MISTYPED.sub(r"\1/***", plain)
    shown = _harmless(plain)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _harmless(text: str) -> str:
    """The text without control characters, or anything else that a log's reader might take for something."""
    return _UNPRINTABLE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace")), text)
