"""What a fetcher keeps between its GETs: connections, contexts, and the proxy it asks through."""

import contextlib
import socket
import ssl
import threading
import time

import pytest
import trustme
from servers import Server, forged, header, kept, redirect, response

from aggregator.errors import FetchError, HttpStatus, Refused, TimedOut
from aggregator.ingest.credentials import Credentials
from aggregator.ingest.http import Fetcher, Terms

OPEN = Terms(allow_private=True, timeout_s=5)


@pytest.fixture
def serve():
    servers = []

    def start(answer, **kwargs):
        servers.append(Server(answer, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def fetcher_of():
    with contextlib.ExitStack() as opened:

        def make(**kwargs):
            return opened.enter_context(contextlib.closing(Fetcher("test/1", **{"pool": 4} | kwargs)))

        yield make


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A CA, and a certificate of it for some names; made anew, so that none ever runs out."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    names = ["inner.example", *(f"h{number}.example" for number in range(20))]
    ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


@pytest.fixture
def tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem")
    return context


# Connections


def test_connections_are_kept_to_as_many_hosts_as_the_pool_holds(serve, fetcher_of):
    servers = [serve(kept({"/feed": response(b"x")})) for _ in range(4)]
    fetcher = fetcher_of(pool=3)
    for server in [*servers[:3], *servers[:3]]:
        fetcher.get(server.url, OPEN)
    assert [server.connections for server in servers] == [1, 1, 1, 0]
    fetcher.get(servers[3].url, OPEN)  # the one that was used longest ago has to go
    fetcher.get(servers[1].url, OPEN)
    fetcher.get(servers[0].url, OPEN)
    assert [server.connections for server in servers] == [2, 1, 1, 1]


def test_no_more_connections_to_a_host_are_kept_than_asked_for(serve, fetcher_of, capfd):
    both = threading.Barrier(2)

    def answer(connection, request):
        if "together" in request:
            both.wait(5)
        connection.sendall(response(b"x"))
        return "keep"

    server, fetcher = serve(answer), fetcher_of(per_host=1)
    threads = [threading.Thread(target=fetcher.get, args=(f"{server.url}?together", OPEN)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.connections == 2
    for _ in range(3):
        fetcher.get(server.url, OPEN)
    assert server.connections == 2
    assert capfd.readouterr().err == ""


def test_a_closed_fetcher_lets_go_of_its_connections_and_can_be_used_again(serve, fetcher_of):
    closed = threading.Event()

    def answer(connection, request):
        connection.sendall(response(b"x"))
        if "last" in request:
            connection.settimeout(5)
            if connection.recv(1) == b"":
                closed.set()
        return "keep"

    server, fetcher = serve(answer), fetcher_of()
    fetcher.get(f"{server.url}?last", OPEN)
    fetcher.close()
    assert closed.wait(2)
    assert fetcher.get(server.url, OPEN).body == b"x"


def test_its_thread_ends_when_there_is_nothing_left_to_watch(serve, fetcher_of):
    fetcher = fetcher_of()
    fetcher.get(serve(response(b"x")).url, Terms(allow_private=True, timeout_s=600))
    assert any(thread.name == "fetch-watchdog" for thread in threading.enumerate())
    fetcher.close()
    deadline = time.monotonic() + 2
    while any(thread.name == "fetch-watchdog" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_hundred_threads_may_use_it_at_once(serve, fetcher_of):
    servers = [serve(kept({"/feed": response(b"%d" % number)})) for number in range(10)]
    names = {f"h{number}.example": ["127.0.0.1"] for number in range(100)}
    fetcher = fetcher_of(pool=100, resolve=forged(names))
    wrong = []

    def ask(number):
        for _ in range(3):
            url = f"http://h{number}.example:{servers[number % 10].port}/feed"
            if fetcher.get(url, OPEN).body != b"%d" % (number % 10):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert sum(len(server.asked) for server in servers) == 300
    assert sum(server.connections for server in servers) == 100


def test_every_host_shares_one_list_of_authorities(serve, fetcher_of, authority, tls, monkeypatch):
    made = []
    real = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda **kwargs: made.append(kwargs) or real(**kwargs))
    server = serve(kept({"/feed": response(b"x")}), tls=tls)
    fetcher = fetcher_of(pool=20, resolve=forged({f"h{number}.example": ["127.0.0.1"] for number in range(20)}))
    for private in (Terms, lambda **kwargs: Terms(timeout_s=9, **kwargs)):
        for number in range(20):
            fetcher.get(
                f"https://h{number}.example:{server.port}/feed",
                private(allow_private=True, ca_bundle=str(authority / "ca.pem")),
            )
    assert len(made) == 1
    assert server.connections == 20


def test_sources_with_other_authorities_share_no_connection(serve, fetcher_of, authority, tls):
    server = serve(kept({"/feed": response(b"x")}), tls=tls)
    fetcher = fetcher_of(resolve=forged({"h1.example": ["127.0.0.1"]}))
    url = f"https://h1.example:{server.port}/feed"
    assert fetcher.get(url, Terms(allow_private=True, ca_bundle=str(authority / "ca.pem"))).body == b"x"
    with pytest.raises(FetchError, match="not to be trusted"):
        fetcher.get(url, OPEN)


def test_f8_nothing_is_asked_where_no_thread_can_watch_the_clock(serve, fetcher_of, monkeypatch):
    server, fetcher = serve(response(b"x")), fetcher_of()
    start = threading.Thread.start

    def no_more(thread):
        if thread.name in {"fetch-watchdog", "look-up"}:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        with pytest.raises(FetchError, match="no thread can be started"):
            fetcher.get(server.url, OPEN)
        assert server.asked == []
    assert fetcher.get(server.url, OPEN).body == b"x"


# Through a proxy


@pytest.fixture
def proxy(serve):
    """A proxy that passes everything on to one port of the loopback, whatever host it is asked for."""

    def start(port=0, status="200 Connection established"):
        def answer(connection, request):
            if not request.startswith("CONNECT"):
                connection.sendall(response(b"through the proxy"))
                return "keep"
            connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
            if status.startswith("200"):
                with socket.create_connection(("127.0.0.1", port)) as onward:
                    back = threading.Thread(target=pump, args=(onward, connection))
                    back.start()
                    pump(connection, onward)
                    back.join()
            return None

        return serve(answer)

    return start


def pump(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def nobody(host, port, **kwargs):
    """Looks up the proxy, and fails the test that looks up anything else."""
    assert host == "127.0.0.1"
    return socket.getaddrinfo(host, port, **kwargs)


def test_a_proxy_is_asked_for_the_whole_url_and_looks_the_name_up_itself(proxy, fetcher_of):
    through = proxy()
    fetcher = fetcher_of(proxy=f"http://me:pr0xy-pass@{through.host}", resolve=nobody)
    for name in ("a", "b"):
        answer = fetcher.get(f"http://u:pa55@{name}.example/feed?x=1", Terms())
        assert (answer.body, answer.url) == (b"through the proxy", f"http://{name}.example/feed?x=1")
    assert through.asked[0].startswith("GET http://a.example/feed?x=1 HTTP/1.1\r\n")
    assert header(through.asked[0], "host") == "a.example"
    assert header(through.asked[0], "proxy-authorization") == "Basic bWU6cHIweHktcGFzcw=="
    assert header(through.asked[1], "host") == "b.example"
    assert through.connections == 1


def test_a_proxy_sees_nothing_of_what_goes_through_its_tunnel(serve, proxy, fetcher_of, authority, tls):
    inner = serve(kept({"/feed": response(b"inner")}), tls=tls)
    through = proxy(inner.port)
    fetcher = fetcher_of(proxy=f"http://me:pr0xy-pass@{through.host}", resolve=nobody)
    url = "https://inner.example/feed"
    terms = Terms(ca_bundle=str(authority / "ca.pem"), credentials=Credentials.for_url(url, headers={"X-Key": "k3y"}))
    assert [fetcher.get(url, terms).body for _ in range(2)] == [b"inner"] * 2
    assert [request.split("\r\n")[0].rpartition(" ")[0] for request in through.asked] == ["CONNECT inner.example:443"]
    assert header(through.asked[0], "proxy-authorization") == "Basic bWU6cHIweHktcGFzcw=="
    assert header(inner.asked[0], "x-key") == "k3y"
    assert header(inner.asked[0], "proxy-authorization") is None
    with pytest.raises(FetchError, match="not valid for"):
        fetcher.get("https://wrong.example/feed", terms)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "127.1", "[::1]", "localhost", "169.254.169.254"])
def test_f2_a_proxy_is_not_asked_for_a_private_address(proxy, fetcher_of, host):
    through = proxy()
    fetcher = fetcher_of(proxy=f"http://{through.host}", resolve=nobody)
    with pytest.raises(Refused, match="allow_private"):
        fetcher.get(f"http://{host}/", Terms())
    assert through.asked == []
    assert fetcher.get(f"http://{host}/", OPEN).body == b"through the proxy"


def test_f4_a_redirect_through_a_proxy_is_checked_too(serve, fetcher_of):
    through = serve(redirect("http://169.254.169.254/latest/meta-data/"))
    with pytest.raises(Refused, match=r"it redirects to 169\.254\.169\.254"):
        fetcher_of(proxy=f"http://{through.host}").get("http://a.example/", Terms())
    assert len(through.asked) == 1


def no_secret(error):
    while error is not None:
        assert "pr0xy" not in f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    return True


def test_f16_a_proxys_password_shows_in_no_error(proxy, fetcher_of):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
    for scheme in ("http", "https"):
        with pytest.raises(FetchError, match=r"could not connect to the proxy 127\.0\.0\.1") as caught:
            fetcher_of(proxy=f"http://me:pr0xy-pass@{dead}").get(f"{scheme}://a.example/", Terms())
        assert no_secret(caught.value)
    for status in ("407 pr0xy-pass", "502 Bad Gateway"):
        with pytest.raises(FetchError, match=f"the proxy answered {status[:3]}") as caught:
            fetcher_of(proxy=f"http://me:pr0xy-pass@{proxy(status=status).host}").get("https://a.example/", Terms())
        assert no_secret(caught.value)


@pytest.mark.parametrize("url", ["socks5://me:pr0xy-pass@127.0.0.1:9", "https://127.0.0.1:9", "nonsense", "http://"])
def test_a_proxy_of_another_kind_is_an_error_in_plain_words(fetcher_of, url):
    with pytest.raises(FetchError, match=r"`fetch\.proxy` is no http:// URL") as caught:
        fetcher_of(proxy=url).get("http://a.example/", Terms())
    assert no_secret(caught.value)


def test_f8_the_deadline_holds_while_a_proxy_thinks(serve, fetcher_of):
    for answer in (lambda connection, request: time.sleep(1), b"HTTP/1.1 200 OK\r\n\r\n"):
        through = serve(answer)
        with pytest.raises((TimedOut, FetchError)):
            fetcher_of(proxy=f"http://{through.host}").get("https://a.example/", Terms(timeout_s=0.1))


def test_an_error_of_the_host_is_told_as_its_own(serve, fetcher_of):
    through = serve(response(b"no", "Retry-After: 9", status="503 x"))
    with pytest.raises(HttpStatus) as caught:
        fetcher_of(proxy=f"http://{through.host}").get("http://A.example/", Terms())
    assert (caught.value.host, caught.value.retry_after) == ("a.example", "9")


def echo(status="202 Accepted", *headers):
    """Answers a POST, once its body has come, and remembers the bodies."""
    bodies = []

    def answer(connection, request):
        head, _, body = request.partition("\r\n\r\n")
        while len(body) < int(header(head, "content-length") or 0):
            body += connection.recv(65536).decode("latin-1")
        bodies.append(body)
        connection.sendall(response(b"thanks", *headers, status=status))
        return "keep"

    answer.bodies = bodies
    return answer


def test_a_post_sends_its_body_and_says_what_it_is(serve, fetcher_of):
    taken = echo()
    server = serve(taken)
    fetcher_of().post(server.url, b"a=1&b=2" * 50_000, {"Content-Type": "application/x-www-form-urlencoded"}, OPEN)
    assert server.asked[0].startswith("POST /feed HTTP/1.1\r\n")
    assert header(server.asked[0], "content-type") == "application/x-www-form-urlencoded"
    assert header(server.asked[0], "user-agent") == "test/1"
    assert taken.bodies == ["a=1&b=2" * 50_000]


@pytest.mark.parametrize(("status", "again"), [("307 Temporary Redirect", "POST"), ("308 Permanent Redirect", "POST")])
def test_a_post_follows_only_redirects_that_leave_it_one(serve, fetcher_of, status, again):
    taken = echo()
    there = serve(taken)
    server = serve(echo(status, f"Location: {there.url}"))
    fetcher_of().post(server.url, b"x=1", {}, OPEN)
    assert (there.asked[0].split()[0], taken.bodies) == (again, ["x=1"])


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other"])
def test_a_post_never_becomes_a_get(serve, fetcher_of, status):
    there = serve(echo())
    server = serve(echo(status, f"Location: {there.url}"))
    with pytest.raises(HttpStatus, match=status[:3]):
        fetcher_of().post(server.url, b"x=1", {}, OPEN)
    assert there.asked == []


def test_no_redirect_is_followed_where_the_terms_allow_none(serve, fetcher_of):
    there = serve(echo())
    server = serve(echo("307 Temporary Redirect", f"Location: {there.url}"))
    closed = Terms(allow_private=True, timeout_s=5, redirects=False)
    with pytest.raises(HttpStatus, match="307"):
        fetcher_of().post(server.url, b"x=1", {}, closed)
    with pytest.raises(HttpStatus, match="307"):
        fetcher_of().get(server.url, closed)
    assert there.asked == []


def test_a_post_goes_to_no_private_address(serve, fetcher_of):
    server = serve(echo())
    fetcher = fetcher_of(resolve=forged({"inner.example": ["127.0.0.1"]}))
    for url in (server.url, server.url.replace("127.0.0.1", "inner.example")):
        with pytest.raises(Refused, match="no public address"):
            fetcher.post(url, b"x=1", {})
    assert server.connections == 0


def test_a_post_is_given_up_at_its_deadline_and_its_answer_is_not_waited_for(serve, fetcher_of):
    def endless(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x")
                time.sleep(0.02)

    started = time.monotonic()
    fetcher_of().post(serve(endless).url, b"x=1", {}, Terms(allow_private=True, timeout_s=0.3))
    silent = serve(lambda *_: time.sleep(5))
    with pytest.raises(TimedOut):
        fetcher_of().post(silent.url, b"x=1", {}, Terms(allow_private=True, timeout_s=0.3))
    assert time.monotonic() - started < 4
