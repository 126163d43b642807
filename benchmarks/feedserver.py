#!/usr/bin/env python3
"""Serves web feeds for the benchmarks from a process of its own: one feed on each of many loopback addresses.

    feedserver.py [--feeds 500] [--items 20] [--latency 0.05] [--certificate FILE]

It prints its port, then obeys the lines it reads, and answers each with a line of JSON: `slide` puts two new items in
front of every feed and lets the two oldest go; `counts` says what was answered since it was last asked. Feed number n
lies at http://127.1.y.z:PORT/feed.xml, and any path but that is a 404. With a certificate it speaks TLS.

A feed is what WordPress writes: RSS 2.0 whose items have an excerpt of 300 characters and their HTML as `content:encoded`,
escaped in half of the feeds. It is made to be like 200 real feeds (fastfeedparser's collection), in their mean and in
their spread, because it is the few large ones that most time goes to:

                          real feeds                           these
    a feed of 19–20 items 156 KB (mean)                        151 KB (mean), 85 KB (median)
    its content           3.4 KB (median), 5.8 KB (mean)       3.1 KB (median), 6.0 KB (mean)
    tags in it            12.3 start tags a KB (mean)          12.2
    attributes            0.81 a start tag (mean)              0.81
    feedparser's time     106 ms (mean)                        100 ms (mean)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import socket
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from types import TracebackType
from typing import Any, Self

SLIDE = 2  # new items each time
# Characters of an item's content: the middles of the ten tenths of 200 real feeds' 4,000 items. A feed has one of them.
SIZES = (90, 250, 490, 990, 2000, 3400, 5100, 7600, 12_200, 24_000)
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = re.findall(
    r"\S+",
    "the of and to a in for is on that with it as was by at from are this be an or we you not have has can more will "
    "release server update people world system time work new report data research market “quoted” story music city "
    "code — library version café naïve years government company project open source build test network image it’s "
    "energy water school health study found says first week model game film team player season history language",
)


def address(number: int) -> str:
    """The loopback address of feed number `number`."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def number_at(host: str) -> int:
    """The feed at a loopback address."""
    _, _, high, low = host.split(".")
    return int(high) * 250 + int(low) - 1


