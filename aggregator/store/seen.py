"""The items of each source's last document, so that those that come again need not be read again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, select

from aggregator.models import Seen, SeenItem
from aggregator.store.schema import seen
from aggregator.store.upsert import upsert

# Made once: building it takes longer than the database takes to answer.
_OF_SOURCE = select(seen.c.context, seen.c["items"]).where(seen.c.source == bindparam("b_source"))


class SeenItems:
    """The `seen` table within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, source: str) -> Seen | None:
        """What is remembered of a source's last document, or None."""
        row = self._connection.execute(_OF_SOURCE, {"b_source": source}).first()
        if row is None:
            return None
        items = json.loads(zlib.decompress(row[1]).decode("utf-8", "surrogatepass"))
        return Seen(row[0], {name: SeenItem(*fields) for name, fields in items.items()})

    def put(self, packed: Mapping[str, tuple[str, bytes]]) -> None:
        """Remembers documents, each as `packed_items` made it, by the name of its source."""
        rows = [{"source": name, "context": context, "items": items} for name, (context, items) in packed.items()]
        upsert(self._connection, seen, rows)

    def forget(self, source: str) -> None:
        """Forgets a source's document."""
        self._connection.execute(delete(seen).where(seen.c.source == source))


def packed_items(found: Seen) -> tuple[str, bytes]:
    """What is remembered of a document, as it is stored."""
    items = {name: (item.guid, item.link, item.title, item.draft_hash) for name, item in found.items.items()}
    text = json.dumps(items, ensure_ascii=False, separators=(",", ":"))
    return found.context, zlib.compress(text.encode("utf-8", "surrogatepass"), 1)
