"""When a source is due: by its interval or cron expression, and not before its host, its feed or its failures let it.

Decisions only: everything here follows from the configuration, what is remembered of the source, and the moment. So
`status` says what the scheduler does, and a restart changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aggregator.config.fields import ADAPTIVE, interval
from aggregator.config.sources import FeedSource, FrontMatterSource, OpmlSource, Source
from aggregator.store.sources import SourceState, stamp

DEFAULT = timedelta(minutes=30)  # of a source whose posts do not say yet how often they come
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=24)  # between two refreshes, where the interval adapts
PUSHED = timedelta(days=1)  # between two refreshes of a source whose news is pushed
LONGEST_WAIT = timedelta(days=8)  # nothing waits longer: what says so was written while the clock was wrong
_SILENCE = 10  # a source that was silent for so many intervals is asked more seldom
_JITTER = 0.1  # the share of an interval by which it may be shorter: those that began together drift apart
_SLACK = 0.1  # the share of a cron expression's period by which it may come before what it should wait for


def next_due(source: Source, state: SourceState, zone: str) -> datetime | None:
    """When a source is to be asked next; None: now, because it never was, or because asking costs nothing."""
    checked = state.checked_at
    if is_looked_at(source):
        return None
    if checked is None:
        return state.not_before
    wait = _wait(source, state, checked)
    if wait is not None:
        return _with_pushes(max(checked + wait, state.not_before or checked), checked, state.push_until)
    due = _after_cron(source.every or "", checked, source.timezone or zone)
    late = (state.not_before or due) - due
    # A hint of a day, given seconds after seven, must not skip the next day at seven.
    if late > (due - checked) * _SLACK:
        due = _after_cron(source.every or "", due + late, source.timezone or zone)
    return due


def is_due(source: Source, state: SourceState, zone: str, now: datetime) -> bool:
    """Whether a source is to be asked now; so it is when the clock was set back behind the last time."""
    if state.not_before is not None and state.not_before - now > LONGEST_WAIT:
        state = replace(state, not_before=None)
    due = next_due(source, state, zone)
    return due is None or due <= now or (state.checked_at is not None and state.checked_at > now)


def is_looked_at(source: Source) -> bool:
    """Whether a source lies on this machine and has no interval of its own: then each run looks at it."""
    is_file = isinstance(source, FeedSource | OpmlSource) and source.is_local
    return source.every is None and (is_file or isinstance(source, FrontMatterSource))


def _wait(source: Source, state: SourceState, checked: datetime) -> timedelta | None:
    """The interval after a refresh, jitter included; None where a cron expression says it."""
    if source.every is not None and source.every != ADAPTIVE:
        own = interval(source.every)
        return None if own is None else own * _jitter(state.name, checked)
    wait = DEFAULT if state.gap_s is None else timedelta(seconds=state.gap_s) / 2
    if state.changed_at is not None:
        wait = max(wait, (checked - state.changed_at) / _SILENCE)
    return max(SHORTEST, min(LONGEST, wait * _jitter(state.name, checked)))


def _jitter(name: str, checked: datetime) -> float:
    """The factor 0.9 … 1.0 of one interval: as good as chance, and the same whoever asks."""
    drawn = hashlib.blake2b(f"{name}\0{stamp(checked)}".encode(), digest_size=4).digest()
    return 1 - _JITTER * int.from_bytes(drawn, "big") / 2**32


def _with_pushes(due: datetime, checked: datetime, until: datetime | None) -> datetime:
    """When a source is due of which news is pushed until then: once a day, and as usual when that ends."""
    if until is None or until <= due:
        return due
    return max(due, min(checked + PUSHED, until))


def _after_cron(expression: str, checked: datetime, zone: str) -> datetime:
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - for the few who write cron expressions

    trigger = CronTrigger.from_crontab(expression, timezone=ZoneInfo(zone))
    found = trigger.get_next_fire_time(checked, checked)
    return found or checked + LONGEST_WAIT
