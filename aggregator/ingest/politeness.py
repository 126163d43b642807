"""When a source may be asked again: what its server says in headers, what its feed says, and what failures say.

Decisions only: nothing here asks, waits or looks at a clock. Times are aware datetimes in UTC, lengths are in seconds, and
no server or feed can put a source off for longer than a day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

from aggregator.models import FeedHints

DAY_S = 86_400
WEEK_S = 7 * DAY_S  # between the probes of a source that is gone (410)

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")  # with a fraction as some services send it
_RFC850 = re.compile(r"[0-9]{1,2}-[A-Za-z]{3}-([0-9]{2})(?![0-9])")
# A directive of Cache-Control: a token, and perhaps a value that is a quoted string or a token (RFC 9111 §5.2).
_DIRECTIVE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,;\"]*)))?", re.DOTALL)
_LONGEST_HEADER = 8192  # characters that are read of one; what is longer says nothing sensible


def http_date(value: str, now: datetime) -> datetime | None:
    """The moment that an HTTP-date names (RFC 9110 §5.6.7: all three forms, and what e-mail's rules make of sloppy ones)."""
    try:
        found = parsedate_tz(value[:_LONGEST_HEADER])
        if found is None:
            return None
        year, month, day, hour, minute, second = found[:6]
        short = _RFC850.search(value)
        if short:  # "more than 50 years in the future" is the past; e-mail draws the line at 1969 for ever
            year = now.year - now.year % 100 + int(short[1])
            year -= 100 if year > now.year + 50 else 0
        zone = timezone(timedelta(seconds=found[9] or 0))
        second = min(second, 59)  # :60 is a leap second
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after_s(value: str, now: datetime) -> float | None:
    """How long a Retry-After asks to stay away (RFC 9110 §10.2.3), at most a day; None where it says nothing sensible.

    It holds seconds or an HTTP-date. What is negative or past is nonsense, and `0` an invitation to come back at once.
    """
    value = value[:_LONGEST_HEADER].strip()
    numbers = [part.strip() for part in value.split(",")]  # a header sent twice arrives joined by a comma
    if all(_NUMBER.fullmatch(number) for number in numbers):
        return min(DAY_S, max(map(float, numbers)))  # as floats, because thousands of digits are no int
    date = http_date(value, now)
    if date is None or date <= now:
        return None
    return min(DAY_S, (date - now).total_seconds())


def max_age_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """For how many seconds a response is fresh by its headers, at most a day; None where they do not say.

    RFC 9111: `no-store`, `no-cache` and what cannot be read mean 0 (§4.2.1: the most restrictive directive wins, the first
    of duplicates counts, and invalid freshness is stale); then `max-age` (§5.2.2.1), then `Expires` less `Date` (§5.3);
    the response's `Age` is taken off (§4.2.3). `s-maxage` is for shared caches, and we are none. Names of headers are in
    lower case.
    """
    directives = _directives(headers.get("cache-control", ""))
    # `no-cache="Set-Cookie"` is about that header alone (§5.2.2.4).
    if "no-store" in directives or directives.get("no-cache", "some") == "":
        return 0
    if "max-age" in directives:
        lifetime_s = _delta_s(directives["max-age"])
    elif "expires" in headers:
        expires = http_date(headers["expires"], now)
        date = http_date(headers.get("date", ""), now) or now
        lifetime_s = 0 if expires is None else int((expires - date).total_seconds())
    else:
        return None
    age_s = _delta_s(headers.get("age", "").partition(",")[0])
    return max(0, min(DAY_S, lifetime_s - age_s))


def _directives(value: str) -> dict[str, str]:
    """The directives of a Cache-Control, the first of each name; those without a value have an empty one."""
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(value[:_LONGEST_HEADER]):
        found.setdefault(name.lower(), quoted or plain)
    return found


def _delta_s(value: str) -> int:
    """A number of seconds as §1.2.2 has it: what is too large is 2**31, and what is none is 0."""
    value = value.strip()
    if not re.fullmatch("[0-9]+", value):
        return 0
    return 2**31 if len(value.lstrip("0")) > 9 else int(value[-10:])


@dataclass(frozen=True, slots=True)
class Hints:
    """What is remembered from one refresh to the next of when a source would like to be asked again."""

    max_age_s: int | None = None  # how long its last answer stays fresh, counted from when it came
    feed: FeedHints = field(default_factory=FeedHints)  # what its last body said

    def to_json(self) -> str:
        """The hints as text that `from_json` reads, always the same for the same hints; what is not known is left out."""
        known = {
            "max_age_s": self.max_age_s,
            "every_s": self.feed.every_s,
            "skip_hours": list(self.feed.skip_hours) or None,
            "skip_days": list(self.feed.skip_days) or None,
        }
        return json.dumps({name: value for name, value in known.items() if value is not None}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Hints:
        """The hints that a text holds; what is missing, unknown or nonsense in it is as if nobody had said anything."""
        try:
            known = json.loads(text)
        except (ValueError, RecursionError):
            known = None
        if not isinstance(known, dict):
            return cls()
        feed = FeedHints(
            _whole(known.get("every_s")), _numbers(known.get("skip_hours"), 24), _numbers(known.get("skip_days"), 7)
        )
        return cls(_whole(known.get("max_age_s")), feed)

    def updated(self, headers: Mapping[str, str], feed: FeedHints | None, now: datetime) -> Hints:
        """The hints after an answer: those of a 200 replace all, and a 304, with `feed` None, says nothing of the body.

        The headers of a 304 update those of the answer it confirms (RFC 9111 §3.2, §4.3.4): where it has none about
        freshness, the old ones count again from now on.
        """
        if feed is not None:
            return Hints(max_age_s(headers, now), feed)
        if "cache-control" in headers or "expires" in headers:
            return replace(self, max_age_s=max_age_s(headers, now))
        return self


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _numbers(value: object, end: int) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(number for number in map(_whole, value) if number is not None and number < end)


def not_before(hints: Hints, now: datetime) -> tuple[datetime, str] | None:
    """The earliest moment to ask again by the server's and the feed's own wishes, and whose wish it is; None: at any time.

    It is the latest of what the cache headers and the feed's `ttl` say, counted from `now`, when the answer came, moved on
    past the hours and days (GMT) that the feed says to skip; a feed that skips all of them means none. It is never more
    than a day ahead: a feed that asks for a year is misconfigured (a `ttl` in seconds instead of minutes, a `max-age` for
    images on every path), and its readers would take it for dead long before.
    """
    now = now.astimezone(UTC)
    wishes = [(hints.max_age_s or 0, "cache hint"), (hints.feed.every_s or 0, "ttl")]
    wait_s, why = max(wishes, key=lambda wish: wish[0])
    limit = now + timedelta(seconds=DAY_S)
    at = now + timedelta(seconds=max(0, min(DAY_S, wait_s)))
    hours = _skipped(hints.feed.skip_hours, 24)
    days = _skipped(hints.feed.skip_days, 7)
    while at < limit:
        if at.weekday() in days:
            at, why = _midnight(at) + timedelta(days=1), "skipDays"
        elif at.hour in hours:
            at, why = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1), "skipHours"
        else:
            break
    return None if at <= now else (min(at, limit), why)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _skipped(numbers: tuple[int, ...], count: int) -> frozenset[int]:
    """Which of so many hours or days are skipped: none where that would be all."""
    skipped = frozenset(numbers) & frozenset(range(count))
    return frozenset() if len(skipped) == count else skipped


def backoff(failures: int, base_s: float, random: Callable[[], float]) -> float:
    """Seconds to wait after so many failures in a row: exponential with full jitter, at most a day.

    Full jitter is a moment drawn evenly between now and the exponential limit, `random() * min(cap, base * 2**attempt)`,
    which spreads those who failed together best ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). It can be
    next to nothing, so the caller asks no sooner than after the source's own interval. `random` gives 0 ≤ x < 1. It never
    gives up: after any number of failures a source is asked about every twelve hours.
    """
    doublings = max(0, min(failures, 64))  # 2**64 s is far over a day, and 2.0**10_000 would overflow
    return random() * min(DAY_S, max(0.0, base_s) * 2.0**doublings)
