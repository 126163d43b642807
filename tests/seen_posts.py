"""Compares the posts of feeds of which only new items are read with those of feeds read whole, on files in folders.

    python tests/seen_posts.py FOLDER…

Each file is served over HTTP in two versions: the older half of its items, then all of them. One store takes the shortcut
at the second, the other has forgotten what it saw; then every post of both, with its body and its draft, has to be
the same. Exits with 1 where any differs.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seen_corpus import versions
from sqlalchemy import create_engine, text
from webfeed import Reply, Web

from aggregator.config.models import Config
from aggregator.errors import ParseError
from aggregator.pipeline.refresh import Refresher
from aggregator.schedule.workers import WorkerPool
from aggregator.store.store import Store

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
_ITEM = re.compile(rb"<(item|entry)[\s>].*?</\1\s*>", re.DOTALL | re.IGNORECASE)


def older_half(body: bytes) -> bytes:
    """A feed with the last half of its items, which as a rule are the older ones."""
    try:
        for name, first, _ in versions(body):
            if name == "half":
                return first
    except (ParseError, AssertionError, UnicodeError):
        pass  # what nobody can tell apart is cut by the look of it
    items = list(_ITEM.finditer(body))
    return body[: items[0].start()] + body[items[len(items) // 2].start() :] if len(items) > 1 else body


class Side:
    """A store that refreshes all of the feeds."""

    def __init__(self, folder: Path, name: str, urls: list[str]) -> None:
        sources = [{"name": f"f{number}", "type": "feed", "url": url} for number, url in enumerate(urls)]
        fetch = {"allow_private": True, "min_gap_s": 0, "per_host": 8}
        data = {"store": f"sqlite:///{folder}/{name}.db", "output": "out", "fetch": fetch, "sources": sources}
        self.config = Config.model_validate(data, context={"folder": folder})
        self.store = Store(self.config.store)
        self.store.open()

    def refresh(self, now: datetime) -> Counter[str]:
        """How many sources were read how."""
        with WorkerPool() as workers:
            results = list(Refresher(self.config, self.store, now, workers).refresh(self.config.sources))
        self.store.close()
        return Counter("failed" if result.error else result.how for result in results)

    def forget(self) -> None:
        """Lets every document be read whole the next time."""
        with create_engine(self.config.store).begin() as connection:
            connection.execute(text("DELETE FROM seen"))

    def posts(self) -> dict[str, list[dict[str, Any]]]:
        """Every post with its body, by source."""
        found: dict[str, list[dict[str, Any]]] = {source.name: [] for source in self.config.sources}
        query = "SELECT * FROM posts JOIN bodies ON post_id = id ORDER BY source, key"
        with create_engine(self.config.store).connect() as connection:
            for row in connection.execute(text(query)).mappings():
                found[row["source"]].append(dict(row))
        return found


def compare(bodies: dict[str, bytes], folder: Path) -> tuple[Counter[str], list[str]]:
    """Counts of what happened, and the names of the files whose posts differ."""
    web = Web()
    try:
        paths = {name: f"/{number}" for number, name in enumerate(bodies)}
        urls = [web.put(1, path, Reply(200, older_half(bodies[name]))) for name, path in paths.items()]
        sides = [Side(folder, name, urls) for name in ("shortcut", "whole")]
        counts = Counter(files=len(bodies))
        for side in sides:
            first = side.refresh(NOW)
        counts.update({f"first: {how}": count for how, count in first.items()})
        for name, path in paths.items():
            web.put(1, path, Reply(200, bodies[name]))
        sides[1].forget()
        for side, name in zip(sides, ("shortcut", "whole"), strict=True):
            begun = time.perf_counter()
            second = side.refresh(NOW + timedelta(days=1))
            counts[f"milliseconds of the second refresh: {name}"] = round((time.perf_counter() - begun) * 1000)
        counts.update({f"second: {how}": count for how, count in second.items()})
        with_shortcut, whole = (side.posts() for side in sides)
        names = dict(zip(whole, bodies, strict=True))
        differ = [names[source] for source in whole if whole[source] != with_shortcut[source]]
        counts.update(posts=sum(map(len, whole.values())), differ=len(differ))
        counts["files with posts"] = sum(bool(found) for found in whole.values())
    finally:
        web.close()
    return counts, differ


if __name__ == "__main__":
    files = sorted(file for folder in sys.argv[1:] for file in Path(folder).rglob("*") if file.is_file())
    with tempfile.TemporaryDirectory() as scratch:
        result, different = compare({str(file): file.read_bytes() for file in files}, Path(scratch))
    for what, count in sorted(result.items()):
        print(f"{count:7,}  {what}")  # noqa: T201
    for name in different:
        print(f"{name}: differs", file=sys.stderr)  # noqa: T201
    sys.exit(1 if different else 0)
