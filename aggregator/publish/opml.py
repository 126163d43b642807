"""The list of all feeds as OPML 2.0 (http://opml.org/spec2.opml), for readers to import."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from aggregator.models import Document, Feed
from aggregator.publish.site import NAMES, Site, language_of
from aggregator.publish.text import cleaned
from aggregator.publish.tree import Branch, planted

PATH = "feeds.opml"
MEDIA_TYPE = "text/x-opml; charset=utf-8"


def render(feeds: Sequence[Feed], site: Site) -> Document:
    """`feeds.opml`: a folder for each category that has others below it, its own feed first; no dates, so that the same feeds give the same bytes."""
    try:
        return _build(feeds, site)
    except ValueError:  # a character that XML cannot hold
        return _build(cleaned(tuple(feeds)), cleaned(site))


def _build(feeds: Sequence[Feed], site: Site) -> Document:
    opml = etree.Element("opml", version="2.0")
    head = etree.SubElement(opml, "head")
    etree.SubElement(head, "title").text = site.title
    body = etree.SubElement(opml, "body")
    listed, root = planted(feeds)
    for feed in listed:
        _add_feed(body, feed, site)
    for branch in root.branches():
        _add_branch(body, branch, site)
    if not len(body):
        etree.SubElement(body, "outline", text=site.title)  # the format wants at least one
    content = etree.tostring(opml, pretty_print=True, encoding="UTF-8", xml_declaration=True)
    return Document(PATH, content, MEDIA_TYPE)


def _add_branch(parent: etree._Element, branch: Branch, site: Site) -> None:
    if branch.children:
        parent = etree.SubElement(parent, "outline", text=branch.name)  # a title would need a type
    if branch.feed is not None:
        _add_feed(parent, branch.feed, site)
    for child in branch.branches():
        _add_branch(parent, child, site)


def _add_feed(parent: etree._Element, feed: Feed, site: Site) -> None:
    """A subscription; `type` is `rss` for every format (OPML 2.0, "Subscription lists")."""
    published = next((name for name in NAMES if name in feed.formats), None)
    if published is None:
        return
    title = feed.title.strip() or feed.slug
    attributes = {
        "type": "rss",
        "text": title,
        "title": title,
        "xmlUrl": site.document_url(feed, published),
        "htmlUrl": site.page_url(feed),
        "description": feed.description.strip(),
        "language": language_of(feed, site),
    }
    etree.SubElement(parent, "outline", {name: value for name, value in attributes.items() if value})
