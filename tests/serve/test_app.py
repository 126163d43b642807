import re

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from aggregator.pipeline.results import FeedResult, SourceResult

SECRET = "the content of a file that nobody published"


@pytest.fixture
def secrets(place):
    """Files beside the documents, in the output and outside it."""
    place.publish("all/rss.xml", b"<rss/>")
    place.publish("index.html", b"front page")
    (place.output / "all" / "backup.xml").write_text(SECRET)
    (place.output / ".env").write_text(SECRET)
    (place.folder / "secret.txt").write_text(SECRET)


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/all/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/all/rss.xml%00",
        "/all/%00/rss.xml",
        "/all%2Frss.xml",
        "/all/backup.xml",
        "/.env",
        "/.aggregator-manifest.json",
        "//etc/passwd",
        "///all/rss.xml",
        "/all//rss.xml",
        "/./all/rss.xml",
        "/all/rss.xml/",
        "/all/rss.xml/..",
        "/%zz",
        "/%e4%b8",
        "/%",
        "/all/rss.xml;x",
        "/ALL/rss.xml",
        "/file:///etc/passwd",
    ],
)
def test_s1_nothing_but_documents_has_a_name(site, secrets, target):
    reply = site.get(target)
    assert reply.status in {400, 404}
    assert SECRET not in reply.body.decode()
    assert str(site.place.folder) not in reply.body.decode()
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_s1_a_document_that_became_a_link_leads_nowhere(site, secrets):
    file = site.place.output / "all" / "rss.xml"
    assert site.get("/all/rss.xml").status == 200
    file.unlink()
    file.symlink_to(site.place.folder / "secret.txt")
    assert site.get("/all/rss.xml").status == 404


def test_health_is_what_the_daemon_says(site):
    assert site.get("/healthz").status == 200
    site.place.daemon.trouble = "the store is locked"
    reply = site.get("/healthz")
    assert reply.status == 503
    assert b"the store is locked" in reply.body
    assert reply.headers["cache-control"] == "no-store"


def test_it_is_ready_once_feeds_were_regenerated(site):
    site.place.daemon.is_ready = False
    assert site.get("/readyz").status == 503
    site.place.daemon.is_ready = True
    assert site.get("/readyz").status == 200


def test_metrics_count_requests_refreshes_and_documents(site, secrets):
    site.metrics.source(SourceResult("blog", new=3, how="parsed"))
    site.metrics.source(SourceResult("blog", error="it is broken"))
    site.metrics.feed(FeedResult("all", 3, None, ("all/rss.xml",), ("all/atom.xml", "all/feed.json")))
    site.get("/all/rss.xml")
    site.get("/nothing")
    text = site.get("/metrics").body.decode()
    for line in (
        'aggregator_refreshes_total{outcome="new"} 1.0',
        'aggregator_refreshes_total{outcome="failed"} 1.0',
        'aggregator_posts_total{what="new"} 3.0',
        'aggregator_documents_total{what="written"} 1.0',
        'aggregator_documents_total{what="unchanged"} 2.0',
        'aggregator_http_requests_total{kind="rss",status="200"} 1.0',
        'aggregator_http_requests_total{kind="other",status="404"} 1.0',
        'aggregator_http_sent_bytes_total{kind="rss"} 6.0',
        'aggregator_http_request_seconds_count{kind="rss"} 1.0',
        "aggregator_cached_documents 1.0",
        "aggregator_ready 1.0",
    ):
        assert line in text
    assert "blog" not in text


def test_metrics_know_a_page_also_where_a_proxy_left_the_path_of_base_url(site, secrets):
    site.place.configure(site={"base_url": "https://example.com/status/"})
    for target in ("/status/status", "/status/all/rss.xml", "/status/healthz", "/%68ealthz", "/\\"):
        site.get(target)
    text = site.metrics.render().decode()
    for kind, count in (("status", 1), ("rss", 1), ("healthz", 2), ("other", 1)):
        assert re.search(rf'aggregator_http_request_seconds_count{{kind="{kind}"}} {count}.0', text), kind


def test_metrics_tell_how_many_sources_are_well(site):
    site.place.configure(
        sources=[{"name": name, "type": "feed", "url": "https://a.example/feed"} for name in ("one", "two")]
    )
    assert 'aggregator_sources{health="never-asked"} 2.0' in site.get("/metrics").body.decode()


def test_metrics_can_be_switched_off(site):
    site.place.configure(serve={"metrics": False})
    assert site.get("/metrics").status == 404
    assert site.get("/metrics", Accept="text/html").headers["content-type"].startswith("text/html")


async def fails(_):
    raise RuntimeError(SECRET)


async def page(request):
    return PlainTextResponse(f"page of {request.url.path}")


def test_pages_of_others_come_before_documents_and_what_they_lack_falls_through(serve, secrets):
    with serve(routes=[Route("/", page), Route("/posts/{id}/", page)]) as site:
        assert site.get("/").body == b"page of /"
        assert site.get("/posts/7/").body == b"page of /posts/7/"
        assert site.get("/posts/7/").headers["x-content-type-options"] == "nosniff"
        assert site.get("/index.html").body == b"front page"
        assert site.get("/all/rss.xml").body == b"<rss/>"
        assert site.get("/posts/7").status == 404
        site.place.configure(site={"base_url": "https://example.com/planet/"})
        assert site.get("/planet/posts/7/").body == b"page of /posts/7/"
        site.place.configure(site={"base_url": "https://example.com/订阅/"})
        assert site.get("/%E8%AE%A2%E9%98%85/posts/7/").body == b"page of /posts/7/"


def test_what_fails_is_told_to_the_operator_and_to_nobody_else(serve):
    with serve(routes=[Route("/fails", fails)]) as site:
        reply = site.get("/fails")
        assert (reply.status, reply.body) == (
            500,
            b"500 Internal Server Error: Something went wrong here, and was logged.\n",
        )
        failed = next(event for event in site.events if event["event"] == "failed")
        assert (failed["path"], str(failed["error"])) == ("/fails", SECRET)
        assert site.get("/healthz").status == 200


def test_a_method_that_a_route_does_not_take_is_405(site):
    reply = site.get("/healthz", method="POST", body=b"")
    assert reply.status == 405
    assert "GET" in reply.headers["allow"]


def test_a_manifest_that_cannot_be_read_is_an_error_that_names_nothing(site, secrets):
    from aggregator.publish.manifest import MANIFEST

    (site.place.output / MANIFEST).unlink()
    (site.place.output / MANIFEST).mkdir()
    reply = site.get("/all/rss.xml")
    assert reply.status == 500
    assert str(site.place.folder) not in reply.body.decode()
    assert any(event["event"] == "failed" for event in site.events)
