"""Which posts a feed holds, which feeds are stale, and what was last rendered of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, RowMapping, Subquery, bindparam, delete, distinct, func, select, update

from aggregator.models import Category, Post, State
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


@dataclass(frozen=True, slots=True)
class ChangedPost:
    """A post that a write changed; `is_unlinked` says that it is live and has no link of its own."""

    id: int
    is_unlinked: bool


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

    def newest_write(self) -> int:
        """The number of the write that last touched a live post; 0 where there never was one."""
        query = select(categories.c.changed).where(categories.c.path == "")
        return self._connection.execute(query).scalar() or 0

    def version(self) -> tuple[int, ...]:
        """Another value whenever what pages show of feeds may be another: posts, directories, documents."""
        housed = select(func.count()).where(categories.c.directory.is_not(None)).scalar_subquery()
        query = select(func.count(), func.coalesce(func.sum(feeds.c.rendered), 0), housed).select_from(feeds)
        return (self.newest_write(), *map(int, self._connection.execute(query).one()))

    def changed_since(self, write: int) -> list[ChangedPost]:
        """The posts that were changed after a write, up to the newest one that touched a live post, in the order of ids."""
        unlinked = (posts.c.state == State.LIVE) & ((posts.c.link.is_(None)) | (posts.c.link == ""))
        query = select(posts.c.id, unlinked).where(posts.c.changed > write, posts.c.changed <= self.newest_write())
        return [
            ChangedPost(number, bool(shown)) for number, shown in self._connection.execute(query.order_by(posts.c.id))
        ]

    def posts(self, ids: Sequence[int]) -> list[Post]:
        """The live posts among these, in the order given; at most some hundred."""
        query = select(posts, bodies.c.content, bodies.c.summary).join(bodies, bodies.c.post_id == posts.c.id)
        rows = self._connection.execute(query.where(posts.c.id.in_(ids), posts.c.state == State.LIVE)).mappings()
        found = {row["id"]: row for row in rows}
        return [read_post(found[number]) for number in ids if number in found]

    def part(self, chosen: Sequence[Category], limit: int, offset: int) -> Selection:
        """Some of the live posts of any of the categories, newest first; a post that several sources carry is taken once."""
        query = select(categories.c.id, categories.c.posts).where(categories.c.path.in_([one.path for one in chosen]))
        found = self._connection.execute(query).all()
        ids = [row[0] for row in found]
        total = found[0][1] if len(found) == 1 else self._count(ids)
        columns = (memberships.c.published, memberships.c.post_id)
        part = select(*columns).where(memberships.c.category_id.in_(ids))
        part = part.distinct() if len(ids) > 1 else part
        newest = part.order_by(*(column.desc() for column in columns)).limit(limit).offset(offset).subquery()
        rows = self._connection.execute(
            select(posts, bodies.c.content, bodies.c.summary)
            .join(newest, newest.c.post_id == posts.c.id)
            .join(bodies, bodies.c.post_id == posts.c.id)
            .order_by(newest.c.published.desc(), newest.c.post_id.desc())
        )
        return Selection([read_post(row) for row in _unique(rows.mappings().all())], total)

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
