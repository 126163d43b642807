"""What a reader is told of an image that cannot be had, and how long its origin is left alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from aggregator.errors import FetchError, HttpStatus, NotAnImage, Refused, TimedOut, TooLarge
from aggregator.ingest.feedurls import host_of
from aggregator.ingest.politeness import retry_after_s

T = TypeVar("T")

_MOST = 10_000  # failures that are remembered
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_LONGEST_REST_S = _HOUR  # that a host's Retry-After is believed
_SILENT = 3  # images in a row for which a host did not answer: the others are not asked for
# What stands before a country's letters where domains are registered one label further down: example.co.uk, example.com.cn.
_REGISTRIES = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "gr", "mil", "ne", "net", "nom", "or", "org"})


class Failure(NamedTuple):
    """A status of HTTP with a sentence for people, and until when it holds, in seconds since 1970.

    The sentence names no host and no address: what a name of our own network leads to is nobody's business.
    """

    status: int
    text: str
    until: float


class Failures:
    """Images that could not be had lately, and hosts that want to be left alone; used by one thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, Failure] = {}
        self._resting: dict[str, Failure] = {}
        self._silent: dict[str, int] = {}  # images in a row that a host did not answer for

    def __len__(self) -> int:
        return len(self._known)

    def find(self, url: str) -> Failure | None:
        """Why a URL should not be asked now, or None.

        None is remembered for longer than a day: what seems to be was noted while the clock was ahead.
        """
        now = self._clock()
        for place, key in ((self._known, url), (self._resting, host_of(url))):
            found = place.get(key)
            if found is not None:
                if now < found.until <= now + _DAY:
                    return found
                del place[key]
        return None

    def note(self, url: str, error: FetchError) -> Failure:
        """Remembers what went wrong, for as long as it is likely to go wrong again."""
        now = self._clock()
        status, text, rest_s = _told(error, now)
        failure = Failure(status, text, now + rest_s)
        host = host_of(url)
        silent = 0 if error.is_answer else self._silent.get(host, 0) + 1
        _keep(self._silent, host, silent)
        if silent >= _SILENT or (isinstance(error, HttpStatus) and error.retry_after):
            _keep(self._resting, host, failure)
        _keep(self._known, url, failure)
        return failure

    def forget(self, url: str) -> None:
        """A URL can be had again, and its host answers."""
        self._known.pop(url, None)
        self._silent.pop(host_of(url), None)


def domain_of(url: str) -> str:
    """The domain that somebody registered, as nearly as a host's labels tell: there may be any number of hosts below it.

    >>> domain_of("https://h1.img.example.com:8443/a.png"), domain_of("https://a.example.com.cn./"), domain_of("http://[::1]/")
    ('example.com', 'example.com.cn', '::1')
    """
    name = host_of(url)
    labels = name.split(".")
    if ":" in name or labels[-1].isdecimal():  # an address
        return name
    is_deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _REGISTRIES
    return ".".join(labels[-3 if is_deep else -2 :])


def _keep(place: dict[str, T], key: str, value: T) -> None:
    place.pop(key, None)
    place[key] = value
    if len(place) > _MOST:
        del place[next(iter(place))]


def _told(error: FetchError, now: float) -> tuple[int, str, float]:
    """Status, sentence, and seconds to wait before the next try."""
    if isinstance(error, HttpStatus):
        return _of_status(error, now)
    if isinstance(error, Refused):
        return 403, "That is no address this server asks for images.", _HOUR
    if isinstance(error, TimedOut):
        return 504, "Its server took too long.", _MINUTE
    if isinstance(error, TooLarge):
        return 502, "It is larger than this server takes.", _HOUR
    if isinstance(error, NotAnImage):
        return 502, "What its server sends is no image that can be shown.", _HOUR
    return 502, "Its server cannot be reached.", 2 * _MINUTE


def _of_status(error: HttpStatus, now: float) -> tuple[int, str, float]:
    status = error.status
    if status in {404, 410}:
        return status, "Its server says that it is gone.", _DAY if status == 410 else _HOUR
    if error.retry_after:
        asked_s = retry_after_s(error.retry_after, datetime.fromtimestamp(now, UTC)) or 0.0
        return 503, "Its server wants to be left alone for a while.", min(max(asked_s, _MINUTE), _LONGEST_REST_S)
    rest_s = 10 * _MINUTE if 400 <= status < 500 else 2 * _MINUTE
    return 502, f"Its server answered {status}.", rest_s
