#!/usr/bin/env python3
"""Refreshing web feeds, against a pool of 32 threads that each use requests, feedparser and sqlite3.

    refresh_vs_pool.py [--sources 500] [--rounds 2] [--dir DIR]

Every feed has an address of its own on the loopback, 20 posts, and 50 ms of latency; feedserver.py says what it looks
like. First: nothing is stored yet. Two new posts: every feed has two new ones in front, and lost its two oldest. All
304: nothing changed, and every server says so. Both sides run in fresh processes, and time themselves from the end of
their imports until everything is stored; ours only refreshes, and regenerates no feed. The pool stores a post's GUID,
title, link, date and content as feedparser gives them; we store posts that are clean, with images unwrapped.
Exit code 0: all budgets hold · 1: one is missed, or a side failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedserver
import timing

ITEMS = 20
LATENCY_S = 0.05
MANY = 2  # times as many sources, to see whether memory grows with them
SAMPLED_EVERY_S = 0.02
BUDGETS = {"first time": 5.0, "two new posts": 15.0, "all 304": 1.0}  # times the pool's rate


# The pool: a program of its own, as one would write it in an hour.


class Pool:
    """Fetches feeds with 32 threads, and keeps their entries in one SQLite file."""

    def __init__(self, file: str) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.executescript("""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE IF NOT EXISTS feeds (url TEXT PRIMARY KEY, etag TEXT, modified TEXT);
            CREATE TABLE IF NOT EXISTS entries (
                feed TEXT, guid TEXT, title TEXT, link TEXT, published TEXT, content TEXT, PRIMARY KEY (feed, guid)
            );
        """)

    def refresh(self, urls: list[str]) -> int:
        """Refreshes every feed, and closes the file; returns how many had a body."""
        known = {url: (etag, modified) for url, etag, modified in self._db.execute("SELECT * FROM feeds")}
        with closing(self._db), ThreadPoolExecutor(32) as threads:
            return sum(threads.map(lambda url: self._refresh(url, *known.get(url, (None, None))), urls))

    def _refresh(self, url: str, etag: str | None, modified: str | None) -> bool:
        import feedparser  # noqa: PLC0415  # imported before the clock starts

        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if modified:
            headers["If-Modified-Since"] = modified
        response = self._session().get(url, headers=headers, timeout=30)
        if response.status_code == 304:
            return False
        response.raise_for_status()
        parsed = feedparser.parse(response.content, response_headers=response.headers)
        rows = [
            (
                url,
                entry.get("id") or entry.get("link"),
                entry.get("title"),
                entry.get("link"),
                entry.get("published"),
                entry.content[0].value if "content" in entry else entry.get("summary"),
            )
            for entry in parsed.entries
        ]
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET title = excluded.title,"
                " link = excluded.link, published = excluded.published, content = excluded.content",
                rows,
            )
            self._db.execute(
                "INSERT INTO feeds VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET etag = excluded.etag, modified = excluded.modified",
                (url, response.headers.get("ETag"), response.headers.get("Last-Modified")),
            )
            self._db.execute("COMMIT")
        return True

    def _session(self) -> Any:
        import requests  # noqa: PLC0415  # imported before the clock starts

        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        return self._local.session


def run_pool(folder: Path) -> Callable[[], int]:
    """The pool's side in a process of its own: imports, and gives what is to be timed."""
    import feedparser  # noqa: F401, PLC0415
    import requests  # noqa: F401, PLC0415

    return lambda: Pool(str(folder / "pool.db")).refresh((folder / "urls.txt").read_text().split())


# Ours.


