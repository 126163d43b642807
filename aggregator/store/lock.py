"""One run at a time: a lock that the operating system or PostgreSQL lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from aggregator.errors import LockHeld, StoreError

_LINGER_S = 2  # how long the workers of a killed run may take to notice
_LOCK_ID = int.from_bytes(hashlib.blake2b(b"aggregator run lock", digest_size=8).digest(), "big", signed=True)
_HOLDER = (
    "SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :id "
    "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# A connection that only holds a lock is silent for days: a router that forgot it is noticed after a minute, on both sides.
_ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms
}


class RunLock:
    """The lock of a store, held; one on a file stays so until it is let go of."""

    def check(self) -> None:
        """Makes sure that it is held still, for who holds it long; from any thread, one at a time.

        Raises:
            LockHeld: it was lost, and somebody else has it by now.
            StoreError: it was lost, and cannot be taken again as long as the database does not answer.
        """


@contextmanager
def run_lock(store_url: str, purpose: str) -> Iterator[RunLock]:
    """Holds the lock of a store for the length of the block; raises LockHeld, naming the holder, when it is taken.

    SQLite: an `flock` on a file beside the database, which works on local file systems only. PostgreSQL: a session's
    advisory lock, which holds across machines, and is lost with the session: see `RunLock.check`.
    """
    url = make_url(store_url)
    if url.get_backend_name() == "sqlite":
        with _file_lock(Path(f"{url.database}.lock"), purpose):
            yield RunLock()
        return
    held = _SessionLock(store_url, purpose)
    try:
        held.take()
        yield held
    finally:
        held.close()


def _who(purpose: str) -> str:
    return f"{purpose}, process {os.getpid()} on {socket.gethostname()}"


@contextmanager
def _file_lock(file: Path, purpose: str) -> Iterator[None]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"the lock file {file} cannot be opened: {error.strerror}") from error
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            raise StoreError(
                f"{file} cannot be locked ({error.strerror}): the store must lie on a local disk"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _who(purpose).encode(), 0)
        yield
    finally:
        os.close(
            descriptor
        )  # lets go of the lock, as dying does; the file stays, for a deleted one could be locked twice


def _lock(descriptor: int) -> None:
    """Takes the lock, or raises LockHeld; waits a little where the holder is dead, and only its workers linger."""
    for remaining in range(_LINGER_S * 20, -1, -1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 1000, 0).decode("utf-8", "replace").strip()
            if not remaining or _is_alive(holder):
                raise LockHeld(holder or "unknown") from None
            time.sleep(0.05)
        else:
            return


def _is_alive(holder: str) -> bool:
    """Whether the process that a lock file names is there; one on another machine, or without a name, may be."""
    match = re.search(r"process (\d+) on (.+)", holder)
    if match is None or match[2] != socket.gethostname():
        return True
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _SessionLock(RunLock):
    """An advisory lock of PostgreSQL's: it is the session's, not a transaction's."""

    def __init__(self, store_url: str, purpose: str) -> None:
        self._url = make_url(store_url)
        self._name = _who(purpose).encode()[:63].decode(errors="ignore")  # what PostgreSQL keeps of it
        self._engine: Engine = create_engine(
            self._url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"application_name": self._name, **_ALIVE},
        )
        self._connection: Connection | None = None
        self._session: int | None = None  # the process that serves it, over there

    def take(self) -> None:
        """Dials and takes the lock; raises LockHeld or StoreError."""
        try:
            self._connection = self._engine.connect()
            holder = self._taken(self._connection)
        except DatabaseError as error:
            self._hang_up()
            shown = self._url.set(query={}).render_as_string(hide_password=True)
            raise StoreError(f"the store {shown} failed: {str(error.orig).strip()}") from error
        if holder:
            self._hang_up()
            raise LockHeld(holder)

    def _taken(self, connection: Connection) -> str:
        """Takes the lock, which is empty, or says who holds it. A session of ours that we lost may, for hours: it is ended."""
        for remaining in range(_LINGER_S * 20, -1, -1):
            if connection.execute(text("SELECT pg_try_advisory_lock(:id)"), {"id": _LOCK_ID}).scalar():
                self._session = connection.execute(text("SELECT pg_backend_pid()")).scalar()
                return ""
            session, name = connection.execute(text(_HOLDER), {"id": _LOCK_ID}).first() or (None, "")
            if not remaining or (session, name) != (self._session, self._name):
                break
            connection.execute(text("SELECT pg_terminate_backend(:session)"), {"session": session})
            time.sleep(0.05)
        return name or "unknown"

    def check(self) -> None:
        """Asks the session whether it lives; where it does not, takes the lock in another one."""
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except DatabaseError:
                self._hang_up()
            else:
                return
        self.take()

    def close(self) -> None:
        """Lets go of the lock."""
        self._hang_up()
        self._engine.dispose()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # closed as it is: there may be nobody to say goodbye to
            connection.close()
