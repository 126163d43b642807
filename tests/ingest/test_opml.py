"""Subscription lists as readers export them, and as people break them."""

import time

import pytest
from lxml import etree

from aggregator.errors import ParseError
from aggregator.ingest.opml import Subscription, opml_of, read_opml, source_name

URL = "https://lists.example.com/a/list.opml"


def opml(body, head="<title>List</title>", declaration='<?xml version="1.0" encoding="UTF-8"?>'):
    return f'{declaration}<opml version="2.0"><head>{head}</head><body>{body}</body></opml>'


def read(text, url=URL, **more):
    return read_opml(text if isinstance(text, bytes) else text.encode(), url=url, **more)


def feeds(text, **more):
    return read(text, **more).subscriptions


def one(text, **more):
    (subscription,) = feeds(text, **more)
    return subscription


def test_feeds_come_with_title_site_and_the_folders_around_them():
    listing = read(
        opml(
            '<outline text="新媒体" title="x"><outline text="趣 头条">'
            '<outline type="rss" text="A &amp; B" title="t" xmlUrl="https://a.example/feed" htmlUrl="https://a.example/"/>'
            '</outline><outline text="b" xmlUrl="https://b.example/feed"/></outline>'
            '<outline text="c" xmlUrl="https://c.example/feed"/>'
        )
    )
    assert listing.title == "List"
    assert listing.warnings == ()
    assert listing.subscriptions == (
        Subscription("https://a.example/feed", "A & B", ("新媒体", "趣 头条"), "https://a.example/"),
        Subscription("https://b.example/feed", "b", ("新媒体",)),
        Subscription("https://c.example/feed", "c"),
    )


def test_the_category_attribute_stands_in_where_there_is_no_folder():
    assert one(opml('<outline xmlUrl="https://a/" category="/news/tech,/other"/>')).folders == ("news", "tech")
    assert one(opml('<outline xmlUrl="https://a/" category=" , tag"/>')).folders == ("tag",)
    assert one(opml('<outline text="F"><outline xmlUrl="https://a/" category="/x"/></outline>')).folders == ("F",)


def test_a_feed_with_outlines_inside_is_no_folder():
    nested = feeds(opml('<outline text="a" xmlUrl="https://a/"><outline text="b" xmlUrl="https://b/"/></outline>'))
    assert [feed.folders for feed in nested] == [(), ()]


def test_attributes_are_read_in_any_case_and_addresses_in_url_too():
    assert one(opml('<outline TEXT="a" xmlurl="https://a/" HTMLURL="/x"/>')) == Subscription(
        "https://a/", "a", (), "https://lists.example.com/x"
    )
    assert one(opml('<outline text="a" type="rss" url="https://a/"/>')).url == "https://a/"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("  HTTPS://A.Example/Feed?x=1&amp;y=2#top ", "https://a.example/Feed?x=1&y=2"),
        ("feed://a.example/f", "http://a.example/f"),
        ("feed:https://a.example/f", "https://a.example/f"),
        ("feed://https://a.example/f", "https://a.example/f"),
        ("rsshub://36kr/newsflashes", "rsshub://36kr/newsflashes"),
        ("../feed.xml", "https://lists.example.com/feed.xml"),
        ("//a.example/f", "https://a.example/f"),
        ("https://中文.example/订阅", "https://中文.example/订阅"),
        ("https://me:PW@A.example/f", "https://me:PW@a.example/f"),
    ],
)
def test_f17_addresses_are_understood_as_they_are_meant(written, meant):
    assert one(opml(f'<outline text="a" xmlUrl="{written}"/>')).url == meant


@pytest.mark.parametrize(
    "address", ["ftp://a/", "javascript:alert(1)", "file:///etc/passwd", "http://", "https://a b/"]
)
def test_an_outline_without_a_web_address_costs_itself_and_a_warning(address):
    listing = read(opml(f'<outline text="Bad" xmlUrl="{address}"/><outline text="ok" xmlUrl="https://a/"/>'))
    assert [feed.title for feed in listing.subscriptions] == ["ok"]
    (warning,) = listing.warnings
    assert "“Bad”" in warning


def test_f16_a_password_is_not_in_the_warning():
    (warning,) = read(opml('<outline text="x" xmlUrl="ftp://me:hunter2@a/?token=s3cret"/>')).warnings
    assert "hunter2" not in warning
    assert "s3cret" not in warning


def test_another_list_is_named_and_not_followed():
    listing = read(opml('<outline text="More" type="include" url="https://a/more.opml"/>'))
    assert listing.subscriptions == ()
    assert "“More”" in listing.warnings[0]


def test_of_two_outlines_with_one_address_the_first_counts_whatever_its_scheme():
    body = '<outline text="1" xmlUrl="https://a/f"/><outline text="2" xmlUrl="http://A/f#x"/><outline text="3" xmlUrl="https://a/F"/>'
    assert [feed.title for feed in feeds(opml(body))] == ["1", "3"]


