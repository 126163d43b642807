"""Our own image proxy: only what we signed, only images, asked for once, kept for a while, and shown as HTTP wants it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

import pytest
from pictures import SVG, animation, picture
from servers import Server, forged, header, kept, redirect, response

from aggregator.errors import StoreError
from aggregator.images.raster import kind_of, size_of
from aggregator.images.signing import Signer
from aggregator.ingest import wire
from aggregator.pipeline.imaging import proxy as scaling_proxy
from aggregator.pipeline.imaging.scaling import scaled
from aggregator.serve import images as module
from aggregator.serve.conditions import asked
from aggregator.serve.images import Images

KEY = "a key of the test's own"
PNG = picture()
DAY_S = 86_400.0


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


class Proxy:
    """The proxy on a loop of its own, over a server whose answers are up to the test."""

    def __init__(self, place, runner, answers, images, origins):
        self.place, self.runner, self.images, self.clock = place, runner, images, images._clock
        self.answers, self.origins = answers, origins
        self.signer = Signer(KEY)

    def url(self, path="/a.png"):
        return f"http://{self.origins.host}{path}"

    def target(self, path="/a.png"):
        return f"/{self.signer.path(self.url(path))}"

    def get(self, path="/a.png", method="GET", **headers):
        return self.ask(self.target(path), method, **headers)

    def ask(self, target, method="GET", **headers):
        return self.runner.run(self.asking(target, method, **headers))

    def asking(self, target, method="GET", **headers):
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return self.images.answer(method.encode(), target.partition("/img/")[2], target.encode(), given)

    def hot(self, path="/a.png", **headers):
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return self.images.hot(self.target(path).encode(), asked(b"GET", given))

    @property
    def asked_for(self):
        return [request.split()[1] for request in self.origins.asked]


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def open_proxy(place, runner):
    """A proxy over a place, as after a start: `with open_proxy(answers) as proxy`; its origins stay for the next start."""
    clock, started = Clock(), []

    @contextmanager
    def make(answers=None, *, proxy=None, names=None, answer=None, **settings):
        own = {"key": KEY, "proxy": {"cache": "images", **(proxy or {})}, **settings.pop("images", {})}
        fetch = {"allow_private": True, "timeout_s": 5, **settings.pop("fetch", {})}
        place.configure(images=own, fetch=fetch, **settings)
        images = Images(place.daemon, clock=clock, resolve=forged(names or {}))
        if not started:
            started.append(Server(answer or kept(answers)))
        try:
            yield Proxy(place, runner, answers, images, started[0])
        finally:
            images.close()

    yield make
    for server in started:
        server.close()


def spoken(answer):
    return {name.decode(): value.decode() for name, value in answer.headers}


# What is shown, and how


def test_an_image_is_shown_as_what_it_is_with_headers_that_let_it_do_nothing(open_proxy):
    with open_proxy({"/%E6%96%B0%20%22a.png?x=1": response(PNG, "Content-Type: text/html")}) as proxy:
        answer = proxy.get("/%E6%96%B0%20%22a.png?x=1")
        said = spoken(answer)
        assert (answer.status, answer.body) == (200, PNG)
        assert said["content-type"] == "image/png"
        assert said["content-length"] == str(len(PNG))
        assert said["content-disposition"] == 'inline; filename="___a.png"'
        assert said["cache-control"] == "public, max-age=2592000, stale-if-error=31536000"
        assert said["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        assert said["x-content-type-options"] == "nosniff"
        assert said["cross-origin-resource-policy"] == "cross-origin"
        assert said["access-control-allow-origin"] == "*"
        assert said["last-modified"] == "Tue, 14 Nov 2023 22:13:18 GMT"
        assert "vary" not in said
        unchanged = proxy.get("/%E6%96%B0%20%22a.png?x=1", if_none_match=said["etag"])
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert spoken(unchanged)["etag"] == said["etag"]
        part = proxy.get("/%E6%96%B0%20%22a.png?x=1", range="bytes=1-3", if_range=said["etag"])
        assert (part.status, part.body) == (206, PNG[1:4])
        assert spoken(part)["content-range"] == f"bytes 1-3/{len(PNG)}"
        beyond = proxy.get("/%E6%96%B0%20%22a.png?x=1", range="bytes=99999-")
        assert (beyond.status, spoken(beyond)["content-range"]) == (416, f"bytes */{len(PNG)}")
        assert proxy.get("/%E6%96%B0%20%22a.png?x=1", if_match='"other"').status == 412
        assert len(proxy.asked_for) == 1


def test_a_drawing_is_shown_in_a_sandbox(open_proxy):
    with open_proxy({"/a.png": response(SVG)}) as proxy:
        said = spoken(proxy.get())
        assert said["content-type"] == "image/svg+xml"
        assert said["content-disposition"] == 'inline; filename="a.svg"'
        assert "sandbox" in said["content-security-policy"]


def test_an_image_in_memory_is_answered_at_once_and_as_it_is_otherwise(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        assert proxy.hot() is None
        first = proxy.get()
        assert proxy.hot() is first
        unchanged = {"if_none_match": spoken(first)["etag"]}
        assert proxy.hot(**unchanged).status == proxy.get(**unchanged).status == 304
        assert proxy.hot(range="bytes=0-0").body == PNG[:1]
        assert proxy.hot("/b.png") is None
        proxy.place.configure(serve={"search": False})
        assert proxy.hot() is None
        assert proxy.get() is first  # nothing that concerns images has changed
        assert proxy.hot() is first


def test_a_part_of_an_image_is_no_copy_of_it(open_proxy, serve):
    large = PNG + bytes(200_000)
    with (
        open_proxy({"/a.png": response(large)}) as proxy,
        serve(routes=proxy.images.routes(), at_once=(proxy.images,)) as site,
    ):
        assert site.get(proxy.target(), range="bytes=1-").body == large[1:]  # by the application
        assert site.get(proxy.target(), range="bytes=1-").body == large[1:]  # at once
        assert site.get(proxy.target(), range="bytes=1-3").body == large[1:4]
        assert proxy.hot(range="bytes=1-").body.obj is proxy.hot().body


def test_of_other_methods_only_head_and_options_are_known(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        refused = proxy.get(method="POST")
        assert (refused.status, spoken(refused)["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert proxy.get(method="OPTIONS").status == 204
        assert proxy.asked_for == []
        assert proxy.get(method="HEAD") is proxy.get()


def test_over_a_real_server_head_has_no_body_and_a_path_before_it_may_stay(open_proxy, serve):
    with (
        open_proxy({"/a.png": response(PNG)}, site={"base_url": "https://e.example/feeds/"}) as proxy,
        serve(routes=proxy.images.routes(), at_once=(proxy.images,)) as site,
    ):
        head = site.get(proxy.target(), method="HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(PNG)))
        for target in (proxy.target(), f"/feeds{proxy.target()}", proxy.target()):
            got = site.get(target)
            assert (got.status, got.body, got.headers["content-type"]) == (200, PNG, "image/png")
        assert site.get("/img/nothing").status == 403
        assert [event["status"] for event in site.events] == [200, 200, 200, 200, 403]
        assert b'aggregator_http_requests_total{kind="img",status="200"} 4.0' in site.metrics.render()


# S4: what is refused


@pytest.mark.parametrize("change", ["", "nothing", "short/aHR0cA", "{other}", "{replayed}", "{padded}", "{url}"])
def test_s4_without_a_signature_of_ours_nothing_is_asked(open_proxy, change):
    with open_proxy({"/a.png": response(PNG), "/b.png": response(PNG)}) as proxy:
        signature, origin = proxy.target().rsplit("/", 2)[1:]
        written = change.format(
            other=Signer("another key, as long").path(proxy.url()).partition("/")[2],
            replayed=f"{signature}/{proxy.target('/b.png').rpartition('/')[2]}",
            padded=f"{signature}/{origin}=",
            url=proxy.url(),
        )
        refused = proxy.ask(f"/img/{written}")
        assert refused.status == 403
        assert spoken(refused)["cache-control"] == "no-store"
        assert proxy.asked_for == []


def test_s4_nothing_private_is_asked_for_nor_followed_to(open_proxy, monkeypatch):
    monkeypatch.setattr(wire, "is_public", lambda address: address == "127.0.0.1")
    names = {"out.example": ["127.0.0.1"], "in.example": ["192.168.0.1"]}
    answers = {"/a.png": redirect("http://169.254.169.254/"), "/b.png": redirect("http://in.example/x.png")}
    with open_proxy(answers, names=names, fetch={"allow_private": False}) as proxy:
        port = proxy.origins.port
        urls = [f"http://out.example:{port}/{name}.png" for name in "ab"]
        urls += [
            f"http://127.0.0.1:{port}/",
            "http://localhost/",
            "http://[::1]/",
            "http://in.example/",
            "file:///etc/passwd",
        ]
        for url in urls:
            refused = proxy.ask(f"/{proxy.signer.path(url)}")
            assert refused.status == 403, url
            assert b"169" not in refused.body
            assert b"192" not in refused.body
        assert proxy.asked_for == ["/a.png", "/b.png"]


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n", 502, b"larger than this server takes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\x89PNG", 504, b"took too long"),
        (response(b"<!doctype html><p>", "Content-Type: image/png"), 502, b"no image that can be shown"),
        (response(SVG.replace(b"<circle", b"<script/><circle")), 502, b"no image that can be shown"),
        (response(status="404 Not Found"), 404, b"gone"),
        (response(status="410 Gone"), 410, b"gone"),
        (response(status="403 Forbidden"), 502, b"answered 403"),
        (response(status="500 Oh"), 502, b"answered 500"),
        (response(b"", "Retry-After: 120", status="503 Busy"), 503, b"left alone"),
        (b"nonsense\r\n\r\n", 502, b"cannot be reached"),
    ],
)
def test_s4_what_cannot_be_shown_is_said_and_not_asked_for_again_at_once(open_proxy, sent, status, words):
    with open_proxy({"/a.png": sent}, fetch={"timeout_s": 0.2}) as proxy:
        answer = proxy.get()
        assert answer.status == status
        assert words in answer.body
        assert spoken(answer)["cache-control"] == "public, max-age=60"
        asked_for = len(proxy.asked_for)
        assert proxy.get().status == status
        assert len(proxy.asked_for) == asked_for
        proxy.clock.now += DAY_S + 1
        proxy.answers["/a.png"] = response(PNG)
        assert proxy.get().status == 200


def test_a_host_that_wants_to_be_left_alone_is_for_all_of_its_images(open_proxy):
    answers = {"/a.png": response(b"", "Retry-After: 120", status="429 Slow"), "/b.png": response(PNG)}
    with open_proxy(answers) as proxy:
        assert spoken(proxy.get("/a.png"))["retry-after"] == "120"
        assert proxy.get("/b.png").status == 503
        proxy.clock.now += 121
        assert proxy.get("/b.png").status == 200


# Once for all, and not too many


def test_s4_fifty_who_want_the_same_at_once_make_one_request(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:

        async def fifty():
            return await asyncio.gather(*(proxy.asking(proxy.target()) for _ in range(50)))

        answers = proxy.runner.run(fifty())
        assert {answer.body for answer in answers} == {PNG}
        assert proxy.asked_for == ["/a.png"]


def test_s4_more_than_a_host_may_have_in_line_are_told_to_come_again(open_proxy, monkeypatch):
    monkeypatch.setattr(module, "_MOST_OF_A_HOST", 6)
    gate, arrived = threading.Event(), threading.Semaphore(0)

    def answer(connection, request):
        arrived.release()
        gate.wait(5)
        connection.sendall(response(PNG))

    with open_proxy(answer=answer) as proxy:

        async def ten():
            asking = [asyncio.ensure_future(proxy.asking(proxy.target(f"/{number}.png"))) for number in range(10)]
            for _ in range(4):
                await asyncio.to_thread(arrived.acquire, timeout=5)
            done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            at_a_time = len(proxy.asked_for)
            gate.set()
            return (
                at_a_time,
                {one.result().status for one in done},
                [one.status for one in await asyncio.gather(*asking)],
            )

        at_a_time, early, statuses = proxy.runner.run(ten())
        assert at_a_time == 4
        assert early == {503}
        assert sorted(statuses) == [200] * 6 + [503] * 4
        assert proxy.images.figures()["images_fetched"] == 6


def test_hosts_below_one_domain_have_no_more_places_than_one(open_proxy):
    gate, arrived = threading.Event(), threading.Semaphore(0)

    def answer(connection, request):
        if "slow" in request.split()[1]:
            arrived.release()
            gate.wait(5)
        connection.sendall(response(PNG))

    names = {f"h{number}.evil.example": ["127.0.0.1"] for number in range(20)}
    with open_proxy(answer=answer, names=names) as proxy:

        async def many():
            urls = [f"http://{name}:{proxy.origins.port}/slow.png" for name in names]
            asking = [asyncio.ensure_future(proxy.asking(f"/{proxy.signer.path(url)}")) for url in urls]
            for _ in range(4):
                await asyncio.to_thread(arrived.acquire, timeout=5)
            async with asyncio.timeout(4):
                other = await proxy.asking(proxy.target())
            at_a_time = len([path for path in proxy.asked_for if "slow" in path])
            gate.set()
            return at_a_time, [one.status for one in (other, *await asyncio.gather(*asking))]

        assert proxy.runner.run(many()) == (4, [200] * 21)


def test_a_host_that_does_not_answer_is_left_alone_for_all_of_its_images(open_proxy):
    drip = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\x89PNG"
    answers = {f"/{number}.png": drip for number in range(6)}
    with open_proxy(answers, fetch={"timeout_s": 0.1}) as proxy:
        assert [proxy.get(path).status for path in answers] == [504] * 6
        assert len(set(proxy.asked_for)) == 3
        proxy.clock.now += 61
        proxy.answers["/5.png"] = response(PNG)
        assert proxy.get("/5.png").status == 200
        assert proxy.get("/4.png").status == 504
        assert "/4.png" in proxy.asked_for


@pytest.mark.parametrize("host", ["feeds.example.com", "FEEDS.example.com.:443", "127.0.0.1:1", "another.example"])
def test_an_address_of_our_own_proxy_is_not_asked_for(open_proxy, host):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        for target in (proxy.target(), f"/planet{proxy.target()}?x=1", proxy.target().replace("img", "%69mg")):
            for scheme in ("http", "https"):
                refused = proxy.ask(f"/{proxy.signer.path(f'{scheme}://{host}{target}')}")
                assert refused.status == 403
                assert b"no address this server asks" in refused.body
        assert proxy.asked_for == []


def test_a_redirect_back_to_our_own_proxy_is_told_that_it_is_a_loop(open_proxy, serve):
    with (
        open_proxy({"/a.png": response(PNG)}) as proxy,
        serve(routes=proxy.images.routes(), at_once=(proxy.images,)) as site,
    ):
        proxy.answers["/loop.png"] = redirect(f"http://127.0.0.1:{site.port}{proxy.target()}")
        answer = site.get(proxy.target("/loop.png"))
        assert (answer.status, answer.body) == (502, b"502 Bad Gateway: Its server answered 508.\n")
        assert proxy.asked_for == ["/loop.png"]
        assert site.get(proxy.target(), CDN_Loop="another").status == 200


# The cache


def test_after_a_restart_an_image_comes_from_the_disk_and_is_the_same(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        before = proxy.get()
    with open_proxy() as proxy:
        after = proxy.get()
        assert (after.headers, after.body) == (before.headers, before.body)
        assert proxy.asked_for == ["/a.png"]
        assert proxy.images.figures()["images_cached"] == 1


def test_an_image_that_is_old_is_asked_for_again_and_shown_all_the_same_where_it_is_gone(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        first = spoken(proxy.get())
        proxy.clock.now += 31 * DAY_S
        assert spoken(proxy.get()) == first  # its bytes are the same, and since when
        assert len(proxy.asked_for) == 2
        proxy.clock.now += 31 * DAY_S
        proxy.answers["/a.png"] = response(status="410 Gone")
        stale = spoken(proxy.get())
        assert stale.pop("cache-control") == "public, max-age=86400, stale-if-error=31536000"  # until it is asked again
        assert stale == {name: value for name, value in first.items() if name != "cache-control"}
        proxy.clock.now += DAY_S - 30
        assert spoken(proxy.hot())["cache-control"].startswith("public, max-age=30,")
        assert len(proxy.asked_for) == 3
        proxy.clock.now += 2 * DAY_S
        proxy.answers["/a.png"] = response(picture(size=(9, 9)))
        later = spoken(proxy.get())
        assert later["etag"] != first["etag"]
        assert later["last-modified"] != first["last-modified"]


def test_what_was_noted_while_the_clock_was_ahead_does_not_stay(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        begin = proxy.clock.now
        proxy.clock.now += 3650 * DAY_S
        assert (proxy.get("/a.png").status, proxy.get("/b.png").status) == (200, 404)
        proxy.clock.now = begin
        proxy.answers["/b.png"] = response(PNG)
        proxy.answers["/a.png"] = response(status="500 Oh")
        assert spoken(proxy.get("/a.png"))["last-modified"] == "Tue, 14 Nov 2023 22:13:18 GMT"
        assert proxy.get("/b.png").status == 200
        proxy.clock.now += DAY_S
        proxy.answers["/a.png"] = response(PNG)
        assert spoken(proxy.get("/a.png"))["last-modified"] == "Wed, 15 Nov 2023 22:13:18 GMT"
        assert proxy.asked_for == ["/a.png", "/b.png", "/a.png", "/b.png", "/a.png"]
        proxy.clock.now += DAY_S
        assert spoken(proxy.get("/a.png"))["last-modified"] == "Wed, 15 Nov 2023 22:13:18 GMT"


def test_another_key_takes_effect_with_the_configuration(open_proxy):
    with open_proxy({"/a.png": response(PNG)}) as proxy:
        assert proxy.get().status == 200
        proxy.place.configure(images={**proxy.place.settings["images"], "key": "another key, as long"})
        assert proxy.hot() is None
        assert proxy.get().status == 403
        proxy.signer = Signer("another key, as long")
        assert proxy.get().status == 200
        assert proxy.asked_for == ["/a.png"]


def test_without_a_key_the_store_keeps_one(open_proxy):
    with open_proxy({"/a.png": response(PNG)}, images={"key": None}) as proxy:
        assert proxy.get().status == 403
        with proxy.place.store.read() as tx:
            proxy.signer = Signer(tx.settings.get("images key"))
        assert proxy.get().status == 200


def test_a_store_that_fails_is_not_taken_for_a_wrong_signature(open_proxy, monkeypatch):
    def fails(*_):
        raise StoreError("locked")

    with open_proxy({"/a.png": response(PNG)}) as proxy:
        monkeypatch.setattr(module, "signing_key", fails)
        with pytest.raises(StoreError):
            proxy.get()
        monkeypatch.undo()
        assert proxy.get().status == 200


# Smaller


def test_an_image_is_made_narrower_and_encoded_for_who_takes_that(open_proxy):
    large = picture("JPEG", (600, 400))
    form = {"width": 300, "format": "webp"}
    with open_proxy({"/a.jpg": response(large), "/b.gif": response(animation(size=(600, 40)))}, proxy=form) as proxy:
        plain, webp = proxy.get("/a.jpg"), proxy.get("/a.jpg", accept="image/avif,image/webp,*/*;q=0.8")
        assert [spoken(one)["content-type"] for one in (plain, webp)] == ["image/jpeg", "image/webp"]
        assert [size_of(one.body) for one in (plain, webp)] == [(300, 200)] * 2
        assert [spoken(one)["vary"] for one in (plain, webp)] == ["Accept"] * 2
        assert proxy.hot("/a.jpg") is plain
        assert proxy.hot("/a.jpg", accept="image/webp").body == webp.body
        assert proxy.hot("/a.jpg", accept="image/webp;q=0, image/*") is plain
        assert kind_of(proxy.get("/b.gif", accept="image/webp").body).suffix == "gif"
        assert proxy.asked_for == ["/a.jpg", "/b.gif"]


def test_a_picture_that_takes_long_to_scale_is_shown_as_it_is_until_then(open_proxy, monkeypatch):
    gate, begun = threading.Event(), threading.Event()

    def slow(body, form):
        begun.set()
        gate.wait(5)
        return scaled(body, form)

    monkeypatch.setattr(scaling_proxy, "scaled", slow)
    monkeypatch.setattr(module, "_SCALING_BYTES", 2 * module._SCALED_AS)
    large = picture("JPEG", (600, 400))
    answers = {f"/{number}.jpg": response(large) for number in range(3)} | {"/a.png": response(PNG)}
    with open_proxy(answers, proxy={"width": 300}) as proxy:

        async def two():
            asking = [asyncio.ensure_future(proxy.asking(proxy.target(f"/{number}.jpg"))) for number in range(2)]
            while len(proxy.images._making) < 2:
                await asyncio.to_thread(begun.wait, 5)
            async with asyncio.timeout(4):  # neither waits: nothing is to be gained, and there is no room in the line
                small, third = await proxy.asking(proxy.target()), await proxy.asking(proxy.target("/2.jpg"))
            monkeypatch.setattr(module, "_SCALING_PATIENCE_S", 0.01)
            proxy.clock.now += 11
            again = await proxy.asking(proxy.target("/2.jpg"))
            gate.set()
            return small, third, again, await asyncio.gather(*asking)

        small, third, again, made = proxy.runner.run(two())
        assert (small.body, third.body, again.body) == (PNG, large, large)
        assert spoken(third)["cache-control"] == "public, max-age=10, stale-if-error=31536000"
        assert [size_of(one.body) for one in made] == [(300, 200)] * 2
        proxy.clock.now += 11
        monkeypatch.setattr(module, "_SCALING_PATIENCE_S", 5)
        assert size_of(proxy.get("/2.jpg").body) == (300, 200)
        assert len(proxy.asked_for) == 4


def test_a_picture_that_is_not_scaled_in_time_is_scaled_for_who_comes_later(open_proxy, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(scaling_proxy, "scaled", lambda body, form: gate.wait(5) and scaled(body, form))
    monkeypatch.setattr(module, "_SCALING_PATIENCE_S", 0.01)
    large = picture("JPEG", (600, 400))
    with open_proxy({"/a.jpg": response(large)}, proxy={"width": 300}) as proxy:
        assert proxy.get("/a.jpg").body == large
        proxy.clock.now += 11
        assert proxy.get("/a.jpg").body == large  # it is being scaled still, and not once more
        proxy.clock.now += 11
        gate.set()

        async def made():
            await asyncio.wrap_future(proxy.images._scaling.submit(int))  # there is one thread: this comes after it
            return await proxy.asking(proxy.target("/a.jpg"))

        assert size_of(proxy.runner.run(made()).body) == (300, 200)


def test_a_referer_is_sent_to_who_wants_one(open_proxy):
    with open_proxy({}, names={"i.pximg.net": ["127.0.0.1"]}, answer=response(PNG)) as proxy:
        assert proxy.ask(f"/{proxy.signer.path(f'http://i.pximg.net:{proxy.origins.port}/a.png')}").status == 200
        assert header(proxy.origins.asked[0], "referer") == "https://www.pixiv.net/"
