"""The documents in the output, whoever wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.models import Document
from aggregator.pipeline.websub.topics import Published, is_document
from aggregator.publish.writer import Writer

BASE = "https://feeds.example.com/sub/"


@pytest.fixture
def published(tmp_path):
    return Published(tmp_path, BASE)


def write(output: Path, path: str, body: bytes) -> Document:
    document = Document(path, body, "")
    writer = Writer(output)
    writer.register([path])
    writer.write([document])
    return document


def test_a_document_has_the_etag_of_its_bytes_whoever_wrote_it(tmp_path, published):
    assert published.etag("a/rss.xml") is None
    assert published.etag("a/rss.xml") is None
    first = write(tmp_path, "a/rss.xml", b"1")
    assert published.etag("a/rss.xml") == first.etag
    second = write(tmp_path, "a/rss.xml", b"2")
    assert published.etag("a/rss.xml") == second.etag
    published.keep(set())
    assert published.etag("a/rss.xml") == second.etag
    (tmp_path / "a" / "rss.xml").unlink()
    assert published.etag("a/rss.xml") is None


def test_a_document_is_not_read_again_while_it_is_the_same(tmp_path, published, monkeypatch):
    etag = write(tmp_path, "a/rss.xml", b"1").etag
    assert published.etag("a/rss.xml") == etag
    monkeypatch.setattr("aggregator.pipeline.websub.topics.read_document", lambda *_: pytest.fail("it was read again"))
    assert published.etag("a/rss.xml") == etag


def test_a_url_names_a_document_once_that_is_ours(tmp_path, published):
    assert published.path_of(f"{BASE}a/rss.xml") is None
    write(tmp_path, "a/rss.xml", b"1")
    assert published.path_of(f"{BASE}a/rss.xml") == "a/rss.xml"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "rss.xml").write_bytes(b"somebody else's")
    assert published.path_of(f"{BASE}b/rss.xml") is None
    assert published.path_of("https://feeds.example.com/a/rss.xml") is None


def test_a_url_names_a_document_however_the_two_are_escaped(tmp_path):
    published = Published(tmp_path, "https://feeds.example.com/%E8%AE%A2/a+b/")
    write(tmp_path, "新/rss.xml", b"1")
    for path in ("%E8%AE%A2/a+b/%E6%96%B0/rss.xml", "订/a%2Bb/新/rss.xml", "%e8%ae%a2/a+%62/新/rss%2Exml"):
        assert published.path_of(f"https://feeds.example.com/{path}") == "新/rss.xml"
    assert published.path_of("https://feeds.example.com/%E8%AE/a+b/新/rss.xml") is None


def test_documents_are_feeds_and_not_pages():
    names = ("a/rss.xml", "a/atom.xml", "a/feed.json", "a/index.html", "feeds.opml", "rss.xml/", "")
    assert [is_document(name) for name in names] == [True, True, True, False, False, False, False]


def test_a_document_has_the_media_type_of_its_format(tmp_path, published):
    for name, kind in (("rss.xml", "application/rss+xml"), ("feed.json", "application/feed+json")):
        write(tmp_path, f"a/{name}", b"1")
        assert published.read(f"a/{name}").media_type == f"{kind}; charset=utf-8"
