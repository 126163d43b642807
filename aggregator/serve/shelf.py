"""The documents that were asked for lately, in memory: read from the disk once a version, and coded once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar

from aggregator.pipeline.published import (
    Stamp,
    document_stamp,
    listed_documents,
    manifest_stamp,
    read_document,
)
from aggregator.serve.deltas import Memory, cut
from aggregator.serve.versions import Version, coded

T = TypeVar("T")

# The kernel's clock for files ticks in up to 10 ms: so close to one another, two versions may have one time, and with a
# number of an inode that is used again, one stamp.
_SETTLED_S = 0.05


class Shelf:
    """Versions by path, the least recently used going first.

    All is changed by the event loop's thread; reading and coding is done by others, and once for all who ask meanwhile.
    """

    def __init__(self, clock: Callable[[], float], threads: Executor, *, max_bytes: int) -> None:
        self.output = Path()
        self.listed: frozenset[str] = frozenset()
        self.memory = Memory()
        self.reads = self.size = 0
        self._clock, self._threads, self._room = clock, threads, max_bytes
        self._listed_stamp: Stamp | None = None
        self._versions: OrderedDict[str, Version] = OrderedDict()
        self._checked: set[str] = set()
        self._flights: dict[Hashable, asyncio.Future[Any]] = {}

    def __len__(self) -> int:
        """How many documents are in memory."""
        return len(self._versions)

    def move(self, output: Path) -> None:
        """Serves another folder, or the same under another configuration: nothing that was remembered holds."""
        self.output = output
        self.listed, self._listed_stamp = frozenset(), None
        self._versions.clear()
        self._checked.clear()
        self.memory.clear()
        self.size = 0

    # -- what is there, without waiting ---------------------------------------------------------------------------------

    def hot(self, path: str) -> Version | None:
        """The version that is on the disk now, if it is in memory and still listed.

        A `stat` says so, once in a turn of the event loop: whatever is answered in a turn was asked before it began, so
        nobody gets an older version than there was when asking. It costs 5 µs, twice, of the 30 that an answer takes.
        """
        version = self._versions.get(path)
        if version is None:
            return None
        if path not in self._checked:
            if not version.is_settled or document_stamp(self.output, path) != version.stamp or not self.is_current:
                return None
            self._check(path)
            self._versions.move_to_end(path)
        return version

    @property
    def is_current(self) -> bool:
        """Whether the list of what was published is the one on the disk."""
        return manifest_stamp(self.output) == self._listed_stamp

    def _check(self, path: str) -> None:
        """Notes that a path was looked at in this turn of the loop."""
        if not self._checked:
            asyncio.get_running_loop().call_soon(self._checked.clear)
        self._checked.add(path)

    # -- what has to be fetched -----------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Reads the list of what was published, where it changed; raises PublishError."""
        if not self.is_current:
            output = self.output
            stamp, listed = await self.once(("list", output), _listed, output)
            if output == self.output:
                self._listed_stamp, self.listed = stamp, listed
                for path in self._versions.keys() - listed:
                    self._drop(path)

    async def read(self, path: str) -> Version | None:
        """The version that is on the disk now; None: there is no such file."""
        version = self.hot(path)
        if version is not None:
            return version
        output, former = self.output, self._versions.get(path)
        read, digests = await self.once(("read", output, path), _read, output, path, former)
        if self.output != output:
            return await self.read(path)
        if read is None:
            self._drop(path)
            return None
        current = self._versions.get(path)
        is_settled = abs(self._clock() - read.stamp[2] / 1e9) > _SETTLED_S
        if current is not None and current.stamp == read.stamp and current.body == read.document.body:
            current.is_settled = current.is_settled or is_settled
            return current
        if former is not None and former is current and digests:
            etags = [variant.etag for variant in former.variants.values() if variant is not None]
            self.memory.keep(path, etags, digests)
        self._drop(path)
        self.reads += 1
        return self._put(Version(read, is_settled=is_settled))

    async def code(self, version: Version, codings: tuple[str, ...]) -> None:
        """Makes what is missing of a version, until the best of the codings is there."""
        while (coding := version.missing(codings)) is not None:
            made = await self.once(("code", version, coding), coded, version.body, coding)
            if coding not in version.variants:
                before = version.size
                version.variants[coding] = made
                if self._versions.get(version.path) is version:
                    self.size += version.size - before
                    self._shrink()

    async def once(self, key: Hashable, work: Callable[..., T], *arguments: Any, threads: Executor | None = None) -> T:
        """What the work gives, done in a thread once for all who want it now; who stops waiting does not stop it."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().run_in_executor(threads or self._threads, work, *arguments)
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        found: T = await asyncio.shield(flight)
        return found

    def _put(self, version: Version) -> Version:
        self._versions[version.path] = version
        self.size += version.size
        self._shrink()
        return version

    def _drop(self, path: str) -> None:
        gone = self._versions.pop(path, None)
        if gone is not None:
            self.size -= gone.size

    def _shrink(self) -> None:
        """Lets the least recently used go; the last one stays, however large it is."""
        while self.size > self._room and len(self._versions) > 1:
            self.size -= self._versions.popitem(last=False)[1].size


def _listed(output: Path) -> tuple[Stamp | None, frozenset[str]]:
    """The list, with the stamp that it had before: if it changes meanwhile, it is read again."""
    return manifest_stamp(output), listed_documents(output)


def _read(output: Path, path: str, former: Version | None) -> tuple[Any, bytes]:
    """The document, and the hashes of the items of the version that it replaces."""
    read = read_document(output, path)
    pieces = None
    if read is not None and former is not None and former.format and former.stamp != read.stamp:
        pieces = cut(former.body, former.format)
    return read, pieces.digests() if pieces is not None else b""
