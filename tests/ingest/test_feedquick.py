"""The short cuts through feedparser's strict reader give what its own handlers give."""

from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.ingest import entryscope, feedquick, feedreader
from aggregator.ingest.entryscope import ScopedReader
from aggregator.ingest.feedquick import QuickReader

ROOT = Path(__file__).parents[2]
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "cc": "http://creativecommons.org/ns#license",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "georss": "http://www.georss.org/georss",
    "itunes": "http://www.itunes.com/DTDs/PodCast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "o": "urn:other",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "svg": "http://www.w3.org/2000/svg",
    "xhtml": "http://www.w3.org/1999/xhtml",
    "xlink": "http://www.w3.org/1999/xlink",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
ATOM = f'<feed xmlns="{NAMESPACES["atom"]}" {DECLARED} xml:lang="en">{{}}</feed>'
SHELLS = (
    f'<rss version="2.0" {DECLARED}><channel><title>News</title><link>https://example.org/</link>{{}}</channel></rss>',
    f'<rss version="2.0" {DECLARED} xml:base="https://example.org/"><channel><title>News</title>{{}}</channel></rss>',
    f'<rss version="2.0"><channel xmlns="http://backend.userland.com/RSS2" {DECLARED}>{{}}<image/></channel></rss>',
    f'<rdf:RDF xmlns="http://purl.org/rss/1.0/" {DECLARED}><channel rdf:about="x"><title>N</title></channel>{{}}</rdf:RDF>',
    ATOM,
)
USUAL = (
    *("title", "link", "guid", "id", "pubDate", "published", "updated", "author", "name", "email", "uri", "category"),
    *("description", "summary", "content", "content:encoded", "dc:creator", "dc:date", "dc:subject", "dc:description"),
    *(
        "enclosure",
        "comments",
        "o:unknown",
        "unknown",
        "media:group",
        "media:content",
        "media:title",
        "media:thumbnail",
    ),
    *("media:description", "media:credit", "media:keywords", "itunes:summary", "itunes:image", "itunes:keywords"),
    *("itunes:author", "itunes:owner", "itunes:explicit", "georss:point"),
)
UNUSUAL = (
    *("image", "textInput", "url", "width", "source", "item", "entry", "feed", "rss", "channel", "rights", "language"),
    *("div", "xhtml:div", "p", "br", "svg", "svg:svg", "math", "body", "xhtml:body", "fullitem", "abstract", "tagline"),
    *("TITLE", "Σ", "o:Σ", "tags", "generator", "cloud", "managingEditor", "dc:title", "dc:language", "cc:license"),
    *(
        "media:category",
        "media:rating",
        "media:player",
        "itunes:category",
        "itunes:subtitle",
        "itunes:name",
        "atom:link",
    ),
)
TEXTS = (
    *(
        "",
        "",
        "a",
        " a b ",
        "a &amp; b",
        "&lt;p&gt;a&lt;/p&gt;",
        "<![CDATA[<p>a & b</p>]]>",
        "<!-- a -->",
        "a\x92s",
        "é",
    ),
    *("aGk=", "?a=1&amp;b=2", "https://example.org/?a&amp;b", "a,b", "ann@example.org (Ann)", "2024-01-01T00:00:00Z"),
)
ATTRIBUTES = (
    *("type='html'", "type='XHTML'", "type='text'", "type='text/xml'", "type='image/svg+xml'", "type='image/png'"),
    *("TYPE='Text/HTML'", "mode='base64'", "rel='Alternate'", "rel='self'", "rel='enclosure'", "href='/a?b&amp;c'"),
    *("url='/u'", "uri='/v'", "isPermaLink='False'", "src='/s'", "term='a'", "scheme='/c'", "label='A'", "domain='d'"),
    *("length='1'", "text='Arts'", "lastmod='2024'", "version='0.91'"),
)
SCOPES = (
    *(
        "base='/b/'",
        "Base='/c/'",
        "lang='fr'",
        "xml:base='/d/'",
        "xml:lang=''",
        "xml:lang='de_CH'",
        "XMLNS='urn:other'",
    ),
    *(
        "o:a='b'",
        "rdf:about='/r'",
        "xlink:href='/x'",
        "xmlns='urn:default'",
        "xmlns:o='urn:again'",
        "xmlns:n='urn:new'",
    ),
    *("xmlns:dc='http://search.yahoo.com/mrss/'", "xmlns='http://www.w3.org/1999/xhtml'", "xmlns='urn:a&#9;b'"),
    *(
        f"xmlns:media='{NAMESPACES['dc']}'",
        f"xmlns='{NAMESPACES['atom']}'",
        "xmlns=''",
        f"xmlns:svg='{NAMESPACES['o']}'",
    ),
)


