"""Finding posts by their words, newest first.

A match is numbered so that newer posts have higher numbers. SQLite reads its index from the highest number on and stops
when the page is full, so that a word which every post holds costs no more than a rare one. PostgreSQL has to sort what
it found, and is stopped after `PATIENCE_MS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, column, delete, func, select, table, text
from sqlalchemy.exc import OperationalError

from aggregator.errors import SearchTimedOut
from aggregator.models import Post, State
from aggregator.store.following import BEGINNING, Batch, changed_after
from aggregator.store.posts import read_post
from aggregator.store.schema import bodies, posts, search
from aggregator.store.settings import Settings
from aggregator.store.sources import stamp
from aggregator.store.upsert import insert_rows
from aggregator.store.words import Term, cut

PATIENCE_MS = 2000
_CURSOR = "search"  # the setting that says how far the index goes: the write, and the post within it
_LOW_BITS = 30

# The very expression that the index is of.
_MATCHES = text("to_tsvector('simple', search.title || ' ' || search.words) @@ to_tsquery('simple', :asked)")
_INDEX = table("search_index", column("rowid"), column("search_index"))


class Search:
    """The `search` table and its index within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"

    def stale(self, limit: int) -> Batch:
        """The next posts that changed since they were indexed; without any, one look into an index."""
        return changed_after(self._connection, Settings(self._connection).get(_CURSOR) or BEGINNING, limit)

    def put(self, batch: Batch, texts: Mapping[int, str]) -> None:
        """Indexes a batch with the texts of its posts, by id, and remembers how far it goes.

        Whoever looked at the store before and writes now may be late: what changed since is looked at once more.
        """
        self._connection.execute(delete(search).where(search.c.post_id.in_(batch.ids)))
        rows = [
            {
                "number": number_of(post),
                "post_id": post.id,
                "title": cut(post.title),
                "words": cut(texts[post.id]),
            }
            for post in batch.posts
        ]
        # In the order of numbers: FTS5 begins another piece of its index with each that is lower than the one before.
        unique = [row for _, row in sorted({row["number"]: row for row in rows}.items())]
        self._connection.execute(delete(search).where(search.c.number.in_([row["number"] for row in unique])))
        insert_rows(self._connection, search, unique)
        Settings(self._connection).put(_CURSOR, batch.cursor)

    def count(self) -> int:
        """How many posts are indexed."""
        return self._connection.execute(select(func.count()).select_from(search)).scalar() or 0

    def find(self, terms: Sequence[Term], *, limit: int, offset: int = 0) -> list[Post]:
        """The live posts that hold all the terms, newest first; none without terms."""
        if not terms:
            return []
        number = _INDEX.c.rowid if self._is_sqlite else search.c.number
        found = select(number.label("number")).order_by(number.desc()).limit(limit).offset(offset)
        if self._is_sqlite:
            found = found.where(_INDEX.c.search_index.op("MATCH")(bindparam("b_query", _fts5(terms))))
        else:
            self._connection.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
            found = found.where(_MATCHES.bindparams(asked=_tsquery(terms)))
        numbers = found.subquery()
        query = (
            select(posts, bodies.c.content, bodies.c.summary)
            .join(search, search.c.post_id == posts.c.id)
            .join(numbers, numbers.c.number == search.c.number)
            .join(bodies, bodies.c.post_id == posts.c.id)
            .where(posts.c.state == State.LIVE)
            .order_by(search.c.number.desc())
        )
        try:
            rows = self._connection.execute(query).mappings().all()
        except OperationalError as error:
            if "statement timeout" in str(error.orig):
                raise SearchTimedOut("so many posts hold these words that finding the newest takes too long") from error
            raise
        return [read_post(row) for row in rows]


def number_of(post: Post) -> int:
    """The post's number in the index: its date, then the lower half of its id, within 63 bits until the year 2242.

    Two posts of one second would have to share 30 bits to share a number; then the later one is found, and no harm done.
    """
    return (stamp(post.published) << _LOW_BITS) | (post.id & ((1 << _LOW_BITS) - 1))


def _fts5(terms: Sequence[Term]) -> str:
    """The terms in FTS5's language; words hold no quotes, which would be the only sign that means something in quotes."""
    return " AND ".join(f'"{" ".join(term.words)}"{"*" if term.is_open else ""}' for term in terms)


def _tsquery(terms: Sequence[Term]) -> str:
    """The terms in PostgreSQL's language."""
    pieces = []
    for term in terms:
        words = [f"'{word}'" for word in term.words]
        pieces.append(f"({' <-> '.join(words)}{':*' if term.is_open else ''})")
    return " & ".join(pieces)
