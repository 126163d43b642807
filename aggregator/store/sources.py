"""What is remembered of each source: its validators, and how the last refreshes went."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from aggregator.models import State, Validators
from aggregator.store.schema import posts, sources
from aggregator.store.upsert import upsert

FORMER = "former"  # the rules of a source that is no longer configured


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """One source as the store knows it; a source never asked has only its name."""

    name: str
    rules: str = ""
    title: str = ""
    link: str = ""
    validators: Validators = field(default_factory=Validators)
    body_hash: str = ""
    checked_at: datetime | None = None
    ok_at: datetime | None = None
    changed_at: datetime | None = None
    result: str = ""
    error: str = ""
    failures: int = 0


class Sources:
    """The `sources` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> SourceState:
        """What is remembered of a source."""
        row = self._connection.execute(select(sources).where(sources.c.name == name)).mappings().first()
        return _state(row) if row else SourceState(name=name)

    def all(self) -> dict[str, SourceState]:
        """What is remembered of every source that was ever asked, by name."""
        rows = self._connection.execute(select(sources).order_by(sources.c.name)).mappings()
        return {row["name"]: _state(row) for row in rows}

    def post_counts(self) -> dict[str, dict[State, int]]:
        """How many posts the store holds of each source, by their state."""
        counts: dict[str, dict[State, int]] = {}
        query = select(posts.c.source, posts.c.state, func.count()).group_by(posts.c.source, posts.c.state)
        for name, state, count in self._connection.execute(query):
            counts.setdefault(name, {})[State(state)] = count
        return counts

    def succeeded(
        self,
        name: str,
        *,
        now: datetime,
        result: str,
        changed: bool,
        validators: Validators | None = None,
        **known: str,
    ) -> None:
        """Notes a refresh that went well; `known` are columns to set (rules, title, link, body_hash)."""
        values: dict[str, Any] = {
            "checked_at": stamp(now),
            "ok_at": stamp(now),
            "etag": validators.etag if validators else "",
            "last_modified": validators.last_modified if validators else "",
            "result": result,
            "error": "",
            "failures": 0,
            **known,
        }
        if changed:
            values["changed_at"] = stamp(now)
        self._put(name, values)

    def left(self, name: str, now: datetime) -> None:
        """Notes that a source is no longer configured: should it come back, it is read anew, whatever it answers."""
        clean = {"rules": FORMER, "etag": "", "last_modified": "", "body_hash": "", "changed_at": stamp(now)}
        self._put(name, clean | {"result": "left the configuration", "error": "", "failures": 0})

    def failed(self, name: str, *, now: datetime, error: str) -> None:
        """Notes a refresh that failed: validators and posts stay as they were."""
        self._put(name, {"checked_at": stamp(now), "result": "failed", "error": error})
        self._connection.execute(update(sources).where(sources.c.name == name).values(failures=sources.c.failures + 1))

    def _put(self, name: str, values: dict[str, Any]) -> None:
        clean = {key: storable(value) if isinstance(value, str) else value for key, value in values.items()}
        upsert(self._connection, sources, [{"name": name, **clean}])


def storable(text: str) -> str:
    """The text without what a database refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def stamp(moment: datetime) -> int:
    """A moment as the store keeps it: whole seconds since 1970."""
    return int(moment.timestamp())


def moment(stamped: int | None) -> datetime | None:
    """The moment that `stamp` stored."""
    return None if stamped is None else datetime.fromtimestamp(stamped, UTC)


def _state(row: Any) -> SourceState:
    return SourceState(
        name=row["name"],
        rules=row["rules"],
        title=row["title"],
        link=row["link"],
        validators=Validators(row["etag"], row["last_modified"]),
        body_hash=row["body_hash"],
        checked_at=moment(row["checked_at"]),
        ok_at=moment(row["ok_at"]),
        changed_at=moment(row["changed_at"]),
        result=row["result"],
        error=row["error"],
        failures=row["failures"],
    )
