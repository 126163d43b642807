"""A whole aggregator in a folder: sources, a store of each kind, an output, and a clock that the test turns.

The fixtures are taken in by the conftest of each folder that needs them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import NullPool, create_engine
from webfeed import Feed, Web

from aggregator.config.models import Config
from aggregator.pipeline.subscriptions import with_subscriptions
from aggregator.schedule.once import RunResult, run_once
from aggregator.store.schema import metadata
from aggregator.store.sources import SourceState
from aggregator.store.store import Store


@dataclass
class Planet:
    """A configuration that is written as Python, and runs of it."""

    folder: Path
    store: Store
    sources: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    now: datetime = datetime(2024, 5, 1, 12, tzinfo=UTC)

    @property
    def config(self) -> Config:
        site = {"title": "Planet", "base_url": "https://feeds.example.com/", "language": "en"}
        fetch = {"allow_private": True, "min_gap_s": 0, **self.settings.get("fetch", {})}  # the servers are local
        data = {"site": site, "store": self.store.url, "output": "out", "sources": self.sources, **self.settings}
        data["fetch"] = fetch
        return Config.model_validate(data, context={"folder": self.folder})

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def run(self, **options: Any) -> RunResult:
        """A run an hour after the one before, of every source."""
        self.now += timedelta(hours=1)
        config = with_subscriptions(self.config, self.store)
        return run_once(config, self.store, self.now, config.sources, **options)

    def lose_store(self) -> None:
        """Leaves the store as a new one is: what was published from it stays."""
        engine = create_engine(self.store.url, poolclass=NullPool)
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.store.open()

    def state(self, name: str = "web") -> SourceState:
        """What is remembered of a source."""
        with self.store.read() as tx:
            return tx.sources.get(name)

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        moment = self.now.timestamp() - 60  # as if saved a minute ago: otherwise it would be read again to be sure
        os.utime(file, (moment, moment))
        return file

    def post(self, name: str, body: str = "<p>text</p>", **matter: Any) -> Path:
        """Writes a front-matter file into the folder `posts`."""
        matter = {"title": f"Title of {name}", "date": "2024-01-02 03:04:05", "categories": ["a", "b"]} | matter
        lines = [
            f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in matter.items() if value is not None
        ]
        return self.write(f"posts/{name}", "\n".join(["---", *lines, "---", body, ""]))

    def items(self, feed: str = "all") -> list[dict[str, Any]]:
        file = self.output / feed / "feed.json"
        return json.loads(file.read_text(encoding="utf-8"))["items"] if file.exists() else []

    def titles(self, feed: str = "all") -> list[str]:
        return [item["title"] for item in self.items(feed)]

    def documents(self) -> dict[str, tuple[bytes, int]]:
        """Every file published, with its bytes and its time."""
        found = (file for file in self.output.rglob("*") if file.is_file())
        return {str(file.relative_to(self.output)): (file.read_bytes(), file.stat().st_mtime_ns) for file in found}


@pytest.fixture
def planet(tmp_path: Path, store: Store) -> Planet:
    return Planet(tmp_path, store)


@pytest.fixture
def blog(planet: Planet) -> Planet:
    """A planet with one folder of posts."""
    (planet.folder / "posts").mkdir()
    planet.sources.append({"name": "blog", "type": "front-matter", "path": "posts"})
    return planet


@pytest.fixture
def feed(planet: Any, httpserver: HTTPServer) -> Feed:
    served = Feed(httpserver)
    planet.sources.append({"name": "web", "type": "feed", "url": served.url, "category": "news"})
    return served


@pytest.fixture
def web() -> Iterator[Web]:
    """Many hosts on the loopback."""
    served = Web()
    yield served
    served.close()


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here has to outlive a power cut, and waiting for the disk is most of the time that publishing takes."""
    monkeypatch.setattr("os.fsync", lambda _: None)
