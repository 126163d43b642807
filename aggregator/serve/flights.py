"""Work that several want at the same time, done once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Flights:
    """What is being done, by a key; used in the event loop's thread alone."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Future[Any]] = {}

    async def once(self, key: Hashable, begin: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """What the work gives, begun where nobody did yet; who stops waiting does not stop it."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(begin(*arguments))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        found: T = await asyncio.shield(flight)
        return found
