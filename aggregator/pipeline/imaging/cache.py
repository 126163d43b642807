"""A folder of images that were fetched: bounded in bytes, and never a reason for an answer to fail.

Each file says itself what it holds, with a hash over the bytes: a torn or foreign one is no image, and there is no list that
could be wrong about them. Files are renamed into place and not fsynced; what a power cut takes is fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aggregator.images.raster import KINDS
from aggregator.images.vector import SVG

_MAGIC = b"aggregator image 1\n"
_NAME = re.compile(r"[0-9a-f]{32}")
_DRAFT = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{32}\.tmp")
_LONGEST_HEAD = 40_000  # bytes; a URL of 8,192 characters takes six times as many when each is escaped
_TYPES = {kind.type: kind.suffix for kind in (*KINDS, SVG)}
_TOUCH_S = 3600  # a use is noted on the disk no more often than this, in the file's own time
_DRAFT_S = 3600  # what is still being written after this was left by somebody who was killed


@dataclass(frozen=True, slots=True)
class Kept:
    """An image as it was fetched: `fetched` is when its origin was last asked, `modified` since when it has these bytes.

    Both are seconds since 1970. One without bytes says that there was nothing to gain from encoding it otherwise.
    """

    body: bytes = field(repr=False)
    type: str
    fetched: float
    modified: float

    @property
    def suffix(self) -> str:
        """What its files end in, without the dot."""
        return _TYPES.get(self.type, "bin")


class ImageCache:
    """Images by a name that says which image and in which form, the least recently used going first; for any thread."""

    def __init__(self, folder: Path, max_bytes: int, *, clock: Callable[[], float]) -> None:
        self._folder, self._room, self._clock = folder, max_bytes, clock
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._size = 0
        self.faults = 0  # writes that failed
        self._look_around()

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return self._size

    def get(self, name: str) -> Kept | None:
        """What is kept under a name; None where there is nothing, or nothing whole."""
        key = _key(name)
        try:
            data = _read(self._file(key))
        except FileNotFoundError:
            with self._lock:
                self._forget(key)
            return None
        except OSError:  # too many files are open, or it is not ours to read
            return None
        kept = None if data is None else _parsed(data, name)
        with self._lock:
            if kept is None:
                self._forget(key)
            elif key in self._sizes:  # else another has let it go meanwhile
                self._sizes.move_to_end(key)
        if kept is None:
            self._remove(key)
        else:
            self._touch(key)
        return kept

    def put(self, name: str, kept: Kept) -> None:
        """Keeps an image, if there is room for it and the disk takes it."""
        key, head = _key(name), _head(name, kept)
        size = len(head) + len(kept.body)
        if size > self._room or len(head) > _LONGEST_HEAD:
            return
        file = self._file(key)
        draft = file.with_name(f"{key}.{uuid.uuid4().hex}.tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as opened:
                opened.write(head)
                opened.write(kept.body)
            draft.replace(file)
        except OSError:  # read-only, full, or no folder at all: the image is shown all the same
            self.faults += 1
            with contextlib.suppress(OSError):
                draft.unlink()
            return
        with self._lock:
            self._forget(key)
            self._sizes[key] = size
            self._touched[key] = self._clock()
            self._size += size
            gone = list(self._surplus())
        for one in gone:
            self._remove(one)

    def _surplus(self) -> Iterator[str]:
        """Takes the least recently used off the list until the rest fits."""
        while self._size > self._room:
            key = next(iter(self._sizes))
            self._forget(key)
            yield key

    def _forget(self, key: str) -> None:
        self._size -= self._sizes.pop(key, 0)
        self._touched.pop(key, None)

    def _remove(self, key: str) -> None:
        """Removes a file of ours; what is no file, or cannot be removed, is left."""
        with contextlib.suppress(OSError):
            self._file(key).unlink()

    def _touch(self, key: str) -> None:
        """Notes on the disk that a file was used, so that the next start knows which are."""
        now = self._clock()
        with self._lock:
            if key not in self._sizes or now - self._touched.get(key, 0.0) < _TOUCH_S:
                return
            self._touched[key] = now
        with contextlib.suppress(OSError):
            os.utime(self._file(key), (now, now))

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _look_around(self) -> None:
        """Learns what an earlier process kept, in the order in which it was used; what has no name of ours is not touched."""
        found = []
        for folder in _entries(self._folder):
            if not re.fullmatch(r"[0-9a-f]{2}", folder.name):
                continue
            for entry in _entries(Path(folder.path)):
                with contextlib.suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    if not stat.S_ISREG(about.st_mode):
                        continue
                    if _NAME.fullmatch(entry.name) and entry.name.startswith(folder.name):
                        found.append((about.st_mtime, entry.name, about.st_size))
                    elif _DRAFT.fullmatch(entry.name) and self._clock() - about.st_mtime > _DRAFT_S:
                        Path(entry.path).unlink()
        for used, key, size in sorted(found):
            self._sizes[key], self._touched[key] = size, used
            self._size += size
        for key in list(self._surplus()):
            self._remove(key)


def is_kept(folder: Path, name: str) -> bool:
    """Whether an image is kept in a folder, whole; only looks, and changes nothing in what a daemon may be using."""
    key = _key(name)
    try:
        data = _read(folder / key[:2] / key)
    except OSError:
        return False
    return data is not None and _parsed(data, name) is not None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _key(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _head(name: str, kept: Kept) -> bytes:
    """What a file begins with: a line that says whose it is, and one of what it holds."""
    said = {
        "name": name,
        "type": kept.type,
        "fetched": kept.fetched,
        "modified": kept.modified,
        "hash": _digest(kept.body),
    }
    return _MAGIC + json.dumps(said).encode() + b"\n"


def _read(file: Path) -> bytes | None:
    """The bytes of a file; None for what is none, such as a pipe, which would be waited for."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as opened:
        return opened.read() if stat.S_ISREG(os.fstat(handle).st_mode) else None


def _parsed(data: bytes, name: str) -> Kept | None:
    """What a file holds; None where it is torn, or not what it should be."""
    end = data.find(b"\n", len(_MAGIC), _LONGEST_HEAD)
    if not data.startswith(_MAGIC) or end < 0:
        return None
    body = data[end + 1 :]
    try:
        said = json.loads(data[len(_MAGIC) : end])
        kept = Kept(body, said["type"], float(said["fetched"]), float(said["modified"]))
        is_sound = said["name"] == name and said["hash"] == _digest(body) and (kept.type in _TYPES or not body)
    except (ValueError, TypeError, KeyError):
        return None
    return kept if is_sound else None