def mostly(usual, unusual):
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(unusual if n == 9 else usual))


def written(name, attributes, inner):
    """An element that has each attribute once."""
    said = {attribute.partition("=")[0]: attribute for attribute in attributes}
    return f"<{name} {' '.join(said.values())}>{inner}</{name}>"


@st.composite
def elements(draw, depth=0):
    attributes = draw(st.lists(mostly(ATTRIBUTES, SCOPES), max_size=3)) if draw(st.booleans()) else []
    inner = draw(st.sampled_from(TEXTS))
    if depth < 3 and draw(st.integers(0, 3)) == 3:
        inner += "".join(draw(st.lists(elements(depth + 1), max_size=4)))
        inner += draw(st.sampled_from(TEXTS))
    return written(draw(mostly(USUAL, UNUSUAL)), attributes, inner)


@st.composite
def documents(draw):
    shell = draw(st.sampled_from(SHELLS))
    tag = "entry" if "<feed" in shell else "item"
    parts = st.lists(elements(), max_size=8)
    entries = draw(st.lists(st.tuples(st.lists(st.sampled_from(SCOPES), max_size=1), parts), min_size=1, max_size=4))
    made = [draw(elements()) if draw(st.integers(0, 4)) == 4 else ""]
    made += [written(tag, scope if len(inner) % 3 == 2 else [], "".join(inner)) for scope, inner in entries]
    return shell.format("".join(made)).encode()


@contextmanager
def feedparsers_own_handlers():
    """Without a short cut."""
    with (
        mock.patch.object(QuickReader, "begins", return_value=False),
        mock.patch.object(QuickReader, "ends", return_value=False),
        mock.patch.object(QuickReader, "pop", feedreader.StrictFeedParser.pop),
        mock.patch.object(feedreader, "_Params", feedparsers_params),
        mock.patch.object(feedreader._Strict, "characters", feedreader.StrictFeedParser.characters),
    ):
        yield


def feedparsers_params(*arguments):
    return feedparser.util.FeedParserDict(*arguments)


def result(data):
    """All that a reader knows at the end, in its order, and what stopped it."""
    reader, failure = feedreader._strictly(data)
    not_compared = {"scope", "names", "property_depth_map", "_locator", "exc"}
    known = {name: repr(value) for name, value in vars(reader).items() if name not in not_compared}
    return known, reader.scope.context, reader.scope.steady, str(failure)


def differences(data):
    quick, read = result(data), feedreader.read(data)
    with feedparsers_own_handlers():
        own, own_read = result(data), feedreader.read(data)
    found = [(name, quick[0][name], own[0][name]) for name in own[0] if quick[0][name] != own[0][name]]
    return (
        found
        + [(mine, theirs) for mine, theirs in zip(quick[1:], own[1:], strict=True) if mine != theirs]
        + [(read, own_read) for _ in "1" if repr(read) != repr(own_read)]
    )


# The same


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(documents())
def test_a_document_is_read_as_feedparsers_own_handlers_read_it(data):
    assert differences(data) == []


