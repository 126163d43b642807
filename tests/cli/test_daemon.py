"""The daemon as its operator has it: a process with a configuration, signals, and `aggregator run` beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CONFIG = """
site: {title: Planet, base_url: "http://localhost/", language: en}
store: sqlite:///store.db
output: out
serve: {port: 0}
sources:
  - {name: blog, type: front-matter, path: posts, dialect: hexo}
"""
POST = "---\ntitle: {title}\ndate: 2024-01-02 03:04:05\ncategories: [a]\n---\ntext\n"


class Process:
    """A daemon that runs, and what it said so far."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.config = folder, folder / "a.yaml"
        self._log = folder / "daemon.log"
        command = [
            sys.executable,
            "-m",
            "aggregator",
            "daemon",
            "-c",
            str(self.config),
            "--log-format",
            "json",
            *options,
        ]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        self.wait_for(lambda: self.said("started"))

    def said(self, text: str) -> list[dict[str, object]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        assert self.process.poll() is None or "ending" in lines[-1] or lines == [], lines
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [one for one in found if text in str(one["event"])]

    def wait_for(self, condition: Callable[[], object], longest_s: float = 15.0) -> float:
        """How many seconds it took until the condition held."""
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < longest_s, self._log.read_text(encoding="utf-8")
            time.sleep(0.02)
        return time.monotonic() - begun

    def titles(self) -> list[str]:
        try:
            feed = json.loads((self.folder / "out/all/feed.json").read_bytes())
        except FileNotFoundError:
            return []
        return sorted(item["title"] for item in feed["items"])

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "aggregator", "run", "-c", str(self.config), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def end(self) -> float:
        """Sends SIGTERM; how many seconds it took to end, with exit code 0."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self._log.read_text(encoding="utf-8")
        return time.monotonic() - begun


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "posts").mkdir()
    (tmp_path / "a.yaml").write_text(CONFIG)
    (tmp_path / "posts/one.md").write_text(POST.format(title="One"))
    return tmp_path


@pytest.fixture
def daemon(folder: Path) -> Iterator[Process]:
    running = Process(folder)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_a_daemon_publishes_what_is_saved_within_three_seconds_and_ends_within_five(daemon):
    daemon.wait_for(lambda: daemon.titles() == ["One"])
    (daemon.folder / "posts/two.md").write_text(POST.format(title="Two"))
    assert daemon.wait_for(lambda: daemon.titles() == ["One", "Two"]) < 3
    (daemon.folder / "posts/one.md").unlink()
    assert daemon.wait_for(lambda: daemon.titles() == ["Two"]) < 3
    assert daemon.end() < 5
    assert not (daemon.folder / "store.db.sock").exists()


def test_r3_a_run_beside_a_daemon_has_it_do_the_work(daemon):
    daemon.wait_for(lambda: daemon.titles() == ["One"])
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
    daemon.wait_for(lambda: daemon.titles() == ["One"])
    daemon.config.write_text(CONFIG.replace("dialect: hexo", "dialect: hxo"))
    daemon.wait_for(lambda: daemon.said("the new configuration is refused, the old one stays"))
    (daemon.folder / "posts/two.md").write_text(POST.format(title="Two"))
    daemon.wait_for(lambda: daemon.titles() == ["One", "Two"])
    assert daemon.run().returncode == 2
    daemon.config.write_text(CONFIG.replace("title: Planet", "title: Renamed"))
    daemon.wait_for(lambda: daemon.said("the configuration was read again"))
    daemon.wait_for(lambda: "Renamed" in (daemon.folder / "out/index.html").read_text())
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: len(daemon.said("the configuration was read again")) == 2)
    daemon.config.write_text(CONFIG.replace("store.db", "other.db"))
    daemon.wait_for(lambda: daemon.said("store cannot change while the daemon runs"))


def test_r2_a_killed_daemon_leaves_nothing_that_holds_the_lock(daemon):
    daemon.wait_for(lambda: daemon.titles() == ["One"])
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.process.wait()
    done = daemon.run("--all")
    assert done.returncode == 0, done.stderr
