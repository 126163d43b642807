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
import contextlib
import hashlib
import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import posts as generator
import timing

CONFIG = """\
site: {title: My planet, base_url: https://feeds.example.com/, language: zh-CN, timezone: Asia/Shanghai}
store: sqlite:///store/bench.db
output: feeds
sources:
  - {name: posts, type: front-matter, path: posts, dialect: hexo, timezone: Asia/Shanghai}
"""
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  gzip_static on; gzip_vary on; types {{ application/rss+xml xml; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
FEED = "all/rss.xml"
CONNECTIONS = 64
COUNTED = 100_000  # requests whose time is compared
BUDGET = 2.5
VERSIONS = 200


class Side:
    """A server in a process of its own, and the ETag it gives to the gzipped feed."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port
        self.etag = ""

    def get(self, etag: str = "") -> tuple[int, str, bytes]:
        """Status, ETag and body of the feed, gzipped."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": etag} if etag else {})
            connection.request("GET", f"/{FEED}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("ETag", ""), answer.read()

    def settle(self, size: int) -> None:
        """Learns its ETag; exits where it does not serve these bytes, or no 304."""
        status, self.etag, body = self.get()
        if status != 200 or len(body) != size or self.get(self.etag)[0] != 304:
            sys.exit(f"port {self.port} answered {status} with {len(body)} bytes instead of {size}")

    def measure(self, wrk: str, seconds: int, etag: str = "") -> timing.Sample:
        """The time for 100,000 requests at the rate that wrk saw, this process's share of a CPU in it, and its memory."""
        before, begin = self._cpu_s(), time.perf_counter()
        rate = run_wrk(wrk, self.port, seconds, etag)
        share = (self._cpu_s() - before) / (time.perf_counter() - begin)
        return timing.Sample(COUNTED / rate, COUNTED / rate * share, self._peak_mb())

    def _pid(self) -> int:
        """The process that answers: nginx's is a worker."""
        children = (
            Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii").split()
        )
        return int(children[0]) if children else self.process.pid

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._pid()}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _peak_mb(self) -> float:
        status = Path(f"/proc/{self._pid()}/status").read_text(encoding="utf-8")
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(match[1]) / 1024 if match else 0.0


def run_wrk(wrk: str, port: int, seconds: int, etag: str = "") -> float:
    """Requests a second; exits where any failed."""
    headers = ["-H", "Accept-Encoding: gzip", *(("-H", f"If-None-Match: {etag}") if etag else ())]
    command = [wrk, f"-c{CONNECTIONS}", "-t1", f"-d{seconds}", *headers, f"http://127.0.0.1:{port}/{FEED}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    # A 304 is no error to wrk, which counts from 400 upwards.
    if rate is None or "Socket errors" in said or "Non-2xx" in said:
        sys.exit(f"wrk said:\n{said}")
    return float(rate[1])


@contextlib.contextmanager
def serving(folder: Path, *, with_log: bool) -> Iterator[Side]:
    """Our server, over what `aggregator run` published in the folder."""
    command = [sys.executable, __file__, "--serve", str(folder), *(["--log"] if with_log else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Side(process, int(process.stdout.readline()))
        finally:
            process.terminate()


@contextlib.contextmanager
def nginx_serving(folder: Path, nginx: str, document: bytes, packed: bytes) -> Iterator[Side]:
    """nginx, over a copy of the feed with the gzipped bytes beside it."""
    target = folder / "www" / FEED
    target.parent.mkdir(parents=True)
    target.write_bytes(document)
    target.with_name("rss.xml.gz").write_bytes(packed)
    folder.chmod(0o755)  # its worker is another user where this runs as root
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port), encoding="ascii")
    with subprocess.Popen([nginx, "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield Side(process, port)
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit("nginx does not listen")


def serve(folder: Path, *, with_log: bool) -> None:
    """Serves a folder until it is killed, and prints the port: what the daemon does, without a scheduler."""
    from aggregator.config.reading import read_config  # noqa: PLC0415 - the other process needs none of this
    from aggregator.serve.accesslog import AccessLog  # noqa: PLC0415
    from aggregator.serve.app import make_app  # noqa: PLC0415
    from aggregator.serve.documents import Documents  # noqa: PLC0415
    from aggregator.serve.metrics import Metrics  # noqa: PLC0415
    from aggregator.serve.observing import Observer  # noqa: PLC0415
    from aggregator.serve.server import Server  # noqa: PLC0415
    from aggregator.store.store import Store  # noqa: PLC0415

    class Idle:
        """A daemon that has nothing to do."""

        config = read_config(folder / "bench.yaml")
        store = Store(config.store)
        is_ready = True

        def next_due(self) -> dict[str, datetime | None]:
            """Nothing is due."""
            return {}

    def count(_: str, **fields: object) -> None:
        str(fields)

    running = Idle()
    documents = Documents(running)  # type: ignore[arg-type]  # what is asked of it is there
    observer = Observer(Metrics(), AccessLog(count) if with_log else None)
    app = make_app(running, documents, observer=observer)  # type: ignore[arg-type]
    server = Server(
        app, documents, "127.0.0.1", 0, observer=observer, on_listening=lambda _, port: print(port, flush=True)
    )
    server.run()


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


def torn(ours: Side, folder: Path, body: bytes, wrk: str) -> str:
    """How the run with regenerations went: empty where every body was whole and had its own ETag."""
    import gzip  # noqa: PLC0415

    stop = threading.Event()
    writing = threading.Thread(target=regenerate, args=(folder, body, stop))
    loading = threading.Thread(target=run_wrk, args=(wrk, ours.port, 5))
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
        serve(arguments.serve, with_log=arguments.log)
        return 0
    nginx = timing.required("nginx", "apt-get install nginx-light")
    wrk = timing.required("wrk", "apt-get install wrk")
    whole = timing.Comparison("200, gzip", BUDGET)
    unmodified = timing.Comparison("304", BUDGET)
    with tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch:
        folder = Path(scratch)
        generator.write_posts(folder / "posts", 60, seed=1)
        (folder / "store").mkdir()
        (folder / "bench.yaml").write_text(CONFIG, encoding="utf-8")
        timing.measure([*timing.aggregator(), "run", "-c", "bench.yaml"], folder)
        document = (folder / "feeds" / FEED).read_bytes()
        with serving(folder, with_log=arguments.log) as ours:
            packed = ours.get()[2]
            with nginx_serving(folder, nginx, document, packed) as theirs:
                for side in (ours, theirs):
                    side.settle(len(packed))
                    run_wrk(wrk, side.port, 1)
                for _ in range(arguments.rounds):
                    for comparison, with_tag in ((whole, False), (unmodified, True)):
                        timing.in_turn(
                            comparison,
                            lambda tagged=with_tag: ours.measure(wrk, arguments.seconds, ours.etag if tagged else ""),
                            lambda tagged=with_tag: theirs.measure(
                                wrk, arguments.seconds, theirs.etag if tagged else ""
                            ),
                        )
            fault = torn(ours, folder, document, wrk)
    print(f"{FEED}, {len(document):,} bytes, {len(packed):,} gzipped, {CONNECTIONS} connections · {timing.machine()}")
    print(f"time for {COUNTED:,} requests, one process each · median (best-worst) of {arguments.rounds} rounds\n")
    print(timing.table([whole, unmodified], "nginx"))
    if fault:
        print(f"\nFAILED: {fault}")
    return 0 if whole.holds and unmodified.holds and not fault else 1


if __name__ == "__main__":
    sys.exit(main())