def rss(*items, attributes=""):
    return SHELLS[0].replace("<rss ", f"<rss {attributes} ").format("".join(f"<item>{item}</item>" for item in items))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(rss("<title>1</title>", "<title>2</title><link>/2</link>"), id="usual"),
        pytest.param(
            rss(f"<p xmlns:dc='{NAMESPACES['media']}'/><dc:creator>A</dc:creator>", "<dc:creator>B</dc:creator>"),
            id="a prefix is declared again, and within one item only",
        ),
        pytest.param(rss("<o:a>1</o:a><o:b xmlns:n='urn:other'><n:a/></o:b>", "<o:a>2</o:a>"), id="another prefix"),
        pytest.param(rss("<u:a xmlns:u='urn:a&#9;b'>1</u:a>"), id="a namespace with a tab"),
        pytest.param(rss("<u:a xmlns:u='urn:a b'>1</u:a>"), id="a namespace with a space"),
        pytest.param(rss(f"<u:a xmlns:u='urn:{'u' * 500}'>1</u:a>"), id="a long namespace"),
        pytest.param(rss("<o:Σ>1</o:Σ><Σ>2</Σ><İ>3</İ>"), id="letters with two lower cases"),
        pytest.param(rss("<link TYPE='a' type='B' href='/'/>"), id="an attribute twice but for its case"),
        pytest.param(rss("<a XMLNS='urn:x'>1</a><o:b/>"), id="an attribute like a declaration"),
        pytest.param(rss("<a xml:base='/b/'><c>1</c></a><c>2</c>", "<c>3</c>"), id="a base"),
        pytest.param(rss("<description><p>a<br/></p><div/></description><link>/</link>"), id="inline markup"),
        pytest.param(rss("<description type='text/html'><div><title>a</title></div></description>"), id="div"),
        pytest.param(
            rss("<title type='text/xml'><name>a</name><summary>b</summary><a>c</a></title>"), id="content in content"
        ),
        pytest.param(rss("<title><svg:svg/></title><title>b</title><svg>c</svg>"), id="svg"),
        pytest.param(rss("<georss:point/>", "<media:rating/><media:credit/><width>x</width>"), id="handlers that fail"),
        pytest.param(rss("<source url='/'><title>s</title><a>1</a></source><a>2</a>"), id="source"),
        pytest.param(rss("<image><url>/i</url><a/><link>/l</link></image><link>/m</link>"), id="image"),
        pytest.param(rss("<a xmlns='urn:a&#9;b'>1</a>"), id="a namespace with a tab and no prefix"),
        pytest.param(rss("<u:b xmlns:u='http://backend.userland.com/RSS2'>1</u:b>"), id="one of userland's"),
        pytest.param(rss("<z xmlns='urn:u' xmlns:p='urn:u'><p:a>1</p:a></z>"), id="a namespace with two names"),
        pytest.param(rss("<d:creator xmlns:d='http://PURL.org/dc/elements/1.1/'>A</d:creator>"), id="its case"),
        pytest.param(rss("<link REL='Alternate' TYPE='Text/HTML' href='/A'/>"), id="the case of values"),
        pytest.param(rss("<a lang='fr'><title>1</title></a>"), id="a language without a prefix"),
        pytest.param(rss("<a base='/b/'><title>1</title></a>"), id="a base without a prefix"),
        pytest.param(
            rss(f"<dc:creator>A</dc:creator><p xmlns:dc='{NAMESPACES['media']}'/><dc:creator>B</dc:creator>"),
            id="a prefix is declared again between two of its elements",
        ),
        pytest.param(
            rss("<textInput><description>a</description></textInput><title type='a/b'><a>aGk=</a></title>"),
            id="contents are counted wrong",
        ),
        pytest.param(rss("<a><a>1</a>2</a><author>A<name>B</name></author>"), id="nested"),
        pytest.param(rss("<a>it\x92s</a><category>\x80</category><title>\x93</title>"), id="windows-1252"),
        pytest.param(rss("<a>1</a>")[:-20], id="torn"),
        pytest.param(
            rss("<title>1</title>").replace("<item>", "<item xml:base='HTTP://a.example/b?'>"), id="an item's base"
        ),
        pytest.param(rss(f"<a xmlns:x='{NAMESPACES['xlink']}'>1</a>"), id="xlink is declared"),
        pytest.param(rss("<a {}/>".format(" ".join(f"a{n}=''" for n in range(250)))), id="many attributes"),
        pytest.param(
            f"<x><item><a XMLNS='{NAMESPACES['atom']}'><title>&lt;b>a&lt;/b></title></a></item></x>",
            id="an attribute that is a version",
        ),
        pytest.param(rss("<a xml:lang='fr'><rss/></a>"), id="rss in another language"),
        pytest.param(rss("<a xml:lang='fr'><feed/></a>"), id="feed in another language"),
        pytest.param(rss("<svg:svg>1</svg:svg>"), id="svg outside of a content"),
        pytest.param(rss("<description><svg><title>a</title></svg></description>"), id="svg with a title"),
        pytest.param(rss("<m:math xmlns:m='http://www.w3.org/1998/Math/MathML'>1</m:math>"), id="math"),
        pytest.param(
            rss("<textInput><link>/</link><name>n</name></textInput>").replace("<item>", "<textInput/><item>"),
            id="textInput",
        ),
        pytest.param(
            rss("<textInput><a/><name>n</name></textInput>").replace("<item>", "<textInput/><item>"),
            id="textInput with something else",
        ),
        pytest.param(
            rss("<image><width>7</width><height>8</height><url>/u</url><a/><width>9</width></image>").replace(
                "<item>", "<image/><item>"
            ),
            id="image with a size",
        ),
        pytest.param(rss("<content type='xhtml'><p><title>a</title>b</p></content><a/>"), id="title in xhtml"),
        pytest.param(rss("<content type='text/html'><div><content>a</content>b</div></content>"), id="content in html"),
        pytest.param(ATOM.format("<entry><content type='xhtml'><div>a</div></content></entry>"), id="xhtml"),
        pytest.param(ATOM.format("<entry><id>1</id><author><name>A</name></author></entry>"), id="atom"),
        pytest.param(ATOM.format("<entry><content mode='base64'>aGk=</content></entry>"), id="base64"),
    ],
)
def test_what_a_short_cut_could_get_wrong_is_read_the_same(text):
    assert differences(text.encode()) == []