class Writer:
    """Writes the items of all feeds: the same bytes for the same feed and item, whenever they are asked for."""

    def __init__(self) -> None:
        source = random.Random(1)  # noqa: S311  # the same items each time are the point
        self._source = source
        self._blocks = [self._block(source) for _ in range(600)]
        self._plain = [" ".join(source.choices(WORDS, k=50))[:300] for _ in range(100)]

    def item(self, feed: int, number: int) -> bytes:
        """Item `number` of a feed; the oldest is 0."""
        source = self._source
        source.seed(feed * 100_003 + number)
        site = f"https://blog{feed}.example.com"
        title = " ".join(source.choices(WORDS, k=source.randrange(4, 12))).capitalize()
        link = f"{site}/2025/{number:04}/{'-'.join(title.lower().split()[:6])}/"
        wanted = SIZES[feed % len(SIZES)] * source.lognormvariate(0, 0.3)  # characters
        html, length = [f"<p>Item {number} of feed {feed}.</p>"], 0
        while length < wanted:
            block = source.choice(self._blocks).replace("SITE", site).replace("NUMBER", f"{number}-{len(html)}")
            html.append(block)
            length += len(block)
        content = "\n".join(html)
        encoded = f"<![CDATA[{content}]]>" if feed // len(SIZES) % 2 else escape(content, quote=False)
        names = source.sample(("News", "Linux", "Web & Design", "Python", "Science", "Culture"), 3)
        categories = "".join(f"\n\t\t<category><![CDATA[{name}]]></category>" for name in names)
        return f"""\
	<item>
		<title>{escape(title)}</title>
		<link>{link}</link>
		<comments>{link}#comments</comments>
		<dc:creator><![CDATA[Author {feed % 7}]]></dc:creator>
		<pubDate>{format_datetime(published(number))}</pubDate>{categories}
		<guid isPermaLink="false">{site}/?p={number * 17 + 1000}</guid>
		<description><![CDATA[{source.choice(self._plain)} [&#8230;]]]></description>
		<content:encoded>{encoded}</content:encoded>
		<slash:comments>{number % 9}</slash:comments>
	</item>
""".encode()

    def _block(self, source: random.Random) -> str:
        """A paragraph, a figure, a list, a heading, a quotation or a piece of code, a few hundred characters long."""

        def words(least: int, most: int) -> str:
            return " ".join(source.choices(WORDS, k=source.randrange(least, most)))

        kind = source.random()
        if kind < 0.64:
            to = f'href="SITE/{words(2, 4).replace(" ", "-")}/NUMBER?a=1&amp;b=2"'
            link = f'<a {to} target="_blank" rel="noopener">{words(1, 5)}</a>'
            marked = f'<strong>{words(1, 4)}</strong> {words(2, 10)} <span class="c{len(to)}">{words(1, 3)}</span>'
            return f"<p>{words(8, 30)}, {link} {words(4, 20)} {marked} {words(3, 12)} <em>{words(1, 4)}</em>.</p>"
        if kind < 0.80:
            image = f"SITE/wp-content/uploads/2025/{source.getrandbits(32):08x}-NUMBER"
            sizes = ", ".join(f"{image}-{width}x{width * 2 // 3}.jpg {width}w" for width in (300, 768))
            drawn = f'width="1024" height="683" alt="{words(2, 8)}" class="wp-image-{source.randrange(9999)}"'
            attributes = f'{drawn} srcset="{sizes}" sizes="(max-width: 1024px) 100vw, 1024px" loading="lazy"'
            caption = f'<figcaption class="wp-element-caption">{words(3, 12)}</figcaption>'
            return f'<figure class="wp-block-image"><img src="{image}.jpg" {attributes} />{caption}</figure>'
        if kind < 0.92:
            rows = (f"<li>{words(4, 16)} <em>{words(1, 3)}</em></li>" for _ in range(source.randrange(3, 6)))
            return f'<ul class="wp-block-list">\n{chr(10).join(rows)}\n</ul>'
        if kind < 0.96:
            return f'<h2 class="wp-block-heading">{words(2, 7)}</h2>\n<p>{words(10, 40)}<br />{words(5, 30)}</p>'
        return f"<blockquote><p>{words(15, 30)}</p></blockquote>\n<pre><code>{words(5, 20)} &lt;T&gt;</code></pre>"


def published(item: int) -> datetime:
    """The date of item number `item` of any feed."""
    return FIRST_DAY + timedelta(hours=5 * item)


