"""The one GET, asked of real servers on the loopback that behave as badly as servers do."""

import contextlib
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
import zlib

import pytest
import trustme
from servers import Server, header, kept, redirect, response

from aggregator.errors import FetchError, HttpStatus, Refused, TimedOut, TooLarge
from aggregator.ingest.http import Fetcher, Terms, safe_url
from aggregator.models import Fetched, NotModified, Validators

TEN_MB = 10_000_000
NOTHING_KNOWN = Validators()


@pytest.fixture
def serve():
    servers = []

    def start(answer, tls=None):
        servers.append(Server(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def fetcher():
    with contextlib.closing(Fetcher("aggregator-test/1", pool=4)) as fetcher:
        yield fetcher


@pytest.fixture
def fetch(fetcher):
    def fetch(url, *, validators=NOTHING_KNOWN, timeout_s=5.0, max_bytes=TEN_MB, **terms):
        return fetcher.get(
            url, Terms(timeout_s=timeout_s, max_bytes=max_bytes, **{"allow_private": True} | terms), validators
        )

    return fetch


# What comes back


def test_a_body_arrives_whole_with_its_validators_and_lower_cased_headers(serve, fetch):
    server = serve(
        response(
            b"<rss/>", 'ETag: W/"a"', "Last-Modified: Sun, 04 Jul 2021 06:56:06 GMT", "X-Thing: 1", "Set-Cookie: a=b"
        )
    )
    fetched = fetch(server.url)
    assert isinstance(fetched, Fetched)
    assert fetched.body == b"<rss/>"
    assert fetched.url == server.url
    assert fetched.validators == Validators('W/"a"', "Sun, 04 Jul 2021 06:56:06 GMT")
    assert fetched.headers["x-thing"] == "1"
    assert "set-cookie" not in fetched.headers


def test_a_feed_is_asked_for_politely_and_without_conditions_at_first(serve, fetch):
    server = serve(response(b"x"))
    fetch(server.url + "?page=2#top")
    request = server.asked[0]
    assert request.startswith("GET /feed?page=2 HTTP/1.1\r\n")
    assert header(request, "user-agent") == "aggregator-test/1"
    assert header(request, "accept").startswith("application/atom+xml")
    assert header(request, "accept-encoding") == "gzip, deflate"
    assert header(request, "if-none-match") is header(request, "if-modified-since") is None


def test_f10_a_304_is_asked_for_with_the_validators_and_refreshes_them(serve, fetch):
    server = serve(response(b"", 'ETag: "new"', "Cache-Control: max-age=60", status="304 Not Modified"))
    answer = fetch(server.url, validators=Validators('"old"', "Sun, 04 Jul 2021 06:56:06 GMT"))
    assert isinstance(answer, NotModified)
    assert header(server.asked[0], "if-none-match") == '"old"'
    assert header(server.asked[0], "if-modified-since") == "Sun, 04 Jul 2021 06:56:06 GMT"
    assert answer.validators == Validators('"new"', "Sun, 04 Jul 2021 06:56:06 GMT")
    assert answer.headers["cache-control"] == "max-age=60"


def test_a_304_that_nobody_asked_for_is_an_error(serve, fetch):
    with pytest.raises(HttpStatus, match="answered 304 Not Modified"):
        fetch(serve(response(status="304 Not Modified")).url)


def test_validators_that_no_header_can_carry_are_not_sent(serve, fetch):
    server = serve(response(b"x"))
    fetch(server.url, validators=Validators('"a"\r\nX-Evil: 1', ""))
    assert "Evil" not in server.asked[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("404 Nope", "answered 404 Not Found"),
        ("599 token=abc", "answered 599"),
        ("301 Moved", "answered 301 Moved Permanently"),
    ],
)
def test_any_other_status_is_an_error_in_plain_words(serve, fetch, status, words):
    with pytest.raises(HttpStatus) as caught:
        fetch(serve(response(b"sorry", status=status)).url)
    assert str(caught.value) == words
    assert caught.value.status == int(status[:3])


def test_a_connection_is_kept_and_used_again_after_every_kind_of_answer(serve, fetch):
    answers = [
        response(b"a"),
        response(status="304 Not Modified"),
        response(b"no", status="404 No"),
        redirect("/feed"),
        response(b"b"),
    ]

    def answer(connection, request):
        connection.sendall(answers.pop(0))
        return "keep"

    server = serve(answer)
    fetch(server.url)
    fetch(server.url, validators=Validators('"a"'))
    with pytest.raises(HttpStatus):
        fetch(server.url)
    assert fetch(server.url).body == b"b"
    assert (server.connections, len(server.asked)) == (1, 5)


# Encodings and sizes


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        ("gzip", gzip.compress(b"body" * 1000)),
        ("x-gzip", gzip.compress(b"body" * 400) + gzip.compress(b"body" * 600)),
        ("deflate", zlib.compress(b"body" * 1000)),
        ("deflate", zlib.compress(b"body" * 1000)[2:-4]),  # without RFC 1950's wrapper, as many servers send it
        ("gzip, gzip", gzip.compress(gzip.compress(b"body" * 1000))),
        ("identity", b"body" * 1000),
        ("UTF-8", b"body" * 1000),  # not a coding at all, but said
    ],
    ids=["gzip", "members", "deflate", "bare deflate", "nested", "identity", "charset"],
)
def test_bodies_are_decoded(serve, fetch, coding, encoded):
    assert fetch(serve(response(encoded, f"Content-Encoding: {coding}")).url).body == b"body" * 1000


