from __future__ import annotations

import json
import socket
import stat
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.config.models import Config
from aggregator.errors import LockHeld
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult
from aggregator.schedule.handover import Taker, hand_over, socket_path
from aggregator.schedule.once import Order

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
SOURCE = SourceResult("blog", new=3, how="files", until=NOON, warnings=["标题 is odd"])
FEED = FeedResult("all", 3, 1700000000, ("all/rss.xml",), ("all/atom.xml",))
IMAGES = MirrorResult(40, 2, 1, ["some images are not mirrored"])


class Heard:
    def __init__(self):
        self.results = []

    source = feed = mirrored = lambda self, result: self.results.append(result)


@pytest.fixture
def daemon(tmp_path):
    """Somebody who takes orders; `taker.orders` is what he was told."""
    orders = []

    def do(file, order, tell):
        orders.append((file, order))
        if order.force:
            raise LockHeld("aggregator daemon, which is ending")
        tell.source(SOURCE)
        tell.mirrored(IMAGES)
        tell.feed(FEED)

    taker = Taker(tmp_path / "a.sock", do)
    taker.orders = orders
    taker.start()
    yield taker
    taker.close()


def test_an_order_is_carried_out_and_its_results_are_told(daemon, tmp_path):
    heard, order = Heard(), Order(every_source=True, sources=("blog",), feeds=("category/新媒体",), refresh=False)
    assert hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", order, heard) is None
    assert heard.results == [SOURCE, IMAGES, FEED]
    assert daemon.orders == [(tmp_path / "a.yaml", order)]


def test_what_is_refused_says_why(daemon, tmp_path):
    refused = hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", Order(force=True), Heard())
    assert refused == "another run holds the lock: aggregator daemon, which is ending"


def test_r3_where_nobody_answers_that_is_said(tmp_path):
    assert hand_over(tmp_path / "none.sock", tmp_path / "a.yaml", Order(), Heard()) == "it does not answer"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "left.sock"))
    left.close()  # as a daemon leaves it that was killed
    assert hand_over(tmp_path / "left.sock", tmp_path / "a.yaml", Order(), Heard()) == "it does not answer"


def test_a_socket_that_a_dead_daemon_left_is_taken_over(tmp_path):
    for _ in range(2):
        taker = Taker(tmp_path / "a.sock", lambda *_: None)
        taker.start()
        assert hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", Order(), Heard()) is None
        taker._socket.close()


def test_only_its_own_user_may_order_something(daemon, tmp_path):
    assert stat.S_IMODE((tmp_path / "a.sock").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"{}\n",
        b'{"config": 1, "order": {}}\n',
        b"[]\n",
        b"\xff\xfe\n",
        b"[" * 200_000 + b"\n",
        b'{"config": "a\\u0000b", "order": {"sources": [], "feeds": []}}\n',
        b'{"config": "a", "order": {"sources": [1], "feeds": []}}\n',
    ],
)
def test_what_is_no_order_is_refused_and_the_next_one_taken(daemon, tmp_path, said):
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(tmp_path / "a.sock"))
        stranger.sendall(said)
        assert b"cannot be understood" in stranger.makefile("rb").readline()
    assert hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", Order(), Heard()) is None


def test_a_path_that_is_too_long_for_a_socket_works(tmp_path):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    taker = Taker(folder / "a.sock", lambda *_: None)
    taker.start()
    assert hand_over(folder / "a.sock", tmp_path / "a.yaml", Order(), Heard()) is None
    taker.close()
    assert not (folder / "a.sock").exists()


def test_the_socket_lies_beside_a_database_or_where_run_time_files_of_the_user_lie():
    def place(store: str, environment: dict[str, str] = {}, **serve: str) -> Path:  # noqa: B006
        data = {"store": store, "serve": serve}
        return socket_path(Config.model_validate(data, context={"folder": Path("/c")}), environment)

    assert place("sqlite:////var/lib/a.db") == Path("/var/lib/a.db.sock")
    assert place("sqlite:////var/lib/a.db", socket="/run/a.sock") == Path("/run/a.sock")
    first, second = (place(f"postgresql://u@h/{name}", {"XDG_RUNTIME_DIR": "/run/user/7"}) for name in "ab")
    assert first.parent == second.parent == Path("/run/user/7")
    assert first != second


def test_a_file_in_the_place_of_the_socket_is_nobodys_to_remove(tmp_path):
    (tmp_path / "a.sock").write_text("somebody's notes")
    taker = Taker(tmp_path / "a.sock", lambda *_: None)
    with pytest.raises(OSError, match="in use"):
        taker.start()
    taker.close()
    assert (tmp_path / "a.sock").read_text() == "somebody's notes"


def test_a_file_that_took_the_place_of_the_socket_stays(tmp_path):
    taker = Taker(tmp_path / "a.sock", lambda *_: None)
    taker.start()
    (tmp_path / "a.sock").unlink()
    (tmp_path / "a.sock").write_text("somebody's notes")
    taker.close()
    assert (tmp_path / "a.sock").read_text() == "somebody's notes"


def test_a_daemon_that_takes_nothing_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("aggregator.schedule.handover._ANSWER_S", 0.1)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "a.sock"))
        deaf.listen()
        refused = hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", Order(), Heard())
    assert refused == "it ended before the work was done"


def test_more_orders_than_can_be_taken_are_hung_up_on(daemon, tmp_path):
    strangers = []
    for _ in range(40):
        stranger = socket.socket(socket.AF_UNIX)
        stranger.connect(str(tmp_path / "a.sock"))
        strangers.append(stranger)
    assert strangers[-1].recv(1) == b""
    for stranger in strangers:
        stranger.close()
    for _ in range(100):
        if hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", Order(), Heard()) is None:
            return
        time.sleep(0.05)
    raise AssertionError("it takes no more orders")


def test_a_client_that_does_not_read_is_left_behind_and_the_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("aggregator.schedule.handover._TOLD_S", 0.05)
    done = threading.Event()

    def do(_file, _order, tell):
        for _ in range(3_000):
            tell.source(SOURCE)
        done.set()

    taker = Taker(tmp_path / "a.sock", do)
    taker.start()
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.connect(str(tmp_path / "a.sock"))
        order = {"config": "/a.yaml", "order": asdict(Order())}
        stopped.sendall(json.dumps(order).encode() + b"\n")
        assert done.wait(10)
    taker.close()


def test_an_order_that_no_thread_is_left_for_is_hung_up_on_and_the_next_one_taken(daemon, tmp_path, monkeypatch):
    def no_more(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched, socket.socket(socket.AF_UNIX) as unlucky:
        patched.setattr(threading.Thread, "start", no_more)
        unlucky.settimeout(5)
        unlucky.connect(str(tmp_path / "a.sock"))
        assert unlucky.recv(1) == b""
    assert hand_over(tmp_path / "a.sock", tmp_path / "a.yaml", Order(), Heard()) is None
