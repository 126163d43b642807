"""Everything that can go wrong, as one tree.

    AggregatorError
    ├── ConfigError            the configuration is wrong; nothing was touched (exit 2)
    ├── LockHeld               another run holds the lock (exit 3)
    ├── IngestError            a source could not be read: carries `source`
    │   ├── FetchError         the bytes did not arrive: carries `url`
    │   │   ├── HttpStatus     the server answered with an error: carries `status`
    │   │   ├── TooLarge       more than `max_bytes` after decoding
    │   │   ├── TimedOut       the whole exchange took longer than `timeout_s`
    │   │   ├── NotAnImage     the bytes arrived and are no image that may be shown
    │   │   ├── Refused        we would not ask: scheme, redirect, address
    │   │   └── AskedToWait    its host said Retry-After: carries `until`
    │   └── ParseError         the bytes arrived and are no posts: carries `feeds`
    ├── PublishError           a feed could not be built or written: carries `feed`
    └── StoreError             the database is locked, corrupt, or from another version
        └── SearchTimedOut     so many posts hold the words that finding the newest takes too long

Each carries the ids of what it is about as attributes, as far as they are known where it is raised, and chains its cause; the
pipeline records it under its source's or feed's name at the one place where a stage ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


class AggregatorError(Exception):
    """Something went wrong that a person can do something about; its text says what."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the configuration: where it stands and what it is."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """`file:line: key.path: what is wrong`, as compilers say it, so that editors can jump there."""
        where = f"{self.file}:{self.line}: "
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class ConfigError(AggregatorError):
    """The configuration is wrong; `faults` lists everything that is, not only the first thing."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class LockHeld(AggregatorError):
    """Another run holds the lock; `holder` says who, as far as it is known."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"another run holds the lock: {holder}")
        self.holder = holder


class IngestError(AggregatorError):
    """A source could not be read; its last good posts stay published."""

    def __init__(self, message: str, *, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class FetchError(IngestError):
    """The bytes of a source did not arrive; `url` is shown without its credentials.

    `is_answer` says of a kind of error that the host did answer, whatever it said, or was not asked: it is not silent.
    """

    is_answer = False

    def __init__(self, message: str, *, url: str, source: str = "") -> None:
        super().__init__(message, source=source)
        self.url = url


class HttpStatus(FetchError):
    """The server answered with a status that is neither a body nor a 304.

    `host` is the one that answered, at the end of the redirects; `retry_after` its header as it was sent (RFC 9110 §10.2.3).
    """

    is_answer = True

    def __init__(
        self, message: str, *, url: str, status: int, host: str = "", retry_after: str = "", source: str = ""
    ) -> None:
        super().__init__(message, url=url, source=source)
        self.status = status
        self.host = host
        self.retry_after = retry_after


class TooLarge(FetchError):
    """The body is larger than `max_bytes`, counted after decoding."""

    is_answer = True


class TimedOut(FetchError):
    """The whole exchange, from connecting to the last byte, took longer than `timeout_s`."""


class Refused(FetchError):
    """We would not ask: the scheme, the redirect or the address is one we do not follow."""

    is_answer = True


class NotAnImage(FetchError):
    """What arrived where an image was expected is none that may be shown, whatever its server calls it."""

    is_answer = True


class AskedToWait(FetchError):
    """We would not ask yet: the host said how long it wants to be left alone, and `until` has not come."""

    is_answer = True

    def __init__(self, message: str, *, url: str, until: datetime, source: str = "") -> None:
        super().__init__(message, url=url, source=source)
        self.until = until


class ParseError(IngestError):
    """The bytes arrived and hold no posts; the text says what they look like instead.

    `feeds` are the addresses of the feeds that an HTML page names.
    """

    def __init__(self, message: str, *, feeds: Sequence[str] = (), source: str = "") -> None:
        super().__init__(message, source=source)
        self.feeds = tuple(feeds)


class PublishError(AggregatorError):
    """A feed could not be built or written; its previous documents are intact."""

    def __init__(self, message: str, *, feed: str = "") -> None:
        super().__init__(message)
        self.feed = feed


class StoreError(AggregatorError):
    """The database cannot be used as it is; the text says why and how to recover."""


class SearchTimedOut(StoreError):
    """So many posts hold the words that were looked for that finding the newest takes too long."""
