from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from builders import NOON, a_post, an_entry
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from aggregator.errors import LockHeld, StoreError
from aggregator.models import Category, Seen, SeenItem, Validators
from aggregator.store.feeds import FeedState
from aggregator.store.files import SeenFile
from aggregator.store.lock import run_lock
from aggregator.store.migrating import migrate
from aggregator.store.schema import SCHEMA_VERSION, metadata
from aggregator.store.seen import packed_items
from aggregator.store.sources import SourceState
from aggregator.store.store import Store
from aggregator.store.subscribers import Subscriber
from aggregator.store.subscriptions import Subscribed


def test_the_migrations_end_in_the_tables_that_the_code_uses(store_url):
    engine = create_engine(store_url)
    migrate(engine)
    with engine.connect() as connection:
        # SQLite reflects the default '' as another text than it was given
        options = {
            "compare_type": True,
            "compare_server_default": engine.dialect.name == "postgresql",
            "include_name": lambda name, kind, _: kind != "table" or not str(name).startswith("search_index"),
            "include_object": lambda _, name, kind, *__: kind != "index" or name != "search_index",
        }
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
        indexes = {index["name"] for table in metadata.tables for index in inspect(connection).get_indexes(table)}
        assert context.get_current_revision() == SCHEMA_VERSION
    engine.dispose()
    assert differences == []
    assert indexes >= {"posts_by_key", "posts_by_link", "posts_held", "memberships_by_post"}


def what_is_beside_the_tables(engine):
    """What SQLAlchemy does not compare: SQLite's triggers and virtual tables, PostgreSQL's indexes over expressions."""
    query = "SELECT name, sql FROM sqlite_master WHERE name LIKE 'search%' AND type <> 'index' AND name <> 'search'"
    if engine.dialect.name == "postgresql":
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'search' AND indexname = 'search_index'"
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(text(query)))


def test_the_index_to_search_in_is_the_same_in_a_new_store_and_in_a_migrated_one(store_url):
    engine = create_engine(store_url)
    metadata.create_all(engine)
    made = what_is_beside_the_tables(engine)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("DROP TABLE search_index"))
        metadata.drop_all(connection)
    migrate(engine)
    assert what_is_beside_the_tables(engine) == made
    assert "search_index" in dict(made)
    engine.dispose()


def test_opening_twice_changes_nothing(store):
    with store.write() as tx:
        tx.posts.put([an_entry(a_post("a"))], {}, NOON)
    store.open()
    with store.read() as tx:
        assert len(tx.feeds.select([Category.parse("a")], None).posts) == 1


def test_r4_a_store_of_a_newer_version_is_refused(store_url):
    store = Store(store_url)
    store.open()
    engine = create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="newer version"):
        store.open()
    store.close()


def test_r4_a_corrupt_store_says_how_to_recover(tmp_path):
    file = tmp_path / "store.db"
    file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError, match="corrupt"):
        Store(f"sqlite:///{file}").open()


def test_r4_a_store_that_somebody_else_writes_to_is_waited_for_and_then_said(store):
    other = Store(store.url, busy_timeout_s=0.1)
    words = r"locked by another program for more than 0\.1 s"
    with store.write() as tx, pytest.raises(StoreError, match=words), other.write():
        tx.settings.put("x", "y")
    with other.read() as tx:
        assert tx.settings.get("x") is None
    with other.write() as tx:
        tx.settings.put("x", "z")
    other.close()


def test_each_write_has_a_number_of_its_own_however_many_write(store):
    drawn, begins = [], threading.Barrier(4)

    def work(name):
        begins.wait(5)
        for _ in range(5):
            with store.write() as tx:
                tx.posts.put([an_entry(a_post(name, "both"))], {}, NOON)  # a new category, too
                drawn.append(tx.feeds.newest_write())

    together(work, ["a", "a", "b", "b"])
    assert drawn == list(range(1, 21))


def test_who_reads_sees_one_state_and_waits_for_nobody(store):
    with store.read() as tx:
        assert tx.feeds.newest_write() == 0
        with store.write() as other:
            other.posts.put([an_entry(a_post("a"))], {}, NOON)
            with store.read() as third:
                assert third.feeds.newest_write() == 0
        assert tx.feeds.newest_write() == 0
    with store.read() as tx:
        assert tx.feeds.newest_write() == 1


