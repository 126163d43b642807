"""Posts in the store: what is known of them, and writing those that changed together with who holds them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from aggregator.models import ROOT, Category, Post, State
from aggregator.store.codec import digest, read_details
from aggregator.store.schema import bodies, categories, memberships, posts
from aggregator.store.sources import moment, stamp
from aggregator.store.upsert import insert_rows

_CHUNK = 500  # ids or keys asked for in one statement: well below every driver's limit on parameters


@dataclass(frozen=True, slots=True)
class Known:
    """What deciding about a draft needs to know of a stored post; times are whole seconds since 1970."""

    id: int
    key: str
    link_key: str
    path: str | None
    guid: str
    title: str
    published: int
    dated: bool
    state: State
    draft_hash: str
    post_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A post on its way into the store, with what is kept beside it."""

    post: Post
    id: int  # the post's, which is a hash: computed once, as are its details
    details: str
    dated: bool  # whether its source gave the date
    path: str | None
    link_key: str
    draft: bytes  # packed
    draft_hash: str
    post_hash: str


_KNOWN = (
    posts.c.id,
    posts.c.key,
    posts.c.link_key,
    posts.c.path,
    posts.c.guid,
    posts.c.title,
    posts.c.published,
    posts.c.dated,
    posts.c.state,
    posts.c.draft_hash,
    posts.c.post_hash,
)


# Made once, because they are asked for every source: building one takes longer than the database takes to answer.
_OF_SOURCE = select(*_KNOWN).where(posts.c.source == bindparam("b_source"))
_BY_KEY = _OF_SOURCE.where(posts.c.key.in_(bindparam("b_values", expanding=True)))
_BY_LINK = _OF_SOURCE.where(posts.c.link_key.in_(bindparam("b_values", expanding=True)))
_BY_ID = select(*_KNOWN).where(posts.c.id.in_(bindparam("b_values", expanding=True)))
_ANY = select(posts.c.id).where(posts.c.source == bindparam("b_source")).limit(1)
_MOMENTS = (
    select(posts.c.published)
    .where(posts.c.source == bindparam("b_source"), posts.c.dated)
    .order_by(posts.c.published.desc())
    .limit(bindparam("b_limit"))
)
_BY_DATE = (
    select(*_KNOWN)
    .where(posts.c.source == bindparam("b_source"), posts.c.published == bindparam("b_published"))
    .order_by(posts.c.id)
)


