import socket
import threading
import time

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from aggregator.errors import AggregatorError
from aggregator.serve.server import Server


def test_it_says_where_it_listens(serve):
    told = []
    with serve(on_listening=lambda host, port: told.append((host, port))) as site:
        assert told == [("127.0.0.1", site.port)]
        assert site.port > 0


def test_a_port_that_is_taken_is_an_error_with_its_reason(site):
    server = Server(lambda *_: None, (site.documents,), "127.0.0.1", site.port)
    with pytest.raises(AggregatorError, match=rf"cannot listen on 127\.0\.0\.1:{site.port}: .*in use"):
        server.run()


def test_it_listens_again_at_once_on_the_port_it_had(serve, place):
    place.publish("all/rss.xml", b"<rss/>")
    with serve() as site:
        port = site.port
        held = site.connect()
        site.get("/all/rss.xml")
    held.close()
    server = Server(lambda *_: None, (site.documents,), "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.wait_listening(5)
    server.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_signals_are_left_to_the_daemon(serve):
    import signal

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with serve():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_when_it_stops_what_is_being_answered_is_finished_and_nothing_new_begins(serve):
    import asyncio

    begun = threading.Event()

    async def slow(_):
        begun.set()
        await asyncio.sleep(0.4)
        return PlainTextResponse("done")

    with serve(routes=[Route("/slow", slow)], grace_s=3) as site:
        replies = []
        idle = site.connect()
        asking = threading.Thread(target=lambda: replies.append(site.get("/slow")))
        asking.start()
        assert begun.wait(5)
    asking.join(5)
    assert replies[0].body == b"done"
    assert idle.recv(1) == b""
    idle.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", site.port), timeout=1)


def test_who_is_not_done_within_the_grace_is_cut_off(serve):
    import asyncio

    async def forever():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async def endless(_):
        return StreamingResponse(forever())

    with serve(routes=[Route("/endless", endless)], grace_s=1) as site:
        connection = site.connect()
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(10)
        begin = time.monotonic()
    assert time.monotonic() - begin < 3
    connection.close()


def test_it_takes_no_more_connections_than_the_system_gives_it_files(place, monkeypatch):
    from aggregator.serve import server as module

    asked = []
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (256, 1024))
    monkeypatch.setattr(module.resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert module._files(500) == 500
    assert module._files(4000) == 1024
    assert module._files(200) == 200
    assert asked == [(500, 1024), (1024, 1024)]
