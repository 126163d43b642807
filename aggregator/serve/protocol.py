"""HTTP/1.1 as uvicorn speaks it by httptools, with bounds for everything, and a short way for what is in memory.

uvicorn makes a task for each request, which costs more than all the rest of a document's answer (13,000 requests a second
against 30,000, on one core). A GET or HEAD of a document or an image that is in memory is therefore answered from the parser's
own call, by the very function that answers it otherwise (`AtOnce.hot`).
"""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from aggregator.serve.answer import Answer, Body, plain
from aggregator.serve.conditions import Ask, asked
from aggregator.serve.observing import REFUSED, Observer

_SLOW = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_TOLD = 64  # connections beyond the limit that are told so; each lingers, and is a file that others may need
_LINGER_S = 2.0  # a refused client may still be sending; closing at once would take its answer away (RFC 9112 §9.6)
_SMALL = 65_536  # bytes that are copied behind a head rather than written apart


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take; times are in seconds, sizes in bytes."""

    head_s: float = 10.0  # from connecting, or from a request's first byte, to the end of its head
    body_s: float = 30.0  # for a request's body
    idle_s: float = 15.0  # between requests
    unread_s: float = 60.0  # without the reader taking anything of what we send
    url_bytes: int = 8_192  # RFC 9112 §3 wants 8,000 at least
    head_bytes: int = 32_768
    body_bytes: int = 1_048_576
    connections: int = 4_096
    pipelined: int = 32


class AtOnce(typing.Protocol):
    """Something that has answers in memory."""

    def hot(self, target: bytes, ask: Ask) -> Answer | None:
        """The answer to a GET or HEAD, if nothing has to be looked up for it; None is left to others."""


class Asked(NamedTuple):
    """A GET or HEAD without a body, on a connection that stays open, as its head says."""

    method: bytes
    target: bytes
    ask: Ask


# Heads that were read and answered at once, by their very bytes: who polls a feed sends the same ones again and again, and
# bytes that were a whole request are that request wherever one may begin. Reading one costs 6 of 12 µs.
Heads = dict[bytes, Asked]
_MOST_HEADS = 2_000
_LONGEST_HEAD = 1_000  # bytes


class _Refused(Exception):
    """What arrives is not taken; carries the status to answer with."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Protocol(HttpToolsProtocol):
    """One connection. `sweep` is called for each, about once a second, and ends what takes too long."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        at_once: Sequence[AtOnce],
        observer: Observer,
        limits: Limits,
        heads: Heads,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._at_once, self._observer, self._limits, self._heads = at_once, observer, limits, heads
        self._now: Callable[[], float] = self.loop.time
        self._deadline: float | None = None
        self._in_head = self._is_arriving = self._is_discarding = self._is_short = self._is_plain = False
        self._head_bytes = self._body_bytes = 0
        self._begun = 0  # requests, in the data that is being read
        self._asked: Asked | None = None  # what was answered at once last
        self._current: Any = (
            None  # the request whose turn it is; `cycle` is the newest, which may have to wait for that
        )
        self._refusal = 400
        self._host = ""
        self._unread = 0  # bytes, at the last sweep
        self._unread_since = 0.0

    # -- a connection -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Waits for a request, or says that there are too many connections, or ends at once where that is said to many."""
        super().connection_made(transport)
        self._host = self.client[0] if self.client else ""
        self._deadline = self._now() + self._limits.head_s
        too_many = len(self.connections) - self._limits.connections
        if too_many > _TOLD:
            self._is_discarding = True
            transport.abort()
        elif too_many > 0:
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets the application know, whichever request it is answering."""
        if (cycle := self._answering) is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on; what is too much, or no HTTP, is answered and then ignored."""
        if self._is_discarding:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.body_bytes:
                self.transport.abort()
            return
        is_between = not self._is_arriving
        if is_between and (known := self._heads.get(data)) is not None and self._answered(known):
            return
        self._refusal, self._begun, self._asked = 400, 0, None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stay()
        except httptools.HttpParserError:
            self._refuse(self._refusal)
        else:
            self._after(data, is_whole=is_between and self._begun == 1)

    def _stay(self) -> None:
        """Answers a request for another protocol as if it asked for none (RFC 9110 §7.8), and ends: the parser stops here."""
        cycle: Any = (
            self.cycle
        )  # the newest, which may wait for its turn; None before the first, whatever its type says
        if cycle is None or cycle.response_complete:
            self._refuse(400)
        else:
            cycle.keep_alive = False
            self._is_discarding, self._head_bytes = True, 0

    def _after(self, data: bytes, *, is_whole: bool) -> None:
        """Counts a head that is not at its end, and remembers one that was answered; `is_whole`: it is all of the data."""
        if self._in_head:  # the parser keeps an unfinished line to itself, however long it becomes
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(431)
        elif is_whole and self._asked is not None and len(data) <= _LONGEST_HEAD:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[data] = self._asked

    def sweep(self) -> None:
        """Ends the connection when its time is over."""
        now = self._now()
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            if self._in_head and self._answering is not None:
                self._deadline = now + self._limits.head_s  # the answer to the request before it comes first
            elif self._is_arriving and not self._is_discarding:
                self._refuse(408)
            else:
                self.transport.close()
        unread = self.transport.get_write_buffer_size()
        if not unread or unread != self._unread:
            self._unread, self._unread_since = unread, now
        elif now - self._unread_since >= self._limits.unread_s:
            self.transport.abort()

    def shutdown(self) -> None:
        """Ends the connection once what is being answered is."""
        self._is_discarding = self._answering is None
        super().shutdown()

    # -- a request, as the parser tells it --------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begins a head. What uvicorn prepares for an application is prepared when one is asked."""
        self._begun += 1
        # What one read brings is answered in one turn of the loop, in which everybody else waits.
        if self._begun > self._limits.pipelined or len(self.pipeline) >= self._limits.pipelined:
            raise self._refused(503)
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = self._is_arriving = self._is_plain = True
        self._is_short = False
        self._head_bytes = self._body_bytes = 0
        self._deadline = self._now() + self._limits.head_s

    def on_url(self, url: bytes) -> None:
        """Takes a piece of the target."""
        self.url += url
        if len(self.url) > self._limits.url_bytes:
            raise self._refused(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._limits.head_bytes:
            raise self._refused(431)
        name = name.lower()
        if name in _SLOW:
            self._is_plain = False
            self.expect_100_continue |= name == b"expect" and value.lower() == b"100-continue"
            if name == b"content-length" and (not value.isdigit() or int(value[:20]) > self._limits.body_bytes):
                raise self._refused(413)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Answers what can be answered now, and hands everything else to the application."""
        self._in_head = False
        if self._is_discarding:  # what follows the last request that was to be answered
            self._is_short = True
            return
        # Of two names, the proxy before us may have believed the other (RFC 9112 §3.2: MUST be 400); we believe none.
        if self.parser.get_http_version() == "1.1" and len([0 for name, _ in self.headers if name == b"host"]) != 1:
            raise self._refused(400)
        if self._is_plain and not self.parser.should_upgrade():
            method, keeps = self.parser.get_method(), self.parser.should_keep_alive()
            asking = Asked(method, self.url, asked(method, self.headers))
            keeps = keeps and self.parser.get_http_version() != "1.0"
            if method in {b"GET", b"HEAD"} and self._answered(asking, keeps=keeps):
                self._is_short = True
                self._asked = asking if keeps else None
                return
        self._deadline = self._now() + self._limits.body_s
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a piece of a body, up to a limit."""
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            raise self._refused(413)
        if not self._is_short:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has arrived: from now on, time is the application's."""
        self._is_arriving = False
        if not self._is_short:
            self._deadline = None
            super().on_message_complete()
            if self._answering is None:
                self._deadline = self._now() + self._limits.idle_s

    def on_response_complete(self) -> None:
        """Goes on with the next request, or waits for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._in_head:
            self._deadline = self._now() + self._limits.idle_s

    # -- answering --------------------------------------------------------------------------------------------------------

    def _answered(self, asking: Asked, *, keeps: bool = True) -> bool:
        """Whether the request was for something in memory, and is answered.

        Not while another is being answered, whose turn it is, nor while the client does not take what it was sent.
        """
        if self.flow.write_paused or self._answering is not None:
            return False
        begin = self._now()
        for one in self._at_once:
            answer = one.hot(asking.target, asking.ask)
            if answer is not None:
                break
        else:
            return False
        body = b"" if asking.ask.is_head else answer.body
        self._write(answer, body, keeps=keeps)
        self._deadline = begin + self._limits.idle_s
        self.server_state.total_requests += 1
        self._observer(asking.method, asking.target, answer.status, len(body), self._now() - begin, self._host)
        return True

    def _write(self, answer: Answer, body: Body, *, keeps: bool) -> None:
        dates = self.server_state.default_headers
        date = b"date: %b\r\n" % dates[0][1] if dates else b""
        head = b"%b%b%b\r\n" % (answer.wire, date, b"" if keeps else b"connection: close\r\n")
        if len(body) <= _SMALL:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        if not keeps:
            self._is_discarding = True
            self.transport.close()

    def _refused(self, status: int) -> _Refused:
        self._refusal = status
        return _Refused(status)

    def _refuse(self, status: int) -> None:
        """Answers what cannot be read, if it is its turn, and listens no more; the client has a moment to read that."""
        if self.transport.is_closing():
            return
        cycle = self._answering
        self.pipeline.clear()
        self._is_discarding, self._in_head, self._is_arriving, self._head_bytes = True, False, False, 0
        self._deadline = self._now() + _LINGER_S
        self.flow.resume_reading()
        if cycle is not None:
            cycle.disconnected = True  # what it still sends is dropped
            cycle.message_event.set()
        if cycle is None or not cycle.response_started:
            answer = plain(status)
            self.transport.write(answer.wire + b"connection: close\r\n\r\n" + answer.body)
            self._observer(b"-", b"-", status, len(answer.body), 0.0, self._host, REFUSED)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    @property
    def _answering(self) -> Any:
        """The answer that an application is giving, or None."""
        return None if self._current is None or self._current.response_complete else self._current

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._current = cycle
        super()._start_asgi_task(cycle, app)