def run_ours(folder: Path) -> Callable[[], int]:
    """Our side in a process of its own: imports, and gives what is to be timed."""
    import feedparser  # noqa: F401, PLC0415  # what a refresh imports late counts for neither side
    import requests  # noqa: F401, PLC0415

    import aggregator.pipeline.writing  # noqa: F401, PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.refresh import Refresher  # noqa: PLC0415
    from aggregator.schedule.workers import WorkerPool  # noqa: PLC0415
    from aggregator.store.store import Store  # noqa: PLC0415

    def refresh() -> int:
        config = read_config(folder / "bench.yaml")
        store = Store(config.store)
        store.open()
        with WorkerPool() as workers:
            refresher = Refresher(config, store, datetime.now(UTC), workers)
            results = list(refresher.refresh(list(config.sources)))
        store.close()
        if failed := [f"{result.name}: {result.error}" for result in results if result.error]:
            sys.exit(f"{len(failed)} sources failed, such as {failed[0]}")
        return sum(result.how == "parsed" for result in results)

    return refresh


SIDES = {"ours": run_ours, "pool": run_pool}


def run_side(name: str, folder: Path) -> None:
    """One side, in the process that was started for it: prints the seconds it took and the bodies it had."""
    work = SIDES[name](folder)
    begin = time.perf_counter()
    bodies = work()
    print(json.dumps({"took_s": time.perf_counter() - begin, "bodies": bodies}))


# Measuring.


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh of all sources: `sample.wall_s` is what it says it took, `process_s` with starting and importing.

    The sample's memory is the largest sum of what the process and its children held at one time; pages that they share
    count once for each.
    """

    sample: timing.Sample
    process_s: float


@dataclass(slots=True)
class Phase:
    """One budget, and every refresh that was measured for it."""

    what: str
    ours: list[Refresh] = field(default_factory=list)
    pool: list[Refresh] = field(default_factory=list)

    @property
    def budget(self) -> float:
        """How many times the pool's rate ours has to be."""
        return BUDGETS[self.what]

    @property
    def times(self) -> float:
        """How many times the pool's rate ours is, by the medians."""
        return _median(self.pool) / _median(self.ours)

    @property
    def times_of_processes(self) -> float:
        """The same with starting Python and importing on both sides."""
        pool, ours = (statistics.median(one.process_s for one in side) for side in (self.pool, self.ours))
        return pool / ours


def _median(refreshes: list[Refresh]) -> float:
    return statistics.median(one.sample.wall_s for one in refreshes)


