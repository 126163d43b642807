"""What is remembered of each source: what to ask it with, when, and how the last refreshes went."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, literal, select, update

from aggregator.models import State, Validators
from aggregator.store.schema import posts, sources
from aggregator.store.upsert import upsert

FORMER = "former"  # the rules of a source that is no longer configured


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """One source as the store knows it; a source never asked has only its name. What each means stands in `schema`."""

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
    asked: str = ""
    url: str = ""
    moved_to: str = ""
    moved_times: int = 0
    hints: str = ""
    not_before: datetime | None = None
    waits_for: str = ""
    full_at: datetime | None = None
    gone_at: datetime | None = None
    note: str = ""
    gap_s: int | None = None
    hub: str = ""
    topic: str = ""
    push_until: datetime | None = None


_KEPT = ("checked_at", "ok_at", "changed_at", "not_before", "full_at", "gone_at")
_MOMENTS = (*_KEPT, "push_until")
_PLAIN = tuple(one.name for one in fields(SourceState) if one.name not in {"validators", *_MOMENTS})


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

    def hubs(self) -> dict[str, tuple[str, str]]:
        """The hub and the topic of each source that named a hub, by its name."""
        query = select(sources.c.name, sources.c.hub, sources.c.topic).where(sources.c.hub != "")
        return {name: (hub, topic) for name, hub, topic in self._connection.execute(query)}

    def posts_a_day(self, now: datetime, days: int, offset: timedelta) -> tuple[int, dict[str, dict[int, int]]]:
        """Today's number, and how many live posts each source has of the last days, by the numbers of days.

        A day is numbered by the days since 1970 at this offset from UTC.
        """
        shift, day_s = int(offset.total_seconds()), 86_400
        today = (stamp(now) + shift) // day_s
        since, until = (today - days + 1) * day_s - shift, (today + 1) * day_s - shift
        number = ((posts.c.published + shift) // literal(day_s, literal_execute=True)).label("day")
        query = (
            select(posts.c.source, number, func.count())
            .where(posts.c.state == State.LIVE, posts.c.published >= since, posts.c.published < until)
            .group_by(posts.c.source, number)
        )
        found: dict[str, dict[int, int]] = {}
        for name, day, count in self._connection.execute(query):
            found.setdefault(name, {})[day] = count
        return today, found

    def put(self, states: Sequence[SourceState]) -> None:
        """Remembers sources as they are now, but for `push_until`: pushes come while a source is being asked."""
        upsert(self._connection, sources, [_row(state) for state in states])

    def expect_pushes(self, names: Collection[str], until: datetime | None) -> None:
        """Remembers until when news of sources is pushed; None: no longer."""
        stamped = None if until is None else stamp(until)
        if names:
            statement = update(sources).where(sources.c.name.in_(sorted(names))).values(push_until=stamped)
            self._connection.execute(statement)


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
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN}
    moments: dict[str, Any] = {name: moment(row[name]) for name in _MOMENTS}
    return SourceState(validators=Validators(row["etag"], row["last_modified"]), **plain, **moments)


def _row(state: SourceState) -> dict[str, Any]:
    values = {name: getattr(state, name) for name in _PLAIN}
    values |= {"etag": state.validators.etag, "last_modified": state.validators.last_modified}
    clean = {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
    moments = {name: getattr(state, name) for name in _KEPT}
    return clean | {name: None if given is None else stamp(given) for name, given in moments.items()}
