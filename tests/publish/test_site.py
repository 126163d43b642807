"""What every document says about the place it is published at: its hub, above all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.publish import atom, jsonfeed, rss

DATA = Path(__file__).parent / "data"
FORMATS = pytest.mark.parametrize(
    ("render", "name"), [(rss.render, "hub.rss.xml"), (atom.render, "hub.atom.xml"), (jsonfeed.render, "hub.feed.json")]
)


@FORMATS
def test_a_document_names_the_hub(golden, feed, make_post, site, render, name):
    document = render(feed, [make_post()], replace(site, hub="https://hub.example.com/?a=1&b=2"))
    golden(DATA / name, document.body)


@FORMATS
def test_a_private_feed_names_our_own_hub_and_no_other(feed, site, render, name):
    private = replace(feed, private=True, directory="private/token/x")
    theirs = render(private, [], replace(site, hub="https://hub.example.com/"))
    assert b"hub" not in theirs.body
    assert theirs.body == render(private, [], site).body
    ours = render(private, [], replace(site, hub="https://feeds.example.com/websub"))
    assert b"https://feeds.example.com/websub" in ours.body