def test_a_chunked_body_arrives_whole(serve, fetch):
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert fetch(serve(body).url).body == b"abcde"


def test_f7_an_encoding_that_was_not_asked_for_is_refused(serve, fetch):
    with pytest.raises(FetchError, match="not asked for: br"):
        fetch(serve(response(b"...", "Content-Encoding: br")).url)


BOMB = gzip.compress(bytes(200_000_000), 1)  # under 1 MB


@pytest.mark.parametrize(
    ("coding", "bomb"),
    [
        ("gzip", BOMB),
        ("deflate", BOMB[10:-8]),
        ("gzip, gzip", gzip.compress(BOMB)),
        ("gzip", gzip.compress(b"") * 700_000),  # 14 MB that hold nothing
    ],
    ids=["gzip", "deflate", "nested", "empty members"],
)
def test_f7_a_bomb_is_given_up_without_being_unpacked(serve, fetch, coding, bomb):
    server = serve(response(bomb, f"Content-Encoding: {coding}"))
    tracemalloc.start()
    with pytest.raises(TooLarge, match="larger than 10,000,000 bytes"):
        fetch(server.url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000_000


def test_f7_a_body_that_says_it_is_too_large_is_not_read(serve, fetch):
    sent = []

    def answer(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                sent.append(connection.send(bytes(65536)))

    with pytest.raises(TooLarge):
        fetch(serve(answer).url)
    time.sleep(0.05)
    assert sum(sent) < TEN_MB


def test_f7_a_body_without_end_is_given_up_at_the_limit(serve, fetch):
    def answer(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with pytest.raises(TooLarge):
        fetch(serve(answer).url)


# Broken answers


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "the body ends in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort", "the body ends in the middle"),
        (response(gzip.compress(b"x" * 9999)[:-20], "Content-Encoding: gzip"), "the gzip body ends in the middle"),
        (response(b"not gzip at all", "Content-Encoding: gzip"), "the gzip body is broken"),
        (response(zlib.compress(b"y" * 99)[:9], "Content-Encoding: deflate"), "the deflate body ends in the middle"),
        (b"", "the server closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
            "the answer cannot be read",
        ),
    ],
    ids=["short", "short chunk", "short gzip", "no gzip", "short deflate", "nothing", "ssh", "many headers"],
)
def test_f9_a_torn_or_broken_answer_is_an_error(serve, fetch, answer, words):
    with pytest.raises(FetchError, match=words):
        fetch(serve(answer).url)


