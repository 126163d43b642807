"""Documents over a real socket; what is decided about them is tested by itself in `test_conditions` and `test_replies`."""

import asyncio
import gzip
import hashlib
import threading
import time
from datetime import timedelta

import brotli
import pytest

from aggregator.publish.manifest import MANIFEST

RSS = b"<rss>" + b"<item>one</item>" * 100 + b"</rss>"
TAG = 'W/"another"'


def etag(body):
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


@pytest.fixture
def rss(place):
    return place.publish("all/rss.xml", RSS)


def test_a_document_is_served_as_what_it_is(site, rss):
    reply = site.get("/all/rss.xml")
    assert (reply.status, reply.body) == (200, RSS)
    assert reply.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert reply.headers["content-length"] == str(len(RSS))
    assert reply.headers["etag"] == etag(RSS)
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "last-modified" in reply.headers
    assert "server" not in reply.headers


@pytest.mark.parametrize(("coding", "decode"), [("gzip", gzip.decompress), ("br", brotli.decompress)])
def test_each_coding_has_an_etag_of_its_own_over_its_own_bytes(site, rss, coding, decode):
    reply = site.get("/all/rss.xml", Accept_Encoding=coding)
    assert reply.headers["content-encoding"] == coding
    assert decode(reply.body) == RSS
    assert reply.headers["etag"] == etag(reply.body) != etag(RSS)
    assert reply.headers["content-length"] == str(len(reply.body))
    again = site.get("/all/rss.xml", Accept_Encoding=coding, If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_what_gets_no_smaller_is_sent_without_coding(site):
    site.place.publish("all/feed.json", b"{}")
    reply = site.get("/all/feed.json", Accept_Encoding="gzip, br")
    assert "content-encoding" not in reply.headers
    assert reply.body == b"{}"


def test_a_304_has_what_a_cache_needs_and_nothing_about_a_body(site, rss):
    reply = site.get("/all/rss.xml", If_None_Match=etag(RSS))
    assert reply.status == 304
    assert {"etag", "cache-control", "vary", "date"} <= reply.headers.keys()
    assert reply.headers.keys().isdisjoint({"content-type", "content-length", "content-encoding", "last-modified"})


def test_a_head_has_the_headers_of_a_get_and_no_body(site, rss):
    got, head = site.get("/all/rss.xml"), site.get("/all/rss.xml", method="HEAD")
    assert head.body == b""
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


def test_a_young_version_has_no_date_because_another_may_come_in_the_same_second(site):
    site.place.publish("all/rss.xml", RSS, age_s=0)
    assert "last-modified" not in site.get("/all/rss.xml").headers
    assert site.get("/all/rss.xml", If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status == 200


def test_a_regenerated_document_is_seen_at_once_whoever_wrote_it(site, rss):
    for number in range(20):
        body = b"<rss>%d</rss>" % number
        site.place.publish("all/rss.xml", body, age_s=100)
        assert site.get("/all/rss.xml").body == body


def test_a_document_of_the_same_size_and_second_is_told_apart(site):
    for _ in range(10):
        for body in (b"<rss>a</rss>", b"<rss>b</rss>"):
            site.place.publish("all/rss.xml", body, age_s=0)
            assert site.get("/all/rss.xml").body == body


def test_a_document_that_is_gone_is_404(site, rss):
    assert site.get("/all/rss.xml").status == 200
    rss.unlink()
    assert site.get("/all/rss.xml").status == 404


def test_a_document_that_left_the_manifest_is_404_even_while_it_lies_there(site, rss):
    assert site.get("/all/rss.xml").status == 200
    (site.place.output / MANIFEST).write_text('{"version": 1, "documents": []}')
    assert [site.get("/all/rss.xml").status for _ in range(3)] == [404, 404, 404]


def test_a_range_is_cut_from_the_coded_bytes(site, rss):
    whole = site.get("/all/rss.xml", Accept_Encoding="gzip")
    part = site.get("/all/rss.xml", Accept_Encoding="gzip", Range="bytes=5-9", If_Range=whole.headers["etag"])
    assert (part.status, part.body) == (206, whole.body[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(whole.body)}"
    assert part.headers["etag"] == whole.headers["etag"]


def test_s1_a_range_beyond_the_end_is_416_with_the_length(site, rss):
    for header in ("bytes=99999-", "bytes=nonsense"):
        reply = site.get("/all/rss.xml", Range=header)
        assert reply.status == 416
        assert reply.headers["content-range"] == f"bytes */{len(RSS)}"


def test_s2_a_failed_precondition_is_412(site, rss):
    assert site.get("/all/rss.xml", If_Match='"other"').status == 412
    assert site.get("/all/rss.xml", If_Match=etag(RSS)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_s1_other_methods_are_refused_with_those_that_are_allowed(site, rss, method):
    reply = site.get("/all/rss.xml", method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_scripts_of_other_sites_may_read_feeds_and_their_etags(site, rss):
    reply = site.get("/all/rss.xml", Origin="https://reader.example")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "ETag" in reply.headers["access-control-expose-headers"]
    preflight = site.get("/all/rss.xml", method="OPTIONS", Origin="https://reader.example")
    assert preflight.status == 204
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]


def test_a_page_cannot_be_framed_and_has_no_cors_whoever_makes_it(serve, place):
    from aggregator.serve.pages import routes

    place.publish("index.html", b"<!doctype html>")
    place.store.open()
    with serve(routes=routes(place.daemon)) as site:
        for path in ("/index.html", "/", "/search?q=x", "/status"):
            reply = site.get(path)
            assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert reply.headers["content-security-policy"] == "frame-ancestors 'none'"
            assert "access-control-allow-origin" not in reply.headers
        assert "content-security-policy" not in site.get("/status.json").headers


# -- places -----------------------------------------------------------------------------------------------------------------


def test_a_directory_is_its_index_and_without_its_slash_leads_there(site):
    site.place.publish("docker/index.html", b"<!doctype html>docker")
    assert site.get("/docker/").body == b"<!doctype html>docker"
    reply = site.get("/docker")
    assert (reply.status, reply.headers["location"]) == (301, "/docker/")


def test_names_beyond_ascii_are_percent_encoded(site):
    site.place.publish("category/新媒体/C++/rss.xml", RSS)
    site.place.publish("category/新媒体/index.html", b"page")
    encoded = "/category/%E6%96%B0%E5%AA%92%E4%BD%93"
    assert site.get(f"{encoded}/C%2B%2B/rss.xml").body == RSS
    assert site.get(f"{encoded}/C++/rss.xml").body == RSS
    assert site.get(encoded).headers["location"] == f"{encoded}/"


def test_s6_links_come_from_base_url_whatever_host_is_forged(site, rss):
    site.place.publish("docker/index.html", b"page")
    forged = {
        "Host": "evil.example",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "gopher",
        "Forwarded": "host=evil",
    }
    for target in ("/all/rss.xml", "/docker", "http://evil.example/all/rss.xml"):
        reply = site.get(target, **forged)
        assert reply.status in {200, 301}
        assert "evil" not in str(reply.headers)
    assert site.get("/all/rss.xml", **forged).headers["link"] == '<https://feeds.example.com/all/rss.xml>; rel="self"'


@pytest.mark.parametrize(
    ("hub", "named"),
    [("builtin", "https://feeds.example.com/websub"), ("https://hub.example/", "https://hub.example/")],
)
def test_the_hub_is_named_beside_the_documents_own_address(site, rss, hub, named):
    site.place.configure(websub={"hub": hub})
    link = site.get("/all/rss.xml").headers["link"]
    assert link == f'<https://feeds.example.com/all/rss.xml>; rel="self", <{named}>; rel="hub"'


def test_below_a_path_of_base_url_documents_are_served_with_it_and_without(site, place, rss):
    place.configure(site={"base_url": "https://example.com/planet/"})
    place.publish("planet/rss.xml", b"<rss>planet</rss>")
    place.publish("docker/index.html", b"page")
    for _ in range(2):
        assert site.get("/planet/all/rss.xml").body == RSS
        assert site.get("/all/rss.xml").body == RSS
        assert site.get("/planet/planet/rss.xml").body == b"<rss>planet</rss>"
        assert site.get("/planet/rss.xml").body == b"<rss>planet</rss>"
    assert site.get("/docker").headers["location"] == "/planet/docker/"
    assert (site.get("/planet").status, site.get("/planet").headers["location"]) == (301, "/planet/")
    assert "https://example.com/planet/all/rss.xml" in site.get("/all/rss.xml").headers["link"]


@pytest.mark.parametrize("base_url", ["https://example.com/订阅/a+b/", "https://example.com/%e8%ae%a2%E9%98%85/a%2Bb/"])
def test_documents_lie_below_a_base_url_however_it_is_written(place, site, rss, base_url):
    place.publish("docker/index.html", b"page")
    place.configure(site={"base_url": base_url}, websub={"hub": "https://hub.例え.jp/"})
    below = "/%E8%AE%A2%E9%98%85/a%2Bb/"
    for target in (below + "all/rss.xml", "/%E8%ae%a2%e9%98%85/a+b/all/rss.xml", "/all/rss.xml"):
        reply = site.get(target)
        assert reply.body == RSS
        assert "?" not in reply.headers["link"]
        assert '<https://hub.xn--r8jz45g.jp/>; rel="hub"' in reply.headers["link"]
    assert site.get("/docker").headers["location"] == below + "docker/"


def test_another_configuration_counts_at_once(site, rss, tmp_path):
    assert "hub" not in site.get("/all/rss.xml").headers["link"]
    site.place.configure(websub={"hub": "builtin"})
    assert "hub" in site.get("/all/rss.xml").headers["link"]
    site.place.configure(output="elsewhere")
    assert site.get("/all/rss.xml").status == 404


# -- how long it holds --------------------------------------------------------------------------------------------------------


def test_an_answer_holds_until_a_source_of_the_feed_is_due(site, store_with_posts):
    daemon = site.place.daemon
    daemon.due = {"blog": daemon.now() + timedelta(minutes=30), "other": daemon.now() + timedelta(minutes=2)}
    site.place.publish("all/rss.xml", RSS)
    site.place.publish("a/rss.xml", RSS)
    assert 1700 < max_age(site.get("/a/rss.xml")) <= 1800
    assert 60 < max_age(site.get("/all/rss.xml")) <= 120


def test_an_answer_never_holds_less_than_a_minute_or_more_than_an_hour(site, rss):
    assert max_age(site.get("/all/rss.xml")) == 3600
    site.place.publish("feeds.opml", b"<opml/>")
    for due, held in ((None, 60), (site.place.daemon.now() - timedelta(days=1), 60)):
        site.place.daemon.due = {"blog": due}
        site.documents._freshness._looked = None
        assert max_age(site.get("/feeds.opml")) == held


def test_caches_may_go_on_while_the_server_does_not_answer(site, rss):
    directives = site.get("/all/rss.xml").headers["cache-control"].split(", ")
    assert directives == ["public", "max-age=3600", "stale-while-revalidate=3600", "stale-if-error=86400"]


def max_age(reply):
    return int(reply.headers["cache-control"].split("max-age=")[1].split(",")[0])


@pytest.fixture
def store_with_posts(place):
    from builders import NOON, a_post, an_entry

    place.configure(feeds=[{"slug": "a", "title": "A", "categories": ["a"]}])
    with place.store.write() as tx:
        tx.posts.put([an_entry(a_post("a")), an_entry(a_post("b", source="other"))], {}, NOON)


# -- private feeds ------------------------------------------------------------------------------------------------------------

TOKEN = "s3cret-s3cret-s3cret"


@pytest.fixture
def private(place, monkeypatch):
    """A private feed, as regenerating publishes it."""
    from aggregator.models import Feed

    feed = Feed(slug="mine", directory=f"private/{TOKEN}/mine", title="Mine", private=True)
    monkeypatch.setattr("aggregator.serve.documents.private_feeds", lambda *_: [feed])
    place.publish(f"private/{TOKEN}/mine/rss.xml", RSS)
    place.publish(f"private/{TOKEN}/mine/index.html", b"page")
    place.publish("private/left-over-token/mine/rss.xml", RSS)
    return f"/private/{TOKEN}/mine"


def test_a_private_feed_is_served_to_who_knows_its_address_and_to_no_index(site, private):
    for _ in range(2):
        reply = site.get(f"{private}/rss.xml")
        assert (reply.status, reply.body) == (200, RSS)
        assert reply.headers["cache-control"].startswith("private, max-age=")
        assert reply.headers["x-robots-tag"] == "noindex, nofollow"
        assert reply.headers["referrer-policy"] == "no-referrer"
    assert site.get(f"{private}/").body == b"page"
    assert site.get(f"{private}/rss.xml", If_None_Match=etag(RSS)).headers["cache-control"].startswith("private")


def test_f16_a_wrong_token_is_an_ordinary_404(site, private):
    ordinary = site.get("/nothing/rss.xml")
    for target in (
        "/private/wrong-wrong-wrong-wr/mine/rss.xml",
        f"/private/{TOKEN[:-1]}/mine/rss.xml",
        f"/private/{TOKEN}x/mine/rss.xml",
        f"/private/{TOKEN}/other/rss.xml",
        f"/private/{TOKEN}/mine/atom.xml",
        f"/private/{TOKEN}/",
        f"/private/{TOKEN}",
        "/private/",
        "/private/left-over-token/mine/rss.xml",
    ):
        reply = site.get(target)
        assert (reply.status, reply.body) == (404, ordinary.body)
        assert {**reply.headers, "date": ""} == {**ordinary.headers, "date": ""}


def test_f16_a_token_is_in_no_log_and_no_metric(site, private):
    for target in (
        f"{private}/rss.xml",
        f"{private}/atom.xml",
        f"/%70rivate/{TOKEN}/mine/rss.xml",
        f"/status?token={TOKEN}",
    ):
        site.get(target)
    site.get("/metrics")
    assert len(site.events) >= 4
    assert TOKEN not in str(site.events)
    assert TOKEN not in site.metrics.render().decode()


def test_a_private_feed_tells_of_our_own_hub_and_of_nobody_elses(site, place, private):
    place.configure(websub={"hub": "https://hub.example/"})
    assert "hub.example" not in site.get(f"{private}/rss.xml").headers["link"]
    place.configure(websub={"hub": "builtin"})
    assert 'rel="hub"' in site.get(f"{private}/rss.xml").headers["link"]


def test_while_the_store_fails_public_documents_are_served_and_private_ones_come_back(site, private, monkeypatch):
    from aggregator.errors import StoreError
    from aggregator.serve import documents as module

    site.place.publish("all/rss.xml", RSS)

    def broken(*_):
        raise StoreError("it is locked")

    with monkeypatch.context() as patch:
        patch.setattr(module, "private_feeds", broken)
        patch.setattr(module, "published_feeds", broken)
        patch.setattr(module, "_ASK_AGAIN_S", 0.1)
        assert site.get("/all/rss.xml").body == RSS
        assert site.get(f"{private}/rss.xml").status == 404
    time.sleep(0.15)
    assert site.get(f"{private}/rss.xml").status == 200


@pytest.fixture
def ask(place):
    """Asks for a path of a place whose private feed has no token yet; time passes by the test's word alone."""
    from aggregator.serve.documents import Documents

    place.configure(feeds=[{"slug": "mine", "title": "Mine", "private": True}])
    clocks = {"wall": time.time(), "monotonic": 0.0}
    documents = Documents(place.daemon, clock=lambda: clocks["wall"], monotonic=lambda: clocks["monotonic"])

    def get(path, **passed):
        for name, seconds in passed.items():
            clocks[name] += seconds
        return asyncio.run(documents.answer(b"GET", path.encode(), [])).status

    yield get
    documents.close()


def regenerated(place):
    """Where the private feed is, now that it has its token."""
    from aggregator.pipeline.regenerate import Regenerator

    regenerator = Regenerator(place.config, place.store, lambda: None)
    list(regenerator.regenerate())
    [directory] = [feed.directory for feed in regenerator.feeds() if feed.private]
    return f"/{directory}/rss.xml"


def test_a_private_feed_is_there_as_soon_as_regenerating_gave_it_its_token(place, ask):
    assert ask("/private/anything/mine/rss.xml") == 404
    path = regenerated(place)
    assert ask(path) == 404  # nobody has the store asked more than once a second
    assert ask(path, monotonic=1) == 200


def test_a_private_feed_comes_back_when_the_store_does_however_the_clock_is_set(place, ask, monkeypatch):
    from aggregator.errors import StoreError
    from aggregator.serve import documents as module

    def broken(*_):
        raise StoreError("it is locked")

    path = regenerated(place)
    with monkeypatch.context() as patch:
        patch.setattr(module, "private_feeds", broken)
        assert ask(path) == 404
    assert ask(path, monotonic=5, wall=-3600) == 200


# -- only what is new -----------------------------------------------------------------------------------------------------------


def feed_of(*items):
    return (
        b"<rss><channel><title>t</title>"
        + b"\n".join(b"<item>%d</item>" % item for item in items)
        + b"</channel></rss>"
    )


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_who_asks_for_feed_gets_only_the_items_it_does_not_have(site, coding):
    site.place.publish("all/rss.xml", feed_of(*range(100)))
    old = site.get("/all/rss.xml", Accept_Encoding=coding).headers["etag"]
    site.place.publish("all/rss.xml", feed_of(1001, 1000, *range(98)))
    whole = site.get("/all/rss.xml", Accept_Encoding=coding)
    reply = site.get("/all/rss.xml", Accept_Encoding=coding, A_IM="feed", If_None_Match=f'"x", {old}')
    assert reply.status == 226
    assert (reply.headers["im"], reply.headers["delta-base"]) == ("feed", old)
    assert reply.headers["etag"] == whole.headers["etag"]
    assert reply.headers["cache-control"] == "no-store, im"
    assert int(reply.headers["content-length"]) == len(reply.body)
    body = gzip.decompress(reply.body) if coding == "gzip" else reply.body
    assert body == feed_of(1001, 1000)
    assert (
        site.get("/all/rss.xml", Accept_Encoding=coding, A_IM="feed", If_None_Match=whole.headers["etag"]).status == 304
    )


def test_who_has_a_version_that_nobody_remembers_gets_everything(site):
    site.place.publish("all/rss.xml", feed_of(1, 2))
    reply = site.get("/all/rss.xml", A_IM="feed", If_None_Match='"unknown"')
    assert (reply.status, reply.body) == (200, feed_of(1, 2))
    assert site.get("/all/rss.xml", A_IM="feed").status == 200


def test_a_head_that_asks_for_feed_is_told_of_the_whole(site):
    site.place.publish("all/rss.xml", feed_of(1))
    old = site.get("/all/rss.xml").headers["etag"]
    site.place.publish("all/rss.xml", feed_of(2, 1))
    site.get("/all/rss.xml")
    assert site.get("/all/rss.xml", method="HEAD", A_IM="feed", If_None_Match=old).status == 200


# -- memory ---------------------------------------------------------------------------------------------------------------------


def test_memory_is_bounded_and_the_least_recently_used_goes(place, serve):
    from aggregator.serve.documents import Documents

    documents = Documents(place.daemon, max_bytes=3500)
    try:
        for name in "abcd":
            place.publish(f"{name}/rss.xml", bytes(1000))

        async def ask(names):
            for name in names:
                assert (await documents.answer(b"GET", f"/{name}/rss.xml".encode(), [])).status == 200

        asyncio.run(ask("abcbd"))
        assert documents.shelf.size == 3000
        assert list(documents.shelf._versions) == ["c/rss.xml", "b/rss.xml", "d/rss.xml"]
    finally:
        documents.close()


def test_a_hundred_who_ask_at_once_have_it_read_and_coded_once(place, rss, monkeypatch):
    from aggregator.serve import shelf
    from aggregator.serve.documents import Documents

    calls = []
    read, code = shelf.read_document, shelf.coded

    def slowly(work):
        def call(*arguments):
            calls.append(work.__name__)
            time.sleep(0.05)
            return work(*arguments)

        return call

    monkeypatch.setattr(shelf, "read_document", slowly(read))
    monkeypatch.setattr(shelf, "coded", slowly(code))
    documents = Documents(place.daemon)

    async def ask():
        asking = [documents.answer(b"GET", b"/all/rss.xml", [(b"accept-encoding", b"gzip")]) for _ in range(100)]
        return await asyncio.gather(*asking)

    try:
        answers = asyncio.run(ask())
    finally:
        documents.close()
    assert calls == ["read_document", "coded"]
    assert {answer.body for answer in answers} == {gzip.compress(RSS, 9, mtime=0)}


# -- many at once -----------------------------------------------------------------------------------------------------------------


def test_s3_two_hundred_readers_during_a_regenerate_get_whole_versions_with_their_own_etags(site):
    versions = [b"<rss>%d" % number + b"<item/>" * (2000 + number) + b"</rss>" for number in range(20)]
    site.place.publish("all/rss.xml", versions[0], age_s=0)
    is_done, answered = threading.Event(), []

    async def reader(coding, decode):
        reading, writing = await asyncio.open_connection("127.0.0.1", site.port)
        seen = set()
        while not is_done.is_set() or not seen:
            writing.write(b"GET /all/rss.xml HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %b\r\n\r\n" % coding)
            head = (await reading.readuntil(b"\r\n\r\n")).decode()
            body = await reading.readexactly(int(head.split("content-length: ")[1].split()[0]))
            assert head.startswith("HTTP/1.1 200")
            assert head.split("etag: ")[1].split()[0] == etag(body)
            assert decode(body) in versions
            seen.add(body)
            answered.append(1)
        writing.close()
        await writing.wait_closed()
        return seen

    async def read():
        codings = [(b"gzip", gzip.decompress), (b"identity", bytes)] * 100
        return await asyncio.gather(*(reader(*coding) for coding in codings))

    def regenerate():
        for body in versions:
            site.place.publish("all/rss.xml", body, age_s=0)
            wanted, end = len(answered) + 20, time.monotonic() + 2
            while len(answered) < wanted and time.monotonic() < end:
                time.sleep(0.001)
        is_done.set()

    writer = threading.Thread(target=regenerate)
    writer.start()
    seen = set().union(*asyncio.run(read()))
    writer.join()
    assert len({body for body in seen if body in versions}) > 5
    assert site.get("/all/rss.xml").body == versions[-1]


def test_everything_that_a_run_publishes_is_served_as_it_lies_there(site, tmp_path):
    from datetime import UTC, datetime

    from aggregator.pipeline.published import listed_documents, media_type, url_path
    from aggregator.schedule.once import run_once

    post = tmp_path / "posts" / "a.md"
    post.parent.mkdir()
    post.write_text("---\ntitle: One\ndate: 2024-01-02\ncategories: [新媒体, C++]\n---\nText\n")
    site.place.configure(sources=[{"name": "blog", "type": "front-matter", "path": "posts"}])
    run_once(site.place.config, site.place.store, datetime(2024, 5, 1, tzinfo=UTC), site.place.config.sources)
    paths = listed_documents(site.place.output)
    assert len(paths) > 10
    for path in paths:
        reply = site.get(f"/{url_path(path)}")
        assert (reply.status, reply.body) == (200, (site.place.output / path).read_bytes())
        assert reply.headers["content-type"] == media_type(path)
