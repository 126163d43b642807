"""When a source is due: by its interval or cron expression, and not before its host, its feed or its failures let it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aggregator.config.fields import interval
from aggregator.config.sources import FeedSource, FrontMatterSource, OpmlSource, Source
from aggregator.store.sources import SourceState

DEFAULT = timedelta(minutes=30)
_SLACK = 0.1  # the share of a cron expression's period by which it may come before what it should wait for
LONGEST_WAIT = timedelta(days=8)  # nothing waits longer: what says so was written while the clock was wrong


def next_due(source: Source, state: SourceState, zone: str) -> datetime | None:
    """When a source is to be asked next; None: now, because it never was, or because asking costs nothing."""
    checked = state.checked_at
    is_local = isinstance(source, FrontMatterSource) or (
        isinstance(source, FeedSource | OpmlSource) and source.is_local
    )
    if source.every is None and is_local:
        return None
    if checked is None:
        return state.not_before
    wait = DEFAULT if source.every is None else interval(source.every)
    if wait is not None:
        return max(checked + wait, state.not_before or checked)
    due = _after_cron(source.every or "", checked, source.timezone or zone)
    late = (state.not_before or due) - due
    # A hint of a day, given seconds after seven, must not skip the next day at seven.
    if late > (due - checked) * _SLACK:
        due = _after_cron(source.every or "", due + late, source.timezone or zone)
    return due


def is_due(source: Source, state: SourceState, zone: str, now: datetime) -> bool:
    """Whether a source is to be asked now; so it is when the clock was set back behind the last time."""
    due = next_due(source, state, zone)
    if due is None or due <= now or (state.checked_at is not None and state.checked_at > now):
        return True
    own = DEFAULT if source.every is None else interval(source.every)
    return own is not None and due - now > max(LONGEST_WAIT, own)


def _after_cron(expression: str, checked: datetime, zone: str) -> datetime:
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - for the few who write cron expressions

    trigger = CronTrigger.from_crontab(expression, timezone=ZoneInfo(zone))
    found = trigger.get_next_fire_time(checked, checked)
    return found or checked + LONGEST_WAIT
