"""Copies of images: which there are, which are wanted, and which posts show them.

Two origins whose bytes are the same share one file, which goes when neither is shown any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update

from aggregator.models import Mirrored
from aggregator.store.following import BEGINNING, Batch, changed_after
from aggregator.store.schema import media, media_leaving, media_uses
from aggregator.store.settings import Settings
from aggregator.store.sources import stamp, storable
from aggregator.store.upsert import insert_rows

DIRECTORY = "media"
_CHUNK = 500  # ids in one statement
_LONGEST_WAIT = timedelta(days=31)  # nothing waits longer: what says so was written while the clock was wrong
_CURSOR = "media"  # the setting that says which posts were looked at: by which rules, and how far


class File(NamedTuple):
    """The name of a copy: the hash of its bytes in hexadecimal, and its suffix without the dot."""

    hash: str
    suffix: str

    @property
    def path(self) -> str:
        """Where it lies below the output: 256 folders hold a million files well."""
        return f"{DIRECTORY}/{self.hash[:2]}/{self.hash}.{self.suffix}"


class Stray(NamedTuple):
    """A file that is named like a copy, and that the store does not know: its media type, its size, and its time."""

    file: File
    type: str
    bytes: int
    written_at: int  # in seconds since 1970


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image that a post shows, of which a copy is wanted; `newest` is the post's date."""

    origin: str
    host: str
    newest: datetime


