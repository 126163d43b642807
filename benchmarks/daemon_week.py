#!/usr/bin/env python3
"""A week of the daemon's work as fast as it goes: 2,000 sources of every temper, under a clock that this script turns.

    daemon_week.py [--sources 2000] [--days 7] [--plot FILE.svg]

A server of its own answers them on as many loopback addresses, and keeps the same clock. It knows when each may be asked
again by the hints that it gave, and counts who comes too early. Of 100 sources

     58 post something every hour to every three days (200, and 304 in between)
     15 likewise, with `Cache-Control: max-age` of two hours
      5 likewise, with a `ttl` of three hours
      7 fell silent before the week began (304)
      5 answer 404
      4 answer 429 with `Retry-After: 3600` every other time
      4 refuse the connection
      1 answers slowly
      1 accepts and says nothing

What has to hold: nobody starves, nobody is asked before the hints allow, those who fail are asked ever more seldom, and
memory at the end is at most 1.1 times that after the first hour. The plot is of requests an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import mmap
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

from timing import machine

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
STEP = timedelta(minutes=5)
HOUR_S, DAY_S = 3600, 86_400
KINDS = (
    ["posts"] * 58 + ["max-age"] * 15 + ["ttl"] * 5 + ["silent"] * 7 + ["404"] * 5 + ["429"] * 4 + ["refuses"] * 4
    + ["slow", "hangs"]
)  # fmt: skip
FAILING = frozenset({"404", "refuses", "hangs"})
HINTS_S = {"max-age": 2 * HOUR_S, "ttl": 3 * HOUR_S}
TIMEOUT_S = 1.0
SLOW_S = 0.1
ITEMS = 20
COLOURS = {"new": "#2f7d4f", "unchanged": "#8fbf9f", "not-modified": "#b9c4d6", "failed": "#c0504d"}


def kind_of(number: int) -> str:
    """What a source is like."""
    return KINDS[number * 37 % len(KINDS)]


def address(number: int) -> str:
    """The loopback address of a source: each is a host of its own."""
    return f"127.2.{number // 250}.{number % 250 + 1}"


class Source:
    """What one source says at a moment, in seconds since 1970."""

    def __init__(self, number: int) -> None:
        luck = random.Random(number)  # noqa: S311  # the same week each time is the point
        self.number, self.kind = number, kind_of(number)
        self.every_s = int(min(max(luck.lognormvariate(10.6, 1.0), HOUR_S), 3 * DAY_S))  # median: 11 hours
        self.phase_s = luck.randrange(self.every_s)
        self.not_before = 0.0
        self.asks = 0

    def newest(self, now: float) -> int:
        """The number of its newest item."""
        if self.kind == "silent":
            now = BEGIN.timestamp() - 30 * DAY_S
        return int((now - self.phase_s) // self.every_s)

    def body(self, newest: int) -> bytes:
        """Its document: RSS 2.0."""
        ttl = f"<ttl>{HINTS_S['ttl'] // 60}</ttl>" if self.kind == "ttl" else ""
        items = "".join(
            f"<item><title>Item {n}</title><link>https://s{self.number}.example/{n}</link><guid>https://s{self.number}.example/{n}"
            f"</guid><pubDate>{format_datetime(datetime.fromtimestamp(n * self.every_s + self.phase_s, UTC))}</pubDate>"
            f"<description>Text of item {n}, which is not long.</description></item>"
            for n in range(newest, newest - ITEMS, -1)
        )
        head = f"<title>Source {self.number}</title><link>https://s{self.number}.example/</link><description>d</description>"
        return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{ttl}{items}</channel></rss>'.encode()

    def answer(self, request: bytes, now: float) -> bytes:
        """What it answers."""
        self.asks += 1
        if self.kind == "404":
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        if self.kind == "429" and self.asks % 2:
            self.not_before = now + HOUR_S
            return b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"
        self.not_before = now + HINTS_S.get(self.kind, 0)
        newest = self.newest(now)
        etag = f'"{newest}"'
        hint = f"Cache-Control: max-age={HINTS_S['max-age']}\r\n" if self.kind == "max-age" else ""
        head = f"ETag: {etag}\r\n{hint}"
        if f"if-none-match: {etag}".encode() in request.lower():
            return f"HTTP/1.1 304 Not Modified\r\n{head}\r\n".encode()
        body = self.body(newest)
        length = f"Content-Type: application/rss+xml\r\nContent-Length: {len(body)}\r\n"
        return f"HTTP/1.1 200 OK\r\n{head}{length}\r\n".encode() + body


class Clock:
    """Seconds since 1970 that two processes read, and one of them sets."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 8)

    def read(self) -> float:
        """The moment."""
        return float(struct.unpack("d", self._memory[:8])[0])

    def set(self, seconds: float) -> None:
        """Turns it."""
        self._memory[:8] = struct.pack("d", seconds)


