#!/usr/bin/env python3
"""newsboat, feedparser and reader as subscribers of a daemon, over an hour of simulated posts.

    subscribers.py [--minutes 60] [--venv DIR] [--dir DIR]

`aggregator daemon` publishes a folder of front-matter posts. In every third minute of the hour a post is saved; four times one is
saved again with another title, and once one is deleted. A minute lasts as long as it takes: what was saved is waited for until
it is served, then each subscriber polls once, as its users have it poll, keeping what it keeps in a file or in memory:

- newsboat (`newsboat -x reload`) the RSS, and its cache.db is looked into;
- feedparser the Atom, with the validators of its last answer;
- reader the JSON Feed, in a virtual environment of its own: it carries a copy of feedparser that needs what ours has not.

At the end each must have every post once, under its newest title; that which was deleted too, because readers keep what they
got. By the daemon's access log, polls without news must have been answered 304, and the others 200 or 226 (all of the feed, or
what was new of it).
Exit code 0: all of it holds · 1: something does not.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import timing

CONFIG = """\
site: {{title: My planet, base_url: "http://127.0.0.1:{port}/", language: en}}
store: sqlite:///store.db
output: feeds
serve: {{port: {port}}}
sources:
  - {{name: blog, type: front-matter, path: posts}}
"""
# feedparser is named because newer ones bring another sgmllib than the one that reader's own copy imports.
READER = ("reader==3.26", "feedparser==6.0.11")
READING = """\
import json, sys
from reader import make_reader
reader = make_reader(sys.argv[1])
reader.add_feed(sys.argv[2], exist_ok=True)
reader.update_feed(sys.argv[2])
fault = reader.get_feed(sys.argv[2]).last_exception
if fault:
    sys.exit(fault.value_str)