class Due(NamedTuple):
    """An image that may be asked for now."""

    id: int
    origin: str
    host: str
    failures: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was made of an image: its name, its media type, and its size."""

    id: int
    hash: str
    suffix: str
    type: str
    bytes: int
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Missed:
    """An image that could not be copied: why, how often in a row, and when it may be asked for again."""

    id: int
    origin: str
    failures: int
    not_before: datetime
    error: str


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """How many copies there are and how large they are together; images that wait for theirs, and that failed."""

    copies: int = 0
    bytes: int = 0
    waiting: int = 0
    failed: int = 0


# Made once: publishing asks for every image, and building a statement takes longer than the database takes to answer.
_FIND = select(media.c.hash, media.c.suffix, media.c.type, media.c.bytes, media.c.width, media.c.height).where(
    media.c.id == bindparam("b_id"), media.c.origin == bindparam("b_origin"), media.c.hash != ""
)
_NO_COPY = {"hash": "", "suffix": "", "type": "", "bytes": 0, "width": None, "height": None, "not_before": 0}


class Media:
    """The `media`, `media_uses` and `media_leaving` tables within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- asking -------------------------------------------------------------------------------------------------------

    def find(self, origin: str) -> Mirrored | None:
        """The copy of an image, if there is one; that its file is there is for the caller to see."""
        row = self._connection.execute(_FIND, {"b_id": media_id(origin), "b_origin": storable(origin)}).first()
        return None if row is None else Mirrored(File(row[0], row[1]).path, *row[2:])

    def files(self) -> set[File]:
        """The names of all copies."""
        query = select(media.c.hash, media.c.suffix).where(media.c.hash != "").distinct()
        return {File(*row) for row in self._connection.execute(query)}

    def due(self, now: datetime, most: int, per_host: int) -> list[Due]:
        """Images that may be asked for now, of each host so many at the most, those that the newest posts show first.

        The first of every host come before the second of any.
        """
        place = func.row_number().over(partition_by=media.c.host, order_by=(media.c.newest.desc(), media.c.id))
        columns = (media.c.id, media.c.origin, media.c.host, media.c.failures)
        has_waited = (media.c.not_before <= stamp(now)) | (media.c.not_before > stamp(now + _LONGEST_WAIT))
        found = select(*columns, media.c.newest, place.label("place")).where(has_waited).subquery()
        query = select(*(found.c[column.name] for column in columns)).where(found.c.place <= per_host)
        rows = self._connection.execute(query.order_by(found.c.place, found.c.newest.desc(), found.c.id).limit(most))
        return [Due(*row) for row in rows]

    def size(self) -> int:
        """How large all copies are together, in bytes."""
        files = select(media.c.hash, media.c.bytes).where(media.c.hash != "").distinct().subquery()
        return int(self._connection.execute(select(func.sum(files.c.bytes))).scalar() or 0)

    def figures(self) -> MediaFigures:
        """How it stands; looks at every row."""
        copies = select(func.count(media.c.hash.distinct())).where(media.c.hash != "")
        failed = select(func.count()).where(media.c.hash == "", media.c.failures > 0)
        waiting = select(func.count()).where(media.c.hash == "", media.c.failures == 0)
        copied, waits, misses = (self._connection.execute(query).scalar() or 0 for query in (copies, waiting, failed))
        return MediaFigures(copied, self.size(), waits, misses)

    def unshown(self) -> Iterator[tuple[File, int]]:
        """The copies that no live post shows, and their sizes in bytes, the oldest first."""
        other = media.alias()
        shown = exists().where(media_uses.c.media_id == other.c.id, other.c.hash == media.c.hash)
        query = (
            select(media.c.hash, media.c.suffix, func.max(media.c.bytes))
            .where(media.c.hash != "", ~shown)
            .group_by(media.c.hash, media.c.suffix)
            .order_by(func.max(media.c.fetched_at), media.c.hash)
        )
        for name, suffix, size in self._connection.execute(query):
            yield File(name, suffix), size

    # -- what posts show ----------------------------------------------------------------------------------------------

    def unseen(self, rules: str, limit: int) -> Batch:
        """The next posts that changed since it was noted what they show by these rules; without any, a look into an index."""
        said, _, cursor = (Settings(self._connection).get(_CURSOR) or "").partition(" ")
        return changed_after(self._connection, cursor if said == rules else BEGINNING, limit)

    def refer(self, rules: str, batch: Batch, shown: Mapping[int, Sequence[Wanted]]) -> None:
        """Notes what the posts of a batch show, by post; what is shown no more and has no copy is forgotten.

        `rules` is a word that names those by which a copy is wanted.
        """
        pairs = (media_uses.c.post_id, media_uses.c.media_id)
        before = {
            (post, image)
            for chunk in _chunks(batch.ids)
            for post, image in self._connection.execute(select(*pairs).where(media_uses.c.post_id.in_(chunk)))
        }
        now = {(post, media_id(one.origin)) for post, wanted in shown.items() for one in wanted}
        if gone := sorted(before - now):
            where = (media_uses.c.post_id == bindparam("b_post")) & (media_uses.c.media_id == bindparam("b_media"))
            rows = [{"b_post": post, "b_media": image} for post, image in gone]
            self._connection.execute(delete(media_uses).where(where), rows)
        added = [{"post_id": post, "media_id": image} for post, image in sorted(now - before)]
        insert_rows(self._connection, media_uses, added)
        self._want({media_id(one.origin): one for wanted in shown.values() for one in wanted})
        self._forget(image for _, image in gone)
        Settings(self._connection).put(_CURSOR, f"{rules} {batch.cursor}")

    def shown_by(self, ids: Collection[int]) -> set[int]:
        """The live posts that show any of these images."""
        query = select(media_uses.c.post_id).distinct()
        return {
            post
            for chunk in _chunks(sorted(ids))
            for post in self._connection.execute(query.where(media_uses.c.media_id.in_(chunk))).scalars()
        }

    def _want(self, wanted: Mapping[int, Wanted]) -> None:
        """Has images fetched that were not known; those of newer posts come sooner."""
        known: dict[int, int] = {}
        for chunk in _chunks(sorted(wanted)):
            query = select(media.c.id, media.c.newest).where(media.c.id.in_(chunk))
            known.update((row[0], row[1]) for row in self._connection.execute(query))
        new = [
            {"id": number, "origin": one.origin, "host": one.host, "newest": stamp(one.newest), "not_before": 0}
            for number, one in sorted(wanted.items())
            if number not in known
        ]
        insert_rows(self._connection, media, new)
        sooner = [
            {"b_id": number, "b_newest": stamp(one.newest)}
            for number, one in sorted(wanted.items())
            if stamp(one.newest) > known.get(number, stamp(one.newest))
        ]
        if sooner:
            statement = update(media).where(media.c.id == bindparam("b_id")).values(newest=bindparam("b_newest"))
            self._connection.execute(statement, sooner)

    def _forget(self, ids: Iterator[int]) -> None:
        """Forgets those of the images that have no copy, and that no post shows."""
        shown = exists().where(media_uses.c.media_id == media.c.id)
        for chunk in _chunks(sorted(set(ids))):
            self._connection.execute(delete(media).where(media.c.id.in_(chunk), media.c.hash == "", ~shown))

    # -- what became of them ------------------------------------------------------------------------------------------

    def copied(self, copies: Sequence[Copy], now: datetime) -> None:
        """Remembers copies, whose files are in place."""
        rows = [{f"b_{name}": value for name, value in asdict(copy).items()} for copy in copies]
        if rows:
            names = ("hash", "suffix", "type", "bytes", "width", "height")
            values: dict[str, Any] = {name: bindparam(f"b_{name}") for name in names}
            values |= {"fetched_at": stamp(now), "failures": 0, "not_before": None, "error": ""}
            self._connection.execute(update(media).where(media.c.id == bindparam("b_id")).values(**values), rows)
            # Taken up before: now that an origin is known for them, they are that one's.
            found = [media_id(File(one.hash, one.suffix).path) for one in copies]
            self._connection.execute(delete(media).where(media.c.id.in_(found), media.c.host == ""))

    def take_up(self, strays: Sequence[Stray]) -> None:
        """Remembers files as copies that no post shows; what they are copies of is for whoever fetches the same bytes to say."""
        rows = [
            {
                "id": media_id(file.path),
                "origin": file.path,
                "host": "",
                "newest": 0,
                "hash": file.hash,
                "suffix": file.suffix,
                "type": kind,
                "bytes": size,
                "fetched_at": written_at,
            }
            for file, kind, size, written_at in strays
        ]
        insert_rows(self._connection, media, rows)

    def missed(self, missed: Sequence[Missed]) -> None:
        """Remembers why images could not be copied, and when they may be asked for again."""
        rows = [
            {
                "b_id": one.id,
                "b_failures": one.failures,
                "b_not_before": stamp(one.not_before),
                "b_error": storable(one.error),
            }
            for one in missed
        ]
        if rows:
            values: dict[str, Any] = {name: bindparam(f"b_{name}") for name in ("failures", "not_before", "error")}
            self._connection.execute(update(media).where(media.c.id == bindparam("b_id")).values(**values), rows)

    def lost(self, files: Collection[File]) -> set[int]:
        """Has images fetched again whose files are gone; returns the live posts that show them."""
        found: set[int] = set()
        for chunk in _chunks(sorted({file.hash for file in files})):
            ids = list(self._connection.execute(select(media.c.id).where(media.c.hash.in_(chunk))).scalars())
            found |= self.shown_by(ids)
            self._connection.execute(update(media).where(media.c.hash.in_(chunk)).values(**_NO_COPY))
            self._forget(iter(ids))
        return found

    def let_go(self, files: Collection[File]) -> None:
        """Forgets copies, and remembers that their files are to be removed."""
        for chunk in _chunks(sorted({file.hash for file in files})):
            self._connection.execute(delete(media).where(media.c.hash.in_(chunk)))
        new = set(files) - set(self.leaving())
        insert_rows(self._connection, media_leaving, [file._asdict() for file in sorted(new)])

    def leaving(self) -> list[File]:
        """The files that are to be removed."""
        rows = self._connection.execute(select(media_leaving.c.hash, media_leaving.c.suffix))
        return [File(*row) for row in rows]

    def left(self) -> None:
        """Forgets the files that were to be removed."""
        self._connection.execute(delete(media_leaving))

    def held(self, files: Collection[File]) -> set[File]:
        """Those of the files that are copies of an image."""
        found: set[File] = set()
        for chunk in _chunks(sorted({file.hash for file in files})):
            rows = self._connection.execute(select(media.c.hash, media.c.suffix).where(media.c.hash.in_(chunk)))
            found.update(File(*row) for row in rows)
        return found & set(files)


def media_id(origin: str) -> int:
    """63 bits of the origin's hash; whoever makes two of his origins meet loses the copy of one of them."""
    digest = hashlib.blake2b(origin.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
