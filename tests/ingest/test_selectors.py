"""CSS selectors give what lxml's own give, in time that a page cannot stretch."""

import time

import pytest
from lxml import html
from lxml.cssselect import CSSSelector

from aggregator.ingest.htmltree import read_page
from aggregator.ingest.selectors import compiled, selector_fault

PAGE = """<html><body><div id="top" class="a"><h2>H</h2><p class="x">1<b>b</b></p><p>2</p><div class="a b"><p lang="en">3
</p><span>s</span><p>4</p></div></div><ul><li><a href="/x">l</a><ul><li>in</li></ul></li><li>2</li><li class="x">3</li></ul>
<input type="checkbox" checked></body></html>"""


@pytest.mark.parametrize(
    "selector",
    [
        "*", "p", "p, h2, .x", "div p", "div div p", "div > p", "body > div > div > p", "h2 + p", "p + p", "h2 ~ p",
        "p ~ p b", "div.a p ~ span", ".a .b > p:first-child", "li:nth-child(2)", "li:not(.x)", "ul li", "ul > li li",
        "#top", "[href]", "a[href^='/']", "a[href*='@']", "div:has(> span)", ":is(h2, span)", ":checked", "p:lang(en)",
        "ul ul ul", "body", "html > body > ul > li + li", "p:contains('3')", "h2 + p + p", "p ~ p, p + p",
    ],
)  # fmt: skip
def test_a_selector_selects_what_lxml_selects(selector):
    root = html.document_fromstring(PAGE)
    for element in (root, root.find(".//div"), root.find(".//ul")):
        assert compiled(selector).select(element) == CSSSelector(selector, translator="html")(element)


def test_what_a_selector_looks_for_within_an_item_lies_in_it_as_a_whole():
    inner = html.document_fromstring(PAGE).find(".//div/div")
    assert [found.text.strip() for found in compiled("p").select(inner)] == ["3", "4"]
    assert compiled("#top p").select(inner) == []
    assert compiled("div.b").select(inner) == [inner]
    assert compiled("p + div").select(inner) == []


def test_an_attribute_may_stand_at_the_end():
    assert compiled("a.x @href").attribute == "href"
    assert compiled("img@data-SRC").attribute == "data-src"
    assert compiled("a[href$='@x']").attribute == ""
    root = html.document_fromstring(PAGE)
    assert compiled("@id").select(root) == [root]


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("", "is empty"),
        ("div[", "is no CSS selector"),
        ("a >", "is no CSS selector"),
        ("a:hover(x)", "is no CSS selector"),
        ("a::text", "text is what is taken"),
        ("a::attr(href)", "end in @href instead"),
        ("p::first-line", "selects no element"),
        ("//div", "is no CSS selector"),
        (":not(" * 2000, "is no CSS selector"),
    ],
)
def test_a_selector_that_cannot_be_used_says_why(selector, says):
    assert says in selector_fault(selector)
    with pytest.raises(ValueError, match=r"CSS|empty|element"):
        compiled(selector)


def test_items_are_elements():
    assert "select elements" in selector_fault("li@id", of_items=True)
    assert selector_fault("li", of_items=True) == selector_fault("li@id") == ""


@pytest.mark.parametrize(
    "body",
    [
        (b"<div>" * 240 + b"<p>x</p>" * 20 + b"</div>" * 240) * 180,
        (b"<ul>" + b"<li>" * 1990 + b"</ul>") * 25,
        b"<div><p>x</p></div>" * 10_000,
    ],
    ids=["towers", "lists", "many"],
)
@pytest.mark.parametrize("selector", ["div div div p", "* * *", "* + *", "* ~ *", "li:nth-child(2)"])
def test_p7_no_page_makes_a_selector_slow(body, selector):
    root = read_page(b"<html>" + body, url="https://a/").root
    start = time.process_time()
    compiled(selector).select(root)
    assert time.process_time() - start < 3