def own_files():
    files = [*ROOT.glob("config/**/*.xml"), *ROOT.glob("tests/**/data/*.xml")]
    assert len(files) >= 4
    return files


@pytest.mark.parametrize("file", own_files(), ids=lambda file: file.name)
def test_a_file_of_ours_is_read_the_same(file):
    assert differences(file.read_bytes().partition(b"?>")[2]) == []


def test_a_handler_that_stumbles_breaks_the_same_entry(monkeypatch):
    def stumble(*_):
        raise OverflowError

    for name in ("_start_stumble", "_end_trip"):
        monkeypatch.setattr(feedreader._Strict, name, stumble, raising=False)
    data = rss("<a>1</a>", "<stumble/><b>2</b>", "<trip>3</trip><c>4</c>", "<title>5</title>").encode()
    assert differences(data) == []
    assert feedreader.read(data).broken == {1, 2}


def test_p7_elements_are_counted_on_the_short_way_too(monkeypatch):
    monkeypatch.setattr(entryscope, "MAX_ELEMENTS", 20)
    data = rss("<a>" + "<b>c</b>" * 20 + "</a>").encode()
    assert differences(data) == []
    reader, failure = feedreader._strictly(data)
    assert (reader.elements, reader.unclosed, failure) == (21, [], None)


@pytest.mark.parametrize("text", ["a", " b ", "it\x92s", "&amp;amp;"])
@pytest.mark.parametrize("strip", [0, 1])
@pytest.mark.parametrize("expects_text", [0, 1])
@pytest.mark.parametrize(
    "element", ["a", "title", "description", "content", "link", "category", "tags", "itunes_keywords"]
)
def test_the_text_of_an_element_is_kept_where_feedparser_keeps_it(element, expects_text, strip, text):
    def kept(pop):
        reader = feedreader._Strict()
        reader._start_item({})
        reader._start_link({"href": "/"})
        reader.title_depth = 0
        for depth, piece in ((3, text), (2, "nearer"), (2, text), (4, "farther")):
            reader.depth = depth
            reader.push(element, expects_text)
            reader.handle_data(piece)
            assert pop(reader, "another") is None
            yield pop(reader, element, strip)
        yield vars(reader) | {"names": 0, "scope": 0, "property_depth_map": [*reader.property_depth_map.values()]}

    assert list(kept(QuickReader.pop)) == list(kept(feedreader.StrictFeedParser.pop))


