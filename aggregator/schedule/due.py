"""When a source is due: its interval or cron expression, stretched while it fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aggregator.config.models import FrontMatterSource, Source, interval
from aggregator.store.sources import SourceState

DEFAULT = timedelta(minutes=30)
LONGEST_WAIT = timedelta(days=1)  # a source that fails is never given up, only asked less and less often


def next_due(source: Source, state: SourceState, zone: str) -> datetime | None:
    """When a source is to be asked next; None: now, because it never was, or because asking costs nothing."""
    checked = state.checked_at
    is_local = isinstance(source, FrontMatterSource) or source.is_local
    if checked is None or (source.every is None and is_local):
        return None
    wait = DEFAULT if source.every is None else interval(source.every)
    if wait is None:
        return _after_cron(source.every or "", checked, source.timezone or zone)
    if state.failures:
        wait = max(wait, min(wait * 2 ** min(state.failures, 16), LONGEST_WAIT))
    return checked + wait


def is_due(source: Source, state: SourceState, zone: str, now: datetime) -> bool:
    """Whether a source is to be asked now; so it is when the clock was set back behind the last time."""
    due = next_due(source, state, zone)
    return due is None or due <= now or (state.checked_at is not None and state.checked_at > now)


def _after_cron(expression: str, checked: datetime, zone: str) -> datetime:
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - for the few who write cron expressions

    trigger = CronTrigger.from_crontab(expression, timezone=ZoneInfo(zone))
    found = trigger.get_next_fire_time(checked, checked)
    return found or checked + LONGEST_WAIT
