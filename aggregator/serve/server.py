"""The server: a socket, an event loop, and an orderly end, in whichever thread it is run."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from aggregator.errors import AggregatorError
from aggregator.serve.observing import Observer
from aggregator.serve.protocol import AtOnce, Limits, Protocol

GRACE_S = 10  # what is being answered may take so long when the server ends
_BACKLOG = 2048
_SPARE_FILES = 256  # for all that is not a connection


class Server:
    """Serves an application, and what others have in memory beside it, until it is told to stop."""

    def __init__(
        self,
        app: ASGIApp,
        at_once: Sequence[AtOnce],
        host: str,
        port: int,
        *,
        observer: Observer | None = None,
        limits: Limits | None = None,
        grace_s: int = GRACE_S,
        sweep_s: float = 1.0,
        on_listening: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        limits = limits or Limits()
        most = _files(limits.connections + _SPARE_FILES) - _SPARE_FILES
        limits = replace(limits, connections=max(min(limits.connections, most), 1))
        self._host, self._port = host, port
        self._on_listening = on_listening
        self._listening = threading.Event()
        self.port = 0  # where it listens, once it does
        protocol = partial(Protocol, at_once=at_once, observer=observer or Observer(), limits=limits, heads={})
        config = uvicorn.Config(
            app,
            http=protocol,  # type: ignore[arg-type]  # it is called as the class would be
            loop="uvloop",
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what goes wrong is told by the application; uvicorn would write to stderr
            access_log=False,
            proxy_headers=False,  # X-Forwarded-* is not believed
            server_header=False,
            timeout_graceful_shutdown=grace_s,
        )
        self._server = _Server(config, sweep_s)

    def run(self) -> None:
        """Listens and serves until `stop` is called, from any thread.

        Raises:
            AggregatorError: the address cannot be listened on.
        """
        with self._socket() as listening:
            self.port = listening.getsockname()[1]
            self._server.on_started = self._started
            self._server.run([listening])

    def stop(self) -> None:
        """Takes no new connection, lets requests finish within their grace, and closes what is left; from any thread."""
        self._server.should_exit = True

    def wait_listening(self, timeout_s: float) -> bool:
        """Whether it listens, within so many seconds."""
        return self._listening.wait(timeout_s)

    def _started(self) -> None:
        self._listening.set()
        self._on_listening(self._host, self.port)

    def _socket(self) -> socket.socket:
        """A listening socket; one that was closed a moment ago does not keep the next from its port (SO_REUSEADDR)."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        both = self._host == "::" and socket.has_dualstack_ipv6()
        try:
            where = (self._host, self._port)
            return socket.create_server(where, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
        except OSError as error:
            host = f"[{self._host}]" if ":" in self._host else self._host
            raise AggregatorError(f"cannot listen on {host}:{self._port}: {error.strerror or error}") from error


class _Server(uvicorn.Server):
    """uvicorn's server without handlers for signals, which are the daemon's, and with an eye on slow clients."""

    def __init__(self, config: uvicorn.Config, sweep_s: float) -> None:
        super().__init__(config)
        self._sweep_every = max(round(sweep_s * 10), 1)  # ticks, of which uvicorn has ten a second
        self.on_started: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen, and tells."""
        await super().startup(sockets)
        self.on_started()

    async def on_tick(self, counter: int) -> bool:
        """Ends connections whose time is over."""
        if counter % self._sweep_every == 0:
            self._sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends in order; who has not read its answer within the grace is cut off."""
        sweeping = asyncio.ensure_future(self._keep_sweeping())
        await super().shutdown(sockets)
        sweeping.cancel()
        for connection in list(self.server_state.connections):
            _transport(connection).abort()

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_every / 10)
            self._sweep()

    def _sweep(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.sweep()


def _transport(connection: Any) -> asyncio.Transport:
    transport: asyncio.Transport = connection.transport
    return transport


def _files(wanted: int) -> int:
    """How many files this process may have open, after asking for so many: 1,024, as usual, is one attacker's connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (ValueError, OSError):
        return soft
    return raised