# Shorter


class Counted:
    """How many tags were read on the short way, and how many were not."""

    def __init__(self, monkeypatch, name):
        self.answers = []
        original = getattr(QuickReader, name)
        monkeypatch.setattr(QuickReader, name, lambda *a: self.answers.append(original(*a)) or self.answers[-1])


ITEM = (
    "<title>A</title><link>https://example.org/1</link><guid isPermaLink='false'>1</guid><pubDate>now</pubDate>"
    "<dc:creator>Ann</dc:creator><category domain='d'>C</category><description>D</description><o:unknown>1</o:unknown>"
    "<content:encoded>&lt;p&gt;E&lt;/p&gt;</content:encoded><enclosure url='/e' type='audio/MPEG'/><media:group>"
    "<media:content url='/m'><media:title>M</media:title></media:content></media:group>"
)


def test_all_elements_of_a_usual_item_are_read_on_the_short_way(monkeypatch):
    begun, ended = Counted(monkeypatch, "begins"), Counted(monkeypatch, "ends")
    feedreader.read(rss(ITEM, ITEM).encode())
    outside = 4 + 2  # rss, channel, title, link; and the items themselves
    assert (begun.answers.count(False), begun.answers.count(True)) == (outside, 2 * ITEM.count("</") + 2)
    assert (ended.answers.count(False), ended.answers.count(True)) == (outside, 2 * ITEM.count("</") + 2)


def test_a_name_is_looked_up_once_in_a_document(monkeypatch):
    found = Counted(monkeypatch, "_found")
    feedreader.read(rss(*["<dc:creator>A</dc:creator><a/>"] * 9).encode())
    assert len(found.answers) == 2


def test_a_namespace_that_an_item_declares_holds_up_that_item_alone(monkeypatch):
    item = "<o:a/><o:b xmlns:n='urn:n'/><o:a/>"
    found = Counted(monkeypatch, "_found")
    feedreader.read(rss(item, item, "<o:a/>", "<o:a/>").encode())
    assert len(found.answers) < 10


def test_p7_long_names_are_not_kept():
    reader, _ = feedreader._strictly(rss("<u:a>1</u:a><a/>", attributes=f"xmlns:u='urn:{'u' * 500}'").encode())
    assert list(reader.names) == ["a"]


# What they rely on


@pytest.mark.parametrize("key", sorted(feedquick._CONTENTS))
def test_the_end_of_a_content_ends_it_and_nothing_else(key):
    reader = feedreader._Strict()
    reader.track_namespace(None, NAMESPACES["atom"])
    reader._start_item({})
    getattr(reader, f"_start_{key}")({"type": "text/plain"})
    assert reader.incontent == 1
    getattr(reader, f"_end_{key}")()
    assert (reader.incontent, reader.contentparams) == (0, {})


def test_the_short_cuts_stand_before_feedparsers_reader():
    order = feedreader._Strict.__mro__
    assert order.index(QuickReader) < order.index(ScopedReader) < order.index(feedreader.StrictFeedParser)


def test_no_key_of_a_content_has_another_name_in_feedparsers_dictionaries():
    assert not set(feedparser.util.FeedParserDict.keymap) & {
        *("type", "language", "base", "base64", "mode", "src", "value")
    }


@given(st.text(st.one_of(st.characters(), st.characters(max_codepoint=0x100))))
def test_c1_controls_are_found(text: str) -> None:
    assert feedquick.has_c1(text) == any("\x80" <= character <= "\x9f" for character in text)
