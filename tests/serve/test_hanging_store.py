"""A store that somebody holds for good: it must cost nobody a document, whichever database it is."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool, create_engine, text

from aggregator.store.store import Store

RSS = b"<rss>" + b"<item>one</item>" * 100 + b"</rss>"


@contextmanager
def held(store: Store) -> Iterator[None]:
    """Nobody else reads the store for the length of the block."""
    store.close()
    if store.url.startswith("sqlite"):
        connection = sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.close()
        return
    engine = create_engine(store.url, poolclass=NullPool)
    with engine.connect() as holding:
        holding.execute(text("LOCK TABLE sources, categories, settings IN ACCESS EXCLUSIVE MODE"))
        yield
    engine.dispose()


@pytest.fixture
def hold(engine_site) -> Iterator[Callable[[], None]]:
    """Has the store held until the test ends, and some seconds pass after which the plan is looked at again."""
    holding = held(engine_site.place.store)

    def begin() -> None:
        holding.__enter__()
        engine_site.documents._freshness._looked = None

    yield begin
    holding.__exit__(None, None, None)
    engine_site.documents._asking.submit(int).result(10)  # who waited for it is done


def test_what_is_in_memory_is_answered_at_once_while_the_store_hangs(engine_site, hold):
    engine_site.place.publish("all/rss.xml", RSS)
    engine_site.get("/all/rss.xml")
    before = engine_site.get("/all/rss.xml")
    hold()
    begun = time.monotonic()
    for _ in range(5):
        reply = engine_site.get("/all/rss.xml")
        assert (reply.status, reply.body) == (200, RSS)
        assert reply.headers["cache-control"] == before.headers["cache-control"]
        assert engine_site.get("/healthz").status == 200
    assert time.monotonic() - begun < 0.2


def test_what_has_to_be_read_waits_for_a_hanging_store_a_moment_and_no_longer(engine_site, hold):
    for name in ("all", "cold"):
        engine_site.place.publish(f"{name}/rss.xml", RSS)
    hold()
    begun = time.monotonic()
    for name in ("all", "cold"):
        reply = engine_site.get(f"/{name}/rss.xml")
        assert (reply.status, reply.body) == (200, RSS)
        assert "max-age=60," in reply.headers["cache-control"]
    assert time.monotonic() - begun < 2
    assert [event for event in engine_site.events if event["event"] == "failed"] == []
