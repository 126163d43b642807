"""Images asked of real servers: with the Referer their hosts want, within bounds, and nothing but images."""

from __future__ import annotations

import contextlib
import gzip

import pytest
from pictures import SVG, picture
from servers import forged, header, kept, redirect, response

from aggregator.config.models import Config
from aggregator.errors import HttpStatus, NotAnImage, Refused, TimedOut, TooLarge
from aggregator.ingest import wire
from aggregator.pipeline.imaging.fetching import ImageFetcher

PNG = picture()


@pytest.fixture
def fetcher(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(*, images=None, names=None, **fetch):
            data = {"site": {"base_url": "https://feeds.example.com/"}, "images": images or {}}
            data["fetch"] = {"allow_private": True, "timeout_s": 5, **fetch}
            config = Config.model_validate(data, context={"folder": tmp_path})
            return stack.enter_context(contextlib.closing(ImageFetcher(config, resolve=forged(names or {}))))

        yield make


def test_an_image_arrives_as_what_its_bytes_say(serve, fetcher):
    server = serve(response(PNG, "Content-Type: text/html"))
    got = fetcher().fetch(server.url)
    assert (got.body, got.type, got.suffix, got.width, got.height) == (PNG, "image/png", "png", 30, 20)
    (asked,) = server.asked
    assert header(asked, "user-agent").startswith("aggregator/")
    assert header(asked, "referer") is None
    assert "webp" not in header(asked, "accept")


def test_a_host_is_asked_from_the_page_that_it_wants(serve, fetcher):
    server = serve(response(PNG))
    fetch = fetcher(names={"wx1.sinaimg.cn": ["127.0.0.1"]})
    url = f"http://wx1.sinaimg.cn:{server.port}/a.jpg"
    fetch.fetch(url)
    fetch.fetch_without_referer(url)
    assert [header(one, "referer") for one in server.asked] == ["https://weibo.com/", None]


def test_what_the_configuration_says_of_a_host_wins(serve, fetcher):
    server = serve(response(PNG))
    rows = [{"hosts": "*.sinaimg.cn", "referer": "https://e.example/新", "user_agent": "Mozilla/5.0 (x)"}]
    fetcher(images={"headers": rows}, names={"wx1.sinaimg.cn": ["127.0.0.1"]}).fetch(
        f"http://wx1.sinaimg.cn:{server.port}/a.jpg"
    )
    (asked,) = server.asked
    assert header(asked, "referer") == "https://e.example/%E6%96%B0"
    assert header(asked, "user-agent") == "Mozilla/5.0 (x)"


def test_a_host_that_refuses_strangers_is_asked_once_more_as_from_its_own_site(serve, fetcher):
    def answer(connection, request):
        is_own = header(request, "referer") == f"http://{server.host}/"
        connection.sendall(response(PNG) if is_own else response(status="403 Forbidden"))

    server = serve(answer)
    assert fetcher().fetch(server.url).body == PNG
    assert len(server.asked) == 2
    with pytest.raises(HttpStatus) as caught:
        fetcher().fetch_without_referer(server.url)
    assert caught.value.status == 403


def test_a_host_that_refuses_everybody_is_asked_twice_and_no_more(serve, fetcher):
    server = serve(response(status="403 Forbidden"))
    with pytest.raises(HttpStatus, match="403"):
        fetcher().fetch(server.url)
    assert len(server.asked) == 2
    gone = serve(response(status="404 Not Found"))
    with pytest.raises(HttpStatus, match="404"):
        fetcher().fetch(gone.url)
    assert len(gone.asked) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><title>Not here</title>", "an HTML page, not an image"),
        (b'{"error": 404}', "plain text, not an image"),
        (b"", "an empty body, not an image"),
        (b"%PDF-1.7", "a PDF document, not an image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image that is broken"),
        (SVG.replace(b"<circle", b"<script/><circle"), "an SVG with <script> in it, which is not shown"),
    ],
)
def test_what_is_no_image_is_an_error_whatever_it_is_called(serve, fetcher, body, words):
    server = serve(response(body, "Content-Type: image/png"))
    with pytest.raises(NotAnImage, match=words):
        fetcher().fetch(server.url)


def test_a_drawing_arrives_too_and_a_body_that_is_packed(serve, fetcher):
    server = serve(response(gzip.compress(SVG), "Content-Encoding: gzip"))
    assert fetcher().fetch(server.url).type == "image/svg+xml"


def test_what_is_large_or_slow_is_given_up(serve, fetcher):
    server = serve(
        kept(
            {
                "/large": b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n",
                "/slow": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x89PNG",
            }
        )
    )
    impatient = fetcher(timeout_s=0.3)
    with pytest.raises(TooLarge):
        impatient.fetch(f"http://{server.host}/large")
    with pytest.raises(TimedOut):
        impatient.fetch(f"http://{server.host}/slow")


def test_nothing_private_is_asked_not_even_after_a_redirect(serve, fetcher, monkeypatch):
    monkeypatch.setattr(wire, "is_public", lambda address: address == "127.0.0.1")
    server = serve(redirect("http://169.254.169.254/latest/meta-data"))
    names = {"a.example": ["127.0.0.1"], "b.example": ["10.0.0.1", "127.0.0.1"]}
    strict = fetcher(names=names, allow_private=False)
    hosts = ("a.example", "b.example", "127.0.0.1", "[::1]")
    for url in (
        *(f"http://{host}:{server.port}/a.png" for host in hosts),
        "ftp://e.example/a.png",
        "file:///etc/passwd",
    ):
        with pytest.raises(Refused):
            strict.fetch(url)
    assert len(server.asked) == 1
