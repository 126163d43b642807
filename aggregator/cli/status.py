"""What `aggregator status` says: how each source and each feed stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aggregator.cli.tables import print_table
from aggregator.config.models import Config
from aggregator.pipeline import standing
from aggregator.pipeline.standing import Status
from aggregator.schedule.due import is_due, next_due
from aggregator.store.store import Store


def read_status(config: Config, store: Store, now: datetime, *, private: bool = False) -> Status:
    """Asks the store how things stand; writes nothing. `private` feeds' secret places are told only where that is wanted."""
    zone = config.site.timezone
    return standing.read_status(
        config,
        store,
        lambda source, state: next_due(source, state, zone),
        lambda source, state: is_due(source, state, zone, now),
        private=private,
    )


def print_private(config: Config, status: Status) -> None:
    """Prints the addresses of the private feeds."""
    base_url = config.site.base_url
    rows = [(row["slug"], f"{base_url}{row['directory']}/") for row in status.feeds if row["private"]]
    if not rows:
        print("there is no private feed")  # noqa: T201
    print_table(("private feed", "address"), rows)


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
            "; ".join(
                one for one in (row["error"], row.get("note"), row.get("waits_for")) if one and one != row["result"]
            ),
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
    images = status.images
    if any(images.values()):
        size = f"{images['copies']} mirrored, {images['bytes'] / 1e6:,.1f} MB"
        print(f"\nimages: {size}; {images['waiting']} waiting, {images['failed']} could not be had")  # noqa: T201


def _named(row: dict[str, Any]) -> str:
    """A source's name; with its title where it came out of a subscription list, and nobody chose the name."""
    title = row.get("title") if row.get("listed") else None
    return f"{row['name']} ({title[:40]})" if title else str(row["name"])


def _short(iso: str | None) -> str:
    return (iso or "").replace("T", " ")[:16]
