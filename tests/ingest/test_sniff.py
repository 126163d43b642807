"""What a body that is no feed looks like."""

import time

import pytest

from aggregator.ingest.sniff import binary_kind, describe, feed_links, is_html, root_of

URL = "https://example.com/blog/"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "an empty body"),
        (b"\0\0", "a body of nothing but white space"),
        (b"GIF89a", "a GIF image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP image"),
        (b"\0\0\0\x20ftypavif", "an AVIF image"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"<rss>", ""),
        ("新闻".encode(), ""),
    ],
)
def test_bodies_are_known_by_their_first_bytes(body, kind):
    assert binary_kind(body) == kind


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("<rss>", "rss"),
        ("\ufeff\n<?xml version='1.0'?><!-- <html> --><!DOCTYPE rss [<!ENTITY a 'b>'>]><rdf:RDF>", "rdf"),
        ("<?pi?><a:feed>", "feed"),
        ("hello <rss>", ""),
        ("<!-- never closed", ""),
        ("", ""),
    ],
)
def test_the_root_is_the_first_element(text, root):
    assert root_of(text) == root


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<!doctype HTML>\n<p>", True),
        ("<title>x", True),
        ("<rss><html>", False),
        ("<htmlx>", False),
        ("<!DOCTYPE html><feed>", False),
    ],
)
def test_html_is_told_from_feeds(text, answer):
    assert is_html(text) is answer


def test_p1_the_feeds_of_a_page_are_found_however_they_are_written():
    page = """
        <base href="/base/">
        <LINK REL='Alternate' TYPE='application/rss+xml; charset=utf-8' HREF='rss.xml'>
        <link href=//cdn.example.net/atom type=application/atom+xml rel="home alternate">
        <link rel="alternate" type="application/feed+json" href="?a=1&amp;b=2"/>
        <link rel="alternate" type="application/rss+xml" href="rss.xml">
        <link rel="alternate" hreflang="de" href="/de"><link rel="stylesheet" type="application/rss+xml" href="/x">
        <link rel="alternate" type="application/rss+xml">
    """
    assert feed_links(page, URL) == [
        "https://example.com/base/rss.xml",
        "https://cdn.example.net/atom",
        "https://example.com/base/?a=1&b=2",
    ]


def test_p1_an_html_page_is_described_with_its_title_and_feeds():
    page = "<html><title>\n Log in &amp; go </title><link rel=alternate type=application/rss+xml href=/feed?token=abc>"
    assert describe(page.encode(), page, URL) == (
        "an HTML page, not a feed (its title is “Log in & go”); it links to the feed https://example.com/feed?token=***"
    )


@pytest.mark.parametrize(
    "part", ["<link ", "<link '", "<title>", "<base ", "<!-- ", "<?x ", "<!DOCTYPE ", "<!DOCTYPE a[", '"', "<a"]
)
def test_no_page_takes_long_to_describe(part):
    page = "<html>" + part * 20_000
    started = time.process_time()
    describe(page.encode(), page, URL)
    describe(page[6:].encode(), page[6:], URL)
    assert time.process_time() - started < 2