def test_many_may_open_a_store_for_the_first_time_at_once(store_url):
    stores, begins = [Store(store_url) for _ in range(4)], threading.Barrier(4)

    def work(store):
        begins.wait(5)
        store.open()
        store.close()

    together(work, stores)
    stores[0].open()
    stores[0].close()


def together(work, of):
    """Does something for each in a thread of its own; raises what any of them raised."""
    with ThreadPoolExecutor(len(of)) as threads:
        list(threads.map(work, of))


def test_more_who_ask_at_once_than_there_are_connections_are_told(postgresql_store):
    store = Store(postgresql_store, busy_timeout_s=0.05)
    with ExitStack() as others, pytest.raises(StoreError, match="no connection left for 0"):
        [others.enter_context(store.read()).settings.get("x") for _ in range(100)]
    store.close()


def test_r4_what_is_too_long_for_an_index_is_not_taken_for_a_full_disk(postgresql_store):
    store, callback = Store(postgresql_store), f"https://r/{random.Random(1).randbytes(2000).hex()}"
    long = Subscriber(topic="all/rss.xml", callback=callback, host="r", secret="", until=NOON, sent="")
    with pytest.raises(StoreError, match="failed: index row size"), store.write() as tx:  # whose hint is "full text"
        tx.subscribers.put(long)
    store.close()


def test_r4_a_store_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made"):
        Store(f"sqlite:///{tmp_path}/file/store.db").open()


@pytest.mark.parametrize("place", ["me:hunter2@127.0.0.1:1/none?", "me@127.0.0.1:1/none?password=hunter2&"])
def test_a_password_is_not_shown_wherever_it_stands(place):
    store = Store(f"postgresql+psycopg://{place}connect_timeout=2")
    with pytest.raises(StoreError) as raised:
        store.open()
    assert "hunter2" not in str(raised.value)


def test_a_source_remembers_how_it_went(store):
    with store.write() as tx:
        assert tx.sources.get("blog").checked_at is None
        known = SourceState(
            name="blog", ok_at=NOON, validators=Validators('"x"', "yesterday"), title="Blog", not_before=NOON
        )
        tx.sources.put([known, SourceState(name="other")])
        tx.sources.put([replace(known, failures=2, error="timed out\0 again")])
    with store.read() as tx:
        assert tx.sources.get("blog") == replace(known, failures=2, error="timed out again")
        assert list(tx.sources.all()) == ["blog", "other"]


def test_hosts_are_left_alone_as_long_as_they_asked_and_then_forgotten(store):
    with store.write() as tx:
        tx.hosts.wait({"a.example": NOON + timedelta(hours=1), "b.example": NOON - timedelta(hours=1)})
        tx.hosts.put_robots({"https://c.example/robots.txt": "User-agent: *"}, NOON)
    with store.read() as tx:
        assert tx.hosts.waits(NOON) == {"a.example": NOON + timedelta(hours=1)}
        assert tx.hosts.robots(NOON - timedelta(days=1)) == {"https://c.example/robots.txt": "User-agent: *"}
        assert tx.hosts.robots(NOON + timedelta(seconds=1)) == {}
    with store.write() as tx:
        tx.hosts.forget(NOON)
    with store.read() as tx:
        assert list(tx.hosts.waits(NOON - timedelta(hours=2))) == ["a.example"]
        assert tx.hosts.waits(NOON - timedelta(days=9)) == {}  # remembered while the clock was ahead


def test_a_feed_that_left_its_list_is_remembered_as_such(store):
    one, two = (Subscribed("friends", f"friends-{n}", f"https://{n}.example/feed", n, "a/b") for n in ("x", "y"))
    with store.write() as tx:
        tx.subscriptions.put("friends", [one, two], NOON)
        tx.subscriptions.put("friends", [two], NOON)
    with store.read() as tx:
        assert tx.subscriptions.all() == [two, replace(one, left_at=NOON)]
    with store.write() as tx:
        tx.subscriptions.put("friends", [one], NOON)
    with store.read() as tx:
        assert tx.subscriptions.all() == [one, replace(two, left_at=NOON)]


