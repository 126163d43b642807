"""What one client can take from the others: time, memory and connections are bounded."""

import asyncio
import contextlib
import http.client
import socket
import time

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from aggregator.serve.protocol import Limits

RSS = b"<rss>" + b"x" * 3000 + b"</rss>"


@pytest.fixture
def rss(place):
    return place.publish("all/rss.xml", RSS)


def received(connection):
    """Everything until the server closes, or cuts the connection."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            data += piece
    return data


def status(answer):
    return int(answer.split(b" ", 2)[1])


# -- heads ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [9_000, 65_536, 200_000])
def test_s1_a_url_that_is_too_long_is_414(site, size):
    answer = site.raw(b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert status(answer) == 414
    assert b"connection: close" in answer


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
def test_s6_a_request_without_one_host_is_400_however_hot_the_document(site, rss, hosts):
    assert status(site.raw(b"GET /all/rss.xml HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) == 200
    assert status(site.raw(b"GET /all/rss.xml HTTP/1.1\r\n" + hosts + b"\r\n")) == 400


def test_headers_that_are_too_long_are_431(site):
    assert status(site.raw(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 33_000 + b"\r\n\r\n")) == 431
    assert status(site.raw(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n")) == 431


def test_a_line_that_never_ends_is_refused_before_it_is_kept(site):
    with site.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
            for _ in range(40):
                connection.sendall(b"a" * 4096)
        assert status(received(connection)) == 431


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + b"\x00" * 20,
    ],
)
def test_s1_what_is_no_request_is_refused_in_one_line(site, request_):
    answer = site.raw(request_)
    assert status(answer) in {400, 404, 413}
    assert b"Traceback" not in answer
    assert site.get("/healthz").status == 200


def test_who_would_rather_speak_another_protocol_is_answered_in_this_one(site, rss):
    """As `curl --http2` asks."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    for _ in range(2):
        answer = site.raw(b"GET /all/rss.xml HTTP/1.1\r\nHost: h\r\n" + upgrade + b"\r\n")
        assert status(answer) == 200
        assert answer.endswith(RSS)


