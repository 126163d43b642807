"""The feeds of subscription lists: those in them, and those that left and keep their posts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from aggregator.store.schema import subscriptions
from aggregator.store.sources import moment, stamp, storable
from aggregator.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A feed of a subscription list, as a source with a name of its own."""

    list: str
    name: str
    url: str
    title: str
    category: str  # the path of its folders
    left_at: datetime | None = None


class Subscriptions:
    """The `subscriptions` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Subscribed]:
        """Every feed of every list, in the order of the lists; those that left last."""
        order = (subscriptions.c.list, subscriptions.c.left_at.is_not(None), subscriptions.c.position)
        rows = self._connection.execute(select(subscriptions).order_by(*order)).mappings()
        return [
            Subscribed(row["list"], row["name"], row["url"], row["title"], row["category"], moment(row["left_at"]))
            for row in rows
        ]

    def put(self, name: str, feeds: Sequence[Subscribed], now: datetime) -> None:
        """Remembers what a list holds now; what is not among it has left."""
        table = subscriptions
        left = update(table).where(table.c.list == name, table.c.left_at.is_(None)).values(left_at=stamp(now))
        self._connection.execute(left)
        rows = [
            {
                "list": name,
                "name": feed.name,
                "position": number,
                "url": storable(feed.url),
                "title": storable(feed.title),
                "category": storable(feed.category),
                "left_at": None,
            }
            for number, feed in enumerate(feeds)
        ]
        upsert(self._connection, table, rows)

    def forget(self, lists: Collection[str]) -> None:
        """Forgets lists that are no longer configured."""
        self._connection.execute(delete(subscriptions).where(subscriptions.c.list.in_(sorted(lists))))