def test_items_seen_are_remembered_as_they_were(store):
    found = Seen("context", {"hash": SeenItem("guid", None, "Titel \ud800", "draft")})
    with store.write() as tx:
        tx.seen.put({"web": packed_items(found)})
    with store.read() as tx:
        assert tx.seen.of("web") == found
        assert tx.seen.of("other") is None


def test_files_are_remembered_and_forgotten(store):
    one, two = (SeenFile(path, 1, 2, 3, "hash", None) for path in ("a.md", "子/b.md"))
    with store.write() as tx:
        tx.files.put("blog", [one, two])
        tx.files.put("blog", [SeenFile("a.md", 5, 2, 3, "hash", 7)])
        tx.files.forget("blog", ["子/b.md"])
    with store.read() as tx:
        assert tx.files.of("blog") == {"a.md": SeenFile("a.md", 5, 2, 3, "hash", 7)}
        assert tx.files.of("other") == {}


def test_what_was_rendered_is_remembered_and_directories_are_given_once(store):
    with store.write() as tx:
        tx.posts.put([an_entry(a_post("a"))], {}, NOON)
        tx.feeds.give_directories({"a": "category/a"})
        tx.feeds.give_directories({"a": "category/other"})
        tx.feeds.rendered([FeedState("all", "r", 1, 1, 5), FeedState("x", "r", 1, 0, None)])
        tx.feeds.rendered([FeedState("all", "r2", 2, 2, 6)])
        tx.feeds.forget(["x"])
    with store.read() as tx:
        assert tx.feeds.categories()["a"].directory == "category/a"
        assert tx.feeds.states() == {"all": FeedState("all", "r2", 2, 2, 6)}


def test_r3_the_second_run_is_told_who_holds_the_lock(store_url):
    with run_lock(store_url, "first run"), pytest.raises(LockHeld) as raised, run_lock(store_url, "second run"):
        pass
    assert raised.value.holder.startswith("first run, process ")
    with run_lock(store_url, "third run"):
        pass


@pytest.fixture
def postgresql_lock(postgresql_server):
    """The lock of a store on PostgreSQL, held, and what cuts its connection."""
    engine = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'a daemon, process%'"

    def cut():
        with engine.connect() as connection:
            assert connection.execute(text(query)).all() == [(True,)]

    with run_lock(postgresql_server, "a daemon") as lock:
        yield lock, cut
    engine.dispose()


def test_r3_a_lock_that_was_lost_with_its_connection_is_taken_again(postgresql_server, postgresql_lock):
    lock, cut = postgresql_lock
    lock.check()
    cut()
    lock.check()
    with pytest.raises(LockHeld, match="a daemon, process"), run_lock(postgresql_server, "another"):
        pass


def test_r3_a_session_that_lives_on_beyond_a_lost_connection_is_ended(postgresql_lock):
    lock, _ = postgresql_lock
    lost, lock._connection = lock._connection, None  # as a router leaves it that forgot the connection
    lock.check()
    with pytest.raises(OperationalError):
        lost.execute(text("SELECT 1"))
    lost.close()


def test_r3_a_lock_that_was_lost_to_somebody_else_says_who_has_it_until_it_is_free(postgresql_server, postgresql_lock):
    lock, cut = postgresql_lock
    cut()
    with run_lock(postgresql_server, "another"):
        for _ in range(2):
            with pytest.raises(LockHeld, match="another, process"):
                lock.check()
    lock.check()


def test_r3_the_lock_of_a_file_cannot_be_lost(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with run_lock(url, "first") as lock:
        lock.check()
        with pytest.raises(LockHeld, match="first, process"), run_lock(url, "second"):
            pass


def test_r3_a_dead_holders_lock_is_taken_over(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    code = (
        "import os, sys; from aggregator.store.lock import run_lock\n"
        f"with run_lock({url!r}, 'doomed'): print('held', flush=True); os.kill(os.getpid(), 9)"
    )
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (dead.returncode, dead.stdout) == (-9, "held\n")
    assert Path(f"{tmp_path}/store.db.lock").exists()
    with run_lock(url, "heir"):
        pass
