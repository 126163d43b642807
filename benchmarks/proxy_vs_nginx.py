#!/usr/bin/env python3
"""An image of 50 KB through our own proxy, from its cache, against nginx serving the same file; and who asks its origin.

    proxy_vs_nginx.py [--rounds 3] [--seconds 3] [--dir DIR]

First fifty ask for the image at the same moment, when nobody has it yet: its origin, which takes 0.3 seconds to answer, must be
asked once. Then `wrk` asks with 64 connections, each side being one process, as in serving_vs_nginx.py; what is compared
is the time for 100,000 requests, which may be 2.5 times nginx's. Our answers have 13 headers, a sandbox among them, and nginx's 8.
Exit code 0: all budgets hold, and the origin was asked once · 1: not so.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import timing
import webserver

KEY = "only for a benchmark"
CONFIG = """\
site: {title: My planet, base_url: https://feeds.example.com/}
store: sqlite:///store/bench.db
output: feeds
fetch: {allow_private: true}
images: {key: only for a benchmark, proxy: {cache: images}}
sources: []
"""
READERS = 50
BYTES = 50_000
LATENCY_S = 0.3
# A picture by its header, and then noise; nobody decodes it.
IMAGE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIB", 800, 600, 8) + os.urandom(BYTES - 25)


@contextmanager
def origin(asked: list[str]) -> Iterator[str]:
    """The server that has the image; gives its URL, and notes who asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Sends the image, late."""
            asked.append(self.path)
            time.sleep(LATENCY_S)
            self.send_response(200)
            self.send_header("Content-Length", str(len(IMAGE)))
            self.end_headers()
            self.wfile.write(IMAGE)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/photo.png"
    finally:
        server.shutdown()
        server.server_close()


def first_requests(ours: webserver.Side) -> str:
    """Fifty at the same moment; empty where each got the whole image."""
    gate = threading.Barrier(READERS)

    def ask(_: int) -> tuple[int, bytes]:
        gate.wait()
        status, _etag, body = ours.get()
        return status, body

    with ThreadPoolExecutor(READERS) as threads:
        got = list(threads.map(ask, range(READERS)))
    return "" if all(one == (200, IMAGE) for one in got) else f"answers {sorted({status for status, _ in got})}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="how long wrk asks each time")
    parser.add_argument("--dir", type=Path, help="where it makes the folder it works in")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        webserver.serve(arguments.serve, with_log=False)
        return 0
    from aggregator.images.signing import Signer  # noqa: PLC0415 - the server's process has its own

    nginx = timing.required("nginx", "apt-get install nginx-light")
    wrk = timing.required("wrk", "apt-get install wrk")
    asked: list[str] = []
    with tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch, origin(asked) as url:
        folder = Path(scratch)
        (folder / "store").mkdir()
        (folder / "bench.yaml").write_text(CONFIG, encoding="utf-8")
        path = Signer(KEY).path(url)
        with (
            webserver.serving(__file__, folder, path, {}) as ours,
            webserver.nginx_serving(folder, nginx, path, {}, IMAGE) as theirs,
        ):
            fault = first_requests(ours)
            compared = webserver.compare(wrk, ours, theirs, BYTES, rounds=arguments.rounds, seconds=arguments.seconds)
    if len(asked) != 1:
        fault = fault or f"the origin was asked {len(asked)} times"
    print(f"an image of {BYTES:,} bytes, {webserver.CONNECTIONS} connections · {timing.machine()}")
    print(
        f"time for {webserver.COUNTED:,} requests, one process each · median (best-worst) of {arguments.rounds} rounds\n"
    )
    print(timing.table(compared, "nginx"))
    print(f"\n{READERS} first requests at the same moment: {len(asked)} reached the origin")
    if fault:
        print(f"\nFAILED: {fault}")
    return 0 if all(one.holds for one in compared) and not fault else 1


if __name__ == "__main__":
    sys.exit(main())
