"""R2: a run may die at any instant; nobody ever sees a torn document, and the next run completes what it left."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

KILLS = 50
POSTS = 120
CONFIG = """
site: {{title: Killed, base_url: "https://feeds.example.com/", language: en}}
store: sqlite:///{name}.db
output: {name}
sources:
  - {{name: blog, type: front-matter, path: posts, dialect: hexo}}
feeds:
  - {{slug: all, title: All, limit: null}}
"""


def write_post(folder: Path, number: int, version: int) -> None:
    text = (
        f"---\ntitle: Post {number}\ndate: 2024-01-{number % 28 + 1:02} 10:00:{number % 60:02}\n"
        f"categories: [a{number % 5}, b{number % 7}]\n---\n<p>{f'version {version} ' * 200}</p>\n"
    )
    (folder / f"{number:03}.md").write_text(text)


def aggregator(config: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1735689600"}
    command = [sys.executable, "-m", "aggregator", "run", "-c", str(config), "--all"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def torn(output: Path) -> Iterator[str]:
    """The documents that are no whole document at this moment."""
    # os.walk passes over a folder that vanishes meanwhile, which Path.rglob does not
    for file in (Path(folder, name) for folder, _, names in os.walk(output) for name in names):
        if file.name.startswith("."):
            continue
        try:
            body = file.read_bytes()
        except FileNotFoundError:
            continue
        try:
            if file.suffix in {".xml", ".opml"}:
                ET.fromstring(body)
            elif file.suffix == ".json":
                json.loads(body)
            elif not body.rstrip().endswith(b"</html>"):
                yield str(file)
        except ValueError:
            yield str(file)
        except ET.ParseError:
            yield str(file)


@contextmanager
def watching(output: Path, found: list[str], rounds: list[int]) -> Iterator[None]:
    """Reads every document over and over while the block runs."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            found.extend(torn(output))
            rounds.append(1)
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def tree(output: Path) -> dict[str, bytes]:
    return {str(file.relative_to(output)): file.read_bytes() for file in output.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_r2_fifty_killed_runs_leave_what_one_whole_run_completes(tmp_path):
    posts, luck = tmp_path / "posts", random.Random(7)
    posts.mkdir()
    for name in ("killed", "whole", "timed"):
        (tmp_path / f"{name}.yaml").write_text(CONFIG.format(name=name))
    for number in range(POSTS):
        write_post(posts, number, 0)
    for version in (-2, -1):  # how long a run takes here that has as much to do as those below
        for number in range(20):
            write_post(posts, number * 6, version)
        began = time.monotonic()
        assert aggregator(tmp_path / "timed.yaml").wait() == 0
        takes_s = time.monotonic() - began
    found_torn: list[str] = []
    killed_at_work = 0
    rounds: list[int] = []
    with watching(tmp_path / "killed", found_torn, rounds):
        for attempt in range(KILLS):
            run = aggregator(tmp_path / "killed.yaml")
            time.sleep(luck.uniform(0.15, 1.0) * takes_s)
            killed_at_work += run.poll() is None
            run.kill()  # the process alone: its workers have to notice by themselves
            run.wait()
            for _ in range(20):
                write_post(posts, luck.randrange(POSTS), attempt)
            if attempt % 10 == 3:
                shutil.rmtree(tmp_path / "killed", ignore_errors=True)  # so that everything is written once more
        whole = aggregator(tmp_path / "killed.yaml")
        whole.wait()
    assert whole.returncode == 0
    assert killed_at_work > KILLS / 2
    assert found_torn == []
    assert len(rounds) > KILLS
    never_killed = aggregator(tmp_path / "whole.yaml")
    never_killed.wait()
    assert never_killed.returncode == 0
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    assert [name for name in tree(tmp_path / "killed") if name.endswith(".tmp")] == []
