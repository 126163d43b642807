"""One database: opening it, bringing it to this version's schema, and transactions on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError

from aggregator.errors import StoreError
from aggregator.store.feeds import Feeds
from aggregator.store.fetches import Fetches
from aggregator.store.files import Files
from aggregator.store.hosts import Hosts
from aggregator.store.leases import Leases
from aggregator.store.media import Media
from aggregator.store.posts import Posts
from aggregator.store.schema import SCHEMA_VERSION, metadata, version
from aggregator.store.search import Search
from aggregator.store.seen import SeenItems
from aggregator.store.settings import Settings
from aggregator.store.sources import Sources
from aggregator.store.subscribers import Subscribers
from aggregator.store.subscriptions import Subscriptions

BUSY_TIMEOUT_S = 30  # how long to wait for a database that somebody else is writing to


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
        self.media = Media(connection)


class Store:
    """The store behind a URL. SQLite runs in WAL mode: readers never wait for the one writer."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.url = url
        self._url = make_url(url)
        self.shown = self._url.set(query={}).render_as_string(hide_password=True)  # a query may hold a password, too
        try:
            self._engine = self._sqlite(busy_timeout_s) if self._is_sqlite else create_engine(self._url)
        except ModuleNotFoundError as error:
            raise StoreError(f"the store {self.shown} needs psycopg: pip install -e '.[postgresql]'") from error

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _sqlite(self, busy_timeout_s: float) -> Engine:
        engine = create_engine(self._url, max_overflow=-1, connect_args={"timeout": busy_timeout_s})

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves: the driver's own timing loses DDL and locks
            connection.execute("PRAGMA journal_mode = WAL")
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
                with self._engine.execution_options(writes=True).begin() as connection:
                    metadata.create_all(connection)
                    connection.execute(version.insert().values(version_num=SCHEMA_VERSION))
            elif found > SCHEMA_VERSION:
                raise StoreError(
                    f"the store {self.shown} was written by a newer version (schema {found}, this one knows "
                    f"{SCHEMA_VERSION}): upgrade aggregator, or name another store"
                )
            elif found < SCHEMA_VERSION:
                from aggregator.store.migrating import migrate  # noqa: PLC0415 - Alembic takes half a second to import

                migrate(self._engine)

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
        with self._explained(), self._engine.execution_options(writes=True).begin() as connection:
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
        except DatabaseError as error:
            text = str(error.orig)
            if "locked" in text:
                advice = (
                    f"is locked by another program for more than {BUSY_TIMEOUT_S} s; end that program and run again"
                )
            elif "malformed" in text or "not a database" in text:
                advice = (
                    "is corrupt. Move it aside and run again: posts are gathered anew from their sources. "
                    "To save what it holds first: sqlite3 OLD .recover | sqlite3 NEW"
                )
            elif "unable to open" in text or "readonly" in text or "attempt to write" in text:
                advice = f"cannot be opened for writing ({text}); check its folder's permissions"
            elif "full" in text:
                advice = "cannot grow: the disk is full; nothing of this write was kept"
            else:
                advice = f"failed: {text.strip()}"
            raise StoreError(f"the store {self.shown} {advice}") from error
