"""A feed of which only the new items are read gives the drafts that it gives when it is read whole."""

import time
from dataclasses import replace

import pytest
import seen_corpus as corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.ingest import entryscope, feeddraft, feedreader, items
from aggregator.ingest import feed as feed_module
from aggregator.ingest.feed import parse_feed
from aggregator.ingest.items import crude_date, cut, newest, split
from aggregator.models import Draft, Seen, SeenItem

URL = corpus.URL
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "other": "urn:other",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
SHELLS = {
    "rss": (
        f'<rss version="2.0" {DECLARED}><channel>HEAD<title>News</title><link>https://example.org/</link>',
        "TAIL</channel></rss>",
    ),
    "rss with an image": (
        f'<rss version="2.0" {DECLARED}><channel><image><url>/i.png</url><width>7</width></image>HEAD',
        "<copyright>us</copyright>TAIL</channel></rss>",
    ),
    "rss 1": (
        f'<rdf:RDF xmlns="http://purl.org/rss/1.0/" {DECLARED}><channel rdf:about="x">HEAD<title>News</title><items><rdf:Seq/></items></channel>\n',
        "\nTAIL</rdf:RDF>",
    ),
    "atom": (
        f'<feed xmlns="http://www.w3.org/2005/Atom" {DECLARED} xml:lang="en">HEAD<title>News</title><author><name>Us</name></author>',
        "<rights>ours</rights>TAIL</feed>",
    ),
    "atom with a prefix": (
        f'<atom:feed {DECLARED} xml:base="/b/">HEAD<atom:title>News</atom:title>',
        "TAIL</atom:feed>",
    ),
}
ITEM = {
    "rss": "item",
    "rss with an image": "item",
    "rss 1": "item",
    "atom": "entry",
    "atom with a prefix": "atom:entry",
}


def document(shell, inner, head="", tail="", between="\n"):
    start, end = SHELLS[shell]
    name = ITEM[shell]
    joined = between.join(f"<{name}{attributes}>{content}</{name}>" for attributes, content in inner)
    return (start.replace("HEAD", head) + joined + end.replace("TAIL", tail)).encode()


def rss(*inner, **around):
    return document("rss", [("", content) for content in inner], **around)


def seen_in(body, **arguments):
    parsed = parse_feed(body, url=URL, **arguments)
    assert parsed.context
    return corpus.remember(parsed)[0]


# The property


