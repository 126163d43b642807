"""Finding the hub of a feed: in the Link header, which wins, and in the document."""

from __future__ import annotations

import json

import pytest

from aggregator.ingest.feed import parse_feed
from aggregator.ingest.hubs import hub_of
from aggregator.models import Parsed

URL = "https://site.example/feed.xml"
NAMED = Parsed((), hub="https://hub.example/", topic="https://site.example/self.xml")
ATOM = 'xmlns:atom="http://www.w3.org/2005/Atom"'


def rss(links: str) -> bytes:
    item = '<item><title>a</title><guid>1</guid><atom:link rel="hub" href="https://wrong.example/"/></item>'
    return f'<rss version="2.0" {ATOM}><channel><title>t</title>{links}{item}</channel></rss>'.encode()


def atom(links: str) -> bytes:
    entry = "<entry><id>1</id><title>a</title></entry>"
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{links}{entry}</feed>'.encode()


@pytest.mark.parametrize(
    "body",
    [
        rss('<atom:link rel="hub" href="https://hub.example/"/><atom:link rel="self" href="https://site.example/a"/>'),
        atom(
            '<link rel="hub" href="https://hub.example/"/><link rel="self" href="/a"/><link rel="hub" href="http://2/"/>'
        ),
        json.dumps(
            {
                "version": "https://jsonfeed.org/version/1.1",
                "feed_url": "https://site.example/a",
                "hubs": [
                    {"type": "rssCloud", "url": "https://x/"},
                    1,
                    {"type": "WebSub", "url": "https://hub.example/"},
                ],
                "items": [],
            }
        ).encode(),
    ],
    ids=["rss", "atom", "json"],
)
def test_a_document_names_its_hub_and_itself(body):
    parsed = parse_feed(body, url=URL)
    assert (parsed.hub, parsed.topic) == ("https://hub.example/", "https://site.example/a")
    assert hub_of(parsed, "", URL) == ("https://hub.example/", "https://site.example/a")


def test_a_hub_of_an_item_is_not_the_hub_of_the_feed():
    assert hub_of(parse_feed(rss(""), url=URL), "", URL) == ("", "")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://h2.example/>; rel="hub", <https://site.example/b>; rel="self"', ("https://h2.example/", "https://site.example/b")),
        ("</hub>;rel=hub", ("https://site.example/hub", "https://site.example/self.xml")),
        ('<https://h2.example/?a=1,2;3>; title="x, <y>; rel=hub"; REL="x hub"', ("https://h2.example/?a=1,2;3", NAMED.topic)),
        ('<https://h2.example/>; rel="hub", <https://h3.example/>; rel="hub"', ("https://h2.example/", NAMED.topic)),
        ('<https://h2.example/>; rel="hub"; anchor="/other"', (NAMED.hub, NAMED.topic)),
        ('<https://h2.example/>; title="a \\"b\\"; c"; rel="\\hub"', ("https://h2.example/", NAMED.topic)),
        ("<https://h2.example/>; rel=HUB", ("https://h2.example/", NAMED.topic)),
        ('<https://site.example/b>; rel="self"', (NAMED.hub, NAMED.topic)),
        ("<<>;;rel=hub,hub", (NAMED.hub, NAMED.topic)),
    ],
)  # fmt: skip
def test_the_link_header_wins_where_it_names_a_hub(header, found):
    assert hub_of(NAMED, header, URL) == found


def test_a_feed_that_does_not_say_where_it_is_is_known_by_where_it_was_found():
    assert hub_of(Parsed((), hub="https://hub.example/"), "", URL) == ("https://hub.example/", URL)


@pytest.mark.parametrize(
    ("hub", "topic"),
    [
        ("https://hub.example/", "https://me:pw@site.example/"),
        ("https://hub.example/", "https://site.example/?token=secret"),
        ("https://hub.example/?key=secret", "https://site.example/"),
        ("ftp://hub.example/", "https://site.example/"),
        ("javascript:alert(1)", "https://site.example/"),
        ("https://hub.example/", f"https://site.example/{'x' * 2000}"),
    ],
)
def test_f16_addresses_with_a_secret_and_those_that_are_none_are_not_remembered(hub, topic):
    assert hub_of(Parsed((), hub=hub, topic=topic), "", URL) == ("", "")


def test_a_local_file_has_no_hub_whatever_it_says():
    assert hub_of(NAMED, "", "file:///home/me/feed.xml") == ("", "")


def test_a_hostile_link_header_takes_no_time():
    assert hub_of(NAMED, "hub" + "<a>;rel" * 100_000, URL) == (NAMED.hub, NAMED.topic)
    assert hub_of(NAMED, '<hub>; a="' + "\\" * 100_000, URL) == (NAMED.hub, NAMED.topic)
    assert hub_of(NAMED, "<hub>" + "; a" * 100_000 + '"', URL) == (NAMED.hub, NAMED.topic)
