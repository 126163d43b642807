"""Which posts a feed holds, which feeds are stale, and what was last rendered of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, distinct, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.models import Category, Post
from aggregator.store.posts import read_post
from aggregator.store.schema import bodies, categories, feeds, memberships, posts

_CHUNK = 200  # posts whose bodies are read in one statement


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
        if not states:
            return
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(feeds)
        changing = {name: statement.excluded[name] for name in ("recipe", "rendered", "posts", "updated")}
        rows = [
            {
                "slug": state.slug,
                "recipe": state.recipe,
                "rendered": state.rendered,
                "posts": state.posts,
                "updated": state.updated,
            }
            for state in states
        ]
        self._connection.execute(statement.on_conflict_do_update(index_elements=["slug"], set_=changing), rows)

    def forget(self, slugs: Sequence[str]) -> None:
        """Forgets feeds that are no longer published."""
        if slugs:
            statement = delete(feeds).where(feeds.c.slug == bindparam("b_slug"))
            self._connection.execute(statement, [{"b_slug": slug} for slug in slugs])

    def select(self, chosen: Sequence[Category], limit: int | None) -> list[Post]:
        """The newest live posts of any of the categories, each once, newest first (by date, then id).

        A post that several sources carry (the same GUID, or the same link and title) is taken once, and a GUID never twice.
        """
        return list(self._posts(self._choose(self._category_ids(chosen), limit)))

    def count(self, chosen: Sequence[Category]) -> int:
        """How many live posts any of the categories hold; for one category without looking at posts."""
        ids = self._category_ids(chosen)
        if len(ids) <= 1:
            query = select(func.sum(categories.c.posts)).where(categories.c.id.in_(ids))
        else:
            query = select(func.count(distinct(memberships.c.post_id))).where(memberships.c.category_id.in_(ids))
        return self._connection.execute(query).scalar() or 0

    def _category_ids(self, chosen: Sequence[Category]) -> list[int]:
        query = select(categories.c.id).where(categories.c.path.in_([category.path for category in chosen]))
        return list(self._connection.execute(query.order_by(categories.c.id)).scalars())

    def _choose(self, category_ids: Sequence[int], limit: int | None) -> list[int]:
        """Ids of posts, duplicates left out; asks for more where leaving them out made the selection too short."""
        wanted = None if limit is None else limit + limit // 4
        while True:
            ordered = self._newest(category_ids, wanted)
            unique = self._unique(ordered)
            if limit is None or wanted is None:
                return unique
            if len(unique) >= limit or len(ordered) < wanted:
                return unique[:limit]
            wanted *= 4

    def _newest(self, category_ids: Sequence[int], limit: int | None) -> list[int]:
        found: set[tuple[int, int]] = set()
        for category_id in category_ids:
            query = (
                select(memberships.c.published, memberships.c.post_id)
                .where(memberships.c.category_id == category_id)
                .order_by(memberships.c.published.desc(), memberships.c.post_id.desc())
                .limit(limit)
            )
            found.update((row[0], row[1]) for row in self._connection.execute(query))
        return [post_id for _, post_id in sorted(found, reverse=True)[:limit]]

    def _unique(self, ordered: Sequence[int]) -> list[int]:
        """The ids without those whose GUID an earlier one has, or whose link and title one of another source."""
        facts: dict[int, tuple[str, str, str, str]] = {}
        for start in range(0, len(ordered), _CHUNK):
            columns = (posts.c.id, posts.c.guid, posts.c.source, posts.c.link_key, posts.c.title)
            query = select(*columns).where(posts.c.id.in_(ordered[start : start + _CHUNK]))
            facts.update({row[0]: (row[1], row[2], row[3], row[4]) for row in self._connection.execute(query)})
        guids: set[str] = set()
        headlines: dict[tuple[str, str], str] = {}  # a source itself may well give two posts one link and one title
        unique = []
        for post_id in ordered:
            guid, source, link_key, title = facts[post_id]
            first = headlines.setdefault((link_key, title), source) if link_key and title else source
            if guid not in guids and first == source:
                unique.append(post_id)
            guids.add(guid)
        return unique

    def _posts(self, ordered: Sequence[int]) -> Iterator[Post]:
        for start in range(0, len(ordered), _CHUNK):
            chunk = ordered[start : start + _CHUNK]
            query = select(posts, bodies.c.content, bodies.c.summary).join(bodies, bodies.c.post_id == posts.c.id)
            rows = {row["id"]: row for row in self._connection.execute(query.where(posts.c.id.in_(chunk))).mappings()}
            yield from (read_post(rows[post_id]) for post_id in chunk)