FRAGMENTS = (
    "<guid>1</guid>",
    "<guid isPermaLink='false'>same</guid>",
    "<guid>https://example.org/2</guid>",
    "<id>urn:x</id>",
    "<link>/1</link>",
    "<link href='https://example.org/3'/>",
    "<link rel='enclosure' href='a.mp3' length='5'/>",
    "<title>Tom &amp;amp; Jerry &lt;b></title>",
    "<title type='html'><![CDATA[<i>a</i> ]]]]><![CDATA[> b]]></title>",
    "<title/>",
    "<description>short &#x4F60;&#22909;</description>",
    "<description>two</description>",
    "<description><div>not <b>escaped</b></div></description>",
    "<content:encoded><![CDATA[<p>long</p><item>no item</item></item>]]></content:encoded>",
    "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>x<br/>y</p></div></content>",
    "<content type='html' xml:base='https://base.example/a/'>&lt;img src='x.png'></content>",
    "<content src='/x' type='image/png'/>",
    "<summary type='xhtml'><xhtml:div>a <xhtml:b>b</xhtml:b></xhtml:div></summary>",
    "<!-- </item></entry> a comment <item> -->",
    "<?php echo '</item>' ?>",
    "<item><title>within</title><guid>within</guid></item>",
    "<entry/>",
    "<x xmlns='urn:default'><entry>deep</entry></x>",
    "<other:rights xmlns:other='http://purl.org/dc/elements/1.1/'>theirs</other:rights>",
    "<new:creator xmlns:new='http://purl.org/dc/elements/1.1/'>Ann</new:creator>",
    "<new:thing xmlns:new='urn:new' a='1'>thing</new:thing>",
    "<dc:creator>Bob</dc:creator>",
    "<dc:language>de</dc:language>",
    "<language>fr</language>",
    "<dc:date>2021-07-04</dc:date>",
    "<author><name>Ann</name><uri>u/</uri></author>",
    "<author>Bob &lt;bob@example.org></author>",
    "<category domain='d'>c</category>",
    "<category term='t' xml:lang='it'/>",
    "<pubDate>Sun, 04 Jul 2021 06:56:06 GMT</pubDate>",
    "<updated>2021-07-05T00:00:00Z</updated>",
    "<image><url>/own.png</url><width>9</width></image>",
    "<image><link>/own</link></image>",
    "<textInput><title>t</title><name>q</name></textInput>",
    "<source url='https://other.example/'>Other<title>o</title></source>",
    "<source><id>s</id><title>Other</title><rights>r</rights></source>",
    "<media:group><media:content url='m.png' width='5'/><media:title>m</media:title></media:group>",
    "<svg xmlns='http://www.w3.org/2000/svg'><title>drawn</title></svg>",
    "<math><mi>x</mi></math>",
    "<feed xml:lang='pt'/>",
    "<rss version='0.91'/>",
    "<channel><title>another</title><copyright>theirs</copyright></channel>",
    "<rdf:RDF a='1'>odd</rdf:RDF>",
    "<rights>mine</rights>",
    "text of its own 😀",
)
ATTRIBUTES = (
    "",
    "",
    "",
    " rdf:about='urn:about'",
    " xml:lang='es'",
    " xml:base='sub/'",
    " xmlns:own='urn:own'",
    " href='h'",
    " a='>'",
)
HEADS = (
    "",
    "<lastBuildDate>today</lastBuildDate>",
    "<language>nl</language>",
    "<dc:rights>all</dc:rights>",
    "<description>a<b>c</b></description>",
)
TAILS = (
    "",
    "<!-- cached -->",
    "<pubDate>now</pubDate>",
    "<language>sv</language>",
    "<link rel='self' href='/self'/>",
    "<title>Last</title>",
)
CONTENTS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=7).map("".join),
    st.integers(0, 99).map("<guid isPermaLink='false'>urn:{0}</guid><title>post {0}</title>".format),
)
INNER = st.tuples(st.sampled_from(ATTRIBUTES), CONTENTS)


@st.composite
def histories(draw):
    """A feed as it was served three times: items come, go, move and are edited; so does what stands around them."""
    shell = draw(st.sampled_from(sorted(SHELLS)))
    pool = draw(st.lists(INNER, min_size=2, max_size=8))
    around = {
        "head": draw(st.sampled_from(HEADS)),
        "tail": draw(st.sampled_from(TAILS)),
        "between": draw(st.sampled_from(["", "\n", "<!-- </item> -->\n"])),
    }
    bodies = []
    for _ in range(3):
        chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8))
        if draw(st.booleans()):
            chosen.insert(draw(st.integers(0, len(chosen))), draw(INNER))
        if draw(st.integers(0, 4)) == 0:
            around = {**around, "head": draw(st.sampled_from(HEADS)), "tail": draw(st.sampled_from(TAILS))}
        bodies.append(document(shell, chosen, **around))
    return bodies


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(histories())
def test_reading_what_is_new_gives_the_drafts_of_reading_everything(bodies):
    seen, drafts = None, {}
    for body in bodies:
        parsed, whole = parse_feed(body, url=URL, seen=seen), parse_feed(body, url=URL)
        parsed_whole = corpus.filled(parsed, drafts)
        assert parsed_whole == corpus.filled(whole, {})
        seen, _ = corpus.remember(parsed, seen)
        drafts = dict(zip(whole.items, whole.drafts, strict=False))


@pytest.mark.parametrize("shell", sorted(SHELLS))
@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_no_item_changes_what_its_neighbours_are(shell, fragment):
    known = ("", "<guid>urn:known</guid><title>known</title><description>d</description><image><url>u</url></image>")
    other = ("", "<guid>urn:other</guid><dc:creator>Ann</dc:creator><description><b>x</b></description>")
    odd = ("", f"<guid>urn:odd</guid>{fragment}")
    assert corpus.compare(document(shell, [known, odd]), document(shell, [odd, other, known])).same
    assert corpus.compare(document(shell, [other, known]), document(shell, [other, odd, known])).same