class Posts:
    """The `posts`, `bodies`, `categories` and `memberships` tables within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._category_ids: dict[str, int] = {}
        self._write: int | None = None

    # -- asking -------------------------------------------------------------------------------------------------------

    def known(self, source: str, keys: Collection[str]) -> dict[str, Known]:
        """The posts of a source with any of these keys, by key."""
        return {known.key: known for known in self._known(_BY_KEY, keys, {"b_source": source})}

    def any(self, source: str) -> bool:
        """Whether the store holds any post of a source."""
        return self._connection.execute(_ANY, {"b_source": source}).first() is not None

    def known_by_link(self, source: str, link_keys: Collection[str]) -> dict[str, list[Known]]:
        """The posts of a source whose link has any of these canonical forms, by that form."""
        found: dict[str, list[Known]] = defaultdict(list)
        for known in self._known(_BY_LINK, link_keys, {"b_source": source}):
            found[known.link_key].append(known)
        return found

    def known_by_date(self, source: str, published: int) -> list[Known]:
        """The posts of a source that are dated this very second."""
        rows = self._connection.execute(_BY_DATE, {"b_source": source, "b_published": published})
        return [_known(row) for row in rows]

    def gap_s(self, source: str, count: int) -> int | None:
        """The median of the seconds between the newest posts of a source that its source dated; None with less than three.

        Posts of the same second came together and count as one; `count` says how many are looked at.
        """
        moments = self._connection.execute(_MOMENTS, {"b_source": source, "b_limit": count}).scalars()
        distinct = sorted(set(moments), reverse=True)
        gaps = sorted(newer - older for newer, older in pairwise(distinct))
        return gaps[len(gaps) // 2] if len(gaps) > 1 else None

    def known_by_id(self, ids: Collection[int]) -> dict[int, Known]:
        """The posts with any of these ids, by id."""
        return {known.id: known for known in self._known(_BY_ID, ids, {})}

    def draft(self, post_id: int) -> bytes:
        """The packed draft that a post was made from."""
        found: bytes = self._connection.execute(select(bodies.c.draft).where(bodies.c.post_id == post_id)).scalar_one()
        return found

    def drafts(self, source: str) -> Iterator[tuple[Known, bytes]]:
        """Every post of a source with the packed draft that it was made from, in pages, in the order of ids."""
        last = -1
        while True:
            query = (
                select(*_KNOWN, bodies.c.draft)
                .join(bodies, bodies.c.post_id == posts.c.id)
                .where(posts.c.source == source, posts.c.id > last)
                .order_by(posts.c.id)
                .limit(_CHUNK)
            )
            rows = self._connection.execute(query).all()
            if not rows:
                return
            for row in rows:
                yield _known(row[:-1]), row[-1]
            last = rows[-1][0]

    def _known(self, query: Select[Any], values: Collection[Any], more: dict[str, Any]) -> Iterator[Known]:
        for chunk in _chunks(sorted(set(values))):
            for row in self._connection.execute(query, {"b_values": chunk, **more}):
                yield _known(row)

    # -- telling ------------------------------------------------------------------------------------------------------

    def put(self, entries: Sequence[Entry], known: dict[int, Known], now: datetime) -> set[str]:
        """Writes posts that are new or changed; returns the paths of the categories whose posts changed.

        `known` holds what the store had of them, by id; the caller left out the posts that did not change.
        """
        entries = sorted(entries, key=lambda entry: entry.id)  # neighbours in the table's order write fewer pages
        new = [entry for entry in entries if entry.id not in known]
        old = [entry for entry in entries if entry.id in known]
        said = {"changed_at": stamp(now), "changed": self._number()}
        if new:
            first = {**said, "first_seen": stamp(now)}
            insert_rows(self._connection, posts, [_row(entry) | first for entry in new])
            insert_rows(self._connection, bodies, [_body(entry) for entry in new])
        if old:
            rows = [{f"b_{name}": value for name, value in (_row(entry) | said).items()} for entry in old]
            names = [name.removeprefix("b_") for name in rows[0] if name != "b_id"]
            columns: dict[str, Any] = {name: bindparam(f"b_{name}") for name in names}
            self._connection.execute(update(posts).where(posts.c.id == bindparam("b_id")).values(**columns), rows)
            rows = [{f"b_{name}": value for name, value in _body(entry).items()} for entry in old]
            columns = {name: bindparam(f"b_{name}") for name in ("content", "summary", "draft")}
            statement = update(bodies).where(bodies.c.post_id == bindparam("b_post_id")).values(**columns)
            self._connection.execute(statement, rows)
        held = {
            entry.id: (stamp(entry.post.published), _holders(entry.post.categories))
            for entry in entries
            if entry.post.state is State.LIVE
        }
        return self._hold(held, left=[entry.id for entry in old])

    def touch(self, entries: Sequence[Entry]) -> None:
        """Notes drafts that changed without changing what is published of them."""
        rows = [
            {"b_id": entry.id, "b_hash": entry.draft_hash, "b_path": entry.path, "b_draft": entry.draft}
            for entry in entries
        ]
        if rows:
            values: dict[str, Any] = {"draft_hash": bindparam("b_hash"), "path": bindparam("b_path")}
            self._connection.execute(update(posts).where(posts.c.id == bindparam("b_id")).values(**values), rows)
            statement = update(bodies).where(bodies.c.post_id == bindparam("b_id")).values(draft=bindparam("b_draft"))
            self._connection.execute(statement, rows)

    def withdraw(self, ids: Collection[int], now: datetime) -> set[str]:
        """Takes posts out of every feed, because their files are gone; returns the changed categories' paths."""
        for chunk in _chunks(sorted(ids)):
            values: dict[str, Any] = {
                "state": State.WITHDRAWN,
                "post_hash": "",
                "draft_hash": "",
                "changed_at": stamp(now),
                "changed": self._number(),
            }
            self._connection.execute(update(posts).where(posts.c.id.in_(chunk)).values(**values))
        return self._hold({}, left=sorted(ids))

    def withdraw_source(self, source: str, now: datetime) -> int:
        """Takes every post of a source out of the feeds, because the source is gone; returns how many were live."""
        query = select(posts.c.id).where(posts.c.source == source, posts.c.state != State.WITHDRAWN)
        ids = list(self._connection.execute(query).scalars())
        live = self._connection.execute(
            select(func.count()).where(posts.c.source == source, posts.c.state == State.LIVE)
        ).scalar()
        self.withdraw(ids, now)
        return live or 0

    def release(self, now: datetime) -> set[str]:
        """Makes live the held posts whose date has come; returns the changed categories' paths."""
        query = select(posts.c.id, posts.c.published, posts.c.details)
        due = self._connection.execute(query.where(posts.c.state == State.HELD, posts.c.published <= stamp(now))).all()
        held = {row[0]: (row[1], _holders(read_details(row[2])["categories"])) for row in due}
        for chunk in _chunks(sorted(held)):
            values = {"state": State.LIVE, "changed_at": stamp(now), "changed": self._number()}
            self._connection.execute(update(posts).where(posts.c.id.in_(chunk)).values(**values))
        return self._hold(held, left=())

    def show_anew(self, ids: Collection[int]) -> set[str]:
        """Has everything rendered anew that shows these posts, because something in them is shown otherwise.

        The posts are the same, so only those count as changed whose own pages are files, because they have no link.
        """
        touched: set[int] = set()
        unlinked = (posts.c.link.is_(None)) | (posts.c.link == "")
        for chunk in _chunks(sorted(ids)):
            query = select(memberships.c.category_id).distinct().where(memberships.c.post_id.in_(chunk))
            touched.update(self._connection.execute(query).scalars())
            statement = update(posts).where(posts.c.id.in_(chunk), unlinked, posts.c.state == State.LIVE)
            self._connection.execute(statement.values(changed=self._number()))
        return self._mark(touched, Counter())

    # -- who holds what -----------------------------------------------------------------------------------------------

    def _hold(self, held: dict[int, tuple[int, list[str]]], left: Sequence[int]) -> set[str]:
        """Takes the posts `left` out of their categories and puts `held` into theirs, counting on the way."""
        change: Counter[int] = Counter()
        touched: set[int] = set()
        for chunk in _chunks(left):
            query = select(memberships.c.category_id).where(memberships.c.post_id.in_(chunk))
            for (category_id,) in self._connection.execute(query):
                change[category_id] -= 1
                touched.add(category_id)
            self._connection.execute(delete(memberships).where(memberships.c.post_id.in_(chunk)))
        ids = self._ids({path for _, paths in held.values() for path in paths})
        rows = []
        for post_id, (published, paths) in held.items():
            for path in paths:
                rows.append({"category_id": ids[path], "published": published, "post_id": post_id})
                change[ids[path]] += 1
                touched.add(ids[path])
        if rows:
            rows.sort(key=lambda row: (row["category_id"], row["published"]))
            insert_rows(self._connection, memberships, rows)
        return self._mark(touched, change)

    def _ids(self, paths: set[str]) -> dict[str, int]:
        """The ids of categories, made where they are new."""
        missing = sorted(paths - self._category_ids.keys())
        for chunk in _chunks(missing):
            query = select(categories.c.path, categories.c.id).where(categories.c.path.in_(chunk))
            self._category_ids.update((path, number) for path, number in self._connection.execute(query))
        new = [{"path": path} for path in missing if path not in self._category_ids]
        if new:
            self._connection.execute(insert(categories), new)
            return self._ids(paths)
        return self._category_ids

    def _number(self) -> int:
        """The number of this write: one more than that of the last that touched a category."""
        if self._write is None:
            newest = self._connection.execute(select(func.max(categories.c.changed))).scalar()
            self._write = (newest or 0) + 1
        return self._write

    def _mark(self, touched: set[int], change: Counter[int]) -> set[str]:
        """Counts and dates the categories that this write touched, so that their feeds are known to be stale."""
        if not touched:
            return set()
        write = self._number()
        rows = [{"b_id": number, "b_change": change[number], "b_write": write} for number in sorted(touched)]
        values = {"posts": categories.c.posts + bindparam("b_change"), "changed": bindparam("b_write")}
        self._connection.execute(update(categories).where(categories.c.id == bindparam("b_id")).values(**values), rows)
        found: set[str] = set()
        for chunk in _chunks(sorted(touched)):
            found.update(
                self._connection.execute(select(categories.c.path).where(categories.c.id.in_(chunk))).scalars()
            )
        return found


