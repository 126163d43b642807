from __future__ import annotations

import pytest

from aggregator.errors import FetchError, HttpStatus, ParseError, TimedOut
from aggregator.models import Fetched, Validators
from aggregator.pipeline.discovery import COMMON, Candidate, find_feeds, has_credentials, kind_of, same_place

SITE = "https://blog.example.com"


def rss(title: str = "Blog", items: int = 2) -> str:
    item = "<item><title>t{0}</title><link>/{0}</link><pubDate>0{0} Jan 2024 10:00:00 GMT</pubDate></item>"
    listed = "".join(item.format(number) for number in range(1, items + 1))
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>{listed}</channel></rss>'


def page(head: str = "", body: str = "") -> str:
    return f"<!doctype html><html><head><title>A blog</title>{head}</head><body>{body}</body></html>"


def alternate(href: str, kind: str = "application/rss+xml") -> str:
    return f'<link rel="alternate" type="{kind}" href="{href}">'


class Web:
    """A small web: what stands at each URL, and what was asked for; anything else is a 404."""

    def __init__(self, documents: dict[str, str | Exception]) -> None:
        self.documents, self.moved, self.asked = documents, {}, []

    def fetch(self, url: str) -> Fetched:
        self.asked.append(url)
        found = self.documents.get(url, HttpStatus("the server answered 404 Not Found", url=url, status=404))
        if isinstance(found, Exception):
            raise found
        scheme, _, rest = url.partition("://")
        shown = f"{scheme}://{rest.rpartition('@')[2]}"  # what comes back is without user and password
        return Fetched(found.encode(), shown, {}, Validators(), self.moved.get(url, ""))


def test_a_url_that_is_a_feed_is_the_feed():
    web = Web({f"{SITE}/feed": rss()})
    found = find_feeds(web.fetch, f"{SITE}/feed")
    assert found == [Candidate(url=f"{SITE}/feed", kind="RSS 2.0", title="Blog", posts=2, newest="2024-01-02")]
    assert web.asked == [f"{SITE}/feed"]


def test_a_feed_that_moved_for_good_is_configured_where_it_is_now():
    web = Web({"http://blog.example.com/feed": rss()})
    web.moved["http://blog.example.com/feed"] = f"{SITE}/feed.xml"
    assert find_feeds(web.fetch, "http://blog.example.com/feed")[0].url == f"{SITE}/feed.xml"
    web.documents[f"{SITE}/feed"] = rss()
    web.moved[f"{SITE}/feed"] = "http://blog.example.com/feed"  # whoever is on the way could say so
    assert find_feeds(web.fetch, f"{SITE}/feed")[0].url == f"{SITE}/feed"


def test_a_page_names_its_feeds_and_that_of_the_comments_comes_last():
    head = (
        alternate("/comments/feed/") + alternate("/feed.json", "application/feed+json") + alternate("rss?x=1&amp;y=2")
    )
    feed = '{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": []}'
    web = Web(
        {
            f"{SITE}/de/": page(head),
            f"{SITE}/comments/feed/": rss("Comments"),
            f"{SITE}/feed.json": feed,
            f"{SITE}/de/rss?x=1&y=2": rss("Deutsch", 0),
        }
    )
    found = find_feeds(web.fetch, f"{SITE}/de/")
    assert [(one.title, one.kind, one.posts, one.newest) for one in found] == [
        ("J", "JSON Feed 1.1", 0, None),
        ("Deutsch", "RSS 2.0", 0, None),
        ("Comments", "RSS 2.0", 2, "2024-01-02"),
    ]
    assert len(web.asked) == 4


def test_a_link_that_leads_nowhere_leaves_the_others():
    web = Web({SITE: page(alternate("/gone") + alternate("/page") + alternate("/ok")), f"{SITE}/page": page()})
    web.documents[f"{SITE}/ok"] = rss()
    assert [one.url for one in find_feeds(web.fetch, SITE)] == [f"{SITE}/ok"]


def test_two_links_that_lead_to_one_feed_are_one():
    def fetch(url: str) -> Fetched:
        body = page(alternate("/a") + alternate("/b")) if url == SITE else rss()
        return Fetched(body.encode(), SITE if url == SITE else f"{SITE}/feed", {}, Validators())

    assert [one.url for one in find_feeds(fetch, SITE)] == [f"{SITE}/a"]


def test_what_a_page_links_to_is_looked_at_where_it_names_none():
    body = '<a href="/about">x</a><a class=x href="/blog/rss.xml#top">RSS</a><a href=/feeds.html>y</a>'
    web = Web({SITE: page(body=body), f"{SITE}/blog/rss.xml": rss()})
    assert [one.url for one in find_feeds(web.fetch, SITE)] == [f"{SITE}/blog/rss.xml"]
    assert web.asked == [SITE, f"{SITE}/blog/rss.xml"]


def test_the_usual_places_are_tried_in_turn_until_one_is_there():
    web = Web({f"{SITE}/blog/": page(), f"{SITE}/rss.xml": rss(), f"{SITE}/atom.xml": rss()})
    assert [one.url for one in find_feeds(web.fetch, f"{SITE}/blog/")] == [f"{SITE}/rss.xml"]
    assert web.asked[1] == f"{SITE}/blog/feed"
    assert web.asked[-3:] == [f"{SITE}/feed", f"{SITE}/feed.xml", f"{SITE}/rss.xml"]


