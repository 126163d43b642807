"""What has to be said on the way, on stderr: by structlog, whose import waits for the first thing to say."""

from __future__ import annotations

import sys
from typing import Any, Literal

LogFormat = Literal["text", "json"]


class Log:
    """Writes events with their ids as keys: aligned text for people, one JSON object a line for machines."""

    def __init__(self, log_format: LogFormat) -> None:
        self._format = log_format
        self._logger: Any = None

    def warning(self, event: str, **ids: Any) -> None:
        """Something had to be guessed or left out; the rest is well."""
        self._ready().warning(event, **ids)

    def error(self, event: str, **ids: Any) -> None:
        """A source or a feed failed."""
        self._ready().error(event, **ids)

    def _ready(self) -> Any:
        if self._logger is None:
            import structlog  # noqa: PLC0415 - 0.1 s, which a run without warnings saves

            renderer: Any
            if self._format == "json":
                renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
            else:
                renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
            self._logger = structlog.wrap_logger(
                structlog.PrintLogger(sys.stderr),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    renderer,
                ],
            )
        return self._logger