class World:
    """All sources, and what the server noted of those who asked them."""

    def __init__(self, count: int, clock: Clock) -> None:
        self.sources = [Source(number) for number in range(count)]
        self.clock = clock
        self.early: list[tuple[int, str, float]] = []  # source, kind, seconds too early
        self.asked: dict[int, list[float]] = defaultdict(list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection."""
        _, _, high, low = writer.get_extra_info("sockname")[0].split(".")
        source = self.sources[int(high) * 250 + int(low) - 1]
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                now = self.clock.read()
                if now < source.not_before:
                    self.early.append((source.number, source.kind, source.not_before - now))
                self.asked[source.number].append(now)
                if source.kind == "hangs":
                    await asyncio.sleep(3 * TIMEOUT_S)
                    break
                await asyncio.sleep(SLOW_S if source.kind == "slow" else 0)
                writer.write(source.answer(request, now))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        writer.close()

    def report(self) -> str:
        """What was noted, as a line of JSON."""
        asked = {str(number): moments for number, moments in self.asked.items()}
        return json.dumps({"early": self.early, "asked": asked})


async def serve(count: int, clock: Clock) -> None:
    """Serves until there is nothing left to read."""
    world = World(count, clock)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    listening = socket.create_server(("0.0.0.0", 0), backlog=4096)  # noqa: S104  # 2,000 addresses on one port
    server = await asyncio.start_server(world.serve, sock=listening)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(listening.getsockname()[1], flush=True)
    await lines.readline()
    print(world.report(), flush=True)
    server.close()


class Silent:
    """Listens to an engine, and counts."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()

    def source(self, result: object) -> None:
        """A source was refreshed."""
        self.results["error" if getattr(result, "error", "") else "well"] += 1

    def feed(self, result: object) -> None:
        """A feed was regenerated."""
        assert not getattr(result, "error", ""), result

    def published(self, results: Sequence[object]) -> None:
        """A regeneration ended."""

    def mirrored(self, result: object) -> None:
        """Images were looked for."""


def resident_mb() -> float:
    """The memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(folder: Path, port: int, count: int, days: int, clock: Clock) -> tuple[dict[int, Counter[str]], list[float]]:
    """Lets the week pass; outcomes by the hour of the week, and the memory at the end of each hour in MB."""
    from aggregator.config.models import Config  # noqa: PLC0415 - the server's process needs none of it
    from aggregator.schedule.engine import Engine  # noqa: PLC0415
    from aggregator.schedule.workers import WorkerPool  # noqa: PLC0415
    from aggregator.store.store import Store  # noqa: PLC0415

    sources = [
        {
            "name": f"s{number}",
            "type": "feed",
            "url": f"http://{address(number)}:{port if kind_of(number) != 'refuses' else 1}/",
            "category": f"c{number % 10}",
        }
        for number in range(count)
    ]
    data = {
        "site": {"base_url": "https://feeds.example.com/"},
        "store": "sqlite:///store.db",
        "output": "out",
        "fetch": {"allow_private": True, "min_gap_s": 0, "timeout_s": TIMEOUT_S},
        "sources": sources,
    }
    config = Config.model_validate(data, context={"folder": folder})
    store = Store(config.store)
    store.open()
    engine = Engine(
        config,
        store,
        clock=lambda: datetime.fromtimestamp(clock.read(), UTC),
        workers=WorkerPool(has_threads=True),
        observer=Silent(),
        monotonic=clock.read,
    )
    memory, moment = [], BEGIN
    for hour in range(days * 24):
        for _ in range(timedelta(hours=1) // STEP):
            clock.set(moment.timestamp())
            engine.refresh_due()
            moment += STEP
        engine.publish()
        memory.append(resident_mb())
        if hour % 24 == 23:
            print(f"day {hour // 24 + 1}: {memory[-1]:.0f} MB, {time.process_time():.0f} s of CPU", file=sys.stderr)
    with store.read() as tx:
        fetched = tx.fetches.since(BEGIN)
    engine.ending.set()
    engine.settle(clock.read() + 5)
    first = int(BEGIN.timestamp()) // HOUR_S
    return {hour - first: Counter(outcomes) for hour, outcomes in fetched.items()}, memory


def drawn(hours: dict[int, Counter[str]], count: int) -> str:
    """The plot of requests an hour, as SVG: stacked by outcome."""
    days = -(-len(hours) // 24)
    width, height, left, top = 900, 260, 56, 34
    tallest = max(sum(outcomes[name] for name in COLOURS) for outcomes in hours.values())
    scale = (height - 70) / tallest
    bar = (width - left - 16) / (days * 24)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f"<title>Requests an hour to {count} sources during a simulated week, by outcome</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for step in range(5):
        value = tallest * step / 4
        y = height - 36 - value * scale
        parts.append(f'<path d="M{left} {y:.1f}H{width - 16}" stroke="#e3e5ea"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#5b6270">{value:.0f}</text>')
    for hour in sorted(hours):
        y = height - 36.0
        for name, colour in COLOURS.items():
            tall = hours[hour][name] * scale
            y -= tall
            x = left + hour * bar
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar * 0.9:.1f}" height="{tall:.1f}" fill="{colour}"/>')
    for day in range(days):
        x = left + day * 24 * bar
        parts.append(f'<text x="{x:.1f}" y="{height - 16}" fill="#5b6270">day {day + 1}</text>')
    for place, (name, colour) in enumerate(COLOURS.items()):
        x = left + place * 130
        parts.append(f'<rect x="{x}" y="{top - 22}" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="{top - 12}" fill="#1d2026">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def judged(noted: dict, hours: dict[int, Counter[str]], memory: list[float], count: int, days: int) -> list[str]:
    """What does not hold; prints the figures."""
    wrong = []
    asked = {int(number): moments for number, moments in noted["asked"].items()}
    begin, end = BEGIN.timestamp(), BEGIN.timestamp() + days * DAY_S
    waits: dict[str, list[float]] = defaultdict(list)
    for number in range(count):
        kind, moments = kind_of(number), asked.get(number, [])
        if kind != "refuses":
            times = [begin, *moments, end]
            waits[kind].append(max(later - earlier for earlier, later in pairwise(times)))
    print("longest time between two requests, hours:")
    for kind, longest in sorted(waits.items()):
        print(
            f"  {kind:8} {max(longest) / HOUR_S:5.1f} (median source: {sorted(longest)[len(longest) // 2] / HOUR_S:.1f})"
        )
        if max(longest) > DAY_S + 2 * STEP.total_seconds():
            wrong.append(f"a source of kind {kind} starved for {max(longest) / HOUR_S:.1f} hours")
    print(f"asked before the hints allowed: {len(noted['early'])}")
    if noted["early"]:
        wrong.append(f"asked too early: {noted['early'][:5]}")
    failing = sum(kind_of(number) in FAILING for number in range(count))
    other_429 = sum(kind_of(number) == "429" for number in range(count))
    daily = [sum(hours.get(day * 24 + hour, Counter())["failed"] for hour in range(24)) for day in range(days)]
    told = ", ".join(f"{failed}" for failed in daily)
    print(
        f"failures a day, of {failing} sources that always fail and {other_429} that answer 429 every other time: {told}"
    )
    requests = sum(sum(outcomes.values()) for outcomes in hours.values())
    print(f"requests: {requests:,}, {requests / count / days:.1f} a source and day")
    ratio = memory[-1] / memory[0]
    print(
        f"memory: {memory[0]:.0f} MB after the first hour, {memory[-1]:.0f} MB at the end, ratio {ratio:.2f} (≤ 1.10)"
    )
    if ratio > 1.1:
        wrong.append("memory grew")
    if days > 1 and daily[-1] > daily[0] * 0.6:
        wrong.append("those that fail are asked as often as at first")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=2000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--plot", type=Path, help="where to draw the requests an hour, as SVG")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)  # `make bench` gives it to every benchmark
    given = parser.parse_args(arguments)
    if given.serve:
        asyncio.run(serve(given.sources, Clock(given.serve)))
        return 0
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = Clock(folder / "clock")
        clock.set(BEGIN.timestamp())
        command = [sys.executable, __file__, "--sources", str(given.sources), "--serve", str(folder / "clock")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port, begun = int(server.stdout.readline()), time.monotonic()
            hours, memory = run(folder, port, given.sources, given.days, clock)
            took_s = time.monotonic() - begun
            noted = json.loads(server.communicate("\n")[0])
    print(f"{given.sources} sources, {given.days} days in {took_s:.0f} s")
    wrong = judged(noted, hours, memory, given.sources, given.days)
    if given.plot:
        given.plot.write_text(drawn(hours, given.sources), encoding="utf-8")
    for line in wrong:
        print(f"DOES NOT HOLD: {line}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
