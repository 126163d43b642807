"""Items of pages that have no feed."""

import time

import pytest

from aggregator.config.sources import PageSource
from aggregator.errors import ParseError
from aggregator.ingest.page import parse_page
from aggregator.models import Origin

URL = "https://example.com/news/"
PAGE = """<!doctype html><html><head><title>News of us</title></head><body>
<div class="item"><a href="/login"></a><a href="one.html?a=1&amp;b=2"> First &amp; <b>best</b> </a>
  <time datetime="2021-07-04T06:56:06Z">yesterday</time>
  <p class="text">One <i>text</i> &lt;b&gt;</p><p class="text">Two</p><img src="spacer.gif" data-src="//img.example.com/1.jpg"></div>
<div class="item"><h2>No link here</h2><span class="d" title="2021-07-03">Saturday</span></div>
<div class="item"><p>nothing</p></div>
<div class="item"><a href="https://other.example/3"><img src="3.png" alt="The third"></a></div>
</body></html>"""


def source(**selectors):
    return PageSource(name="x", type="page", url=URL, **{"item": ".item", **selectors})


def parse(text=PAGE, *, max_items=500, content_type="", url=URL, **selectors):
    body = text if isinstance(text, bytes) else text.encode()
    return parse_page(body, url=url, content_type=content_type, selectors=source(**selectors), max_items=max_items)


def first(text=PAGE, **selectors):
    return parse(text, **selectors).drafts[0]


def test_without_selectors_the_first_link_with_a_text_gives_link_and_title_and_a_time_the_date():
    parsed = parse()
    draft = parsed.drafts[0]
    assert draft.link == "https://example.com/news/one.html?a=1&b=2"
    assert (draft.title, draft.title_is_plain) == ("First & best", True)
    assert draft.published == "2021-07-04T06:56:06Z"
    assert draft.guid is draft.content is draft.image is None
    assert draft.base_url == URL
    assert draft.origin == Origin("News of us", "", URL)
    assert (parsed.title, parsed.link) == ("News of us", URL)


def test_a_link_that_is_an_image_is_called_what_the_image_shows():
    last = parse().drafts[-1]
    assert (last.link, last.title) == ("https://other.example/3", "The third")


def test_an_item_without_link_and_title_is_left_out_with_a_warning():
    parsed = parse(title="h2, a[href*=one], a[href*=other]")
    assert [draft.title for draft in parsed.drafts] == ["First & best", "No link here", "The third"]
    assert "Item 3 has neither a link nor a title; it was left out." in parsed.warnings


def test_content_is_the_html_inside_of_everything_selected():
    assert first(content=".text").content == "One <i>text</i> &lt;b&gt;\nTwo"
    assert first(content="p, i").content == "One <i>text</i> &lt;b&gt;\nTwo"
    assert first(content="img@data-src").content == "//img.example.com/1.jpg"
    assert first(content=".no").content is None


def test_an_image_is_where_a_script_would_load_it_from():
    assert first(image="img").image == "https://img.example.com/1.jpg"
    assert first(image=".item").image == "https://img.example.com/1.jpg"
    assert first(image="img@src").image == "https://example.com/news/spacer.gif"
    assert first(image="img@alt").image is None
    body = '<div class="item"><a href="/1">t</a>{}</div>'
    for markup, image in (
        ('<img src="data:image/gif;base64,R0" srcset="/s.jpg 1x, /l.jpg 2x">', "https://example.com/l.jpg"),
        ('<div class="i" style="background: url( \'/bg.jpg\' )"></div>', "https://example.com/bg.jpg"),
        ('<picture class="i"><source srcset="/p.webp 2x"><img></picture>', "https://example.com/p.webp"),
    ):
        assert first(body.format(markup), image="img, .i").image == image


def test_dates_are_taken_from_where_they_are_written_for_machines():
    assert first(date="time").published == "2021-07-04T06:56:06Z"
    assert first(date="time@title").published is None
    assert first("<p class=item><a href=/>t</a><i>5 May\n 2021</i>", date="i").published == "5 May 2021"
    assert (
        first('<p class=item><a href=/>t</a><meta itemprop=d content="2021-05-05">', date="meta").published
        == "2021-05-05"
    )
    parsed = parse(date=".d@title", link="a", title="a, h2")
    assert [draft.published for draft in parsed.drafts] == [None, "2021-07-03", None]
    assert "2 items have nothing where the selector of `date` looks." in parsed.warnings


