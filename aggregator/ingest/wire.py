"""Connections that keep to a deadline: what `http` asks over.

A socket's own timeout starts again with every byte that drips in, so an exchange has a deadline, and a watchdog in
another thread that shuts its socket when that has passed.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from aggregator.errors import FetchError, TimedOut
from aggregator.ingest.feedurls import safe_url


class Exchange:
    """One GET from its first connection to its last byte, which a watchdog can cut off from another thread.

    It holds a duplicate of the socket in use: TLS takes the descriptor over from the socket that was opened, and a
    duplicate of our own can never have become somebody else's by the time it is shut.
    """

    def __init__(self, url: str, timeout_s: float, clock: Callable[[], float]) -> None:
        self.url = safe_url(url)
        self.timeout_s = timeout_s
        self.expired = False
        self.is_reused = False  # whether the connection in use was kept from an earlier exchange
        self.wakes_at = time.monotonic() + timeout_s  # the watchdog sleeps in real time, whatever the clock says
        self._clock = clock
        self._deadline = clock() + timeout_s
        self._lock = threading.Lock()
        self._socket = -1

    def left_s(self) -> float:
        """The seconds that are left; raises TimedOut where there are none."""
        left = self._deadline - self._clock()
        if left <= 0 or self.expired:
            raise self.timed_out()
        return left

    def timed_out(self) -> TimedOut:
        """The error that says how long we waited."""
        return TimedOut(f"took longer than {self.timeout_s:g} seconds", url=self.url)

    def hold(self, sock: socket.socket) -> None:
        """Make this the socket that is shut when time runs out."""
        self.release()
        with self._lock:
            self._socket = os.dup(sock.fileno())
        if self.expired:
            self.expire()

    def expire(self) -> None:
        """Shut the socket in use, which wakes whoever waits on it."""
        with self._lock:
            self.expired = True
            if self._socket >= 0:
                with socket.socket(fileno=self._socket) as sock, suppress(OSError):  # it may be closed by now
                    sock.shutdown(socket.SHUT_RDWR)
                self._socket = -1

    def release(self) -> None:
        """Let go of the socket."""
        with self._lock:
            if self._socket >= 0:
                os.close(self._socket)
                self._socket = -1


class Watchdog:
    """One thread that ends the exchanges of a session when their time is up, and ends itself when there are none.

    A timer thread per exchange costs 60 µs; adding to a set that a sleeping thread looks at costs 2.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[Exchange] = set()
        self._wakes_at = 0.0
        self._running = False

    @contextmanager
    def watching(self, exchange: Exchange) -> Iterator[None]:
        """Within this, the exchange is cut off at its deadline."""
        with self._changed:
            self._open.add(exchange)
            if not self._running:
                self._running = True
                self._wakes_at = exchange.wakes_at
                threading.Thread(target=self._run, name="fetch-watchdog", daemon=True).start()
            elif exchange.wakes_at < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._open.discard(exchange)
            exchange.release()

    def _run(self) -> None:
        with self._changed:
            while self._open:
                self._wakes_at = min(exchange.wakes_at for exchange in self._open)
                self._changed.wait(max(self._wakes_at - time.monotonic(), 0))
                now = time.monotonic()
                for exchange in [exchange for exchange in self._open if exchange.wakes_at <= now]:
                    self._open.discard(exchange)
                    exchange.expire()
            self._running = False


current: ContextVar[Exchange] = ContextVar("exchange")  # which exchange a connection works for, thread by thread


class _Dialling(HTTPConnection):
    """A connection that is opened within the time its exchange has left, and that the exchange can cut off."""

    def _new_conn(self) -> socket.socket:
        """A connected socket; this is the one place where an address is chosen, so it is where one is refused."""
        exchange = current.get()
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"the host {self.host} is not known", url=exchange.url) from error
        failure: OSError | None = None
        for untried, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
            sock = socket.socket(family, kind, protocol)
            try:
                # A first address that swallows every packet must leave time for the next one.
                sock.settimeout(exchange.left_s() / untried)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
                sock.settimeout(exchange.left_s())
                exchange.hold(sock)
                exchange.is_reused = False
            except OSError as error:
                sock.close()
                failure = error
            except FetchError:
                sock.close()
                raise
            else:
                return sock
        if isinstance(failure, TimeoutError):
            raise exchange.timed_out() from failure
        reason = (failure.strerror if failure else None) or "no address"
        raise FetchError(f"could not connect to {self.host}: {reason.lower()}", url=exchange.url) from failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # a connection that was kept
            exchange = current.get()
            exchange.hold(self.sock)
            exchange.is_reused = True
        super().request(*args, **kwargs)


class _PlainConnection(_Dialling):
    """One for http."""


class _TlsConnection(_Dialling, HTTPSConnection):
    """One for https."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Adapter(HTTPAdapter):
    """A requests transport that watches the clock, and that reads the list of trusted CAs once.

    requests reads it again for every connection: 28 ms each, against 2 ms with a context that is shared.
    """

    def __init__(self, pool: int, ca_file: str = "") -> None:
        self.watchdog = Watchdog()
        self._ca_file = ca_file or certifi.where()
        super().__init__(pool_connections=pool, pool_maxsize=pool)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, whose connections are ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """What tells pools apart; every https one has the same context, made when the first is needed."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            pool["ssl_context"] = self._tls
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing is left to do: the context requires a certificate, and the pool key says so too."""
