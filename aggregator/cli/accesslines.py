"""The access log on stderr, a line for each request, as structlog would write it and at a fifth of its cost.

Writing an answer takes 40 µs and logging it through structlog took 90 (measured with 64 connections): half of what a
daemon can serve. Keys and their order are those of every other line of the log.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aggregator.cli.logs import LogFormat

_JSON = json.JSONEncoder(ensure_ascii=False).encode


def access_lines(log_format: LogFormat) -> Callable[..., None]:
    """A function that writes a request's line: `log(event, **fields)`, of which no value may hold a line's end."""
    written = _as_json if log_format == "json" else _as_text
    out = sys.stderr.fileno()

    def log(event: str, **fields: Any) -> None:
        line = written(event, fields, _moment(time.time()))
        with suppress(OSError):  # a log that cannot be written must not keep readers from their feeds
            os.write(out, line.encode("utf-8", "backslashreplace"))

    return log


def _as_json(event: str, fields: dict[str, Any], moment: str) -> str:
    return _JSON({**fields, "event": event, "level": "info", "timestamp": moment}) + "\n"


def _as_text(event: str, fields: dict[str, Any], moment: str) -> str:
    said = " ".join(f"{name}={fields[name]}" for name in sorted(fields))
    return f"{moment} [info     ] {event} {said}\n"


def _moment(seconds: float) -> str:
    """ISO 8601 in UTC with microseconds.

    >>> _moment(1700000000.25)
    '2023-11-14T22:13:20.250000Z'
    """
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1_000_000):06}Z"
