#!/usr/bin/env python3
"""A 50-post feed over HTTP, gzip and 304, against nginx serving the same bytes.

    serving_vs_nginx.py [--rounds 5] [--seconds 4] [--log] [--dir DIR]

The feed is `all/rss.xml` of generated posts, as `aggregator run` writes it. nginx serves the bytes that we send, compressed
beforehand (`gzip_static`), so that neither compresses anything while it is measured; it keeps no cache of open files, with which
it would notice a regenerated feed a minute late. Each side is one process, because the
daemon is one: its server lives beside the scheduler, and a second would need a second daemon. Neither writes an access log,
which would measure the log (`--log` has ours count and format a line for each request, for nobody). `wrk` asks with 64
connections; what is compared is the time for 100,000 requests, which may be 2.5 times nginx's: 0.4 of its requests a second.

In the last run the feed is regenerated 200 times while `wrk` goes on, and a client of its own checks that every body it gets
is one of the versions, whole, and has the ETag it came with.
Exit code 0: all budgets hold · 1: one is exceeded, or a body was torn.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import posts as generator
import timing
import webserver

CONFIG = """\
site: {title: My planet, base_url: https://feeds.example.com/, language: zh-CN, timezone: Asia/Shanghai}
store: sqlite:///store/bench.db
output: feeds
sources:
  - {name: posts, type: front-matter, path: posts, dialect: hexo, timezone: Asia/Shanghai}
"""
FEED = "all/rss.xml"
HEADERS = {"Accept-Encoding": "gzip"}
VERSIONS = 200


def regenerate(folder: Path, body: bytes, stop: threading.Event) -> None:
    """Writes the feed anew again and again, in a process of its own, as regenerating does."""
    program = (
        "import sys, time\n"
        "from aggregator.models import Document\n"
        "from aggregator.publish.writer import Writer\n"
        "body, writer = sys.stdin.buffer.read(), Writer(__import__('pathlib').Path(sys.argv[1]))\n"
        f"for number in range({VERSIONS}):\n"
        "    comment = b'<!-- %05d -->' % number\n"
        f"    writer.write([Document({FEED!r}, body + comment, '')])\n"
        "    time.sleep(0.01)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder / "feeds")], input=body, check=True)
    stop.set()


def torn(ours: webserver.Side, folder: Path, body: bytes, wrk: str) -> str:
    """How the run with regenerations went: empty where every body was whole and had its own ETag."""
    import gzip  # noqa: PLC0415

    stop = threading.Event()
    writing = threading.Thread(target=regenerate, args=(folder, body, stop))
    loading = threading.Thread(target=ours.ask, args=(wrk, 5))
    loading.start()
    writing.start()
    seen: set[bytes] = set()
    asked = 0
    while not stop.is_set() or asked % 2:
        status, etag, packed = ours.get()
        asked += 1
        plain = gzip.decompress(packed)
        if status != 200 or etag != f'"{hashlib.blake2b(packed, digest_size=16).hexdigest()}"':
            return f"answer {asked}: {status}, and a body that is not its ETag's {etag}"
        if not re.fullmatch(re.escape(body) + rb"(?:<!-- \d{5} -->)?", plain):
            return f"answer {asked} is none of the versions"
        seen.add(plain[-14:])
    writing.join()
    loading.join()
    last = gzip.decompress(ours.get()[2])[-14:]
    if last != b"<!-- %05d -->" % (VERSIONS - 1):
        return f"the last version is not served, but {last!r}"
    print(
        f"{VERSIONS} regenerations: {asked} answers, {len(seen)} versions seen, every body whole and with its own ETag"
    )
    return ""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="how long wrk asks each time")
    parser.add_argument("--log", action="store_true", help="have our side make a line of an access log, too")
    parser.add_argument("--dir", type=Path, help="where it makes the folder it works in")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        webserver.serve(arguments.serve, with_log=arguments.log)
        return 0
    nginx = timing.required("nginx", "apt-get install nginx-light")
    wrk = timing.required("wrk", "apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch:
        folder = Path(scratch)
        generator.write_posts(folder / "posts", 60, seed=1)
        (folder / "store").mkdir()
        (folder / "bench.yaml").write_text(CONFIG, encoding="utf-8")
        timing.measure([*timing.aggregator(), "run", "-c", "bench.yaml"], folder)
        document = (folder / "feeds" / FEED).read_bytes()
        log = ("--log",) if arguments.log else ()
        with webserver.serving(__file__, folder, FEED, HEADERS, *log) as ours:
            packed = ours.get()[2]
            with webserver.nginx_serving(folder, nginx, FEED, HEADERS, document, packed) as theirs:
                compared = webserver.compare(
                    wrk, ours, theirs, len(packed), rounds=arguments.rounds, seconds=arguments.seconds
                )
            fault = torn(ours, folder, document, wrk)
    print(
        f"{FEED}, {len(document):,} bytes, {len(packed):,} gzipped, {webserver.CONNECTIONS} connections · {timing.machine()}"
    )
    print(
        f"time for {webserver.COUNTED:,} requests, one process each · median (best-worst) of {arguments.rounds} rounds\n"
    )
    print(timing.table(compared, "nginx"))
    if fault:
        print(f"\nFAILED: {fault}")
    return 0 if all(one.holds for one in compared) and not fault else 1


if __name__ == "__main__":
    sys.exit(main())
