"""A daemon as its operator has it: a process with a configuration, and what it says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path

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

    def get(self, path: str) -> HTTPResponse:
        """What it answers."""
        port = self.said("listening")[0]["port"]
        answer: HTTPResponse = urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10)
        return answer

    def ensure_ended(self) -> None:
        """Ends it, where no test before has: they may be shared out among several."""
        if self.process.poll() is None:
            self.end()

    def end(self) -> float:
        """Sends SIGTERM; how many seconds it took to end, with exit code 0."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self._log.read_text(encoding="utf-8")
        return time.monotonic() - begun