def test_f9_a_reset_in_the_middle_is_an_error(serve, fetch):
    def answer(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        time.sleep(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    with pytest.raises(FetchError, match=r"the connection was lost|ends in the middle"):
        fetch(serve(answer).url)


def test_nobody_listening_is_an_error_in_plain_words(fetch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(FetchError, match=r"could not connect to 127\.0\.0\.1: connection refused"):
        fetch(f"http://127.0.0.1:{port}/")


def test_a_host_that_does_not_exist_is_an_error_in_plain_words(fetch):
    with pytest.raises(FetchError, match=r"the host nowhere\.invalid is not known"):
        fetch("http://nowhere.invalid/")


# Time


def drip(data, pause=0.05):
    def answer(connection, request):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection, request: time.sleep(3),
        drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 500),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500, 0.02),
        drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500, 0.02),
        drip(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(range(256)) * 4), 0.01),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.005),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100, 0.01),
    ],
    ids=["silence", "headers", "body", "body without length", "gzip", "continue", "chunks"],
)
def test_f8_the_deadline_holds_for_the_whole_exchange(serve, fetch, answer):
    server = serve(answer)
    started = time.monotonic()
    with pytest.raises(TimedOut, match=r"took longer than 0\.1 seconds"):
        fetch(server.url, timeout_s=0.1)
    assert time.monotonic() - started < 1.5


def test_f8_the_deadline_holds_for_redirects_together(serve, fetch):
    def answer(connection, request):
        time.sleep(0.15)
        connection.sendall(redirect("/feed"))

    started = time.monotonic()
    with pytest.raises(TimedOut):
        fetch(serve(answer).url, timeout_s=0.25)
    assert time.monotonic() - started < 1.5


def test_f8_the_deadline_holds_on_a_connection_that_was_kept(serve, fetch):
    def answer(connection, request):
        if "first" in request:
            connection.sendall(response(b"x"))
        else:
            drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500, 0.02)(connection, request)
        return "keep"

    server = serve(answer)
    fetch(f"{server.url}?first")
    with pytest.raises(TimedOut):
        fetch(server.url, timeout_s=0.25)
    assert server.connections == 1


def test_f8_the_deadline_holds_in_a_tls_handshake(serve, fetch):
    listener = socket.create_server(("127.0.0.1", 0))

    def never_greet():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 100:  # a TLS record that fills slowly
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    threading.Thread(target=never_greet, daemon=True).start()
    started = time.monotonic()
    with listener, pytest.raises(TimedOut):
        fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout_s=0.25)
    assert time.monotonic() - started < 1.5


def test_one_exchange_that_runs_out_of_time_does_not_disturb_another(serve, fetch):
    server = serve(response(b"fine"))
    slow = serve(lambda connection, request: time.sleep(2))
    failed = []

    def wait():
        try:
            fetch(slow.url, timeout_s=0.25)
        except TimedOut as error:
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    bodies = [fetch(server.url, timeout_s=5).body for _ in range(50)]
    waiting.join()
    assert bodies == [b"fine"] * 50
    assert len(failed) == 1


def test_a_kept_connection_that_the_server_has_closed_is_replaced(serve, fetch):
    def answer(connection, request):
        connection.sendall(response(b"x"))  # and close, without having said so

    server = serve(answer)
    assert [fetch(server.url).body for _ in range(20)] == [b"x"] * 20


# Redirects


def test_redirects_are_followed_to_the_url_that_answers(serve, fetch):
    def answer(connection, request):
        hops = {"/feed": "/b?x=1", "/b?x=1": f"http://{server.host}/c", "/c": "d"}
        path = request.split()[1]
        connection.sendall(redirect(hops[path]) if path in hops else response(b"here"))
        return "keep"

    server = serve(answer)
    fetched = fetch(server.url, validators=Validators('"a"'))
    assert (fetched.url, fetched.body) == (f"http://{server.host}/d", b"here")
    assert header(server.asked[-1], "if-none-match") == '"a"'