def test_a_namespace_that_an_item_declares_ends_with_it():
    own = (
        " xmlns:new='http://purl.org/dc/elements/1.1/' xmlns:dc='urn:other'",
        "<guid>1</guid><new:creator>Ann</new:creator>",
    )
    other = ("", "<guid>2</guid><new:creator xmlns:new='urn:new'>Bob</new:creator><dc:creator>Cid</dc:creator>")
    third = ("", "<guid>3</guid>")
    first = document("rss", [own, other])
    assert [[author.name for author in draft.authors] for draft in parse_feed(first, url=URL).drafts] == [
        ["Ann"],
        ["Cid"],
    ]
    assert corpus.compare(first, document("rss", [other, third, own])) == corpus.Outcome("shortcut", True)
    assert corpus.compare(first, document("rss", [third, own, other])) == corpus.Outcome("shortcut", True)


def test_a_base_that_an_item_names_ends_with_it():
    body = rss(
        "<guid>1</guid><description xml:base='https://base.example/'>x</description>", "<guid>2</guid><link>/2</link>"
    )
    assert parse_feed(body, url=URL).drafts[1].link == "https://example.org/2"


def test_a_corpus_of_files_can_be_checked(tmp_path, capsys):
    for number, shell in enumerate(SHELLS):
        inner = [("", f"<guid>urn:{n}</guid><title>{n}</title>") for n in range(4)]
        (tmp_path / f"{number}.xml").write_bytes(document(shell, inner))
    (tmp_path / "page.html").write_bytes(b"<html></html>")
    found = corpus.check([tmp_path])
    assert (found["files"], found["no feed"], found["differ"]) == (5, 1, 0)
    assert found["half: shortcut"] == found["built: shortcut"] == found["reversed: shortcut"] == 5
    assert capsys.readouterr().err == ""


# What is read and what is not


ONE = "<guid>urn:1</guid><link>https://example.org/1</link><title>one</title><description>long</description>"
TWO = "<guid>urn:2</guid><title>two</title>"
THREE = "<guid>urn:3</guid><title>three</title><description>new, and longer than the others</description>"


def reads(monkeypatch, body, **arguments):
    """A parsed document, and the bytes that feedparser was given to read."""
    given = []
    for name in ("read", "read_strictly"):
        real = getattr(feed_module, name)
        monkeypatch.setattr(feed_module, name, lambda data, real=real: (given.append(data), real(data))[1])
    parsed = parse_feed(body, url=URL, **arguments)
    monkeypatch.undo()
    return parsed, given


def test_only_the_new_item_is_read(monkeypatch):
    seen = seen_in(rss(ONE, TWO))
    parsed, given = reads(monkeypatch, rss(THREE, ONE, TWO), seen=seen)
    assert given == [rss(THREE)]
    assert parsed.seen == {1: seen.items[parsed.items[1]], 2: seen.items[parsed.items[2]]}
    assert parsed.drafts[1] == Draft(guid="urn:1", link="https://example.org/1", title="one")
    assert [draft.title for draft in parsed.drafts] == ["three", "one", "two"]
    assert (parsed.title, parsed.link, parsed.context) == ("News", "https://example.org/", seen.context)


def test_where_all_were_seen_the_shortest_is_read(monkeypatch):
    parsed, given = reads(monkeypatch, rss(ONE, TWO), seen=seen_in(rss(ONE, TWO)))
    assert given == [rss(TWO)]
    assert list(parsed.seen) == [0]


@pytest.mark.parametrize(
    "around",
    [
        {"head": "<lastBuildDate>Mon, 05 Jul 2021 06:56:06 GMT</lastBuildDate>"},
        {"head": "<ttl>5</ttl><generator>WordPress 6.1</generator>"},
        {"tail": "<!-- made in 0.5 s -->"},
        {"between": "\n\n  <!-- next -->\n"},
    ],
)
def test_what_no_draft_depends_on_may_change_around_the_items(monkeypatch, around):
    parsed, given = reads(monkeypatch, rss(THREE, ONE, TWO, **around), seen=seen_in(rss(ONE, TWO)))
    assert len(given) == 1
    assert list(parsed.seen) == [1, 2]