def test_p8_a_list_in_gbk_is_read_whether_it_says_so_or_http_does():
    text = opml(
        '<outline text="文件夹"><outline text="订阅的网站和博客" xmlUrl="https://a/"/></outline>', "<title>列表</title>"
    )
    declared = text.replace("UTF-8", "gbk").encode("gbk")
    told = text.replace(' encoding="UTF-8"', "").encode("gbk")
    for listing in (read(declared), read(told, content_type="text/xml; charset=gbk"), read(text.encode("utf-16"))):
        assert listing.title == "列表"
        assert listing.subscriptions[0].folders == ("文件夹",)


def test_p5_bare_ampersands_control_characters_and_a_torn_end_are_mended():
    text = '<opml version="1.0"><body><outline text="Q&A \x0b&nbsp;x" xmlUrl="https://a/?b=1&c=2"/><outline text="F"><outline te'
    assert one(text) == Subscription("https://a/?b=1&c=2", "Q&A x")


def test_p6_entities_are_neither_expanded_nor_fetched():
    bomb = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    start = time.perf_counter()
    found = one(bomb + opml('<outline text="&b;&x;" xmlUrl="https://a/"/>', declaration=""))
    assert "aaa" not in found.title
    assert "root" not in found.title
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("depth", [40, 300, 100_000])
def test_p7_folders_without_end_are_bounded(depth):
    start = time.perf_counter()
    listing = read(
        opml(
            '<outline text="a" xmlUrl="https://a/"/>' + '<outline text="f">' * depth + '<outline xmlUrl="https://b/"/>'
        )
    )
    assert listing.subscriptions[0].url == "https://a/"
    assert all(len(feed.folders) <= 32 for feed in listing.subscriptions)
    assert listing.warnings
    assert time.perf_counter() - start < 2


def test_p7_eleven_thousand_outlines_are_cut_and_their_warnings_counted():
    start = time.perf_counter()
    listing = read(opml("".join(f'<outline text="{n}" xmlUrl="https://a/{n}"/>' for n in range(11_000))))
    assert len(listing.subscriptions) == 10_000
    assert "more than 10000" in listing.warnings[0]
    bad = read(opml("".join(f'<outline text="{n}" xmlUrl="ftp://a/{n}"/>' for n in range(1_000))))
    assert len(bad.warnings) == 21
    assert time.perf_counter() - start < 4


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "an empty body, not a subscription list"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"<!doctype html><title>Log in</title>", "an HTML page, not a subscription list (its title is “Log in”)"),
        (b'<?xml version="1.0"?><rss version="2.0"><channel/></rss>', "`type: feed`"),
        (b'<feed xmlns="http://www.w3.org/2005/Atom"/>', "`type: feed`"),
        (b"<urlset/>", "a sitemap, not a subscription list"),
        (b'{"a": 1}', "not a subscription list"),
        (b"hello", "plain text, not a subscription list"),
    ],
)
def test_p1_what_is_no_list_is_said_to_be_what_it_is(body, says):
    with pytest.raises(ParseError) as error:
        read(body)
    assert says in str(error.value)


def test_a_list_in_a_namespace_is_a_list_and_an_empty_one_too():
    assert (
        one('<o:opml xmlns:o="http://opml.org/spec2"><o:body><o:outline xmlUrl="https://a/"/></o:body></o:opml>').url
        == "https://a/"
    )
    assert read("<opml/>").subscriptions == ()


def test_names_of_sources_come_from_the_address_alone():
    name = source_name("friends", "https://www.blog.example.com/feed.xml")
    assert name.startswith("friends-blog-example-com-")
    assert name == source_name("friends", "http://www.blog.example.com/feed.xml")
    assert name != source_name("friends", "https://www.blog.example.com/feed2.xml")


@pytest.mark.parametrize(
    "url",
    [
        "https://中文.example/订阅",
        "https://xn--fiq228c.example/",
        "rsshub://36kr/newsflashes",
        "https://me:pw@[2001:db8::1]:8080/f",
        "https://" + "a" * 63 + "." + "b" * 63 + ".example/",
        "https://" + "é" * 80 + ".example/",
        "https://_.--/",
        "http://[broken/",
    ],
)
def test_names_of_sources_fit_the_configs_rule_for_every_host(url):
    for listed in ("a", "a" * 100, "-", "x-" * 40):
        name = source_name(listed, url)
        assert len(name) <= 100
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_an_export_can_be_read_again_and_is_the_same_each_time():
    given = [
        ("A <b>", "https://a/?x=1&y=2", "https://a/", ("新", "b/c")),
        ("B", "https://b/", "", ()),
        ("C", "https://c/", "", ("新",)),
        ("", "https://d/", "", ("新", "b/c")),
    ]
    document = opml_of("My \x00list", given)
    assert document == opml_of("My \x00list", given)
    listing = read(document)
    assert listing.title == "My list"
    assert {feed.url: (feed.title, feed.site, feed.folders) for feed in listing.subscriptions} == {
        "https://a/?x=1&y=2": ("A <b>", "https://a/", ("新", "b/c")),
        "https://b/": ("B", "", ()),
        "https://c/": ("C", "", ("新",)),
        "https://d/": ("https://d/", "", ("新", "b/c")),
    }
    root = etree.fromstring(document)
    assert root.get("version") == "2.0"
    assert [outline.get("text") for outline in root.find("body")] == ["新", "B"]


def test_an_export_of_nothing_is_still_a_list():
    assert read(opml_of("Empty", [])).subscriptions == ()