def head(feed: int, newest: int) -> bytes:
    """What stands before the items; its `lastBuildDate` changes with the newest of them."""
    site = f"https://blog{feed}.example.com"
    spaces = {
        "content": "http://purl.org/rss/1.0/modules/content/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "atom": "http://www.w3.org/2005/Atom",
        "sy": "http://purl.org/rss/1.0/modules/syndication/",
        "slash": "http://purl.org/rss/1.0/modules/slash/",
    }
    declared = "".join(f'\n\txmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    return f"""\
<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"{declared}>
<channel>
	<title>Blog {feed}</title>
	<atom:link href="{site}/feed/" rel="self" type="application/rss+xml" />
	<link>{site}</link>
	<description>What number {feed} has to say</description>
	<lastBuildDate>{format_datetime(published(newest) + timedelta(minutes=2))}</lastBuildDate>
	<language>en-US</language>
	<sy:updatePeriod>hourly</sy:updatePeriod>
	<sy:updateFrequency>1</sy:updateFrequency>
	<generator>https://wordpress.org/?v=6.7.1</generator>
""".encode()


@dataclass(slots=True)
class Answers:
    """What each feed is answered with just now, ready to be sent."""

    feeds: int
    items: int
    counts: Counter[str] = field(default_factory=Counter)
    _slides: int = 0
    _writer: Writer = field(default_factory=Writer)
    _kept: list[list[bytes]] = field(default_factory=list)  # the items of each feed, oldest first
    _etags: list[bytes] = field(default_factory=list)
    _whole: list[bytes] = field(default_factory=list)
    _unchanged: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._kept = [[self._writer.item(feed, number) for number in range(self.items)] for feed in range(self.feeds)]
        self._build()

    def slide(self) -> None:
        """Lets every feed have two more items, and its two oldest go."""
        first = self.items + self._slides * SLIDE
        self._slides += 1
        for feed, kept in enumerate(self._kept):
            kept[:SLIDE] = ()
            kept += [self._writer.item(feed, number) for number in range(first, first + SLIDE)]
        self._build()

    def _build(self) -> None:
        newest = self.items + self._slides * SLIDE - 1
        modified = format_datetime(published(newest), usegmt=True)
        self._etags, self._whole, self._unchanged = [], [], []
        for feed, kept in enumerate(self._kept):
            body = b"".join((head(feed, newest), *reversed(kept), b"</channel>\n</rss>\n"))
            etag = f'"{feed}-{self._slides}"'
            given = f"ETag: {etag}\r\nLast-Modified: {modified}\r\nServer: bench\r\n"
            length = f"Content-Type: application/rss+xml; charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
            self._etags.append(etag.encode())
            self._whole.append(f"HTTP/1.1 200 OK\r\n{given}{length}\r\n".encode() + body)
            self._unchanged.append(f"HTTP/1.1 304 Not Modified\r\n{given}\r\n".encode())

    def to(self, feed: int, request: bytes) -> bytes:
        """The answer to the head of a request."""
        if not request.startswith(b"GET /feed.xml ") or feed >= self.feeds:
            self.counts["404"] += 1
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        _, found, value = request.lower().partition(b"\r\nif-none-match:")
        if found and value.partition(b"\r\n")[0].strip() == self._etags[feed]:
            self.counts["304"] += 1
            return self._unchanged[feed]
        self.counts["200"] += 1
        return self._whole[feed]


class Connection(asyncio.Protocol):
    """One connection: each request is answered after the latency, and the connection kept."""

    def __init__(self, answers: Answers, latency_s: float) -> None:
        self._answers, self._latency_s = answers, latency_s
        self._transport: asyncio.Transport | None = None
        self._feed = 0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Finds the feed by the address that was asked."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host = transport.get_extra_info("sockname")[0]
        self._feed = number_at(host) if host.startswith("127.1.") else 0

    def data_received(self, data: bytes) -> None:
        """Answers the requests that are whole; none of them has a body."""
        self._received += data
        *requests, self._received = self._received.split(b"\r\n\r\n")
        for request in requests:
            answer = self._answers.to(self._feed, request)
            asyncio.get_running_loop().call_later(self._latency_s, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def serve(answers: Answers, latency_s: float, certificate: str) -> None:
    """Serves until there is nothing left to read."""
    loop = asyncio.get_running_loop()
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    listening = socket.create_server(("0.0.0.0", 0), backlog=4096)  # noqa: S104  # 500 addresses on one port
    server = await loop.create_server(lambda: Connection(answers, latency_s), sock=listening, ssl=context)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(listening.getsockname()[1], flush=True)
    async with server:
        while line := await lines.readline():
            if line.strip() == b"slide":
                answers.slide()
            print(json.dumps(answers.counts), flush=True)
            answers.counts.clear()
        server.close()


class FeedServer:
    """The server in a process of its own, for as long as this context lasts."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, __file__, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._read() or sys.exit("the server of the feeds did not start"))

    def tell(self, what: str) -> dict[str, int]:
        """What it answered to its clients since it was last told something."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._read())
        return found

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def __enter__(self) -> Self:
        """The server, listening."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends it."""
        self._process.communicate()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--certificate", default="", help="a PEM file with a private key and its certificates")
    given: Any = parser.parse_args(arguments)
    asyncio.run(serve(Answers(given.feeds, given.items), given.latency, given.certificate))


if __name__ == "__main__":
    main()