@pytest.mark.parametrize(
    "around",
    [
        {"head": "<language>fr</language>"},
        {"tail": "<language>fr</language>"},
        {"tail": "<copyright>ours</copyright>"},
        {"head": "<link>https://moved.example/</link>"},
        {"head": "<title>Another</title>"},
        {"head": "<image><url>x</url></image>"},
        {"head": "<x:x xmlns:x='http://purl.org/dc/elements/1.1/'/>"},
    ],
)
def test_what_a_draft_depends_on_makes_everything_new(around):
    parsed = parse_feed(rss(THREE, ONE, TWO, **around), url=URL, seen=seen_in(rss(ONE, TWO)))
    assert parsed.seen == {}
    assert parsed.drafts == parse_feed(rss(THREE, ONE, TWO, **around), url=URL).drafts


@pytest.mark.parametrize(
    "start",
    [
        "<rss version='0.91'",
        "<rss version='2.0' xml:base='/x/'",
        "<rss version='2.0' xml:lang='fr'",
        "<rss version='2.0' xmlns:more='urn:x'",
    ],
)
def test_the_tags_that_the_items_stand_in_count(start):
    body = rss(THREE, ONE, TWO)
    changed = body.replace(b'<rss version="2.0"', start.encode())
    assert parse_feed(body, url=URL, seen=seen_in(rss(ONE, TWO))).seen
    assert parse_feed(changed, url=URL, seen=seen_in(rss(ONE, TWO))).seen == {}


def test_another_url_or_language_makes_everything_new():
    seen = seen_in(rss(ONE, TWO))
    assert parse_feed(rss(THREE, ONE, TWO), url=URL + "?page=2", seen=seen).seen == {}
    assert parse_feed(rss(THREE, ONE, TWO), url=URL, language="fr", seen=seen).seen == {}
    assert parse_feed(rss(THREE, ONE, TWO), url=URL, seen=replace(seen, context="")).seen == {}


def test_an_item_without_guid_and_link_is_never_known():
    parsed = parse_feed(rss(ONE, "<title>bare</title>", "<link>/3</link>"), url=URL)
    assert [bool(key) for key in parsed.items] == [True, False, True]
    assert "" not in seen_in(rss(ONE, "<title>bare</title>")).items
    again = parse_feed(
        rss(ONE, "<title>bare</title>"), url=URL, seen=Seen(parsed.context, {"": SeenItem("a", "b", "c", "")})
    )
    assert again.seen == {}


def test_items_with_the_same_bytes_are_the_same_item():
    parsed = parse_feed(rss(ONE, THREE, ONE), url=URL, seen=seen_in(rss(ONE)))
    assert sorted(parsed.seen) == [0, 2]
    assert parsed.items[0] == parsed.items[2] != parsed.items[1]


@pytest.mark.parametrize(
    "body",
    [
        rss(ONE, TWO + "&nope;"),
        rss(ONE, TWO) + b"junk",
        rss(ONE, TWO)[:-20],
        rss(ONE, TWO, between="<title>between</title>"),
        rss(ONE, TWO, between="text"),
        rss(ONE, TWO, between="<![CDATA[<!-- text -->]]>"),
        rss(ONE, TWO, tail="<item><guid>x</guid></item><x/><item><guid>y</guid></item>"),
        rss(ONE, TWO, tail="</channel><channel><item/>"),
        rss(ONE, TWO, tail="<item/>"),
        rss(ONE, TWO, tail="<x><item><title>deep</title></item></x>"),
        rss(ONE, TWO, tail="<other:item><guid>3</guid></other:item>"),
        rss(ONE, "<item><title>within</title></item>"),
    ],
    ids=[
        "broken",
        "junk",
        "torn",
        "scattered",
        "text",
        "cdata",
        "late",
        "channels",
        "empty",
        "deep",
        "foreign",
        "within",
    ],
)
def test_a_document_that_is_not_as_usual_is_read_whole_and_nothing_of_it_is_known(body):
    parsed = parse_feed(body, url=URL)
    assert (parsed.items, parsed.context) == ((), "")
    again = parse_feed(body, url=URL, seen=seen_in(rss(ONE)))
    assert (again.seen, again.drafts) == ({}, parsed.drafts)