json.dump([(entry.id, entry.title) for entry in reader.get_entries()], sys.stdout)
"""
EARLIER = 5  # posts that are there before anybody subscribes
EVERY = 3  # minutes from post to post
EDITS = (12, 27, 42, 57)  # minutes
DELETION = 36
SERVED_S = 10.0  # that what was saved may take to be served


@dataclass
class Blog:
    """The folder of posts, and the title that each post was given last."""

    folder: Path
    began: datetime
    titles: dict[int, str] = field(default_factory=dict)

    def save(self, number: int, text: str) -> None:
        """Saves a post, or saves it again with other words."""
        self.titles[number] = f"Post {number}, {text}"
        date = self.began + timedelta(minutes=EVERY * (number - EARLIER))
        lines = ("---", f"title: {self.titles[number]}", f"date: {date:%Y-%m-%d %H:%M:%S}", "categories: News", "---")
        body = "".join(f"Paragraph {paragraph} of post {number}, {text}.\n\n" for paragraph in range(20))
        self._file(number).write_text("\n".join((*lines, "", body)), encoding="utf-8")

    def pass_minute(self, minute: int) -> bool:
        """Does what happens in a minute; whether anything does."""
        newest = max(self.titles)
        if minute % EVERY == 1:
            self.save(newest + 1, "as it was first")
        elif minute in EDITS:
            self.save(newest - 1, f"as it was after {minute} minutes")
        elif minute == DELETION:
            self._file(newest - 2).unlink()
        else:
            return False
        return True

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:03}.md"


class Subscriber(Protocol):
    """Somebody who reads one of the documents, with the means of a program that people use."""

    name: str
    document: str
    settling: int  # polls before it sends validators

    def poll(self) -> None:
        """Asks for the document once."""

    def entries(self) -> list[tuple[str, str]]:
        """Id and title of everything that it would show."""


class Newsboat:
    """newsboat, which is started for each poll and keeps a database.

    It writes down a feed's ETag only once the feed is in its database, which its first poll brings about.
    """

    name, document, settling = "newsboat", "all/rss.xml", 2

    def __init__(self, program: str, folder: Path, url: str) -> None:
        self._cache = folder / "cache.db"
        config, urls = folder / "newsboat.config", folder / "newsboat.urls"
        config.write_text("", encoding="ascii")
        urls.write_text(f"{url}{self.document}\n", encoding="ascii")
        self._command = [program, "-C", config, "-u", urls, "-c", self._cache, "-x", "reload"]
        self._environment = os.environ | {"HOME": str(folder)}

    def poll(self) -> None:
        """Asks for the document once."""
        subprocess.run(self._command, check=True, env=self._environment, timeout=30)

    def entries(self) -> list[tuple[str, str]]:
        """Id and title of everything that it would show."""
        with contextlib.closing(sqlite3.connect(self._cache)) as database:
            return database.execute("SELECT guid, title FROM rss_item WHERE deleted = 0").fetchall()


class Feedparser:
    """feedparser, in this process, with a dictionary for a memory."""

    name, document, settling = "feedparser", "all/atom.xml", 1

    def __init__(self, url: str) -> None:
        self._url = f"{url}{self.document}"
        self._etag = self._modified = None
        self._entries: dict[str, str] = {}

    def poll(self) -> None:
        """Asks for the document once."""
        import feedparser  # noqa: PLC0415 - `--help` needs none of it

        answer = feedparser.parse(self._url, etag=self._etag, modified=self._modified)
        if answer.get("bozo") or "status" not in answer:
            sys.exit(f"feedparser cannot read {self._url}: {answer.get('bozo_exception')}")
        if answer.status != http.HTTPStatus.NOT_MODIFIED:
            self._etag, self._modified = answer.get("etag"), answer.get("modified")
        self._entries |= {entry.id: entry.title for entry in answer.entries}

    def entries(self) -> list[tuple[str, str]]:
        """Id and title of everything that it would show."""
        return list(self._entries.items())


class Reader:
    """reader, which is started for each poll in its own virtual environment and keeps a database."""

    name, document, settling = "reader", "all/feed.json", 1

    def __init__(self, python: Path, folder: Path, url: str) -> None:
        helper = folder / "reading.py"
        helper.write_text(READING, encoding="ascii")
        self._command = [python, helper, folder / "reader.db", f"{url}{self.document}"]
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._said = b"[]"

    def poll(self) -> None:
        """Asks for the document once."""
        done = subprocess.run(self._command, capture_output=True, check=False, env=self._environment, timeout=60)
        if done.returncode:
            sys.exit(f"reader failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
        self._said = done.stdout

    def entries(self) -> list[tuple[str, str]]:
        """Id and title of everything that it would show."""
        return [(guid, title) for guid, title in json.loads(self._said)]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that serves on a port and logs each request."""

    port: int
    log: Path

    def status(self, path: str) -> tuple[int, str]:
        """Status and ETag of what is at a path, by a HEAD, which is not counted among the polls."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
            connection.request("HEAD", f"/{path}")
            answer = connection.getresponse()
            return answer.status, answer.getheader("ETag", "")
        return 0, ""

    def polls(self, document: str) -> list[tuple[int, int]]:
        """Status and bytes of each answer to a GET of a document, by the access log."""
        lines = map(json.loads, self.log.read_text(encoding="utf-8").splitlines())
        asked = (line for line in lines if line["event"] == "request" and line["method"] == "GET")
        return [(line["status"], line["bytes"]) for line in asked if line["target"] == f"/{document}"]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """A daemon in a process of its own; exits with its log where it does not start or does not end well."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "planet.yaml").write_text(CONFIG.format(port=port), encoding="utf-8")
    timing.measure([*timing.aggregator(), "run", "-c", "planet.yaml"], folder)  # so that nobody meets an empty feed
    daemon = Daemon(port, folder / "daemon.log")
    command = [*timing.aggregator(), "daemon", "-c", "planet.yaml", "--log-format", "json"]
    with daemon.log.open("wb") as log, subprocess.Popen(command, cwd=folder, stderr=log) as process:
        try:
            if not until(lambda: daemon.status("readyz")[0] == http.HTTPStatus.OK, 30):
                sys.exit(f"the daemon does not get ready:\n{daemon.log.read_text(encoding='utf-8')[-4000:]}")
            yield daemon
        finally:
            process.terminate()
            code = process.wait(10)
    if code:
        sys.exit(f"the daemon ended with {code}:\n{daemon.log.read_text(encoding='utf-8')[-4000:]}")


