"""Connections that keep to a deadline and go to no address that was not checked: what `http` asks over.

A socket's own timeout starts again with every byte that drips in, so an exchange has a deadline, and a watchdog in
another thread that shuts its socket when that has passed.
"""

from __future__ import annotations

import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from aggregator.errors import FetchError, Refused, TimedOut
from aggregator.ingest.addresses import is_public, literal

Resolve = Callable[..., list[tuple[Any, ...]]]  # like socket.getaddrinfo


class Exchange:
    """One request from its first connection to its last byte, which a watchdog can cut off from another thread.

    It holds a duplicate of the socket in use: TLS takes the descriptor over from the socket that was opened, and a
    duplicate of our own can never have become somebody else's by the time it is shut. Its time runs only while a
    watchdog watches it: what is spent waiting for a turn does not count.
    """

    def __init__(
        self, url: str, timeout_s: float, clock: Callable[[], float], resolve: Resolve, *, allow_private: bool
    ) -> None:
        self.url = url  # as it may be shown
        self.timeout_s = timeout_s
        self.resolve = resolve
        self.allow_private = allow_private
        self.hops = 0
        self.expired = False
        self.is_reused = False  # whether the connection in use was kept from an earlier exchange
        self.wakes_at = 0.0  # the watchdog sleeps in real time, whatever the clock says
        self._clock = clock
        self._left = timeout_s
        self._deadline = 0.0
        self._lock = threading.Lock()
        self._socket = -1

    def start(self) -> None:
        """Let the time that is left run."""
        self._deadline = self._clock() + self._left
        self.wakes_at = time.monotonic() + max(self._left, 0)

    def stop(self) -> None:
        """Keep what is left for the next hop."""
        self._left = self._deadline - self._clock()
        self.release()

    def left_s(self) -> float:
        """The seconds that are left; raises TimedOut where there are none."""
        left = self._deadline - self._clock()
        if left <= 0 or self.expired:
            raise self.timed_out()
        return left

    def timed_out(self) -> TimedOut:
        """The error that says how long we waited."""
        return TimedOut(f"took longer than {self.timeout_s:g} seconds", url=self.url)

    def refusal(self, host: str, address: str = "") -> Refused:
        """The error for a host that only sources with leave may ask."""
        what = f"{host} at {address}" if address and address != host else host
        verb = "it redirects to" if self.hops else "not asked:"
        return Refused(
            f"{verb} {what}, which is no public address; sources that may go there need `allow_private: true`",
            url=self.url,
        )

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
    """One thread that ends exchanges when their time is up, and ends itself when there are none.

    A timer thread per exchange costs 60 µs; adding to a set that a sleeping thread looks at costs 2.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[Exchange] = set()
        self._wakes_at = 0.0
        self._running = False

    @contextmanager
    def watching(self, exchange: Exchange) -> Iterator[None]:
        """Within this, the exchange's time runs, and it is cut off at its deadline."""
        exchange.start()
        with self._changed:
            self._open.add(exchange)
            if not self._running:
                self._running = True
                self._wakes_at = exchange.wakes_at
                self._start(exchange)
            elif exchange.wakes_at < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._open.discard(exchange)
            exchange.stop()

    def _start(self, exchange: Exchange) -> None:
        try:
            threading.Thread(target=self._run, name="fetch-watchdog", daemon=True).start()
        except RuntimeError as error:  # the system allows no more threads; unwatched, a server could hold us for ever
            self._running = False
            self._open.discard(exchange)
            raise FetchError("nobody could watch the clock: no thread can be started", url=exchange.url) from error

    def rest(self) -> None:
        """Let the thread see now whether there is anything left to watch."""
        with self._changed:
            self._changed.notify()

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

    _is_fresh = False  # opened, and not asked anything yet

    def _new_conn(self) -> socket.socket:
        """A connected socket; this is the one place where an address is chosen, so it is where one is refused."""
        exchange = current.get()
        found = self._found(exchange)
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
                self._is_fresh = True
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
        raise FetchError(f"could not connect to {self._named()}: {reason.lower()}", url=exchange.url) from failure

    def _found(self, exchange: Exchange) -> list[tuple[Any, ...]]:
        """The addresses of the host, every one of which may be asked: which of them a name gives first is its owner's choice."""
        try:
            found = _looked_up(self._dns_host, self.port, exchange)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{self._named('the host ')} is not known", url=exchange.url) from error
        if self.proxy is None and not exchange.allow_private:
            for *_, address in found:
                if not is_public(address[0]):
                    raise exchange.refusal(self.host, address[0])
        return found

    def _named(self, host: str = "") -> str:
        return f"the proxy {self.host}" if self.proxy else f"{host}{self.host}"

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Ask, on a connection that was kept or that is opened now."""
        if self.sock is not None and not self._is_fresh:
            exchange = current.get()
            exchange.hold(self.sock)
            exchange.is_reused = True
        super().request(*args, **kwargs)
        self._is_fresh = False

    def getresponse(self) -> Any:
        """The head of the answer; where its length is nonsense, urllib3 would leave the socket open."""
        sock = self.sock
        try:
            return super().getresponse()
        except HTTPError:
            if sock is not None:
                os.close(sock.detach())
            raise


def _looked_up(host: str, port: int, exchange: Exchange) -> list[tuple[Any, ...]]:
    """What the resolver says of a host within the time that is left.

    A look-up cannot be interrupted, and one that nobody answers takes the system half a minute and more (resolv.conf), so
    it has a thread of its own, which is left behind: 0.1 ms for each new connection.
    """
    if literal(host):
        return exchange.resolve(host, port, type=socket.SOCK_STREAM)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(exchange.resolve(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - raised where it was waited for
            answers.put(error)

    try:
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
    except RuntimeError:  # the system allows no more threads
        look_up()
    try:
        found = answers.get(timeout=exchange.left_s())
    except queue.Empty:
        raise exchange.timed_out() from None
    if isinstance(found, Exception):
        raise found
    return list(found)


class _PlainConnection(_Dialling):
    """One for http."""


class _TlsConnection(_Dialling, HTTPSConnection):
    """One for https."""


class _Kept:
    """The connections to one host that wait to be used again, the newest first; one too many is closed.

    queue.LifoQueue makes a lock and three conditions for every host, and urllib3 warns on stderr when it is full.
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._waiting: list[Any] = []  # append and pop are atomic

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002 - as queue.Queue has it
        """The newest one; raises queue.Empty where there is none."""
        try:
            return self._waiting.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, connection: Any, block: bool = False) -> None:  # noqa: ARG002 - as queue.Queue has it
        """Keep a connection; None is what urllib3 fills a queue with at first."""
        if connection is None:
            return
        if len(self._waiting) < self._maxsize:
            self._waiting.append(connection)
        else:
            connection.close()

    def qsize(self) -> int:
        """How many wait."""
        return len(self._waiting)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection
    QueueCls: Any = _Kept


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
    QueueCls: Any = _Kept


