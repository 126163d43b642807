"""Copies of images as files below `media/` in the output, each named by the hash of its bytes.

Beside them may lie what is not ours: nothing is touched that a copy could not be called, and nothing is removed but by name.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from aggregator.images.raster import KINDS
from aggregator.models import Document
from aggregator.publish.manifest import is_inside
from aggregator.publish.writer import Writer
from aggregator.store.codec import digest
from aggregator.store.media import DIRECTORY, File, Stray

# What is copied, by suffix: static hosts tell the type by it. SVG is not: only a server of ours serves it in a sandbox.
TYPES = {kind.suffix: kind.type for kind in KINDS}

_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(rf"([0-9a-f]{{32}})\.({'|'.join(sorted(TYPES))})")
_TEMPORARY = re.compile(rf"\.{_NAME.pattern}\.[0-9]+\.tmp")


def file_of(body: bytes, suffix: str) -> File:
    """What the copy of an image is called."""
    return File(hashlib.blake2b(body, digest_size=16).hexdigest(), suffix)


def file_named(folder: str, name: str) -> File | None:
    """The copy that has a name in a folder below `media/`; None where no copy could be called that.

    >>> file_named("c0", "c0ffee00c0ffee00c0ffee00c0ffee00.png").suffix, file_named("..", "manifest.json")
    ('png', None)
    """
    found = _NAME.fullmatch(name)
    return File(found[1], found[2]) if found and found[1][:2] == folder else None


def open_copy(output: Path, file: File) -> tuple[BinaryIO, int] | None:
    """A copy, open to be read, and its size in bytes; None where there is none, or a link in its place."""
    path = output / file.path
    try:
        if not is_inside(output, path.parent):
            return None
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        return None
    return os.fdopen(handle, "rb"), found.st_size


class Copies:
    """The files below `media/` in an output."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._folder = output / DIRECTORY
        # Of two origins with the same bytes one is written after the other: a temporary file is named after its target.
        self._writing = tuple(threading.Lock() for _ in range(16))

    def put(self, file: File, body: bytes) -> None:
        """Puts a copy in its place, whole and synced; from as many threads as there are. Raises PublishError."""
        with self._writing[int(file.hash[0], 16)]:
            Writer(self._output).write([Document(file.path, body, TYPES[file.suffix])])

    def has(self, file: File) -> bool:
        """Whether a copy is in its place."""
        return (self._output / file.path).is_file()

    def compare(self, files: AbstractSet[File]) -> tuple[set[File], list[Stray]]:
        """Those of the files that are not there, and those that are there beside them; reads 256 folders, however many files."""
        missing, strays = set(files), []
        for folder in self._folders():
            is_ours = is_inside(self._output, Path(folder.path))
            for entry in _entries(folder.path):
                file = file_named(folder.name, entry.name)
                if file in files:
                    missing.discard(file)
                elif file is not None and is_ours and (stray := _stray(file, entry)):
                    strays.append(stray)
        return missing, strays

    def remove(self, files: Iterable[File]) -> None:
        """Removes copies; those that are gone already, or cannot be removed, stay as they are."""
        for file in files:
            path = self._output / file.path
            if is_inside(self._output, path.parent):
                with suppress(OSError):
                    path.unlink()
                with suppress(OSError):  # something else is in it
                    path.parent.rmdir()

    def clean_up(self) -> None:
        """Removes what a killed run was writing; nobody may be writing meanwhile."""
        for folder in self._folders():
            for entry in _entries(folder.path):
                if _TEMPORARY.fullmatch(entry.name) and is_inside(self._output, Path(folder.path)):
                    with suppress(OSError):
                        Path(entry.path).unlink()

    def standing(self) -> str:
        """Another value whenever a copy came or went: file systems date a folder when a name in it does."""
        seen = (f"{folder.name} {folder.stat().st_mtime_ns}" for folder in self._folders())
        return digest(str(self._output), *sorted(seen))

    def _folders(self) -> Iterator[os.DirEntry[str]]:
        return (entry for entry in _entries(self._folder) if _FOLDER.fullmatch(entry.name))


def _stray(file: File, entry: os.DirEntry[str]) -> Stray | None:
    with suppress(OSError):
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(found.st_mode):
            return Stray(file, TYPES[file.suffix], found.st_size, int(found.st_mtime))
    return None


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where there is none."""
    with suppress(OSError), os.scandir(folder) as found:
        return list(found)
    return []
