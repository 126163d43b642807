"""What `aggregator status` says: how each source and each feed stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aggregator.config.models import Config
from aggregator.pipeline.regenerate import Regenerator
from aggregator.schedule.due import is_due, next_due
from aggregator.schedule.workers import WorkerPool
from aggregator.store.store import Store


@dataclass(frozen=True, slots=True)
class Status:
    """The sources and feeds of a configuration as plain data, ready for JSON."""

    sources: list[dict[str, Any]]
    feeds: list[dict[str, Any]]


def read_status(config: Config, store: Store, now: datetime) -> Status:
    """Asks the store how things stand; writes nothing."""
    with store.read() as tx:
        states, counts, rendered = tx.sources.all(), tx.sources.post_counts(), tx.feeds.states()
        unasked = {source.name: tx.sources.get(source.name) for source in config.sources}
    sources = []
    for source in config.sources:
        state = states.get(source.name, unasked[source.name])
        due = next_due(source, state, config.site.timezone)
        sources.append(
            {
                "name": source.name,
                "type": source.type,
                "result": state.result or "never refreshed",
                "error": state.error or None,
                "failures": state.failures,
                "checked": _iso(state.checked_at),
                "succeeded": _iso(state.ok_at),
                "changed": _iso(state.changed_at),
                "next_due": "now" if due is None or is_due(source, state, config.site.timezone, now) else _iso(due),
                "posts": counts.get(source.name, 0),
            }
        )
    former = sorted(set(states) - {source.name for source in config.sources})
    for name in former:
        row: dict[str, Any] = {"name": name, "type": None, "posts": counts.get(name, 0)}
        sources.append(
            row | {"result": "no longer in the configuration; its posts stay", "error": None, "next_due": None}
        )
    feeds = []
    for feed in Regenerator(config, store, WorkerPool(1)).feeds():
        state_of_feed = rendered.get(feed.slug)
        feeds.append(
            {
                "slug": feed.slug,
                "title": feed.title,
                "directory": feed.directory,
                "posts": state_of_feed.posts if state_of_feed else None,
                "updated": _iso_seconds(state_of_feed.updated) if state_of_feed else None,
            }
        )
    return Status(sources, feeds)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _iso_seconds(stamped: int | None) -> str | None:
    return None if stamped is None else _iso(datetime.fromtimestamp(stamped, UTC))
