"""Which posts a feed holds, which feeds are stale, and what was last rendered of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, RowMapping, Subquery, bindparam, delete, distinct, func, select, update

from aggregator.models import Category, Post
from aggregator.store.posts import read_post
from aggregator.store.schema import bodies, categories, feeds, memberships, posts
from aggregator.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class CategoryState:
    """A category that holds posts: where its feeds lie, how many live posts it has, and the write that last changed it."""

    path: str
    directory: str | None
    posts: int
    changed: int


@dataclass(frozen=True, slots=True)
class FeedState:
    """What was last rendered of a feed; `updated` in whole seconds since 1970, None for a feed without posts."""

    slug: str
    recipe: str
    rendered: int
    posts: int
    updated: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a feed holds: its posts, and how many there would be without a limit."""

    posts: list[Post]
    total: int


class Feeds:
    """Selecting posts, and the `categories` and `feeds` tables, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def categories(self) -> dict[str, CategoryState]:
        """Every category that ever held a post, by path; the root is the empty path."""
        columns = (categories.c.path, categories.c.directory, categories.c.posts, categories.c.changed)
        return {row[0]: CategoryState(*row) for row in self._connection.execute(select(*columns))}

    def give_directories(self, directories: Mapping[str, str]) -> None:
        """Remembers where categories' feeds lie; what was given once is never changed."""
        rows = [{"b_path": path, "b_directory": directory} for path, directory in directories.items()]
        if rows:
            where = (categories.c.path == bindparam("b_path")) & categories.c.directory.is_(None)
            statement = update(categories).where(where).values(directory=bindparam("b_directory"))
            self._connection.execute(statement, rows)

    def states(self) -> dict[str, FeedState]:
        """What was last rendered of each feed, by slug."""
        columns = (feeds.c.slug, feeds.c.recipe, feeds.c.rendered, feeds.c.posts, feeds.c.updated)
        return {row[0]: FeedState(*row) for row in self._connection.execute(select(*columns))}

    def rendered(self, states: Sequence[FeedState]) -> None:
        """Remembers what was rendered, after it was written."""
        upsert(self._connection, feeds, [asdict(state) for state in states])

    def forget(self, slugs: Sequence[str]) -> None:
        """Forgets feeds that are no longer published."""
        if slugs:
            statement = delete(feeds).where(feeds.c.slug == bindparam("b_slug"))
            self._connection.execute(statement, [{"b_slug": slug} for slug in slugs])

    def select(self, chosen: Sequence[Category], limit: int | None) -> Selection:
        """The newest live posts of any of the categories, each once, newest first (by date, then id).

        A post that several sources carry (the same GUID, or the same link and title) is taken once, and a GUID never twice.
        """
        query = select(categories.c.id, categories.c.posts).where(categories.c.path.in_([one.path for one in chosen]))
        found = self._connection.execute(query.order_by(categories.c.id)).all()
        ids = [row[0] for row in found]
        total = found[0][1] if len(found) == 1 else self._count(ids)
        wanted = limit
        while True:  # once, but where so many duplicates were left out that the selection became too short
            rows = self._newest(ids, wanted)
            unique = _unique(rows)
            if limit is None or wanted is None or len(unique) >= limit or len(rows) < wanted:
                return Selection([read_post(row) for row in unique[:limit]], total)
            wanted *= 4

    def sources(self, chosen: Sequence[Category], limit: int | None) -> set[str]:
        """The sources of the newest live posts of any of the categories, `limit` of each."""
        found: set[str] = set()
        query = select(categories.c.id).where(categories.c.path.in_([one.path for one in chosen]))
        for category_id in self._connection.execute(query).scalars().all():
            newest = _newest_of(category_id, limit)
            sources = select(posts.c.source).distinct().join(newest, newest.c.post_id == posts.c.id)
            found.update(self._connection.execute(sources).scalars())
        return found

    def _count(self, category_ids: Sequence[int]) -> int:
        query = select(func.count(distinct(memberships.c.post_id))).where(memberships.c.category_id.in_(category_ids))
        return self._connection.execute(query).scalar() or 0

    def _newest(self, category_ids: Sequence[int], limit: int | None) -> list[RowMapping]:
        """The newest posts of each category, merged."""
        found: dict[tuple[int, int], RowMapping] = {}
        for category_id in category_ids:
            newest = _newest_of(category_id, limit)
            query = (
                select(posts, bodies.c.content, bodies.c.summary)
                .join(newest, newest.c.post_id == posts.c.id)
                .join(bodies, bodies.c.post_id == posts.c.id)
            )
            for row in self._connection.execute(query).mappings():
                found[row["published"], row["id"]] = row
        return [found[key] for key in sorted(found, reverse=True)[:limit]]


def _newest_of(category_id: int, limit: int | None) -> Subquery:
    """The ids of the newest posts of a category."""
    return (
        select(memberships.c.post_id)
        .where(memberships.c.category_id == category_id)
        .order_by(memberships.c.published.desc(), memberships.c.post_id.desc())
        .limit(limit)
        .subquery()
    )


def _unique(rows: Sequence[RowMapping]) -> list[RowMapping]:
    """The rows without those whose GUID an earlier one has, or whose link and title one of another source."""
    guids: set[str] = set()
    headlines: dict[tuple[str, str], str] = {}  # a source itself may well give two posts one link and one title
    unique = []
    for row in rows:
        link_key, title, source = row["link_key"], row["title"], row["source"]
        first = headlines.setdefault((link_key, title), source) if link_key and title else source
        if row["guid"] not in guids and first == source:
            unique.append(row)
        guids.add(row["guid"])
    return unique