def test_a_site_without_a_feed_is_asked_a_bounded_number_of_times():
    web = Web({SITE: page()})
    with pytest.raises(ParseError, match="its page names none") as raised:
        find_feeds(web.fetch, SITE)
    assert "/feed, /feed.xml" in str(raised.value)
    assert len(web.asked) == 1 + len(COMMON)


@pytest.mark.parametrize(
    "error",
    [
        HttpStatus("429", url="", status=429),
        HttpStatus("503", url="", status=503),
        TimedOut("took too long", url=""),
        FetchError("connection refused", url=""),
    ],
)
def test_a_host_that_does_not_answer_is_not_asked_on(error):
    web = Web({SITE: page(), f"{SITE}/feed": error, f"{SITE}/feed.xml": rss()})
    with pytest.raises(ParseError):
        find_feeds(web.fetch, SITE)
    assert web.asked == [SITE, f"{SITE}/feed"]


def test_what_the_named_feeds_were_is_said():
    web = Web({SITE: page(alternate("/feed?token=hunter2"))})
    with pytest.raises(ParseError) as raised:
        find_feeds(web.fetch, SITE)
    assert "https://blog.example.com/feed?token=***: the server answered 404 Not Found" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("\x89PNG\r\n", "a PNG image, not a feed"),
        ("just text", "plain text, not a feed"),
        ('{"a": 1}', "not a JSON Feed"),
        ("<opml version='2.0'><body/></opml>", "`type: opml` follows it"),
    ],
)
def test_p2_what_is_neither_feed_nor_page_is_told_and_nothing_else_is_asked(body, words):
    asked = []

    def fetch(url: str) -> Fetched:
        asked.append(url)
        return Fetched(body.encode("latin-1"), url, {}, Validators())

    with pytest.raises(ParseError) as raised:
        find_feeds(fetch, SITE)
    assert words in str(raised.value)
    assert asked == [SITE]


def test_an_error_of_the_first_question_goes_through():
    with pytest.raises(HttpStatus):
        find_feeds(Web({}).fetch, SITE)


def test_f16_user_and_password_go_along_to_the_same_host_only():
    head = alternate("/feed") + alternate("https://other.example.com/feed")
    secret = "https://me:hunter2@blog.example.com"
    web = Web({f"{secret}/": page(head), f"{secret}/feed": rss(), "https://other.example.com/feed": rss("Other")})
    assert [one.url for one in find_feeds(web.fetch, f"{secret}/")] == [
        f"{secret}/feed",
        "https://other.example.com/feed",
    ]


def test_a_page_cannot_have_us_ask_for_ever_or_elsewhere():
    links = "".join(alternate(f"/{number}") for number in range(1000))
    links += alternate("javascript:alert(1)") + alternate("file:///etc/passwd") + alternate("ftp://x/feed")
    web = Web({SITE: page(links, "".join(f"<a href='/{n}/feed'>" for n in range(1000)))})
    with pytest.raises(ParseError):
        find_feeds(web.fetch, SITE)
    assert len(web.asked) < 50
    assert all(url.startswith("https://blog.example.com") for url in web.asked)


def test_a_hostile_page_takes_no_time():
    for body in ("<a " * 200_000, "<a href=" * 100_000, "<a " + "href " * 100_000, "<rss " + "version " * 100_000):
        with pytest.raises(ParseError):
            find_feeds(Web({SITE: page(body=body)}).fetch, SITE)


def test_a_title_is_one_line_of_what_can_be_printed():
    web = Web({SITE: rss("a&#10;b\u2028c\u202e d" + "x" * 300)})
    [found] = find_feeds(web.fetch, SITE)
    assert found.title.startswith("a b c dxx")
    assert len(found.title) == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('<?xml version="1.0"?><rss version="0.92"/>', "RSS 0.92"),
        ("<rss/>", "RSS"),
        ('<rss xmlns:a="x"\n version="2.0">', "RSS 2.0"),
        ('<feed xmlns="http://www.w3.org/2005/Atom">', "Atom 1.0"),
        ('<feed version="0.3" xmlns="http://purl.org/atom/ns#">', "Atom 0.3"),
        ('<rdf:RDF xmlns:rdf="x">', "RSS 1.0"),
        ("<channel>", "CDF"),
        ('{"version":"https:\\/\\/jsonfeed.org\\/version\\/1"}', "JSON Feed 1"),
        ("{}", "JSON Feed"),
        ("x", "a feed"),
    ],
)
def test_formats_have_the_names_that_people_use(body, kind):
    assert kind_of(body.encode()) == kind


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me@x.example/", True),
        ("https://x.example/?api_key=1&b=2", True),
        ("https://x.example/?page=1", False),
        ("https://x.example/?a=1&&b=2;", False),
    ],
)
def test_f16_urls_with_credentials_are_recognised(url: str, expected: bool):
    assert has_credentials(url) is expected


def same(*urls: str) -> bool:
    return len({same_place(url) for url in urls}) == 1


def test_urls_that_ask_the_same_are_the_same():
    assert same("http://x.example/feed/", "https://X.example:443/feed#a", "https://me:pw@www.x.example/feed")
    assert not same("https://x.example/feed", "https://x.example/feed?format=atom")
    assert not same("https://x.example/feed", "https://x.example:8443/feed")
    assert not same("https://x.example/feed", "https://x.example/Feed")
    assert same_place("https://[x/") == "https://[x/"