def test_f6_more_than_ten_redirects_are_refused_naming_the_chain(serve, fetch):
    def count(connection, request):
        number = int(request.split()[1].strip("/"))
        connection.sendall(response(b"end") if number == int(last) else redirect(f"/{number + 1}"))
        return "keep"

    server = serve(count)
    last = "10"
    assert fetch(f"http://{server.host}/0").body == b"end"
    last = "11"
    with pytest.raises(Refused, match="more than 10 times: ") as caught:
        fetch(f"http://{server.host}/0")
    assert f"{server.host}/0 → http://{server.host}/1 → " in str(caught.value)


def test_f6_a_redirect_to_itself_ends(serve, fetch):
    server = serve(lambda connection, request: connection.sendall(redirect("/feed")))
    with pytest.raises(Refused):
        fetch(server.url)
    assert len(server.asked) == 11


def test_a_redirect_may_set_a_cookie_that_the_next_hop_wants(serve, fetch):
    def answer(connection, request):
        seen = header(request, "cookie") == "ok=1"
        connection.sendall(
            response(b"in") if seen else response(b"", "Location: /feed", "Set-Cookie: ok=1", status="302 Found")
        )

    assert fetch(serve(answer).url).body == b"in"


def test_the_body_of_a_redirect_is_not_read_to_its_end(serve, fetch):
    def answer(connection, request):
        if "/end" in request:
            connection.sendall(response(b"end"))
            return
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /end\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(bytes(65536))

    assert fetch(serve(answer).url, timeout_s=2).body == b"end"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://x/",
        "javascript:alert(1)",
        "example.com/feed",
        "http://",
        "http://[::1/",
    ],
)
def test_f5_other_schemes_are_refused_by_name(fetch, url):
    with pytest.raises(Refused) as caught:
        fetch(url)
    assert url.partition(":")[0] in str(caught.value) or "scheme" in str(caught.value) or "no URL" in str(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1"])
def test_f5_a_redirect_to_another_scheme_is_refused(serve, fetch, target):
    with pytest.raises(Refused, match=f"redirects to a {target.partition(':')[0]}: address"):
        fetch(serve(redirect(target)).url)


# Credentials


def test_f16_a_password_in_the_url_is_sent_but_shows_nowhere(serve, fetch):
    def answer(connection, request):
        connection.sendall(response(b"x") if "fine" in request else response(status="403 Forbidden"))

    server = serve(answer)
    url = f"http://me:pa55@{server.host}/feed?token=t0k3n&page=2"
    with pytest.raises(HttpStatus) as caught:
        fetch(url)
    assert caught.value.url == f"http://{server.host}/feed?token=***&page=2"
    assert header(server.asked[0], "authorization") == "Basic bWU6cGE1NQ=="
    assert "pa55" not in fetch(url + "&fine=1").url


def test_f16_no_error_and_no_cause_of_one_holds_a_secret(serve, fetch):
    torn = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    for host in (
        torn.host,
        nobody,
        "nowhere.invalid",
        serve(redirect("ftp://me:pa55@x/?key=t0k3n")).host,
        serve(b"").host,
    ):
        with pytest.raises(FetchError) as caught:
            fetch(f"http://me:pa55@{host}/feed?token=t0k3n")
        error = caught.value
        while error is not None:
            assert "pa55" not in f"{error!r} {error} {vars(error)}"
            assert "t0k3n" not in f"{error!r} {error} {vars(error)}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_f16_credentials_stay_with_their_host(serve, fetch):
    other = serve(response(b"other"))
    here = serve(lambda connection, request: connection.sendall(answers.pop(0)))
    url = f"http://me:pa55@{here.host}/feed"
    answers = [redirect(f"http://{here.host}/moved"), redirect(f"http://localhost:{other.port}/feed")]
    assert fetch(url).body == b"other"
    assert header(here.asked[0], "authorization")
    assert header(here.asked[1], "authorization")
    assert header(other.asked[0], "authorization") is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@example.com:8080/a?b=1#c", "https://example.com:8080/a?b=1#c"),
        (
            "https://example.com/?api_key=1&apikey=2&access_key=3&sig=4&q=5",
            "https://example.com/?api_key=***&apikey=***&access_key=***&sig=***&q=5",
        ),
        (
            "https://example.com/?code=1;private_token=2;monkey=3",
            "https://example.com/?code=***;private_token=***;monkey=3",
        ),
        ("https://u:p@[bad/", "(an unreadable URL)"),
    ],
)
def test_f16_a_url_is_shown_without_its_secrets(url, shown):
    assert safe_url(url) == shown


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A CA, and certificates of it for two names; made anew, so that none ever runs out."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    for name, identity in (("right", "127.0.0.1"), ("wrong", "elsewhere.example")):
        ca.issue_cert(identity).private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    return folder


