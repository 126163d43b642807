"""How `aggregator run` hands its work to a daemon that holds the lock: a socket on this machine, a line of JSON each way.

    run     {"config": "/srv/config/aggregator.yaml", "order": {"every_source": true, …}}
    daemon  {"taken": true}  {"source": {…}}  {"images": {…}}  {"feed": {…}}  …  {"done": true}      or  {"refused": "why"}

Whoever may write to the socket may have the daemon work, which is its own user: the socket's mode says so.
"""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from aggregator.config.models import Config
from aggregator.errors import AggregatorError
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult
from aggregator.schedule.engine import Listener
from aggregator.schedule.once import Order
from aggregator.store.codec import digest

_LONGEST = 100  # bytes of a socket's path that every system takes (Linux: 107)
_LONGEST_ORDER = 1_000_000  # bytes
_ORDER_S = 10.0  # within which somebody who connected has to say what he wants
_ANSWER_S = 10.0  # within which a daemon takes an order, or refuses it
_TOLD_S = 5.0  # within which somebody has to take what he is told: then he counts as gone
_MOST = 32  # orders at a time
_PAUSE_S = 0.1  # before it is listened again, where that failed

Do = Callable[[Path, Order, Listener], None]


def socket_path(config: Config, environment: Mapping[str, str]) -> Path:
    """Where the daemon of a store listens: as configured, beside a SQLite database, else in the user's run-time folder."""
    if config.serve.socket:
        return config.serve.socket
    url = make_url(config.store)
    if url.get_backend_name() == "sqlite":
        return Path(f"{url.database}.sock").absolute()
    folder = environment.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(folder, f"aggregator-{os.geteuid()}-{digest(config.store)[:16]}.sock")


class Taker:
    """Takes orders at a socket, each in a thread of its own; `do` carries one out, and raises AggregatorError to refuse it."""

    def __init__(self, path: Path, do: Do) -> None:
        self._path, self._do = path, do
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open: set[socket.socket] = set()
        self._bound: tuple[int, int] | None = None  # what the path led to when it was ours
        self._closed = False

    def start(self) -> None:
        """Listens from now on; raises OSError. Who holds the lock is the only one who may: a socket there was left by a dead one."""
        with _short(self._path) as address:
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(self._path.lstat().st_mode):
                    self._path.unlink()
            mask = os.umask(0o177)
            try:
                self._socket.bind(address)
            finally:
                os.umask(mask)
        self._bound = _place(self._path)
        self._socket.listen(16)
        threading.Thread(target=self._accept, name="orders", daemon=True).start()

    def close(self) -> None:
        """Takes no more, and hangs up on those who wait."""
        self._closed = True
        for one in (self._socket, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        if self._bound is not None and _place(self._path) == self._bound:
            with suppress(OSError):
                self._path.unlink()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed, or too many files are open
                time.sleep(_PAUSE_S)
                continue
            if len(self._open) >= _MOST:
                connection.close()
                continue
            self._open.add(connection)
            try:
                threading.Thread(target=self._serve, args=(connection,), name="order", daemon=True).start()
            except RuntimeError:  # the system gives us no more of them; later it may
                self._open.discard(connection)
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with suppress(OSError), connection, connection.makefile("rb") as stream:
                connection.settimeout(_ORDER_S)
                line = stream.readline(_LONGEST_ORDER)
                connection.settimeout(_TOLD_S)
                teller = _Teller(connection)
                teller.say(self._done(line, teller))
        finally:
            self._open.discard(connection)

    def _done(self, line: bytes, teller: _Teller) -> dict[str, Any]:
        """Does what a line orders; the last thing to be said of it."""
        try:
            file, order = _read(line)
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"refused": "the order cannot be understood; are both of one version?"}
        teller.say({"taken": True})
        try:
            self._do(file, order, teller)
        except AggregatorError as error:
            return {"refused": str(error)}
        return {"done": True}


class _Teller:
    """Tells results to whoever ordered them; that he is gone, or was stopped and does not read, does not stop the work."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._is_gone = False

    def source(self, result: SourceResult) -> None:
        """A source was refreshed."""
        self.say({"source": asdict(result)})

    def feed(self, result: FeedResult) -> None:
        """A feed was regenerated."""
        self.say({"feed": asdict(result)})

    def mirrored(self, result: MirrorResult) -> None:
        """Images were fetched."""
        self.say({"images": asdict(result)})

    def say(self, message: dict[str, Any]) -> None:
        """Sends one message on a line; whoever did not take one is told nothing more, because he has half a line."""
        if self._is_gone:
            return
        try:
            self._connection.sendall(json.dumps(message, default=datetime.isoformat).encode() + b"\n")
        except OSError:
            self._is_gone = True


def hand_over(path: Path, config_file: Path, order: Order, listener: Listener) -> str | None:
    """Has a daemon do the work, telling of its results as they come; None when all was done, else why it was not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            found = path.lstat()
            is_trusted = found.st_uid in {0, os.geteuid()} or os.geteuid() == 0  # /tmp is anybody's
            if not is_trusted or not stat.S_ISSOCK(found.st_mode):
                return "its socket belongs to somebody else"
            with _short(path) as address:
                connection.connect(address)
            message = {"config": str(config_file.resolve()), "order": asdict(order)}
            connection.settimeout(_ANSWER_S)
            connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return "it does not answer"
        for line in _lines(connection):
            said = json.loads(line)
            if "taken" in said:
                connection.settimeout(None)  # the work takes as long as it takes
            elif "source" in said:
                listener.source(_source(said["source"]))
            elif "feed" in said:
                listener.feed(_feed(said["feed"]))
            elif "images" in said:
                listener.mirrored(MirrorResult(**said["images"]))
            else:
                return None if said.get("done") else str(said.get("refused"))
        return "it ended before the work was done"


def _lines(connection: socket.socket) -> Iterator[bytes]:
    """What the daemon says, as far as it comes: it may be killed at any moment."""
    with suppress(OSError), socket.SocketIO(connection, "r") as raw, io.BufferedReader(raw) as stream:
        yield from (line for line in stream if line.endswith(b"\n"))


def _read(line: bytes) -> tuple[Path, Order]:
    """The configuration's file and the order in a line; raises ValueError, TypeError, KeyError or RecursionError."""
    said = json.loads(line)
    file, order = said["config"], dict(said["order"])
    names = [*order["sources"], *order["feeds"]]
    if not all(isinstance(name, str) and name.isprintable() for name in (file, *names)):
        raise ValueError(file)
    return Path(file), Order(**{**order, "sources": tuple(order["sources"]), "feeds": tuple(order["feeds"])})


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _source(said: dict[str, Any]) -> SourceResult:
    until = said["until"]
    return SourceResult(**{**said, "until": datetime.fromisoformat(until) if until else None})


def _feed(said: dict[str, Any]) -> FeedResult:
    return FeedResult(**{**said, "written": tuple(said["written"]), "unchanged": tuple(said["unchanged"])})


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path in so few bytes that a socket may have it: by way of its open folder, where it is too long itself."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
