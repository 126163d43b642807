"""Pages as trees, whatever their bytes are."""

import time
import tracemalloc

import pytest

from aggregator.errors import ParseError
from aggregator.ingest.htmltree import MAX_CHILDREN, MAX_DEPTH, MAX_ELEMENTS, read_page, text_of, widest

URL = "https://example.com/a/b"


def page(body, **more):
    return read_page(body if isinstance(body, bytes) else body.encode(), url=URL, **more)


def test_a_page_has_a_tree_a_title_and_a_base():
    found = page('<!doctype html><title> A\n &amp; B </title><base href="/c/"><p>x</p>')
    assert (found.title, found.base) == ("A & B", "https://example.com/c/")
    assert found.elements == sum(1 for _ in found.root.iter())
    assert page("<p>x").base == URL


@pytest.mark.parametrize(
    ("head", "content_type", "codec"),
    [
        ('<meta charset="gbk">', "", "gbk"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=gb2312">', "text/html", "gbk"),
        ("", "text/html; charset=GBK", "gbk"),
        ('<meta charset="utf-8">', "text/html; charset=gbk", "gbk"),
        ('<meta charset="gbk">', "text/html; charset=ISO-8859-1", "gbk"),
        ('<meta charset="big5">', "", "big5"),
        ('<meta charset="shift_jis">', "", "shift_jis"),
        ("", "", "utf-16"),
        ('<meta charset="gbk">', "", "utf-8"),
    ],
)
def test_p8_a_page_is_decoded_as_it_or_its_server_says(head, content_type, codec):
    body = f"<!doctype html><html><head>{head}</head><p>日本語中文字，新聞</p></html>".replace("，", ",").encode(codec)
    assert text_of(page(body, content_type=content_type).root) == "日本語中文字,新聞"


def test_p10_control_characters_and_odd_names_do_no_harm():
    found = page('<p title="a&#1;b" @click="x" :y="z" "=1>a\x00\x0b&#2;b&#xD800;c<o:p>d</o:p><svg:g>e</svg:g></p>')
    (paragraph,) = found.root.iter("p")
    assert dict(paragraph.attrib) == {"title": "ab"}
    assert text_of(paragraph).replace("\ufffd", "") == "abcde"


def test_text_is_what_a_person_reads_and_no_more_of_it():
    found = page(
        "<div>a <b>b</b><script>var x</script><style>y</style><template>t</template>\n c</div>tail" + "x" * 9_000
    )
    assert text_of(next(found.root.iter("div"))) == "a b c"
    assert len(text_of(found.root)) == 2_000
    assert text_of(next(found.root.iter("script"))) == "var x"


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 1_000_000,
        b"<p " + b" ".join(b"a%d=1" % number for number in range(100_000)) + b">x",
        b"<p>x" * 100_000,
        b"<div>" * 900 + b"</b>" * 500_000,
        b"<b>" * 99 + b"<i>x</i>" * 100_000,
        b'<a href="' + b"<" * 2_000_000,
        b"<table>" * 50_000 + b"x",
        b"&amp;" * 300_000,
        b"<p>" + b"x" * 5_000_000,
    ],
    ids=["deep", "attributes", "wide", "stray", "long", "quote", "tables", "references", "text"],
)
def test_p7_a_page_made_to_be_expensive_is_cut(body):
    tracemalloc.start()
    start = time.process_time()
    found = page(b"<html><body><p>first</p>" + body)
    spent = time.process_time() - start
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()
    assert spent < 5  # 1.5 s without tracemalloc
    elements = list(found.root.iter())
    assert len(elements) == found.elements <= MAX_ELEMENTS
    assert max(len(element) for element in elements) <= MAX_CHILDREN
    deepest = elements[-1]
    assert sum(1 for _ in deepest.iterancestors()) < MAX_DEPTH
    assert text_of(found.root).startswith("first")


def test_p7_what_lies_too_deep_keeps_its_text_and_what_follows_stays():
    found = page("<body>" + "<div>" * 150 + "<b>deep</b>" + "</div>" * 150 + "<p>after</p>")
    assert text_of(found.root) == "deepafter"
    assert next(found.root.iter("p")).getparent().tag == "body"
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "an empty body, not a web page"),
        (b"%PDF-1.4", "a PDF document, not a web page"),
        (b'<rss version="2.0"><channel/></rss>', "a web feed"),
        (b'{"a": 1}', "JSON"),
        (b"just text", "plain text, not a web page"),
        (b"<!doctype html><!-- nothing -->", "a web page with nothing in it"),
    ],
)
def test_p1_what_is_no_page_is_said_to_be_what_it_is(body, says):
    with pytest.raises(ParseError) as error:
        page(body)
    assert says in str(error.value)


def test_the_largest_candidate_of_a_srcset_is_taken():
    assert widest("a.jpg 320w, b.jpg 1280w, c.jpg 640w") == "b.jpg"
    assert widest("https://a/x,w_1/y.jpg 1x, https://a/x,w_2/y.jpg 2x") == "https://a/x,w_2/y.jpg"
    assert widest("a.jpg") == "a.jpg"
    assert widest(" ,, ") == ""
