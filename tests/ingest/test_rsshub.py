"""Routes of RSSHub: how they are asked, what of it is secret, and when the next instance is."""

import hashlib

import pytest

from aggregator.errors import FetchError, HttpStatus, ParseError, Refused, StoreError, TimedOut, TooLarge
from aggregator.ingest.rsshub import is_instance_fault, order, read_route, route_url


def test_the_code_is_the_one_that_rsshub_documents():
    route = route_url("https://rsshub.app", "/qdaily/column/59", {}, access_key="ILoveRSSHub")
    assert route.url == "https://rsshub.app/qdaily/column/59"
    assert route.query == (("code", "0f820530128805ffc10351f22b5fd121"),)


def test_the_code_is_made_from_the_path_as_it_is_sent_without_parameters_and_without_the_prefix_of_the_instance():
    route = route_url("https://example.com/hub/", "/weibo/关键词/%e4%b8%ad%41", {"limit": 5}, access_key="key")
    wire = "/weibo/%E5%85%B3%E9%94%AE%E8%AF%8D/%E4%B8%ADA"
    assert route.url == f"https://example.com/hub{wire}?limit=5"
    assert route.query == (("code", hashlib.md5(f"{wire}key".encode()).hexdigest()),)


def test_parameters_keep_their_order_and_are_written_as_rsshub_reads_them():
    route = route_url(
        "https://h.example", "/a", {"mode": "fulltext", "filter_title": "A&B|中 文", "brief": True, "sorted": False}
    )
    assert (
        route.url
        == "https://h.example/a?mode=fulltext&filter_title=A%26B%7C%E4%B8%AD%20%E6%96%87&brief=true&sorted=false"
    )
    assert route.query == ()


@pytest.mark.parametrize("instance", ["https://h.example/x", "https://h.example/x/", "https://h.example/x//"])
def test_an_instance_may_have_a_path_with_or_without_a_slash(instance):
    assert route_url(instance, "/a/b").url == "https://h.example/x/a/b"


def test_f16_nothing_secret_stands_in_the_url_or_in_what_is_printed():
    route = route_url("https://h.example/?key=topsecret", "/a", {}, access_key="hunter2")
    assert route.url == "https://h.example/a"
    assert route.query[0] == ("key", "topsecret")
    assert "topsecret" not in repr(route)
    assert route.query[1][1] not in repr(route)


def test_the_instances_key_goes_before_a_code_of_the_source():
    code = ("code", "c0de")
    assert route_url("https://h.example", "/a", {}, access_code="c0de").query == (code,)
    assert route_url("https://h.example", "/a", {}, access_key="k", access_code="c0de").query != (code,)


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("rsshub://36kr/newsflashes", ("/36kr/newsflashes", {})),
        ("RSSHub:///36kr/newsflashes?limit=5&brief=true#x", ("/36kr/newsflashes", {"limit": "5", "brief": "true"})),
        ("rsshub://weibo/%E4%B8%AD", ("/weibo/中", {})),
        ("rsshub://", None),
        ("https://rsshub.app/36kr", None),
    ],
)
def test_f17_rsshub_addresses_are_understood(url, route):
    assert read_route(url) == route


def test_the_instance_that_answered_last_is_asked_first_and_the_others_as_they_are_configured():
    instances = ("https://a", "https://b", "https://c", "https://a")
    assert order(instances, "https://c") == ("https://c", "https://a", "https://b")
    assert order(instances, "https://gone") == order(instances) == ("https://a", "https://b", "https://c")


@pytest.mark.parametrize("status", [403, 404, 429, 500, 502, 503])
def test_an_instance_that_answers_with_an_error_gives_way_to_the_next(status):
    assert is_instance_fault(HttpStatus("no", url="https://a", status=status))


def test_connections_timeouts_and_pages_instead_of_feeds_are_the_instances_fault_but_a_large_feed_is_not():
    assert is_instance_fault(FetchError("refused", url="https://a"))
    assert is_instance_fault(TimedOut("slow", url="https://a"))
    assert is_instance_fault(Refused("a private address", url="https://a"))
    assert is_instance_fault(ParseError("an HTML page, not a feed"))
    assert not is_instance_fault(TooLarge("20 MB", url="https://a"))
    assert not is_instance_fault(StoreError("locked"))
