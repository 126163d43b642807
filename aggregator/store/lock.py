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

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from aggregator.errors import LockHeld, StoreError

_LINGER_S = 2  # how long the workers of a killed run may take to notice
_LOCK_ID = int.from_bytes(hashlib.blake2b(b"aggregator run lock", digest_size=8).digest(), "big", signed=True)


@contextmanager
def run_lock(store_url: str, purpose: str) -> Iterator[None]:
    """Holds the lock of a store for the length of the block; raises LockHeld, naming the holder, when it is taken.

    SQLite: an `flock` on a file beside the database, which works on local file systems only. PostgreSQL: a session's
    advisory lock, which holds across machines.
    """
    url = make_url(store_url)
    if url.get_backend_name() == "sqlite":
        with _file_lock(Path(f"{url.database}.lock"), purpose):
            yield
    else:
        with _advisory_lock(store_url, purpose):
            yield


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


@contextmanager
def _advisory_lock(store_url: str, purpose: str) -> Iterator[None]:
    engine = create_engine(store_url, poolclass=NullPool, connect_args={"application_name": _who(purpose)[:63]})
    try:
        with engine.connect() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:id)"), {"id": _LOCK_ID}).scalar():
                query = text(
                    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
                    "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :id "
                    "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
                raise LockHeld(connection.execute(query, {"id": _LOCK_ID}).scalar() or "unknown")
            connection.commit()  # the lock is the session's, not the transaction's
            yield
    except DatabaseError as error:
        shown = make_url(store_url).set(query={}).render_as_string(hide_password=True)
        raise StoreError(f"the store {shown} failed: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()
