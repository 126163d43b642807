"""Refusals as pages, for people whose browser asks for one."""

from __future__ import annotations

import pytest
from lxml import html

from aggregator.serve.pages import routes

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
TOKEN = "s3cret-token-of-mine"


def read(reply):
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-length"] == str(len(reply.body))
    return html.fromstring(reply.body.decode())


@pytest.mark.parametrize(
    ("language", "spoken", "title"),
    [("fr, zh-TW;q=0.8", "zh-CN", "这里什么都没有"), ("de", "en", "There is nothing here")],
)
def test_an_address_that_leads_nowhere_is_a_page_in_the_language_of_whoever_looks(site, language, spoken, title):
    site.place.configure(site={"base_url": "https://example.com/planet/", "title": "My <planet>"})
    reply = site.get("/planet/nothing/here/", Accept=BROWSER, Accept_Language=language)
    assert (reply.status, reply.headers["cache-control"], reply.headers["content-language"]) == (
        404,
        "no-store",
        spoken,
    )
    assert reply.headers["content-security-policy"] == "frame-ancestors 'none'"
    page = read(reply)
    assert (page.get("lang"), page.findtext(".//h1")) == (spoken, title)
    assert page.xpath("//header//nav//a/@href") == ["/planet/"]  # relative links would lead elsewhere from each address
    assert page.xpath("//form/@action") == ["/planet/search"]
    assert "My <planet>" in page.xpath("//header//nav//a")[0].text


def test_a_wish_for_a_page_may_come_in_several_headers(site):
    answer = site.raw(
        b"GET /a HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\nAccept: */*;q=0.1\r\nConnection: close\r\n\r\n"
    )
    assert b"content-type: text/html" in answer


@pytest.mark.parametrize("accept", [None, "*/*", "application/rss+xml", "image/avif,image/webp,*/*;q=0.8"])
def test_whoever_asks_for_no_page_gets_plain_text(site, accept):
    reply = site.get("/nothing", **({"Accept": accept} if accept else {}))
    assert (reply.status, reply.body) == (404, b"404 Not Found: There is nothing here.\n")


def test_a_page_that_says_there_is_nothing_says_it_alike_everywhere(site):
    pages = {site.get(path, Accept=BROWSER).body for path in ("/a", "/private/x/y/rss.xml", "/posts/%3Cb%3E/", "/?<b>")}
    assert len(pages) == 1
    head = site.get("/a", method="HEAD", Accept=BROWSER)
    assert (head.status, head.headers["content-length"], head.body) == (404, str(len(pages.pop())), b"")


def test_another_configuration_is_another_page(site):
    assert b"One" not in site.get("/a", Accept=BROWSER).body
    site.place.configure(site={"base_url": "https://example.com/", "title": "One"})
    assert b"One" in site.get("/a", Accept=BROWSER).body


def test_a_status_behind_a_token_asks_for_it(place, serve):
    place.configure(status={"token": TOKEN}, site={"base_url": "https://example.com//"})
    with serve(routes=routes(place.daemon)) as site:
        for path, title in (("/status", "Only with a token"), ("/status?token=wrong", "That is not the token")):
            reply = site.get(path, Accept=BROWSER)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, 'Bearer realm="status"')
            assert read(reply).findtext(".//h1") == title
            form = read(reply).get_element_by_id("token").getparent()
            assert (form.get("action"), form.get("method"), form.find("input").get("name")) == (
                "/status",
                None,
                "token",
            )
        assert site.get(f"{form.get('action')}?token={TOKEN}", Accept=BROWSER).status == 200
        assert TOKEN not in str(site.events)
        assert site.get("/status").body.startswith(b"401 Unauthorized: This page is for those who know its token")