def post_hash(post: Post, said: str, *, dated: bool) -> str:
    """A hash of everything of a post that is published, `said` being its details; a date that we gave it does not count."""
    return digest(
        post.guid,
        post.link or "",
        post.title,
        post.content,
        post.summary,
        str(stamp(post.published)) if dated else "",
        str(stamp(post.updated)) if post.updated else "",
        post.language,
        post.image or "",
        post.state,
        said,
    )


def _holders(listed: Sequence[Category]) -> list[str]:
    """The paths of every category that holds a post in these: themselves, their ancestors, and the root."""
    return [ROOT.path, *dict.fromkeys(above.path for category in listed for above in category.lineage())]


def _row(entry: Entry) -> dict[str, Any]:
    post = entry.post
    return {
        "id": entry.id,
        "source": post.source,
        "key": post.key,
        "link_key": entry.link_key,
        "path": entry.path,
        "guid": post.guid,
        "link": post.link,
        "title": post.title,
        "published": stamp(post.published),
        "dated": entry.dated,
        "updated": stamp(post.updated) if post.updated else None,
        "state": post.state,
        "language": post.language,
        "image": post.image,
        "details": entry.details,
        "draft_hash": entry.draft_hash,
        "post_hash": entry.post_hash,
    }


def _body(entry: Entry) -> dict[str, Any]:
    return {
        "post_id": entry.id,
        "content": entry.post.content,
        "summary": entry.post.summary,
        "draft": entry.draft,
    }


def _known(row: Any) -> Known:
    number, key, link_key, path, guid, title, published, dated, state, draft_hash, hashed = row
    return Known(number, key, link_key, path, guid, title, published, dated, State(state), draft_hash, hashed)


def read_post(row: Any) -> Post:
    """The post in a row of `posts` joined with `bodies`."""
    published = moment(row["published"])
    assert published is not None
    return Post(
        source=row["source"],
        key=row["key"],
        guid=row["guid"],
        link=row["link"],
        title=row["title"],
        content=row["content"],
        summary=row["summary"],
        published=published,
        updated=moment(row["updated"]),
        language=row["language"],
        image=row["image"],
        state=State(row["state"]),
        **read_details(row["details"]),
    )


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
