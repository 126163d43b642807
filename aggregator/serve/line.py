"""A waiting line: so many are served at a time, overall and of each host, and so many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Full(Exception):
    """There are too many before; nobody waits that long."""


class Line:
    """Used in the event loop's thread alone; `most` counts those who wait and those who are served, of all hosts or of one."""

    def __init__(self, *, at_a_time: int, per_host: int, most: int, most_per_host: int) -> None:
        self._free = asyncio.Semaphore(at_a_time)
        self._per_host, self._most, self._most_per_host = per_host, most, most_per_host
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._inside: dict[str, int] = {}
        self.length = 0

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Waits for the caller's turn; raises Full at once where the line is too long.

        Who waits for a slow host takes no place from others until that host has one free.
        """
        inside = self._inside.get(host, 0)
        if self.length >= self._most or inside >= self._most_per_host:
            raise Full
        own = self._hosts.setdefault(host, asyncio.Semaphore(self._per_host))
        self.length += 1
        self._inside[host] = inside + 1
        try:
            async with own, self._free:
                yield
        finally:
            self.length -= 1
            self._inside[host] -= 1
            if not self._inside[host]:
                del self._inside[host], self._hosts[host]