@pytest.mark.parametrize(
    ("markup", "link"),
    [
        ('<a class=item href="x">t</a>', "https://example.com/news/x"),
        ('<a href="x"><div class=item>t</div></a>', "https://example.com/news/x"),
        ('<div class=item><a href="#">t</a><a href="javascript:void(0)">u</a><a href="mailto:a@b">v</a><a href=y>w</a></div>', "https://example.com/news/y"),
        ('<div class=item><a href="http://[bad">t</a><h2>x</h2></div>', None),
        ('<div class=item><a href="//cdn.example.com/x">t</a></div>', "https://cdn.example.com/x"),
    ],
)  # fmt: skip
def test_links_are_found_in_an_item_around_it_and_in_the_item_itself(markup, link):
    assert first(markup).link == link


def test_a_selector_for_the_link_may_select_what_is_around_or_beside_it():
    body = '<div class="item" data-url="/d"><h2><a href="/h">t</a></h2><p>x</p></div>'
    assert first(body, link="h2").link == "https://example.com/h"
    assert first(body, link="@data-url", title="h2").link == "https://example.com/d"
    assert first(body, link="p", title="h2").link is None
    assert first(body, link="@data-none", title="h2").link is None
    assert first(body, link="h2", title="h7").title == "t"


def test_p13_links_and_images_resolve_against_the_base_of_the_page():
    draft = first('<base href="https://cdn.example.com/x/"><p class=item><a href="y">t</a><img src=z.png>', image="img")
    assert (draft.link, draft.image) == ("https://cdn.example.com/x/y", "https://cdn.example.com/x/z.png")
    assert draft.base_url == "https://cdn.example.com/x/"


def test_items_within_items_are_items():
    titles = [
        draft.title
        for draft in parse("<ul><li class=item><a href=/1>a</a><ul><li class=item><a href=/2>b</a></ul></ul>").drafts
    ]
    assert titles == ["a", "b"]


def test_h5_a_title_is_the_text_that_a_person_reads():
    assert first("<p class=item><a href=/>&lt;b&gt; <script>x</script>&amp;amp;</a>").title == "<b> &amp;"


def test_f16_secrets_of_the_url_are_not_in_a_draft():
    draft = first(url="https://me:pw@example.com/news/?token=s3cret")
    assert "s3cret" not in repr(draft)
    assert "pw" not in repr(draft)


def test_p8_a_page_in_gbk_without_a_header_is_read():
    body = '<html><head><meta charset="gb2312"><title>新闻</title></head><p class=item><a href=/>标题</a>'.encode("gbk")
    assert (parse(body).title, first(body).title) == ("新闻", "标题")


def test_no_item_at_all_is_an_error_that_says_what_the_page_is():
    with pytest.raises(ParseError) as error:
        parse("<!doctype html><title>Just a moment...</title><p>Checking your browser")
    assert str(error.value) == (
        "the selector of `item` (.item) matches nothing in the page's 5 elements (its title is “Just a moment...”)"
    )
    with pytest.raises(ParseError, match=r"none of the 2 elements that `item` \(p\) selects"):
        parse("<p>a<p>b", item="p")


def test_a_body_that_is_no_page_is_said_to_be_what_it_is():
    with pytest.raises(ParseError, match="a PNG image, not a web page"):
        parse(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ParseError, match="`type: feed` reads it"):
        parse("<rss><channel/></rss>")


@pytest.mark.parametrize("key", ["item", "title", "link", "date", "content", "image"])
def test_an_unusable_selector_is_named_with_its_key(key):
    broken = source().model_copy(update={key: "div["})
    with pytest.raises(ParseError, match=rf"the selector of `{key}` \(div\[\) is no CSS selector"):
        parse_page(PAGE.encode(), url=URL, selectors=broken)


def test_the_selector_of_items_selects_elements():
    with pytest.raises(ParseError, match="has to select elements"):
        parse(item="a@href")


def test_p7_the_first_items_are_read_and_the_others_counted():
    body = "".join(f"<p class=item><a href=/{number}>{number}</a></p>" for number in range(1_500))
    parsed = parse(body, max_items=20)
    assert [draft.title for draft in parsed.drafts] == [str(number) for number in range(20)]
    assert parsed.warnings == ("The page has 1500 items; the first 20 were read.",)


def test_p7_items_within_items_do_not_multiply_their_content_without_end():
    body = "<div class=item><a href=/>t</a>" * 90 + "<p>" + "x" * 2_000_000
    start = time.process_time()
    parsed = parse(body, content=".item")
    assert sum(len(draft.content or "") for draft in parsed.drafts) <= 20_000_000
    assert any("contents are longer" in warning for warning in parsed.warnings)
    assert time.process_time() - start < 3


def test_p7_warnings_do_not_grow_with_the_page():
    parsed = parse("<a class=item href=/>t</a>" + "<p class=item>x</p>" * 400)
    assert len(parsed.warnings) == 21
    assert parsed.warnings[-1] == "380 more items have neither; they were left out."
