"""The daemon as its operator has it: a process with a configuration, signals, and `aggregator run` beside it."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from daemon import CONFIG, POST, Process

from aggregator.cli.daemon import _ended, _guard, _work
from aggregator.cli.logs import Log
from aggregator.cli.moments import now, present
from aggregator.errors import AggregatorError, LockHeld
from aggregator.store.lock import RunLock


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for all tests, because starting it takes most of their time; they take place in their order."""
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "posts").mkdir()
    (folder / "a.yaml").write_text(CONFIG)
    (folder / "posts/one.md").write_text(POST.format(title="One"))
    running = Process(folder)
    running.wait_for(lambda: running.titles() == ["One"])
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_a_post_that_is_saved_is_published_within_three_seconds_and_one_that_goes_leaves(daemon):
    (daemon.folder / "posts/two.md").write_text(POST.format(title="Two"))
    assert daemon.wait_for(lambda: daemon.titles() == ["One", "Two"]) < 3
    (daemon.folder / "posts/two.md").unlink()
    assert daemon.wait_for(lambda: daemon.titles() == ["One"]) < 3


def test_what_is_published_is_served_and_pages_with_it(daemon):
    feed = daemon.get("/all/feed.json")
    assert feed.headers["ETag"]
    assert json.loads(feed.read())["items"][0]["title"] == "One"
    assert "text/html" in daemon.get("/all/").headers["Content-Type"]
    assert json.loads(daemon.get("/status.json").read())["sources"][0]["name"] == "blog"
    assert daemon.get("/healthz").read() == b"200 OK: It works.\n"
    assert b"aggregator_refreshes_total" in daemon.get("/metrics").read()
    with pytest.raises(HTTPError, match="403"):
        daemon.get("/img/unsigned")
    assert daemon.said("request")


def test_r3_a_run_beside_a_daemon_has_it_do_the_work(daemon):
    done = daemon.run("--all", "--json")
    assert done.returncode == 0, done.stderr
    assert [source["name"] for source in json.loads(done.stdout)["sources"]] == ["blog"]
    assert daemon.said("took over a run")
    forced = daemon.run("--force")
    assert "regenerated: 0 documents written" in forced.stdout, forced.stdout
    other = daemon.folder / "b.yaml"
    other.write_text(CONFIG)
    refused = daemon.run("-c", str(other))
    assert refused.returncode == 3
    assert "aggregator daemon" in refused.stderr
    assert "another configuration" in refused.stderr


def test_r3_a_second_daemon_is_told_who_holds_the_lock(daemon):
    command = [sys.executable, "-m", "aggregator", "daemon", "-c", str(daemon.config)]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 3
    assert f"aggregator daemon, process {daemon.process.pid} on " in second.stderr


def test_r6_a_broken_configuration_is_refused_and_a_good_one_takes_over(daemon):
    daemon.config.write_text(CONFIG.replace("dialect: hexo", "dialect: hxo"))
    daemon.wait_for(lambda: daemon.said("the new configuration is refused, the old one stays"))
    (faults,) = json.loads(daemon.get("/status.json").read())["faults"]
    assert faults == "a.yaml:7: sources[0].dialect: should be 'hexo', 'jekyll', 'hugo' or 'flat'"
    (daemon.folder / "posts/two.md").write_text(POST.format(title="Two"))
    daemon.wait_for(lambda: daemon.titles() == ["One", "Two"])
    daemon.config.write_text(CONFIG.replace("title: Planet", "title: Renamed"))
    daemon.wait_for(lambda: daemon.said("the configuration was read again"))
    daemon.wait_for(lambda: "Renamed" in (daemon.folder / "out/index.html").read_text())
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: len(daemon.said("the configuration was read again")) == 2)
    daemon.config.write_text(CONFIG.replace("store.db", "other.db"))
    daemon.wait_for(lambda: daemon.said("store cannot change while the daemon runs"))


def test_it_ends_within_five_seconds_and_leaves_no_socket(daemon):
    daemon.config.write_text(CONFIG)
    assert daemon.end() < 5
    assert not (daemon.folder / "store.db.sock").exists()


def test_a_daemon_that_cannot_listen_says_so(daemon):
    daemon.ensure_ended()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "aggregator", "daemon", "-c", str(daemon.config)]
        command += ["--port", str(taken.getsockname()[1])]
        failed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert failed.returncode == 1
    assert f"cannot listen on 127.0.0.1:{command[-1]}" in failed.stderr


def test_whatever_ends_a_server_is_told():
    class Failing:
        def run(self):
            raise RuntimeError("a fault")

    class Ending:
        def run(self):
            """Comes to its end."""

    assert str(_ended(Failing())) == "the server ended: RuntimeError: a fault"
    assert str(_ended(Ending())) == "the server ended"


@pytest.mark.parametrize(
    ("why", "code"),
    [(signal.SIGTERM, 0), (AggregatorError("no server"), 1), (LockHeld("another daemon"), 3), (None, 1)],
)
def test_how_it_ended_is_its_exit_code(why, code, monkeypatch):
    class Ending:
        def start(self):
            raise RuntimeError("a fault")

        def stop(self):
            return True

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    if why is not None:
        ends.put(why)
    assert _work(Ending(), Log("json"), ends) == (code, True)


def test_r3_a_lock_that_somebody_else_took_ends_it():
    class Lost(RunLock):
        def check(self):
            raise held

    held, ends = LockHeld("another daemon"), queue.SimpleQueue()
    with pytest.raises(LockHeld):
        _guard(Lost(), ends)
    assert ends.get_nowait() is held


def test_r5_the_clock_of_a_daemon_is_not_stopped_by_a_moment_that_is_set_for_runs(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert now().year == 1970
    assert present().year > 2020


@pytest.mark.slow
def test_r4_a_lost_store_empties_no_feed_before_its_sources_have_spoken(daemon):
    daemon.ensure_ended()
    for file in daemon.folder.glob("store.db*"):
        file.unlink()
    published = (daemon.folder / "out/all/feed.json").read_bytes()
    assert b"One" in published
    again = Process(daemon.folder)
    assert (daemon.folder / "out/all/feed.json").read_bytes() == published
    assert again.end() < 5


@pytest.mark.slow
def test_a_log_that_nobody_reads_any_more_costs_nothing_but_the_log(daemon):
    daemon.ensure_ended()
    command = [sys.executable, "-m", "aggregator", "daemon", "-c", str(daemon.config), "--log-format", "json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        running.stderr.readline()
        running.stderr.close()
        (daemon.folder / "posts/late.md").write_text(POST.format(title="Late"))
        daemon.wait_for(lambda: "Late" in daemon.titles())
        (daemon.folder / "posts/late.md").unlink()
        daemon.wait_for(lambda: "Late" not in daemon.titles())
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


@pytest.mark.slow
def test_r2_a_killed_daemon_leaves_nothing_that_holds_the_lock(daemon):
    daemon.ensure_ended()
    again = Process(daemon.folder, "--no-serve")
    assert not again.said("listening")
    os.kill(again.process.pid, signal.SIGKILL)
    again.process.wait()
    done = again.run("--all")
    assert done.returncode == 0, done.stderr
