"""What the benchmarks of the server share: our side and nginx, each in a process of its own, and `wrk` that asks them."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import timing

NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  gzip_static on; gzip_vary on; types {{ application/rss+xml xml; image/png png; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
CONNECTIONS = 64
COUNTED = 100_000  # requests whose time is compared
BUDGET = 2.5  # times nginx's: 0.4 of its requests a second


class Side:
    """A server in a process of its own, and the ETag it gives to what is at a path for who sends these headers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, path: str, headers: Mapping[str, str]) -> None:
        self.process, self.port, self.path, self.headers = process, port, path, headers
        self.etag = ""

    def get(self, etag: str = "") -> tuple[int, str, bytes]:
        """Status, ETag and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", f"/{self.path}", headers=self._headers(etag))
            answer = connection.getresponse()
            return answer.status, answer.getheader("ETag", ""), answer.read()

    def settle(self, size: int) -> None:
        """Learns its ETag; exits where it does not serve so many bytes, or no 304."""
        status, self.etag, body = self.get()
        if status != 200 or len(body) != size or self.get(self.etag)[0] != 304:
            sys.exit(f"port {self.port} answered {status} with {len(body)} bytes instead of {size}")

    def ask(self, wrk: str, seconds: int, etag: str = "") -> float:
        """Requests a second that `wrk` saw; exits where any failed."""
        headers = [part for pair in self._headers(etag).items() for part in ("-H", ": ".join(pair))]
        command = [
            wrk,
            f"-c{CONNECTIONS}",
            "-t1",
            f"-d{seconds}",
            *headers,
            f"http://127.0.0.1:{self.port}/{self.path}",
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        # A 304 is no error to wrk, which counts from 400 upwards.
        if rate is None or "Socket errors" in said or "Non-2xx" in said:
            sys.exit(f"wrk said:\n{said}")
        return float(rate[1])

    def measure(self, wrk: str, seconds: int, etag: str = "") -> timing.Sample:
        """The time for 100,000 requests at the rate that wrk saw, this process's share of a CPU in it, and its memory."""
        before, begin = self._cpu_s(), time.perf_counter()
        rate = self.ask(wrk, seconds, etag)
        share = (self._cpu_s() - before) / (time.perf_counter() - begin)
        return timing.Sample(COUNTED / rate, COUNTED / rate * share, self._peak_mb())

    def _headers(self, etag: str) -> dict[str, str]:
        return {**self.headers, **({"If-None-Match": etag} if etag else {})}

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


def compare(wrk: str, ours: Side, theirs: Side, size: int, *, rounds: int, seconds: int) -> list[timing.Comparison]:
    """Both sides in turn, asked for the whole, which has `size` bytes, and for a 304."""
    whole, unmodified = timing.Comparison("200", BUDGET), timing.Comparison("304", BUDGET)
    for side in (ours, theirs):
        side.settle(size)
        side.ask(wrk, 1)
    for _ in range(rounds):
        for comparison, with_tag in ((whole, False), (unmodified, True)):
            timing.in_turn(
                comparison,
                lambda tagged=with_tag: ours.measure(wrk, seconds, ours.etag if tagged else ""),
                lambda tagged=with_tag: theirs.measure(wrk, seconds, theirs.etag if tagged else ""),
            )
    return [whole, unmodified]


@contextlib.contextmanager
def serving(script: str, folder: Path, path: str, headers: Mapping[str, str], *options: str) -> Iterator[Side]:
    """Our server, by `serve` in a process of its own: the script is run with `--serve FOLDER`."""
    command = [sys.executable, script, "--serve", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Side(process, int(process.stdout.readline()), path, headers)
        finally:
            process.terminate()


@contextlib.contextmanager
def nginx_serving(
    folder: Path, nginx: str, path: str, headers: Mapping[str, str], body: bytes, packed: bytes = b""
) -> Iterator[Side]:
    """nginx, over a copy of the bytes, with the gzipped ones beside them where there are any."""
    target = folder / "www" / path
    target.parent.mkdir(parents=True)
    target.write_bytes(body)
    if packed:
        target.with_name(f"{target.name}.gz").write_bytes(packed)
    folder.chmod(0o755)  # its worker is another user where this runs as root
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port), encoding="ascii")
    with subprocess.Popen([nginx, "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield Side(process, port, path, headers)
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit("nginx does not listen")


def serve(folder: Path, *, with_log: bool) -> None:
    """Serves a folder by its `bench.yaml` until it is killed, and prints the port: what the daemon does, without a scheduler."""
    from aggregator.config.reading import read_config  # noqa: PLC0415 - the other process needs none of this
    from aggregator.serve.accesslog import AccessLog  # noqa: PLC0415
    from aggregator.serve.app import make_app  # noqa: PLC0415
    from aggregator.serve.documents import Documents  # noqa: PLC0415
    from aggregator.serve.images import Images  # noqa: PLC0415
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
    documents, images = Documents(running), Images(running)  # type: ignore[arg-type]  # what is asked of it is there
    observer = Observer(Metrics(), AccessLog(count) if with_log else None)
    app = make_app(running, documents, routes=images.routes(), observer=observer)  # type: ignore[arg-type]
    server = Server(
        app,
        (documents, images),
        "127.0.0.1",
        0,
        observer=observer,
        on_listening=lambda _, port: print(port, flush=True),
    )
    server.run()
