"""What is remembered of hosts: how long they asked to be left alone, and what their robots.txt says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from aggregator.store.schema import hosts
from aggregator.store.sources import moment, stamp, storable
from aggregator.store.upsert import upsert

_LONGEST = timedelta(days=1, hours=1)  # nobody is left alone longer, and no robots.txt is believed longer


class Hosts:
    """The `hosts` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def waits(self, now: datetime) -> dict[str, datetime]:
        """Until when each host that said Retry-After is to be left alone, where that is still to come."""
        soon = stamp(now + _LONGEST)
        query = select(hosts.c.name, hosts.c.wait_until).where(hosts.c.wait_until.between(stamp(now) + 1, soon))
        found = ((name, moment(until)) for name, until in self._connection.execute(query))
        return {name: until for name, until in found if until is not None}

    def wait(self, waits: Mapping[str, datetime]) -> None:
        """Remembers until when hosts are to be left alone."""
        rows = [{"name": storable(name), "wait_until": stamp(until)} for name, until in sorted(waits.items())]
        upsert(self._connection, hosts, rows)

    def robots(self, since: datetime) -> dict[str, str]:
        """The robots.txt of each host that was asked for it since then."""
        query = select(hosts.c.name, hosts.c.robots).where(hosts.c.robots_at >= stamp(since))
        query = query.where(hosts.c.robots_at <= stamp(since + _LONGEST))
        return {name: rules or "" for name, rules in self._connection.execute(query)}

    def put_robots(self, robots: Mapping[str, str], now: datetime) -> None:
        """Remembers what robots.txt of hosts say."""
        rows = [
            {"name": storable(name), "robots": storable(rules), "robots_at": stamp(now)}
            for name, rules in sorted(robots.items())
        ]
        upsert(self._connection, hosts, rows)

    def forget(self, before: datetime) -> None:
        """Forgets hosts of which nothing remembered holds any more, or that were remembered while the clock was wrong."""
        late = stamp(before + 2 * _LONGEST)
        is_over = (hosts.c.wait_until.is_(None)) | (hosts.c.wait_until < stamp(before)) | (hosts.c.wait_until > late)
        is_old = (hosts.c.robots_at.is_(None)) | (hosts.c.robots_at < stamp(before))
        self._connection.execute(delete(hosts).where(is_over & is_old))
