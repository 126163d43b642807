"""What has to be said on the way, on stderr: by structlog, whose import waits for the first thing to say."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal

from aggregator.pipeline.private import without_tokens

LogFormat = Literal["text", "json"]


class Log:
    """Writes events with their ids as keys: aligned text for people, one JSON object a line for machines."""

    def __init__(self, log_format: LogFormat) -> None:
        self.format = log_format
        self._logger: Any = None

    def info(self, event: str, **ids: Any) -> None:
        """Something was done that its operator may want to know."""
        self._say("info", event, ids)

    def warning(self, event: str, **ids: Any) -> None:
        """Something had to be guessed or left out; the rest is well."""
        self._say("warning", event, ids)

    def error(self, event: str, **ids: Any) -> None:
        """A source or a feed failed."""
        self._say("error", event, ids)

    def _say(self, level: str, event: str, ids: dict[str, Any]) -> None:
        said = {name: _shown(value) for name, value in ids.items()}
        try:
            getattr(self._ready(), level)(_on_one_line(event), **said)
        except BrokenPipeError:  # whoever read it is gone: that ends the log, and nothing else
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - it is no path
                os.dup2(nothing.fileno(), sys.stderr.fileno())
        except OSError:  # no room on the disk, which may come back
            return

    def _ready(self) -> Any:
        if self._logger is None:
            import structlog  # noqa: PLC0415 - 0.1 s, which a run without warnings saves

            renderer: Any
            if self.format == "json":
                renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
            else:
                renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
            self._logger = structlog.wrap_logger(
                structlog.WriteLogger(sys.stderr),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    renderer,
                ],
            )
        return self._logger


def hush(library: str) -> None:
    """Keeps a library from writing to stderr, in a format that is not ours; whoever set up handlers hears it all the same."""
    import logging  # noqa: PLC0415

    logger = logging.getLogger(library)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _shown(value: Any) -> Any:
    """A value as the log may hold it, the lines of a trace among them."""
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    return _on_one_line(value) if isinstance(value, str) else value


def _on_one_line(text: str) -> str:
    """The text without secrets, and without what could forge a line or hide one: a server's answer may hold anything."""
    text = without_tokens(text)
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
