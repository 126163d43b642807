"""Following the posts that change: who has looked at some goes on after them, wherever he was interrupted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, literal, select, tuple_

from aggregator.models import Post, State
from aggregator.store.feeds import Feeds
from aggregator.store.schema import categories, posts

BEGINNING = "-1 -1"


@dataclass(frozen=True, slots=True)
class Batch:
    """The next posts that changed: those that are live, the ids of all of them, and how far they go."""

    posts: tuple[Post, ...]
    ids: tuple[int, ...]
    cursor: str


def changed_after(connection: Connection, cursor: str, limit: int) -> Batch:
    """The next posts that changed after a cursor (`BEGINNING`, or a batch's); without any, one look into an index.

    Whoever looks at the store and writes later may be late: what changed meanwhile comes once more.
    """
    write, after = map(int, cursor.split())
    # A write that touched no live post gives its number to the next one, which does: nothing beyond is looked at.
    newest = select(categories.c.changed).where(categories.c.path == "").scalar_subquery()
    query = (
        select(posts.c.id, posts.c.changed, posts.c.state)
        .where(tuple_(posts.c.changed, posts.c.id) > tuple_(literal(write), literal(after)), posts.c.changed <= newest)
        .order_by(posts.c.changed, posts.c.id)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    if not rows:
        return Batch((), (), cursor)
    live = [row[0] for row in rows if row[2] == State.LIVE]
    found = tuple(Feeds(connection).posts(live))
    return Batch(found, tuple(row[0] for row in rows), f"{rows[-1][1]} {rows[-1][0]}")
