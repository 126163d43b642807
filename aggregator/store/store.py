"""One database: opening it, bringing it to this version's schema, and transactions on it."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from aggregator.errors import StoreError
from aggregator.store.feeds import Feeds
from aggregator.store.fetches import Fetches
from aggregator.store.files import Files
from aggregator.store.hosts import Hosts
from aggregator.store.leases import Leases
from aggregator.store.posts import Posts
from aggregator.store.schema import SCHEMA_VERSION, metadata, version
from aggregator.store.search import Search
from aggregator.store.seen import SeenItems
from aggregator.store.settings import Settings
from aggregator.store.sources import Sources
from aggregator.store.subscribers import Subscribers
from aggregator.store.subscriptions import Subscriptions

BUSY_TIMEOUT_S = 30  # how long to wait for a database that somebody else is writing to
_WRITER = int.from_bytes(hashlib.blake2b(b"aggregator writer", digest_size=8).digest(), "big", signed=True)
_LOCKED, _DISK_FULL = "55P03", "53100"  # PostgreSQL's codes, as its words are in the server's language


class Transaction:
    """What can be asked of the store and told to it, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.sources = Sources(connection)
        self.files = Files(connection)
        self.posts = Posts(connection)
        self.feeds = Feeds(connection)
        self.hosts = Hosts(connection)
        self.subscriptions = Subscriptions(connection)
        self.seen = SeenItems(connection)
        self.settings = Settings(connection)
        self.fetches = Fetches(connection)
        self.leases = Leases(connection)
        self.subscribers = Subscribers(connection)
        self.search = Search(connection)


class Store:
    """The store behind a URL. There is one writer at a time, for whom readers never wait: SQLite runs in WAL mode."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.url = url
        self._busy_timeout_s = busy_timeout_s
        self._url = make_url(url)
        self.shown = self._url.set(query={}).render_as_string(hide_password=True)  # a query may hold a password, too
        try:
            self._engine = self._sqlite() if self._is_sqlite else self._postgresql()
        except ModuleNotFoundError as error:
            raise StoreError(f"the store {self.shown} needs psycopg: pip install -e '.[postgresql]'") from error
        # A writer that waited for its turn has to see what the one before it wrote.
        how = {} if self._is_sqlite else {"isolation_level": "READ COMMITTED"}
        self._writing = self._engine.execution_options(writes=True, **how)

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _sqlite(self) -> Engine:
        engine = create_engine(self._url, max_overflow=-1, connect_args={"timeout": self._busy_timeout_s})

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves: the driver's own timing loses DDL and locks
            _turn_to_wal(connection, self._busy_timeout_s)
            connection.execute("PRAGMA synchronous = NORMAL")  # WAL: a crash loses no commit, a power cut the newest
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -16384")  # KiB
            connection.execute(
                "PRAGMA wal_autocheckpoint = 4000"
            )  # pages: 16 MB, a quarter of the waits of the default

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            mode = "IMMEDIATE" if connection.get_execution_options().get("writes") else "DEFERRED"
            connection.exec_driver_sql(f"BEGIN {mode}")

        return engine

    def _postgresql(self) -> Engine:
        engine = create_engine(self._url, isolation_level="REPEATABLE READ", pool_timeout=self._busy_timeout_s)

        @event.listens_for(engine, "connect")
        def _(connection: Any, _record: Any) -> None:
            connection.execute(f"SET lock_timeout = {max(round(self._busy_timeout_s * 1000), 1)}")
            connection.commit()

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            # One writer, as in SQLite: writes are numbered, and whoever takes a number for done must not get more of it.
            # It costs one round trip. Each database has its own locks, so that two stores never wait for each other.
            if connection.get_execution_options().get("writes"):
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")

        return engine

    def open(self) -> None:
        """Makes the tables where there are none, and migrates those of an older version; raises StoreError."""
        if self._is_sqlite:
            file = Path(self._url.database or "")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                if not file.exists():
                    file.touch(0o600)  # it keeps the tokens of private feeds; what SQLite puts beside it follows
            except OSError as error:
                raise StoreError(f"the folder of the store {self.shown} cannot be made: {error.strerror}") from error
        with self._explained():
            found = self._version()
            if found is None:
                with self._writing.begin() as connection:
                    metadata.create_all(connection)
                    if connection.execute(select(version)).first() is None:  # nobody was faster
                        connection.execute(version.insert().values(version_num=SCHEMA_VERSION))
            elif found > SCHEMA_VERSION:
                raise StoreError(
                    f"the store {self.shown} was written by a newer version (schema {found}, this one knows "
                    f"{SCHEMA_VERSION}): upgrade aggregator, or name another store"
                )
            elif found < SCHEMA_VERSION:
                from aggregator.store.migrating import migrate  # noqa: PLC0415 - Alembic takes half a second to import

                migrate(self._writing)

    def _version(self) -> str | None:
        """The schema's version in the database, or None where there is no schema."""
        with self._engine.connect() as connection:
            try:
                found = connection.execute(select(version.c.version_num)).scalar()
            except (OperationalError, ProgrammingError) as error:
                text = str(error.orig)
                if "no such table" in text or "does not exist" in text:
                    return None
                raise
        return None if found is None else str(found)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that only reads: it sees one state of the store throughout."""
        with self._explained(), self._engine.connect() as connection:
            yield Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that writes: all of it happens, or, when an exception leaves the block, nothing."""
        with self._explained(), self._writing.begin() as connection:
            yield Transaction(connection)

    def close(self) -> None:
        """Lets go of the connections; the store can still be used, and opens new ones.

        To be called before a fork: SQLite's connections must not be carried into another process.
        """
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what the driver says into what a person can do."""
        try:
            yield
        except NoConnectionLeft as error:
            advice = f"had no connection left for {self._busy_timeout_s:g} s: too many asked at once"
            raise StoreError(f"the store {self.shown} {advice}") from error
        except DatabaseError as error:
            raise StoreError(f"the store {self.shown} {self._advice(error)}") from error

    def _advice(self, error: DatabaseError) -> str:
        text = str(error.orig).strip()
        said = getattr(error.orig, "sqlstate", None) or text  # PostgreSQL's text may quote what was to be stored
        if said == _LOCKED or "locked" in said:
            return (
                f"is locked by another program for more than {self._busy_timeout_s:g} s; end that program and run again"
            )
        if "malformed" in said or "not a database" in said:
            return (
                "is corrupt. Move it aside and run again: posts are gathered anew from their sources. "
                "To save what it holds first: sqlite3 OLD .recover | sqlite3 NEW"
            )
        if "unable to open" in said or "readonly" in said or "attempt to write" in said:
            return f"cannot be opened for writing ({text}); check its folder's permissions"
        if said == _DISK_FULL or "disk is full" in said or "No space left" in said:
            return "cannot grow: the disk is full; nothing of this write was kept"
        return f"failed: {text}"


def _turn_to_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Has a database keep a write-ahead log; where others open a new one too, SQLite says at once that it is busy."""
    until = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return
