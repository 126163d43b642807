import json
import sys
from pathlib import Path

import pytest

from aggregator.serve.deltas import MOST_ITEMS, Memory, cut, is_wanted

DATA = Path(__file__).parent.parent / "publish" / "data"


@pytest.mark.parametrize(
    ("name", "file"), [("rss", "rich.rss.xml"), ("atom", "rich.atom.xml"), ("json", "rich.feed.json")]
)
def test_our_own_documents_fall_into_pieces_and_come_together_again(name, file):
    body = (DATA / file).read_bytes()
    pieces = cut(body, name)
    assert len(pieces.items) == 6
    assert pieces.without(b"") == body


@pytest.mark.parametrize(
    ("name", "file"), [("rss", "rich.rss.xml"), ("atom", "rich.atom.xml"), ("json", "rich.feed.json")]
)
def test_only_items_that_are_not_known_stay(name, file):
    from lxml import etree

    pieces = cut((DATA / file).read_bytes(), name)
    known = pieces.digests()
    cut_down = pieces.without(known[: 16 * 2] + known[16 * 3 :])
    if name == "json":
        assert len(json.loads(cut_down)["items"]) == 1
        assert json.loads(pieces.without(known))["items"] == []
    else:
        items = etree.fromstring(cut_down).findall(".//{*}" + {"rss": "item", "atom": "entry"}[name])
        assert len(items) == 1
        assert etree.fromstring(pieces.without(known)) is not None
    assert pieces.items[2] in cut_down


def test_text_that_looks_like_an_item_is_none():
    body = b"<rss><channel><item><x><![CDATA[</item><item>]]></x></item>\n<item><item/></item></channel></rss>"
    assert cut(body, "rss").items == [b"<item><x><![CDATA[</item><item>]]></x></item>", b"<item><item/></item>"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<rss><channel></channel></rss>", "rss"),
        (b"<rss><channel><item>", "rss"),
        (b"<rss><channel><item/><link/><item/></channel></rss>", "rss"),
        (b"not XML", "atom"),
        (b"{}", "json"),
        (b'{"items": [\n{}', "json"),
        (b"<rss><channel>" + b"<item/>" * (MOST_ITEMS + 1) + b"</channel></rss>", "rss"),
    ],
)
def test_what_is_not_as_we_write_it_is_not_cut(body, name):
    assert cut(body, name) is None


@pytest.mark.parametrize(
    ("header", "wanted"),
    [(b"feed", True), (b"vcdiff, Feed", True), (b"feed;q=0.5", True), (b"feed;q=0", False), (b"feed; q=0.000", False), (b"feeds", False), (b"", False)],
)  # fmt: skip
def test_feed_has_to_be_asked_for(header, wanted):
    assert is_wanted(header) is wanted


def test_the_newest_versions_of_a_document_are_remembered():
    memory = Memory(versions=2)
    for number in range(3):
        memory.keep("a", [b'"%d"' % number], b"%d" % number)
    assert memory.find("a", [b'"0"']) is None
    assert memory.find("a", [b'"1"']) == (b'"1"', b"1")
    assert memory.find("a", [b'"1"', b'W/"2"']) == (b'"2"', b"2")
    assert memory.find("b", [b'"1"']) is None


def test_memory_of_versions_is_bounded_and_the_documents_that_changed_last_stay():
    memory = Memory(max_bytes=3200)
    for number in range(10):
        memory.keep(f"document {number}", [b'"x"'], bytes(1000))
    assert [number for number in range(10) if memory.find(f"document {number}", [b'"x"'])] == [7, 8, 9]
    assert sum(sys.getsizeof(kept) for past in memory._kept.values() for _, kept in past) < 4000