def test_an_address_in_full_names_the_same_document(site, rss):
    answer = site.raw(b"GET http://other.example/all/rss.xml HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert status(answer) == 200
    assert answer.endswith(RSS)


# -- bodies -----------------------------------------------------------------------------------------------------------------


async def echo(request):
    return PlainTextResponse(str(len(await request.body())))


def test_a_body_that_is_too_large_is_413_however_it_is_sent(serve, rss):
    with serve(routes=[Route("/echo", echo, methods=["POST"])], limits=Limits(body_bytes=10_000)) as site:
        assert site.get("/echo", method="POST", body=b"x" * 10_000).body == b"10000"
        assert status(site.raw(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10001\r\n\r\n")) == 413
        chunk = b"fa0\r\n" + b"x" * 4000 + b"\r\n"
        assert (
            status(site.raw(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3)) == 413
        )
        expecting = (
            b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        )
        assert b"100 Continue" in site.raw(expecting + b"abc")


def test_a_body_where_none_is_taken_is_405_and_the_connection_goes_on(site, rss):
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    with contextlib.closing(connection):
        for _ in range(2):
            connection.request("POST", "/all/rss.xml", body=b"x" * 50_000)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 405
        connection.request("GET", "/all/rss.xml")
        assert connection.getresponse().read() == RSS


# -- many requests on one connection --------------------------------------------------------------------------------------------


def test_requests_sent_at_once_are_answered_in_their_order(site, rss):
    site.place.publish("b/rss.xml", b"<rss>second</rss>")
    site.get("/all/rss.xml")
    ask = b"GET /%b HTTP/1.1\r\nHost: h\r\n%b\r\n"
    wanted = [b"all/rss.xml", b"healthz", b"b/rss.xml", b"all/rss.xml", b"nothing"]
    asked = b"".join(ask % (path, b"Connection: close\r\n" if path == b"nothing" else b"") for path in wanted)
    answer = site.raw(asked)
    places = [
        answer.index(RSS),
        answer.index(b"It works"),
        answer.index(b"second"),
        answer.rindex(RSS),
        answer.index(b" 404 "),
    ]
    assert places == sorted(places)
    assert len(set(places)) == 5


def test_a_head_that_was_read_before_is_answered_alike_wherever_its_bytes_begin_a_request(site, rss):
    """Its bytes are known by heart afterwards: in two pieces, behind another or within a body they mean what they say."""
    site.place.publish("b/rss.xml", b"<rss>second</rss>")
    head = b"GET /all/rss.xml HTTP/1.1\r\nHost: h\r\n\r\n"
    site.get("/all/rss.xml")
    site.get("/b/rss.xml")
    time.sleep(0.06)

    def answers(*pieces):
        with site.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.03)
            connection.shutdown(socket.SHUT_WR)
            got = received(connection)
        return [got.count(b"HTTP/1.1 "), got.count(RSS), got.count(b"second")]

    for _ in range(3):
        assert answers(head) == [1, 1, 0]
        assert answers(head, head) == [2, 2, 0]
        assert answers(head[:20], head[20:]) == [1, 1, 0]
        assert answers(head + head) == [2, 2, 0]
        assert answers(head.replace(b"all", b"b") + head, head) == [3, 2, 1]
        body = b"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(head)
        assert answers(body, head) == [1, 0, 0]
        assert answers(b"GET /all/rss.xml HTTP/1.1\r\nX: ", head) == [1, 1, 0]


def test_more_requests_at_once_than_anybody_needs_are_refused(site, rss):
    assert b" 503 " in site.raw(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" * 100)
    assert site.get("/healthz").status == 200


def test_http_1_0_is_answered_and_closed(site, rss):
    for _ in range(2):
        answer = site.raw(b"GET /all/rss.xml HTTP/1.0\r\n\r\n")
        assert answer.endswith(RSS)
        assert b"connection: close" in answer


# -- time -------------------------------------------------------------------------------------------------------------------


HASTY = Limits(head_s=0.3, body_s=0.3, idle_s=0.3, unread_s=0.4)


def test_who_takes_too_long_is_let_go(serve, rss):
    with serve(limits=HASTY, routes=[Route("/echo", echo, methods=["POST"])]) as site:
        silent, slow, half, idle = (site.connect() for _ in range(4))
        slow.sendall(b"GET / HTTP/1.1\r\n")
        half.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        idle.sendall(b"GET /all/rss.xml HTTP/1.1\r\nHost: h\r\n\r\n")
        begin = time.monotonic()
        assert received(silent) == b""
        assert status(received(slow)) == 408
        assert status(received(half)) == 408
        assert received(idle).endswith(RSS)
        assert time.monotonic() - begin < 3
        for connection in (silent, slow, half, idle):
            connection.close()


def test_a_head_that_drips_has_no_more_time_than_one_that_waits(serve):
    with serve(limits=HASTY) as site, site.connect() as connection:
        connection.settimeout(0.02)
        answer = b""
        for byte in b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20:
            connection.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(1000)
                break
        assert status(answer) == 408


def test_who_does_not_read_is_cut_off_and_others_are_not_kept_waiting(serve, place):
    place.publish("all/rss.xml", bytes(8_000_000))
    with serve(limits=HASTY) as site, site.connect() as lazy:
        lazy.sendall(b"GET /all/rss.xml HTTP/1.1\r\nHost: h\r\n\r\n" * 2)
        assert site.get("/healthz").status == 200
        time.sleep(1)
        assert len(received(lazy)) < 16_000_000


def test_a_slow_head_does_not_take_the_answer_of_the_request_before_it(serve):
    async def slow(_):
        await asyncio.sleep(0.8)
        return PlainTextResponse("done")

    with serve(limits=HASTY, routes=[Route("/slow", slow)]) as site:
        answer = site.raw(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /")
    assert status(answer) == 200
    assert b"done" in answer
    assert answer.count(b"HTTP/1.1") == 2
    assert b"HTTP/1.1 408" in answer


@pytest.mark.parametrize(
    "rest",
    [
        b"nonsense\r\n\r\n",
        b"GET /b HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n",
        b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n" * 50,
    ],
)
def test_an_error_is_not_written_into_the_answer_before_it(serve, rest):
    async def long(_):
        async def pieces():
            for _ in range(80):
                yield b"A" * 100_000
                await asyncio.sleep(0.005)

        return StreamingResponse(pieces(), headers={"content-length": "8000000"})

    with serve(routes=[Route("/long", long)]) as site, site.connect() as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        begin = client.recv(100_000)
        client.sendall(rest)
        body = (begin + received(client)).partition(b"\r\n\r\n")[2]
        assert b"HTTP/1.1" not in body[:8_000_000]
        assert not [event for event in site.events if event["event"] == "failed"]


# -- connections --------------------------------------------------------------------------------------------------------------


def test_more_connections_than_there_may_be_are_told_so(serve, rss):
    with serve(limits=Limits(connections=3)) as site:
        held = [site.connect() for _ in range(3)]
        time.sleep(0.1)
        with site.connect() as one_more:
            assert status(received(one_more)) == 503
        held.pop().close()
        time.sleep(0.1)
        assert site.get("/all/rss.xml").body == RSS
        for connection in held:
            connection.close()


def test_s3_those_who_are_told_so_are_bounded_as_well(serve, rss, monkeypatch):
    monkeypatch.setattr("aggregator.serve.protocol._TOLD", 2)
    with serve(limits=Limits(connections=1)) as site:
        connections = [site.connect() for _ in range(10)]
        answers = [received(connection) for connection in connections[1:]]
        assert [status(answer) for answer in answers[:2]] == [503, 503]
        assert answers[2:] == [b""] * 7
        for connection in connections:
            connection.close()

        def is_served():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return site.get("/all/rss.xml").body == RSS

        assert any(is_served() for _ in range(1000))  # as soon as the server knows that they left


def test_s3_a_thousand_slow_clients_keep_nobody_from_being_served(site, rss):
    with contextlib.ExitStack() as held:
        for number in range(1000):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=10))
            connection.sendall((b"GET /all/rss.xml HTTP/1.1\r\n", b"G", b"")[number % 3])
        begin = time.monotonic()
        for _ in range(20):
            assert site.get("/all/rss.xml").body == RSS
        assert time.monotonic() - begin < 2


# -- what is told ---------------------------------------------------------------------------------------------------------------


def test_both_ways_of_answering_are_counted_and_logged_alike(site, rss):
    site.get("/all/rss.xml")
    time.sleep(0.06)
    site.get("/all/rss.xml")
    for _ in range(100):
        if len(site.events) == 2:
            break
        time.sleep(0.01)
    first, second = ({**event, "ms": 0} for event in site.events)
    assert first == second
    assert first["bytes"] == len(RSS)
    assert b'aggregator_http_requests_total{kind="rss",status="200"} 2.0' in site.metrics.render()
