"""Our subscriptions at the hubs of others: what is remembered of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, select

from aggregator.store.schema import leases, pushes
from aggregator.store.sources import moment, stamp
from aggregator.store.upsert import upsert

_REMEMBERED = timedelta(days=90)  # three of the longest leases


class LeaseState(StrEnum):
    """How far a subscription has come."""

    ASKED = "asked"  # to be asked for, or asked for and not confirmed yet
    ACTIVE = "active"
    RENEWING = "renewing"  # active, and asked for again
    LEAVING = "leaving"  # to be ended, or its end asked for
    ENDED = "ended"  # remembered, so that a hub that still pushes is told


LEASED = (LeaseState.ACTIVE, LeaseState.RENEWING)  # in which news is pushed


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One subscription; what each column means stands in `schema`."""

    callback: str
    source: str
    hub: str
    topic: str
    secret: str = field(repr=False)
    state: LeaseState = LeaseState.ASKED
    until: datetime | None = None
    failures: int = 0
    not_before: datetime


class Leases:
    """The `leases` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Lease]:
        """Every lease, in the order of sources."""
        query = select(leases).order_by(leases.c.source, leases.c.callback)
        return [_lease(row) for row in self._connection.execute(query).mappings()]

    def at(self, callback: str) -> Lease | None:
        """The lease with this callback, or None."""
        row = self._connection.execute(select(leases).where(leases.c.callback == callback)).mappings().first()
        return None if row is None else _lease(row)

    def put(self, changed: Sequence[Lease]) -> None:
        """Remembers leases as they are now."""
        upsert(self._connection, leases, [_row(lease) for lease in changed])

    def forget(self, callbacks: Collection[str]) -> None:
        """Forgets leases, and what was pushed in them."""
        for table in (leases, pushes) if callbacks else ():
            self._connection.execute(delete(table).where(table.c.callback.in_(sorted(callbacks))))

    def is_taken(self, callback: str, hashed: str) -> bool:
        """Whether this very body was pushed there before."""
        where = (pushes.c.callback == callback) & (pushes.c.hashed == hashed)
        return self._connection.execute(select(pushes.c.hashed).where(where)).first() is not None

    def take(self, callback: str, hashed: str, now: datetime) -> None:
        """Remembers a body that was pushed, and forgets those that are so old that nobody has them any more."""
        upsert(self._connection, pushes, [{"callback": callback, "hashed": hashed, "taken_at": stamp(now)}])
        self._connection.execute(delete(pushes).where(pushes.c.taken_at < stamp(now - _REMEMBERED)))


def _lease(row: Any) -> Lease:
    plain: dict[str, Any] = dict(row)
    moments: dict[str, Any] = {name: moment(row[name]) for name in ("until", "not_before")}
    return Lease(**plain | moments | {"state": LeaseState(row["state"])})


def _row(lease: Lease) -> dict[str, Any]:
    until = None if lease.until is None else stamp(lease.until)
    return asdict(lease) | {"state": lease.state.value, "until": until, "not_before": stamp(lease.not_before)}