def test_p7_a_document_with_too_many_elements_is_read_to_there_and_nothing_of_it_is_known(monkeypatch):
    for module in (entryscope, feed_module, feedreader):
        monkeypatch.setattr(module, "MAX_ELEMENTS", 20)
    seen = seen_in(rss(ONE, TWO))
    body = rss(ONE, "<guid>3</guid><description>a" + "<b>c</b>" * 20 + "</description>", TWO)
    parsed = parse_feed(body, url=URL, seen=seen)
    assert [draft.guid for draft in parsed.drafts] == ["urn:1", "3"]
    assert parsed.drafts[1].content.startswith("a<b>c</b><b>c</b>")
    assert (parsed.items, parsed.context, parsed.seen) == ((), "", {})
    assert parsed.warnings == ("The document has more than 20 elements; what follows them was left out.",)
    torn = parse_feed(body.replace(b"</channel>", b""), url=URL)
    assert [draft.guid for draft in torn.drafts] == ["urn:1", "3"]
    broken = parse_feed(body.replace(b"<title>", b"<title><b>"), url=URL)
    assert [draft.guid for draft in broken.drafts] == ["urn:1"]


def test_an_item_that_stumbles_makes_nothing_of_the_document_known(monkeypatch):
    def stumble(self, attrs):
        raise ValueError

    monkeypatch.setattr("aggregator.ingest.feedreader._Strict._start_stumble", stumble, raising=False)
    seen = seen_in(rss(ONE, TWO))
    parsed = parse_feed(rss("<guid>3</guid><stumble/>", ONE, TWO), url=URL, seen=seen)
    assert (parsed.items, parsed.seen) == ((), {})
    assert parsed.warnings == ("A part of entry 1 could not be read.",)


def test_the_draft_of_an_entry_that_says_nothing_shows_all_that_entries_have_from_their_feed():
    """Whoever lets drafts depend on more of the feed has to let the context of the items depend on it too."""
    assert set(feeddraft._Feed.__slots__) == {"url", "site", "is_atom", "language", "rights", "authors", "origin"}


# Finding the items


def test_items_are_found_to_the_byte():
    big = f"<description>{'é' * 1_200_000}</description>"  # the XML parser is given a megabyte at a time
    inner = [ONE, f"{big}<!-- </item> --><![CDATA[</item>]]>", "<item>nested</item>", TWO]
    parts = split(rss(*inner, head="<x a='>'/>"))
    assert [parts.data[start:end].decode() for start, end in parts.spans] == [
        f"<item>{content}</item>" for content in inner
    ]
    assert parts.only([0, 3]).data == rss(ONE, TWO, head="<x a='>'/>", between="")
    assert split(parts.only([1, 3]).data) == parts.only([1, 3])


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_items_are_found_in_every_format(shell):
    parts = split(document(shell, [(" a='<b'".replace("<", "&lt;"), ONE), ("", TWO)], tail="<x/>"))
    assert len(parts.spans) == 2
    assert parts.data[parts.spans[1][1] :].startswith(b"\n" * (shell == "rss 1") + b"<") or shell
    assert parts.data[slice(*parts.spans[0])].endswith(b"</" + ITEM[shell].encode() + b">")


def test_an_end_tag_may_hold_space():
    body = rss(ONE, TWO).replace(b"</item>", b"</item \n>")
    assert len(split(body).spans) == 2
    assert corpus.compare(body, body.replace(b"two", b"2")) == corpus.Outcome("shortcut", True)


@pytest.mark.parametrize(
    "body",
    [b"", b"<rss>", b"<rss/>", rss(), b"<item/>", b"<a><b><item>x</item></b></a>", b"<html><entry>x</entry></html>"],
)
def test_a_document_without_items_has_none(body):
    assert split(body) is None


# P7: more items than anybody asked for


