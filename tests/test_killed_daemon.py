"""R2: a daemon may die at any instant, again and again; it comes back to what it knew, and completes what it left."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_killed import torn, tree, watching, write_post
from webfeed import Reply, Web, an_item, rss

KILLS = 30
BUSY, QUIET = 20, 40  # sources that are asked every second, and those that are asked every day
CONFIG = """
site: {{title: Killed, base_url: "https://feeds.example.com/", language: en}}
store: sqlite:///{name}.db
output: {name}
fetch: {{allow_private: true, min_gap_s: 0, timeout_s: 5}}
serve: {{port: 0}}
feeds: [{{slug: all, title: All, limit: null}}]
sources:
  - {{name: blog, type: front-matter, path: posts}}
"""


def item_of(name: str, number: int, **fields: str) -> dict[str, str]:
    """An item that no other source has: what two sources carry is published once."""
    url = f"https://{name}.example/{number}"
    return an_item(number % 60, title=f"Item {number} of {name}", guid=url, link=url, **fields)


class Busy:
    """Feeds that have something new whenever they are asked, until they are told to stop."""

    def __init__(self, web: Web) -> None:
        self._lock = threading.Lock()
        self.items = {host: [item_of(f"busy{host}", 1)] for host in range(1, BUSY + 1)}
        self.going_on = True
        self.urls = [web.put(host, "/", lambda _, host=host: self.answer(host)) for host in self.items]

    def answer(self, host: int) -> Reply:
        with self._lock:
            items = self.items[host]
            if self.going_on:
                items.insert(0, item_of(f"busy{host}", len(items) + 1))
            return Reply(200, rss(*items))


def quiet_feed(host: int) -> Reply:
    items = (item_of(f"quiet{host}", number, category="quiet") for number in range(5))
    return Reply(200, rss(*items), {"ETag": '"1"'})


def start(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "aggregator", "daemon", "-c", str(config)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def guids(output: Path, feed: str = "all") -> set[str]:
    return {item["id"] for item in json.loads((output / feed / "feed.json").read_bytes())["items"]}


def etags(output: Path) -> dict[str, str]:
    """What the documents of the feed that nothing happens to are known by."""
    folder = output / "category/quiet"
    return {file.name: hashlib.blake2b(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def is_complete(wanted: set[str], found: set[str]) -> bool:
    """Whether everything is published: files, too, which are looked at beside the asking, and may have been half saved before."""
    return wanted <= found and len(found - wanted) == QUIET * 5 + 30


@pytest.mark.slow
def test_r2_a_daemon_killed_thirty_times_under_load_loses_nothing_and_asks_nobody_anew(tmp_path):
    posts, luck, web = tmp_path / "posts", random.Random(11), Web()
    posts.mkdir()
    for number in range(30):
        write_post(posts, number, 0)
    busy = Busy(web)
    sources = "".join(
        f"  - {{name: busy{n}, type: feed, url: '{url}', every: 1s, category: busy}}\n"
        for n, url in enumerate(busy.urls)
    )
    for host in range(100, 100 + QUIET):
        url = web.put(host, "/", quiet_feed(host))
        sources += f"  - {{name: quiet{host}, type: feed, url: '{url}', every: 1d, category: quiet}}\n"
    config, output = tmp_path / "killed.yaml", tmp_path / "killed"
    config.write_text(CONFIG.format(name="killed") + sources)
    found_torn: list[str] = []
    rounds: list[int] = []
    known: dict[str, str] = {}
    asked_quiet: list[int] = []
    with watching(output, found_torn, rounds):
        for attempt in range(KILLS):
            daemon, before = start(config), len(web.asked)
            while len(web.asked) == before:  # it may take its time to start, but is to be killed at work
                time.sleep(0.05)
                assert daemon.poll() is None
            time.sleep(luck.uniform(0.0, 4.0))
            for _ in range(5):
                write_post(posts, luck.randrange(30), attempt)
            time.sleep(luck.uniform(0, 0.7))
            assert daemon.poll() is None
            daemon.kill()
            daemon.wait()
            asked_quiet.append(sum(len(web.asks(host)) for host in range(100, 100 + QUIET)))
            if len(asked_quiet) > 10:  # by then everything was asked once, and published
                now = etags(output)
                assert not known or now == known
                known = now
        busy.going_on = False
        wanted = {item["guid"] for items in busy.items.values() for item in items}
        daemon, until, before = start(config), time.monotonic() + 60, len(web.asked)
        while (len(web.asked) == before or not is_complete(wanted, guids(output))) and time.monotonic() < until:
            time.sleep(0.2)
        daemon.terminate()
        assert daemon.wait(10) == 0
    assert found_torn == []
    assert len(rounds) > KILLS
    # Nothing was asked anew: each of the quiet ones once, and those once more whose answer a kill took along.
    assert asked_quiet[10] == asked_quiet[-1] <= QUIET * 4
    assert is_complete(wanted, guids(output))
    assert [name for name in tree(output) if name.endswith(".tmp")] == []
    assert list(torn(output)) == []
    assert not (tmp_path / "killed.db.sock").exists()
    web.close()
