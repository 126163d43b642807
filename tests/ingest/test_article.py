"""The articles of pages, which need the extra `fulltext`."""

import logging
import subprocess
import sys
import time

import pytest
from lxml import html

from aggregator.ingest import article
from aggregator.ingest.article import extract_article, is_available

URL = "https://example.com/a/b"
SENTENCE = "This is a sentence of the article, and it is long enough to be taken for a part of one. "
PAGE = f"""<!doctype html><html><head><meta charset="utf-8"><title>T</title>{{head}}</head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/about">About</a></li></ul></nav>
<article><h1>Of articles</h1><p>{SENTENCE}With <b>weight</b>, <em>stress</em> and <a href="../rel?a=1&amp;b=2">a link</a>.</p>
{{middle}}<p>{SENTENCE}{SENTENCE}</p></article><footer>Copyright and all that</footer></body></html>"""


def extract(middle="", head="", **more):
    return extract_article(PAGE.format(middle=middle, head=head).encode(), url=URL, **more)


def test_an_article_is_html_without_the_page_around_it():
    found = extract()
    assert found.startswith(
        f"<h1>Of articles</h1><p>{SENTENCE}With <strong>weight</strong>, <em>stress</em> and <a href="
    )
    assert "Home" not in found
    assert "Copyright" not in found
    assert "<body" not in found


def test_links_and_images_are_absolute_against_the_base_of_the_page():
    image = '<p><img src="i.jpg" alt="A &quot;q&quot;" width="5"></p>'
    assert '<a href="https://example.com/rel?a=1&amp;b=2">a link</a>' in extract(image)
    based = extract(image, '<base href="https://cdn.example.com/x/y/">')
    assert '<a href="https://cdn.example.com/x/rel?a=1&amp;b=2">' in based
    assert 'src="https://cdn.example.com/x/y/i.jpg"' in based
    (found,) = html.fromstring(based).iter("img")
    assert found.get("alt") == 'A "q"'
    assert found.get("width") is None


@pytest.mark.parametrize(
    ("markup", "src"),
    [
        ('<img src="https://mmbiz.qpic.cn/x/640?wx_fmt=png">', "https://mmbiz.qpic.cn/x/640?wx_fmt=png"),
        ('<img src="data:image/gif;base64,R0lGOD" data-src="/late">', "https://example.com/late"),
        ('<figure><picture><source srcset="/p.webp 2x"><img></picture></figure>', "https://example.com/p.webp"),
        ('<img srcset="/s 1x, /l 2x">', "https://example.com/l"),
    ],
)
def test_images_stay_whatever_they_are_called_and_wherever_they_are_loaded_from(markup, src):
    (image,) = html.fromstring(extract(f"<p>{markup}</p>")).iter("img")
    assert image.get("src") == src


def test_an_image_without_a_web_address_goes():
    assert "<img" not in extract('<p><img src="data:image/png;base64,AAAA"><img src="javascript:x"><img></p>')
    kept = extract('<p><img src="https://image.invalid/1.png"></p><p><img src="/a.png"></p>')  # our own stand-ins
    assert [image.get("src") for image in html.fromstring(kept).iter("img")] == [
        "https://image.invalid/1.png",
        "https://example.com/a.png",
    ]


def test_lists_tables_quotes_and_code_are_what_they_were():
    found = extract(
        "<ol><li>First<ul><li>inner</li></ul></li></ol><blockquote><p>Quoted.</p></blockquote>"
        "<table><tr><th>H</th><td>D</td></tr></table><pre><code>def f():\n    return 1 &lt; 2</code></pre>"
        "<p>See <code>x &amp;&amp; y</code> and H<sub>2</sub>O.</p><h2>Next</h2><dl><dt>T</dt><dd>D</dd></dl>"
    )
    for part in (
        "<ol><li>First<ul><li>inner</li></ul></li></ol>",
        "<blockquote><p>Quoted.</p></blockquote>",
        "<table><tr><th>H</th><td>D</td></tr></table>",
        "<pre><code>def f():\n    return 1 &lt; 2</code></pre>",
        "<p>See <code>x &amp;&amp; y</code> and H<sub>2</sub>O.</p>",
        "<h2>Next</h2>",
        "<dl><dt>T</dt><dd>D</dd></dl>",
    ):
        assert part in found


def test_h5_text_that_looks_like_markup_stays_text():
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in extract(f"<p>{SENTENCE}&lt;script&gt;alert(1)&lt;/script&gt;</p>")


def test_p8_a_page_in_gbk_is_read():
    text = "这是一篇文章的句子，它足够长，可以被看作是文章的一部分。" * 10
    body = (
        f'<html><head><meta charset="gb2312"></head><body><article><p>{text}</p><p>{text}</p></article></body></html>'
    )
    assert text in extract_article(body.encode("gbk"), url=URL)


@pytest.mark.parametrize(
    "body",
    [b"", b"\x89PNG\r\n", b'{"a": 1}', b"<rss><channel/></rss>", b"<p>short</p>", b"<html></html>", b"<!doctype html>"],
)
def test_where_there_is_no_article_there_is_nothing(body):
    assert extract_article(body, url=URL) == ""


PARAGRAPH = b"<p>This is a sentence of an article, long enough to count, with <a href=/x>a link</a>.</p>"


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 100_000 + b"text",
        b"<article>" + PARAGRAPH * 60_000,
        b"<article><p>" + b"word " * 900_000,
        b"<article><p>" + b"word " * 400_000,
        (b"<div>" * 90 + b"text here for you, ok? " * 100 + b"</div>" * 90) * 30,
        (b"<table><tr><td>" * 24 + PARAGRAPH * 10 + b"</td></tr></table>" * 24) * 20,
        b"<p " + b" ".join(b"a%d=1" % number for number in range(100_000)) + b">x",
    ],
    ids=["deep", "five-megabytes", "four-megabytes", "long", "towers", "tables", "attributes"],
)
def test_p7_a_page_made_to_be_expensive_is_given_up_soon(body):
    start = time.process_time()
    assert len(extract_article(b"<html><body>" + body, url=URL)) < 2_000_000
    assert time.process_time() - start < 4


def test_nothing_is_written_to_stderr_and_handlers_of_others_stay(capfd):
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    extract_article(b"<html><body><p>x</p></body></html>", url=URL)
    assert capfd.readouterr().err == ""
    assert root.handlers == before
    assert logging.getLogger("trafilatura").propagate


def test_importing_it_loads_nothing_heavy_and_using_it_warns_of_nothing():
    code = (
        "import sys; from aggregator.ingest import article; assert 'trafilatura' not in sys.modules;"
        "assert article.is_available(); assert article.extract_article(b'<p>x</p>', url='https://a/') == ''"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_that_it_is_not_installed_can_be_asked(monkeypatch):
    assert is_available()

    def missing(_name):
        raise ImportError

    monkeypatch.setattr(article, "import_module", missing)
    assert not is_available()
