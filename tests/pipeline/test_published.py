import errno
import os
import re
import socket

import pytest
from builders import NOON, a_post, an_entry

from aggregator.errors import PublishError
from aggregator.models import Category, Feed
from aggregator.pipeline.published import (
    document_stamp,
    format_of,
    listed_documents,
    manifest_stamp,
    media_type,
    read_document,
    sources_of,
)


def test_a_document_is_read_whole_with_the_stamp_of_its_file(write, tmp_path):
    write("out/all/rss.xml", b"<rss/>")
    read = read_document(tmp_path / "out", "all/rss.xml")
    assert read.document.body == b"<rss/>"
    assert read.stamp == document_stamp(tmp_path / "out", "all/rss.xml")


def test_another_file_of_the_same_name_has_another_stamp(write, tmp_path):
    file = write("all/rss.xml", b"<rss/>")
    before = document_stamp(tmp_path, "all/rss.xml")
    write("all/new", b"<RSS/>").replace(file)
    assert document_stamp(tmp_path, "all/rss.xml") != before


def test_s1_what_links_lead_to_is_no_document(write, tmp_path):
    write("secret/rss.xml", b"secret")
    write("out/all/atom.xml", b"<feed/>")
    (tmp_path / "out/all/rss.xml").symlink_to(tmp_path / "secret/rss.xml")
    (tmp_path / "out/linked").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "out/all/feed.json")
    for path in (
        "all/rss.xml",
        "linked/rss.xml",
        "all",
        "all/feed.json",
        "none/rss.xml",
        "all\0/x",
        "../secret/rss.xml",
    ):
        assert read_document(tmp_path / "out", path) is None


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", ["os.open", "os.fstat"])
def test_what_cannot_be_read_now_is_not_gone(write, tmp_path, monkeypatch, call, reason):
    write("out/all/rss.xml", b"<rss/>")

    def fail(*_):
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(
            PublishError, match=re.escape(f"cannot read {tmp_path}/out/all/rss.xml: {os.strerror(reason)}")
        ):
            read_document(tmp_path / "out", "all/rss.xml")
    assert read_document(tmp_path / "out", "all/rss.xml").document.body == b"<rss/>"


def test_a_socket_is_no_document(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "rss.xml"))
        assert read_document(tmp_path, "rss.xml") is None


def test_an_output_that_is_a_link_itself_is_followed(write, tmp_path):
    write("real/all/rss.xml", b"<rss/>")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    assert read_document(tmp_path / "out", "all/rss.xml").document.body == b"<rss/>"


@pytest.mark.parametrize(
    ("path", "type_", "name"),
    [
        ("all/rss.xml", "application/rss+xml; charset=utf-8", "rss"),
        ("category/a/atom.xml", "application/atom+xml; charset=utf-8", "atom"),
        ("all/feed.json", "application/feed+json; charset=utf-8", "json"),
        ("index.html", "text/html; charset=utf-8", ""),
        ("feeds.opml", "text/x-opml; charset=utf-8", ""),
        ("all/unknown", "application/octet-stream", ""),
    ],
)
def test_a_document_is_served_as_what_it_is(path, type_, name):
    assert media_type(path) == type_
    assert format_of(path) == name


def test_what_was_published_stands_in_the_manifest(blog):
    blog.post("a.md")
    assert listed_documents(blog.output) == frozenset()
    assert manifest_stamp(blog.output) is None
    blog.run()
    assert {"all/rss.xml", "category/a/b/feed.json", "index.html"} <= listed_documents(blog.output)
    assert manifest_stamp(blog.output) is not None


def test_the_sources_of_a_feed_are_those_of_the_posts_that_it_holds(store):
    old = a_post("a", source="old")
    with store.write() as tx:
        entries = [old, a_post("a/b", source="one"), a_post("c", source="two"), a_post("a", source="one")]
        tx.posts.put([an_entry(post) for post in entries], {}, NOON)
    feeds = [Feed(slug="a", directory="a", title="A", categories=(Category.parse("a"),), limit=2)]
    assert sources_of(store, feeds) == {"one"}
    assert sources_of(store, [Feed(slug="all", directory="all", title="All")]) == {"old", "one", "two"}
    assert sources_of(store, []) == frozenset()