def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Waits until something is true; whether it came to be in time."""
    end = time.monotonic() + timeout_s
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def reader_python(venv: Path) -> Path:
    """The interpreter of a virtual environment that has reader; makes it where it is missing."""
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *READER]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"reader cannot be installed; `pip install {' '.join(READER)}` said:\n{done.stderr[-2000:]}")
    return python


def served(daemon: Daemon, subscribers: list[Subscriber], before: dict[str, str]) -> float:
    """Waits until every document is another than before; how many seconds it took, and exits where it takes too long."""
    began = time.monotonic()
    for subscriber in subscribers:
        path = subscriber.document
        if not until(lambda path=path: daemon.status(path)[1] != before[path], SERVED_S):
            sys.exit(f"{path} did not change within {SERVED_S:g} s of a post's being saved")
    return time.monotonic() - began


def an_hour(daemon: Daemon, blog: Blog, subscribers: list[Subscriber], minutes: int) -> tuple[list[bool], list[float]]:
    """Lets the hour pass: for each minute whether there was news, and the seconds that each took to be served."""
    for subscriber in subscribers:
        for _ in range(subscriber.settling):
            subscriber.poll()
    news, delays = [], []
    for minute in range(minutes):
        before = {subscriber.document: daemon.status(subscriber.document)[1] for subscriber in subscribers}
        news.append(blog.pass_minute(minute))
        if news[-1]:
            delays.append(served(daemon, subscribers, before))
        for subscriber in subscribers:
            subscriber.poll()
    return news, delays


def judged(daemon: Daemon, blog: Blog, subscriber: Subscriber, news: list[bool]) -> list[str]:
    """What does not hold of a subscriber; prints its figures."""
    entries, answers = subscriber.entries(), daemon.polls(subscriber.document)[subscriber.settling :]
    wrong = []
    found = Counter(int(re.sub(r"\D.*", "", title.removeprefix("Post "))) for _, title in entries)
    wrong += [f"post {number} is there {found[number]} times" for number in blog.titles if found[number] != 1]
    wrong += [f"{title!r} is not its last title" for _, title in entries if title not in blog.titles.values()]
    if len({guid for guid, _ in entries}) != len(entries):
        wrong.append("two posts have one id")
    if len(answers) != len(news):
        wrong.append(f"{len(answers)} polls were logged instead of {len(news)}")
    for minute, (is_news, (status, _)) in enumerate(zip(news, answers, strict=False)):
        if status not in ((200, 226) if is_news else (304,)):
            wrong.append(f"minute {minute}, {'with' if is_news else 'without'} news, was answered {status}")
    statuses, size = Counter(status for status, _ in answers), sum(size for _, size in answers)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    print(f"{subscriber.name:11} {subscriber.document:14} {len(entries)} posts, {told}, {size / 1000:.1f} KB of bodies")
    return [f"{subscriber.name}: {line}" for line in wrong]


def main() -> int:
    """The command line; 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument(
        "--venv", type=Path, help="reader's virtual environment, which is kept; made where it is missing"
    )
    parser.add_argument("--dir", type=Path, help="where it makes the folder it works in")
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)  # `make bench` gives it to every benchmark
    arguments = parser.parse_args()
    newsboat = timing.required("newsboat", "apt-get install newsboat")
    with tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch:
        folder = Path(scratch)
        python = reader_python((arguments.venv or folder / "reader").resolve())
        (folder / "posts").mkdir()
        blog = Blog(folder / "posts", datetime.now(UTC) - timedelta(minutes=arguments.minutes + EVERY))
        for number in range(EARLIER):
            blog.save(number, "as it was first")
        with running(folder) as daemon:
            url = f"http://127.0.0.1:{daemon.port}/"
            subscribers = [Newsboat(newsboat, folder, url), Feedparser(url), Reader(python, folder, url)]
            began = time.monotonic()
            news, delays = an_hour(daemon, blog, subscribers, arguments.minutes)
            took_s = time.monotonic() - began
        print(f"{arguments.minutes} minutes in {took_s:.0f} s, {sum(news)} of them with news · {timing.machine()}")
        print(f"saved → served: {sum(delays) / len(delays):.1f} s on average, {max(delays):.1f} s at most")
        wrong = [line for subscriber in subscribers for line in judged(daemon, blog, subscriber, news)]
    for line in wrong:
        print(f"DOES NOT HOLD: {line}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
