"""How every source and every feed stands: what `aggregator status` and the status page say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aggregator.config.models import Config
from aggregator.config.sources import Source, WebSource
from aggregator.models import State
from aggregator.pipeline.regenerate import Regenerator
from aggregator.pipeline.subscriptions import is_listed, shown_address
from aggregator.store.sources import SourceState
from aggregator.store.store import Store

DAYS = 30
SICK = ("failing", "gone")

Due = Callable[[Source, SourceState], datetime | None]
PostCounts = Mapping[str, Mapping[State, int]]


@dataclass(frozen=True, slots=True)
class Status:
    """The sources and feeds of a configuration as plain data, ready for JSON."""

    sources: list[dict[str, Any]]
    feeds: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Activity:
    """What takes time to count: posts by source and state, and by source and day, the oldest of `DAYS` days first."""

    counts: PostCounts
    a_day: Mapping[str, tuple[int, ...]]


def read_status(
    config: Config,
    store: Store,
    next_due: Due,
    is_due: Callable[[Source, SourceState], bool],
    *,
    counts: PostCounts | None = None,
    private: bool = False,
) -> Status:
    """Asks the store how things stand, for the operator; writes nothing. Where private feeds are is told if `private`."""
    with store.read() as tx:
        states, rendered = tx.sources.all(), tx.feeds.states()
        counts = tx.sources.post_counts() if counts is None else counts
        listed = {row.name for row in tx.subscriptions.all()}
    sources = []
    for source in config.sources:
        state = states.get(source.name) or SourceState(name=source.name)
        due = next_due(source, state)
        row = {**_row(source, state), "is_due": is_due(source, state), "next_due": iso(due)}  # None: at every run
        row["waits_for"] = state.waits_for if due is not None and due == state.not_before else None
        sources.append(row | _counted(counts.get(source.name, {})))
    for name in sorted(set(states) - {source.name for source in config.sources}):
        where = "its list; its posts stay" if name in listed else "the configuration"
        row = {"name": name, "type": None, **_counted(counts.get(name, {}))}
        sources.append(row | {"result": f"no longer in {where}", "error": None, "is_due": False, "next_due": None})
    feeds = []
    for feed in Regenerator(config, store, lambda: None).feeds():
        state_of_feed = rendered.get(feed.slug)
        feeds.append(
            {
                "slug": feed.slug,
                "title": feed.title,
                "private": feed.private,
                "directory": None if feed.private and not private else feed.directory,
                "posts": state_of_feed.posts if state_of_feed else None,
                "updated": _iso_seconds(state_of_feed.updated) if state_of_feed else None,
            }
        )
    return Status(sources, feeds)


def read_activity(store: Store, now: datetime, zone: str) -> Activity:
    """Counts the posts of each source, and those of the last days by the site's calendar; two queries over all posts."""
    offset = now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    with store.read() as tx:
        counts = tx.sources.post_counts()
        last, found = tx.sources.posts_a_day(now, DAYS, offset)
    days = range(last - DAYS + 1, last + 1)
    return Activity(counts, {name: tuple(by_day.get(day, 0) for day in days) for name, by_day in found.items()})


def health_of(row: Mapping[str, Any]) -> str:
    """How a source of `Status` is: failing | gone | never | waiting | well | former."""
    if row["type"] is None:
        return "former"
    if row["gone"]:
        return "gone"
    if row["error"] or row["failures"]:
        return "failing"
    if row["checked"] is None:
        return "never"
    return "waiting" if row["waits_for"] else "well"


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON says it."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(source: Source, state: SourceState) -> dict[str, Any]:
    return {
        "name": source.name,
        "type": source.type,
        "title": state.title or None,
        "url": shown_address(source) if isinstance(source, WebSource) else None,
        "listed": is_listed(source),
        "result": state.result or "never refreshed",
        "error": state.error or None,
        "note": state.note or None,
        "waits_for": None,
        "asked_at": state.url or None,
        "gone": iso(state.gone_at),
        "failures": state.failures,
        "checked": iso(state.checked_at),
        "succeeded": iso(state.ok_at),
        "changed": iso(state.changed_at),
    }


def _counted(by_state: Mapping[State, int]) -> dict[str, int]:
    """How many posts of a source are published, and how many are not, and why."""
    return {
        "posts": by_state.get(State.LIVE, 0),
        "held": by_state.get(State.HELD, 0),
        "hidden": by_state.get(State.HIDDEN, 0),
        "withdrawn": by_state.get(State.WITHDRAWN, 0),
    }


def _iso_seconds(stamped: int | None) -> str | None:
    return None if stamped is None else iso(datetime.fromtimestamp(stamped, UTC))
