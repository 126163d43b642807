"""Who subscribed at our own hub, to which document, and what was delivered to them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from aggregator.store.schema import subscribers
from aggregator.store.sources import moment, stamp
from aggregator.store.upsert import upsert

_LONGEST_WAIT = timedelta(hours=8)  # nothing waits longer: what says so was written while the clock was wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One subscription at our hub; what each column means stands in `schema`."""

    topic: str
    callback: str
    host: str
    secret: str = field(repr=False)
    until: datetime
    sent: str
    failures: int = 0
    not_before: datetime | None = None


class Subscribers:
    """The `subscribers` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def topics(self) -> list[str]:
        """The documents that anybody is subscribed to."""
        query = select(subscribers.c.topic).distinct().order_by(subscribers.c.topic)
        return list(self._connection.execute(query).scalars())

    def at(self, topic: str, callback: str) -> Subscriber | None:
        """The subscription of a callback to a document, or None."""
        query = select(subscribers).where(subscribers.c.topic == topic, subscribers.c.callback == callback)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _subscriber(row)

    def owed(self, topic: str, etag: str, now: datetime) -> list[Subscriber]:
        """Who has not got this version of a document, and may be sent it now."""
        table = subscribers
        is_due = table.c.not_before.is_(None) | _has_waited(now)
        is_owed = (table.c.topic == topic) & (table.c.sent != etag) & (table.c.until > stamp(now))
        query = select(table).where(is_owed, is_due).order_by(table.c.callback)
        return [_subscriber(row) for row in self._connection.execute(query).mappings()]

    def waiting(self, now: datetime) -> list[str]:
        """The documents of which a delivery failed and may be tried again now."""
        query = select(subscribers.c.topic).where(_has_waited(now)).distinct()
        return list(self._connection.execute(query).scalars())

    def count(self, host: str | None = None) -> int:
        """How many subscriptions there are, of all callbacks or of those of one host."""
        query = select(func.count()).select_from(subscribers)
        if host is not None:
            query = query.where(subscribers.c.host == host)
        return self._connection.execute(query).scalar() or 0

    def put(self, subscriber: Subscriber) -> None:
        """Remembers a subscription as it is now."""
        upsert(self._connection, subscribers, [_row(subscriber)])

    def delivered(self, topic: str, callback: str, etag: str) -> None:
        """Remembers that a version was delivered, or that it will not be; one that was unsubscribed meanwhile stays so."""
        self._update(topic, callback, sent=etag, failures=0, not_before=None)

    def failed(self, topic: str, callback: str, failures: int, not_before: datetime) -> None:
        """Remembers that a delivery failed, and when it may be tried again."""
        self._update(topic, callback, failures=failures, not_before=stamp(not_before))

    def remove(self, topic: str, callback: str) -> None:
        """Forgets a subscription."""
        where = (subscribers.c.topic == topic) & (subscribers.c.callback == callback)
        self._connection.execute(delete(subscribers).where(where))

    def expire(self, now: datetime) -> int:
        """Forgets the subscriptions whose lease has ended; returns how many."""
        return self._connection.execute(delete(subscribers).where(subscribers.c.until <= stamp(now))).rowcount

    def _update(self, topic: str, callback: str, **values: Any) -> None:
        where = (subscribers.c.topic == topic) & (subscribers.c.callback == callback)
        self._connection.execute(update(subscribers).where(where).values(**values))


def _has_waited(now: datetime) -> ColumnElement[bool]:
    not_before = subscribers.c.not_before
    return (not_before <= stamp(now)) | (not_before > stamp(now + _LONGEST_WAIT))


def _subscriber(row: Any) -> Subscriber:
    plain: dict[str, Any] = dict(row)
    moments: dict[str, Any] = {name: moment(row[name]) for name in ("until", "not_before")}
    return Subscriber(**plain | moments)


def _row(subscriber: Subscriber) -> dict[str, Any]:
    not_before = None if subscriber.not_before is None else stamp(subscriber.not_before)
    return asdict(subscriber) | {"until": stamp(subscriber.until), "not_before": not_before}