def tls(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f"{name}.pem")
    return context


def test_a_trusted_certificate_is_accepted(authority, serve, fetch):
    server = serve(response(b"safe"), tls(authority, "right"))
    assert fetch(server.url, ca_bundle=str(authority / "ca.pem")).body == b"safe"


def test_an_untrusted_authority_and_a_wrong_name_are_refused(authority, serve, fetch):
    with pytest.raises(FetchError, match=r"its certificate is not to be trusted"):
        fetch(serve(response(b"x"), tls(authority, "right")).url)
    with pytest.raises(FetchError, match=r"its certificate is not to be trusted: .*not valid for"):
        fetch(serve(response(b"x"), tls(authority, "wrong")).url, ca_bundle=str(authority / "ca.pem"))


def test_f8_the_deadline_holds_for_a_body_that_drips_over_tls(authority, serve, fetch):
    server = serve(drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 500, 0.02), tls(authority, "right"))
    with pytest.raises(TimedOut):
        fetch(server.url, ca_bundle=str(authority / "ca.pem"), timeout_s=0.25, max_bytes=1000)


def test_a_server_that_closes_after_the_handshake_is_asked_once(authority, serve, fetch):
    server = serve(b"", tls(authority, "right"))
    with pytest.raises(FetchError, match="closed the connection without an answer"):
        fetch(server.url, ca_bundle=str(authority / "ca.pem"))
    assert len(server.asked) == 1


def test_a_kept_tls_connection_is_used_again(authority, serve, fetch):
    server = serve(kept({"/feed": response(b"x")}), tls(authority, "right"))
    assert [fetch(server.url, ca_bundle=str(authority / "ca.pem")).body for _ in range(3)] == [b"x"] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "no certificate"), (b"\0\1", "no certificate"), ("folder", "is a directory")],
    ids=["missing", "empty", "binary", "folder"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_list_of_authorities_that_cannot_be_read_is_an_error_in_plain_words(fetch, tmp_path, content, words, scheme):
    file = tmp_path / "ca.pem"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(FetchError, match=f"ca.pem cannot be read: .*{words}") as caught:
        fetch(f"{scheme}://127.0.0.1:9/", ca_bundle=str(file))
    assert caught.value.url == f"{scheme}://127.0.0.1:9/"


def test_a_list_of_authorities_that_was_repaired_is_read_again(authority, serve, fetch, tmp_path):
    server = serve(response(b"x"), tls(authority, "right"))
    with pytest.raises(FetchError):
        fetch(server.url, ca_bundle=str(tmp_path / "ca.pem"))
    (tmp_path / "ca.pem").write_bytes((authority / "ca.pem").read_bytes())
    assert fetch(server.url, ca_bundle=str(tmp_path / "ca.pem")).body == b"x"


def test_a_fetcher_looks_at_no_environment(serve, fetch, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetch(serve(response(b"direct")).url).body == b"direct"