def test_p7_the_newest_items_are_kept_in_document_order():
    dates = ["2021-01-03", "2021-01-01", "2021-01-05", "2021-01-02", "2021-01-04"]
    for date in (
        "<pubDate>{}</pubDate>",
        "<dc:date>{}T00:00:00Z</dc:date>",
        "<published><![CDATA[ {}]]></published>",
        "<updated>{}</updated>",
    ):
        body = rss(*(f"<guid>{day}</guid>{date.format(day)}" for day in dates))
        parsed = parse_feed(body, url=URL, max_items=3)
        assert [draft.guid for draft in parsed.drafts] == ["2021-01-03", "2021-01-05", "2021-01-04"]
        assert parsed.warnings == ("The document has 5 items; only the newest 3 were read.",)
        assert len(parsed.items) == 3
        assert parse_feed(body, url=URL, max_items=5).warnings == ()


def test_p7_of_items_without_dates_the_first_are_kept():
    body = rss(*(f"<guid>{number}</guid>" for number in range(9)))
    assert [draft.guid for draft in parse_feed(body, url=URL, max_items=2).drafts] == ["0", "1"]


@pytest.mark.parametrize(
    "break_it",
    [("</channel>", ""), ("<channel>", "<channel>&nope;"), ("<channel>", "<channel><b>"), ("</item>", "</item><x/>")],
)
def test_p7_a_broken_document_is_cut_too(break_it):
    body = rss(*(f"<guid>{day}</guid><pubDate>2021-01-{day:02}</pubDate>" for day in range(1, 10)))
    parsed = parse_feed(body.replace(*(part.encode() for part in break_it)), url=URL, max_items=3)
    assert [draft.guid for draft in parsed.drafts] == ["7", "8", "9"]
    assert parsed.warnings[0] == "The document has 9 items; only the newest 3 were read."


def test_p7_items_within_items_are_cut_after_they_were_read():
    body = rss("<guid>1</guid>" + "<item><title>x</title></item>" * 5)
    parsed = parse_feed(body, url=URL, max_items=3)
    assert len(parsed.drafts) == 3
    assert parsed.warnings == ("The document has 6 items; only the newest 3 were read.",)


def test_p7_a_cut_document_is_known_again():
    pool = [f"<guid>{day}</guid><pubDate>2021-01-{day:02}</pubDate>" for day in range(1, 10)]
    seen = seen_in(rss(*pool[:8]), max_items=4)
    parsed = parse_feed(rss(*pool), url=URL, max_items=4, seen=seen)
    assert [draft.guid for draft in parsed.drafts] == ["6", "7", "8", "9"]
    assert list(parsed.seen) == [0, 1, 2]


@pytest.mark.parametrize(
    ("dates", "kept"),
    [
        ([3, 1, 2], [0, 2]),
        ([1, 1, 1], [0, 1]),
        ([None, None, 9], [0, 1]),
        ([None, 1, 9], [0, 2]),
        ([5, None, 4], [0, 1]),
        ([], []),
        ([None], [0]),
    ],
)
def test_an_item_without_a_date_is_as_old_as_the_one_before_it(dates, kept):
    assert newest(dates, 2) == kept


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("Sun, 04 Jul 2021 08:56:06 +0200", "2021-07-04T06:56:06Z"),
        ("04 Jul 21 06:56:06 GMT", "2021-07-04T06:56:06.123Z"),
        ("Sunday, 04-Jul-21 06:56:06 GMT", "2021-07-04 06:56:06"),
        ("4 July 2021 06:56 UT", "2021-07-04T08:56:00+02:00"),
        ("Sun, 4 Jul 2021", "2021-07-04"),
        ("2021-07-03T22:00:00-0200", "2021-07-04"),
    ],
)
def test_crude_dates_of_the_same_moment_are_the_same(text, same_as):
    assert crude_date(text) == crude_date(same_as) is not None


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2021年07月04日", "0000-00-00", "2021-13-01", "1625381766", "x" * 60]
)
def test_what_is_no_date_is_none(text):
    assert crude_date(text) is None


def test_hostile_dates_and_tags_are_read_in_time():
    started = time.process_time()
    for text in (
        "<pubDate " * 200_000,
        "<item>" * 200_000,
        "<date>" + " " * 500_000,
        "<:" * 500_000,
        "<a" + "a" * 2_000_000,
        "</item" + " " * 1_000_000,
    ):
        items._crudely(text.encode())
        items._date_of(text.encode(), 0, len(text))
        cut(text.encode(), 1)
    assert crude_date("1 jan" + " " * 60) is None
    assert time.process_time() - started < 3
