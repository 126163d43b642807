"""What is kept once for the whole store: keys that sign, tokens that were minted."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, select

from aggregator.store.schema import settings
from aggregator.store.upsert import upsert


class Settings:
    """The `settings` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> str | None:
        """What is kept under a name, or None."""
        query = select(settings.c.value).where(settings.c.name == name)
        return self._connection.execute(query).scalar()

    def put(self, name: str, value: str) -> None:
        """Keeps a value under a name."""
        upsert(self._connection, settings, [{"name": name, "value": value}])

    def minted(self, name: str) -> str:
        """The secret kept under a name, made at the first call: 256 bits, as URL-safe text."""
        found = self.get(name)
        if found is None:
            found = secrets.token_urlsafe(32)
            self.put(name, found)
        return found