def _key(context: dict[str, Any]) -> Any:
    """What tells the pools of one adapter apart; urllib3's own key holds 29 fields, all alike here."""
    return context["scheme"], context["host"], context["port"]


class Adapter(HTTPAdapter):
    """A requests transport that watches the clock, and whose connections share one list of trusted authorities.

    requests reads that list again for every connection: 28 ms each, against 2 ms with a context that is shared. `tls` is
    asked for it when the first is opened.
    """

    def __init__(self, hosts: int, per_host: int, tls: Callable[[], ssl.SSLContext]) -> None:
        self._tls, self._hosts = tls, hosts
        super().__init__(pool_connections=hosts, pool_maxsize=per_host)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, whose connections are ours."""
        super().init_poolmanager(*args, **kwargs)
        _make_ours(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """The pools of a proxy, whose connections are ours too; a plain one is for every host together."""
        manager = self.proxy_manager.get(proxy)
        if manager is None:
            manager = super().proxy_manager_for(proxy, **proxy_kwargs)
            _make_ours(manager)
        return manager

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: Any, proxies: Any = None, **__: Any
    ) -> HTTPConnectionPool:
        """The connections to a request's host, or to the proxy."""
        parts = urlsplit(str(request.url))
        settings: dict[str, Any] = {}
        if parts.scheme == "https":
            settings = {"ssl_context": self._tls(), "cert_reqs": "CERT_REQUIRED"}
        elif proxies:
            settings = {"maxsize": self._hosts}
        manager = self.proxy_manager_for(proxies["all"]) if proxies else self.poolmanager
        pool: HTTPConnectionPool = manager.connection_from_host(
            parts.hostname, parts.port, parts.scheme, pool_kwargs=settings
        )
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing is left to do: the context requires a certificate, and so does the pool."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer, with its cookies where it sets some; nobody asks what charset it declares."""
        response = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.url = str(req.url)
        if "set-cookie" in response.headers:
            extract_cookies_to_jar(response.cookies, req, resp)  # type: ignore[no-untyped-call]
        return response


def _make_ours(manager: Any) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    manager.key_fn_by_scheme = {"http": _key, "https": _key}
