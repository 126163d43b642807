"""Which files of a front-matter source were read already, and what they looked like then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.store.schema import files


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it was when it was last read; sizes in bytes, times in nanoseconds since 1970."""

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
        return {row[0]: SeenFile(*row) for row in rows}

    def put(self, source: str, seen: Sequence[SeenFile]) -> None:
        """Remembers files as they are now."""
        if not seen:
            return
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(files)
        statement = statement.on_conflict_do_update(
            index_elements=["source", "path"],
            set_={
                column: statement.excluded[column] for column in ("size", "mtime_ns", "checked_ns", "digest", "post_id")
            },
        )
        rows = [
            {
                "source": source,
                "path": file.path,
                "size": file.size,
                "mtime_ns": file.mtime_ns,
                "checked_ns": file.checked_ns,
                "digest": file.digest,
                "post_id": file.post_id,
            }
            for file in seen
        ]
        self._connection.execute(statement, rows)

    def forget(self, source: str, paths: Iterable[str]) -> None:
        """Forgets files that are gone."""
        rows = [{"gone": path} for path in paths]
        if rows:
            where = (files.c.source == source) & (files.c.path == bindparam("gone"))
            self._connection.execute(delete(files).where(where), rows)
