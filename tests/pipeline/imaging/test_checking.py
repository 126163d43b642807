"""Images asked for as readers do: which of them are seen, and how politely that is found out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from pictures import picture
from servers import forged, header, kept, response

from aggregator.config.models import Config
from aggregator.pipeline.imaging import checking
from aggregator.pipeline.imaging.cache import ImageCache, Kept
from aggregator.pipeline.imaging.checking import check_images, shown_images
from aggregator.pipeline.imaging.verdicts import Found, Shown

NOW = datetime(2024, 5, 1, tzinfo=UTC)
PNG = response(picture())
NAMES = ("a.example", "b.example", "wx1.sinaimg.cn")


@pytest.fixture
def check(tmp_path):
    """What is found at each URL; names lead to this machine."""

    def run(*urls, waits=None, names=NAMES, **settings):
        site = {"base_url": "http://feeds.example.com/"}
        data = {"site": site, "fetch": {"allow_private": True, "min_gap_s": 0, "timeout_s": 2}, "output": "out"}
        config = Config.model_validate(data | settings, context={"folder": tmp_path})
        shown = [one if isinstance(one, Shown) else Shown(one, one, one.split("/")[2].split(":")[0]) for one in urls]
        resolve = forged({name: ["127.0.0.1"] for name in names})
        return list(check_images(config, shown, NOW, waits=waits or {}, resolve=resolve))

    return run


def found(looked):
    return [(one.found, one.helps) for one in looked]


def test_a_host_that_wants_a_referer_is_blocked_and_our_proxy_would_help(serve, check):
    def answer(connection, request):
        connection.sendall(PNG if header(request, "referer") == "https://weibo.com/" else response(status="403 No"))
        return "keep"

    server = serve(answer)
    assert found(check(f"http://wx1.sinaimg.cn:{server.port}/a.jpg")) == [(Found.BLOCKED, True)]
    assert found(check(f"http://a.example:{server.port}/a.jpg")) == [(Found.BLOCKED, False)]


@pytest.mark.parametrize("instead", [response(picture("GIF", (1, 1))), response(b"<!doctype html><p>no hotlinks</p>")])
def test_a_host_that_gives_strangers_something_else_is_found_out(serve, check, instead):
    def answer(connection, request):
        connection.sendall(PNG if header(request, "referer") else instead)
        return "keep"

    (looked,) = check(f"http://wx1.sinaimg.cn:{serve(answer).port}/a.jpg")
    assert looked.found in {Found.PLACEHOLDER, Found.NO_IMAGE}
    assert looked.helps


def test_one_picture_at_many_addresses_stands_for_those_that_are_not_there(serve, check):
    server = serve(lambda connection, _: connection.sendall(PNG) or "keep")
    urls = [f"http://a.example:{server.port}/{name}" for name in ("1.jpg", "2.jpg", "3.jpg")]
    looked = check(*urls)
    assert found(looked) == [(Found.PLACEHOLDER, False)] * 3
    assert looked[0].reason == "the same picture at several addresses"
    assert found(check(urls[0], f"{urls[0]}?v=2", urls[1])) == [(Found.FINE, False)] * 3


def test_what_was_there_when_asked_again_is_unsteady(serve, check):
    def answer(connection, request):
        path = request.split()[1]
        is_first = sum(one.split()[1] == path for one in server.asked) == 1
        connection.sendall(response(status="503 Busy") if path == "/b.jpg" and is_first else PNG)
        return "keep"

    server = serve(answer)
    assert found(check(*(f"http://a.example:{server.port}/{name}.jpg" for name in "ab"))) == [
        (Found.FINE, False),
        (Found.UNSTEADY, False),
    ]


def test_a_host_that_answers_nobody_is_asked_for_two_images_and_no_more(check):
    looked = check(*(f"http://gone.example/{number}.jpg" for number in range(5)))
    assert Counter(one.found for one in looked) == {Found.DEAD: 2, Found.NOT_ASKED: 3}
    assert "not known" in looked[0].reason


def test_a_scheme_or_port_that_answers_nobody_leaves_the_others_of_its_host_alone(serve, check):
    port = serve(PNG).port
    looked = check(*(f"https://a.example:1/{number}.jpg" for number in range(3)), f"http://a.example:{port}/a.jpg")
    assert [(one.found, one.is_away) for one in looked] == [
        (Found.DEAD, True),
        (Found.DEAD, True),
        (Found.NOT_ASKED, False),
        (Found.FINE, False),
    ]


def test_what_we_refuse_ourselves_is_not_dead(serve, check):
    server = serve(PNG)
    url = f"http://a.example:{server.port}/a.jpg"
    (looked,) = check(url, fetch={"allow_private": False})
    assert (looked.found, looked.is_unseen) == (Found.REFUSED, False)
    assert looked.reason.endswith("no public address; for images only `fetch.allow_private` counts")
    assert server.asked == []
    ours = Shown("http://feeds.example.com/img/signature/origin", url, "a.example", "proxy")
    assert [one.is_unseen for one in check(ours, fetch={"allow_private": False})] == [True]
    small = {"images": {"max_bytes": 1}}
    assert [one.found for one in (*check(ours, **small), *check(url, **small))] == [Found.REFUSED, Found.FINE]


@pytest.mark.parametrize("answer", [response(status="502 Bad Gateway"), None])
def test_a_wrapper_that_fails_says_nothing_of_the_origin(serve, check, answer):
    port = serve(answer).port if answer else 1
    shown = [Shown(f"http://a.example:{port}/?url={n}", f"http://b.example/{n}", "b.example", "wrap") for n in range(3)]
    assert {one.at for one in check(*shown)} == {f"http://a.example:{port}"}


def test_a_wrapper_that_knows_no_image_is_not_believed_before_the_origin_was_asked(serve, check):
    wrapper, port = serve(kept({})), serve(PNG).port
    shown = Shown(f"http://a.example:{wrapper.port}/?url=b", f"http://b.example:{port}/b", "b.example", "wrap")
    assert [(one.found, one.helps, one.at) for one in check(shown)] == [(Found.DEAD, True, "")]


def test_what_only_our_cache_still_has_is_seen(serve, check, tmp_path):
    origins = [f"http://a.example:{serve(kept({})).port}/{name}.jpg" for name in "ab"]
    ImageCache(tmp_path / "cache", 10_000, clock=lambda: 1.0).put(origins[0], Kept(picture(), "image/png", 1.0, 1.0))
    shown = [Shown(f"http://feeds.example.com/img/s/{one}", f"{one}#x", "a.example", "proxy") for one in origins]
    looked = check(*shown, images={"proxy": {"cache": "cache"}})
    assert [(one.found, one.is_kept) for one in looked] == [(Found.UNSTEADY, True), (Found.DEAD, False)]
    assert looked[0].reason == "only our cache still has it: answered 404 Not Found"


def test_one_host_is_asked_for_no_more_than_so_many(serve, check, monkeypatch):
    monkeypatch.setattr(checking, "MOST", 2)
    server = serve(kept({}))
    looked = check(*(f"http://a.example:{server.port}/{number}.jpg" for number in range(4)))
    assert Counter(one.found for one in looked) == {Found.DEAD: 2, Found.NOT_ASKED: 2}
    assert len(server.asked) == 2


def test_a_host_that_asked_to_be_left_alone_is(serve, check):
    server = serve(response(b"", "Retry-After: 3600", status="503 Busy"))
    url = f"http://a.example:{server.port}/a.jpg"
    assert found(check(url, waits={"a.example": NOW + timedelta(hours=1)})) == [(Found.NOT_ASKED, False)]
    assert server.asked == []
    assert Counter(one.found for one in check(url, f"{url}?2")) == {Found.NOT_ASKED: 2}
    assert len(server.asked) == 1


def test_http_on_https_pages_is_insecure(serve, check):
    server = serve(PNG)
    url = f"http://a.example:{server.port}/a.jpg"
    assert found(check(url, site={"base_url": "https://feeds.example.com/"})) == [(Found.INSECURE, False)]


def test_what_our_own_proxy_shows_is_asked_of_the_origin_as_it_does(serve, check):
    server = serve(PNG)
    origin = f"http://wx1.sinaimg.cn:{server.port}/a.jpg"
    ours = Shown("http://feeds.example.com/img/signature/origin", origin, "wx1.sinaimg.cn", "proxy")
    assert found(check(ours)) == [(Found.FINE, False)]
    assert header(server.asked[0], "referer") == "https://weibo.com/"


def test_of_our_own_copies_the_files_are_looked_at(check, tmp_path):
    folder = tmp_path / "out/media/ab"
    folder.mkdir(parents=True)
    (folder / "ab1.png").write_bytes(picture())
    (folder / "ab2.png").write_bytes(b"<html>")
    names = ("ab1.png", "ab2.png", "ab3.png")
    shown = [Shown(f"http://feeds.example.com/media/ab/{name}", "", "a.example", "mirror") for name in names]
    looked = check(*shown)
    assert [one.found for one in looked] == [Found.FINE, Found.NO_IMAGE, Found.DEAD]
    assert looked[2].reason == "our copy cannot be read: No such file or directory"


def test_the_images_of_the_newest_posts_are_those_that_are_published(blog, monkeypatch):
    monkeypatch.setattr(checking, "NEWEST", 2)
    for day in (1, 2, 3):
        images = (
            f'<img src="https://a.example/{day}.jpg"><img src="https://b.example/x.jpg"><img src="https://c.example/x">'
        )
        blog.post(f"{day}.md", images, date=f"2024-01-0{day} 00:00:00", link=f"https://blog.example/{day}")
    blog.settings["images"] = {
        "rules": [
            {"hosts": "b.example", "action": "proxy"},
            {"hosts": "c.example", "action": "drop"},
        ]
    }
    blog.settings["feeds"] = [{"slug": "one", "title": "o", "limit": 1}]
    blog.run()
    shown = shown_images(blog.config, blog.store)
    assert [one.origin for one in shown] == [
        "https://a.example/3.jpg",
        "https://b.example/x.jpg",
        "https://a.example/2.jpg",
    ]
    assert [(one.action, one.host, one.post) for one in shown[:2]] == [
        ("link", "a.example", "https://blog.example/3"),
        ("proxy", "b.example", "https://blog.example/3"),
    ]
    assert [one.rules for one in shown[:2]] == [(), (("images.rules[0]", "proxy"),)]
    assert shown[1].url.startswith("https://feeds.example.com/img/")
    assert [one.origin for one in shown_images(blog.config, blog.store, ["one"])] == [one.origin for one in shown[:2]]