class Bench:
    """A folder with what both sides work on, and the server that they ask."""

    def __init__(self, folder: Path, server: feedserver.FeedServer, sources: int) -> None:
        self._folder, self._server, self._sources = folder, server, sources
        self._here = folder

    def fresh(self, sources: int = 0) -> None:
        """Lets both sides begin with nothing stored."""
        self._here = Path(tempfile.mkdtemp(dir=self._folder))
        urls = [f"http://{feedserver.address(n)}:{self._server.port}/feed.xml" for n in range(sources or self._sources)]
        listed = "".join(f"  - {{name: feed-{n}, type: feed, url: '{url}'}}\n" for n, url in enumerate(urls))
        config = f"store: sqlite:///ours.db\noutput: feeds\nfetch: {{allow_private: true}}\nsources:\n{listed}"
        (self._here / "bench.yaml").write_text(config, encoding="utf-8")
        (self._here / "urls.txt").write_text("\n".join(urls), encoding="utf-8")

    def slide(self) -> None:
        """Every feed has two new posts from now on."""
        self._server.tell("slide")

    def run(self, side: str, answered: str, sources: int = 0) -> Refresh:
        """One refresh by one side; exits where the server did not give every source this one answer."""
        refresh = measure([sys.executable, __file__, "--side", side, "--dir", str(self._here)], self._here)
        expected, counts = {answered: sources or self._sources}, self._server.tell("counts")
        if counts != expected:
            sys.exit(f"{side}: the answers were {counts}, and should have been {expected}")
        return refresh

    def check(self) -> None:
        """Exits where a side does not hold every post of every source, those that slid out of the feed included."""
        for side, table in (("ours", "posts"), ("pool", "entries")):
            with closing(sqlite3.connect(self._here / f"{side}.db")) as db:
                (found,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            if found != (expected := self._sources * (ITEMS + feedserver.SLIDE)):
                sys.exit(f"{side} stored {found} posts, and should have stored {expected}")


def measure(command: list[str], folder: Path) -> Refresh:
    """Runs a side to its end, looking at its memory all the while; exits with what it said when it fails."""
    log = folder / "output.log"
    with log.open("wb") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, env=timing.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        peak = 0.0
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = max(peak, sum(_resident_mb(pid) for pid in _family(process.pid)))
            time.sleep(SAMPLED_EVERY_S)
        process_s = time.perf_counter() - begin
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    said, _ = process.communicate()
    if process.returncode != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{text[-4000:]}")
    took_s = json.loads(said)["took_s"]
    return Refresh(timing.Sample(took_s, usage.ru_utime + usage.ru_stime, peak), process_s)


def _family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text().split()
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            yield from _family(int(child))


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def compare(bench: Bench, rounds: int, tell: Callable[[str], None]) -> list[Phase]:
    """Every budget, one after the other in each round, the pool before us each time."""
    first, again, unchanged = phases = [Phase(what) for what in BUDGETS]
    for number in range(1, rounds + 1):
        tell(f"round {number} of {rounds}")
        bench.fresh()
        for phase, answered in ((first, "200"), (again, "200"), (unchanged, "304")):
            if phase is again:
                bench.slide()
            phase.pool.append(bench.run("pool", answered))
            phase.ours.append(bench.run("ours", answered))
        bench.check()
    return phases


def memory(bench: Bench, sources: int) -> dict[str, float]:
    """Our peak memory for this many sources, by phase."""
    bench.fresh(sources)
    first = bench.run("ours", "200", sources)
    bench.slide()
    again = bench.run("ours", "200", sources)
    unchanged = bench.run("ours", "304", sources)
    return {what: one.sample.peak_mb for what, one in zip(BUDGETS, (first, again, unchanged), strict=True)}


def table(phases: list[Phase], sources: int, many: dict[str, float]) -> str:
    """The phases as lines for people."""
    head = (
        "",
        "ours/s",
        "pool/s",
        "times",
        "budget",
        "",
        "processes",
        "our CPU, s",
        f"our peak, MB (of {MANY * sources})",
    )
    rows = [head]
    for phase in phases:
        peak = max(one.sample.peak_mb for one in phase.ours)
        rows.append(
            (
                phase.what,
                f"{sources / _median(phase.ours):.0f}",
                f"{sources / _median(phase.pool):.0f}",
                f"{phase.times:.2f}",
                f"≥ {phase.budget:.0f}",
                "holds" if phase.times >= phase.budget else "MISSED",
                f"{phase.times_of_processes:.2f}",
                f"{statistics.median(one.sample.cpu_s for one in phase.ours):.2f}",
                f"{peak:.0f} ({many[phase.what]:.0f})",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    to_the_left = {0, 5}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index in to_the_left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dir", type=Path, help="where it makes the folder it works in")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side, arguments.dir)
        return 0
    tell = _tell if sys.stderr.isatty() else _quiet
    sources = arguments.sources
    with (
        tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch,
        feedserver.FeedServer(f"--feeds={sources}", f"--items={ITEMS}", f"--latency={LATENCY_S}") as server,
    ):
        phases = compare(Bench(Path(scratch), server, sources), arguments.rounds, tell)
    with (
        tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch,
        feedserver.FeedServer(f"--feeds={MANY * sources}", f"--items={ITEMS}", f"--latency={LATENCY_S}") as server,
    ):
        tell(f"memory with {MANY * sources} sources")
        many = memory(Bench(Path(scratch), server, MANY * sources), MANY * sources)
    print(f"{sources} web feeds of {ITEMS} posts, {LATENCY_S * 1000:.0f} ms away → store · {timing.machine()}")
    print(f"feeds a second, medians of {arguments.rounds} rounds, both sides in turn")
    print("processes: the ratio where starting and importing counts on both sides\n")
    print(table(phases, sources, many))
    return 0 if all(phase.times >= phase.budget for phase in phases) else 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _quiet(_: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
