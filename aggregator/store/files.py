"""Which files of a front-matter source were read already, and what they looked like then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from aggregator.store.schema import files
from aggregator.store.upsert import upsert


class SeenFile(NamedTuple):
    """A file as it was when it was last read; sizes in bytes, times in nanoseconds since 1970.

    A tuple, because every run makes one of each file: a frozen dataclass takes four times as long to make.
    """

    path: str
    size: int
    mtime_ns: int
    checked_ns: int
    digest: str
    post_id: int | None


class Files:
    """The `files` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, source: str) -> dict[str, SeenFile]:
        """Every file of a source that was read before, by path."""
        columns = (files.c.path, files.c.size, files.c.mtime_ns, files.c.checked_ns, files.c.digest, files.c.post_id)
        rows = self._connection.execute(select(*columns).where(files.c.source == source))
        return {row[0]: SeenFile._make(row) for row in rows.all()}  # all at once: half the time of one by one

    def put(self, source: str, seen: Sequence[SeenFile]) -> None:
        """Remembers files as they are now."""
        upsert(self._connection, files, [{"source": source, **file._asdict()} for file in seen])

    def claimed(self, source: str, post_ids: Collection[int]) -> set[int]:
        """Those of the posts that some file of the source gives."""
        if not post_ids:
            return set()
        query = select(files.c.post_id).where(files.c.source == source, files.c.post_id.is_not(None))
        return set(self._connection.execute(query).scalars()) & set(post_ids)

    def forget_all(self, source: str) -> None:
        """Forgets every file of a source."""
        self._connection.execute(delete(files).where(files.c.source == source))

    def forget(self, source: str, paths: Iterable[str]) -> None:
        """Forgets files that are gone."""
        rows = [{"gone": path} for path in paths]
        if rows:
            where = (files.c.source == source) & (files.c.path == bindparam("gone"))
            self._connection.execute(delete(files).where(where), rows)
