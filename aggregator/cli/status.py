"""What `aggregator status` says: how each source and each feed stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aggregator.cli.tables import print_table
from aggregator.config.models import Config
from aggregator.config.sources import WebSource
from aggregator.models import State
from aggregator.pipeline.regenerate import Regenerator
from aggregator.pipeline.subscriptions import is_listed, shown_address
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
        listed = {row.name for row in tx.subscriptions.all()}
    sources = []
    for source in config.sources:
        state = states.get(source.name, unasked[source.name])
        due = next_due(source, state, config.site.timezone)
        sources.append(
            {
                "name": source.name,
                "type": source.type,
                "title": state.title or None,
                "url": shown_address(source) if isinstance(source, WebSource) else None,
                "listed": is_listed(source),
                "result": state.result or "never refreshed",
                "error": state.error or None,
                "note": state.note or None,
                "waits_for": state.waits_for if due is not None and due == state.not_before else None,
                "asked_at": state.url or None,
                "gone": _iso(state.gone_at),
                "failures": state.failures,
                "checked": _iso(state.checked_at),
                "succeeded": _iso(state.ok_at),
                "changed": _iso(state.changed_at),
                "is_due": is_due(source, state, config.site.timezone, now),
                "next_due": _iso(due),  # None: at every run
                **_counted(counts.get(source.name, {})),
            }
        )
    former = sorted(set(states) - {source.name for source in config.sources})
    for name in former:
        row: dict[str, Any] = {"name": name, "type": None, **_counted(counts.get(name, {}))}
        where = "its list; its posts stay" if name in listed else "the configuration"
        row |= {"result": f"no longer in {where}", "error": None, "is_due": False, "next_due": None}
        sources.append(row)
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


def _counted(by_state: dict[State, int]) -> dict[str, int]:
    """How many posts of a source are published, and how many are not, and why."""
    return {
        "posts": by_state.get(State.LIVE, 0),
        "held": by_state.get(State.HELD, 0),
        "hidden": by_state.get(State.HIDDEN, 0),
        "withdrawn": by_state.get(State.WITHDRAWN, 0),
    }


def print_status(status: Status) -> None:
    """Prints it as two tables."""
    rows = [
        (
            _named(row),
            row["result"],
            str(row["posts"]),
            ", ".join(f"{row[state]} {state}" for state in ("held", "hidden", "withdrawn") if row[state]),
            _short(row.get("checked")),
            "now" if row["is_due"] else _short(row["next_due"]),
            "; ".join(filter(None, (row["error"], row.get("note"), row.get("waits_for")))),
        )
        for row in status.sources
    ]
    print_table(("source", "last result", "posts", "not published", "checked (UTC)", "due (UTC)", "error, notes"), rows)
    print()  # noqa: T201
    feeds = [
        (
            row["slug"],
            row["title"],
            "never rendered" if row["posts"] is None else str(row["posts"]),
            _short(row["updated"]),
        )
        for row in status.feeds
    ]
    print_table(("feed", "title", "posts", "updated (UTC)"), feeds)


def _named(row: dict[str, Any]) -> str:
    """A source's name; with its title where it came out of a subscription list, and nobody chose the name."""
    title = row.get("title") if row.get("listed") else None
    return f"{row['name']} ({title[:40]})" if title else str(row["name"])


def _short(iso: str | None) -> str:
    return (iso or "").replace("T", " ")[:16]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _iso_seconds(stamped: int | None) -> str | None:
    return None if stamped is None else _iso(datetime.fromtimestamp(stamped, UTC))
