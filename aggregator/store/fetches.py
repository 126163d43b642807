"""How asking went, counted by the hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select

from aggregator.store.schema import fetches
from aggregator.store.sources import stamp
from aggregator.store.upsert import upsert

_HOUR_S = 3600
KEPT_H = 8 * 24  # hours that are remembered


class Fetches:
    """The `fetches` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self, now: datetime, outcomes: Mapping[str, int]) -> None:
        """Adds to what was counted in this hour, and forgets what is too old to be drawn."""
        hour = stamp(now) // _HOUR_S
        query = select(fetches.c.outcome, fetches.c.count).where(fetches.c.hour == hour)
        known: dict[str, int] = {row[0]: row[1] for row in self._connection.execute(query)}
        if not known:
            self._connection.execute(delete(fetches).where(fetches.c.hour < hour - KEPT_H))
        rows = [{"hour": hour, "outcome": name, "count": known.get(name, 0) + n} for name, n in outcomes.items() if n]
        upsert(self._connection, fetches, rows)

    def since(self, moment: datetime) -> dict[int, dict[str, int]]:
        """What was counted in each hour since then, by hours since 1970 and outcome; hours without any are left out."""
        found: dict[int, dict[str, int]] = {}
        query = select(fetches).where(fetches.c.hour >= stamp(moment) // _HOUR_S).order_by(fetches.c.hour)
        for hour, outcome, count in self._connection.execute(query):
            found.setdefault(hour, {})[outcome] = count
        return found
