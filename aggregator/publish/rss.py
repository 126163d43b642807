"""A feed as RSS 2.0, by feedgen."""

from __future__ import annotations

from collections.abc import Sequence

from feedgen.feed import FeedGenerator

from aggregator.models import Document, Feed, Post
from aggregator.publish.extensions import RssEntry, RssFeed, rss_text, with_character_references
from aggregator.publish.facts import (
    given_body_of,
    guarded,
    guid_of,
    has_references,
    headline,
    link_of,
    newest,
    source_of,
    type_of,
)
from aggregator.publish.paths import ROOT_DIRECTORY
from aggregator.publish.site import NAMES, TYPES, Site, document_path, language_of
from aggregator.publish.text import uri

MEDIA_TYPE = f"{TYPES['rss']}; charset=utf-8"


def render(feed: Feed, posts: Sequence[Post], site: Site) -> Document:
    """The feed's `rss.xml`; the same posts always give the same bytes.

    A post's content is its `description`, unless it has a summary too: then that is the description, and the content
    is `content:encoded`. So every reader shows the content, and nothing is there twice.

    Raises:
        PublishError: the feed cannot be built.
    """
    return guarded(_build, feed, posts, site)


def _build(feed: Feed, posts: Sequence[Post], site: Site) -> Document:
    generator = FeedGenerator()
    generator.register_extension("aggregator", RssFeed, RssEntry, atom=False)
    title = rss_text(feed.title.strip() or feed.slug)
    generator.title(title)
    generator.link(href=site.document_url(feed, "rss"), rel="self", type=TYPES["rss"])
    generator.aggregator.hub = site.hub_of(feed)
    generator.link(href=site.page_url(feed), rel="alternate")  # last: the channel's link is the last one added
    generator.description(rss_text(feed.description.strip()) or title)
    if language := language_of(feed, site):
        generator.language(language)
    generator.generator(rss_text(site.generator))
    updated = newest(posts)
    if updated is None:
        generator.aggregator.is_empty = True
    else:
        generator.updated(updated)
    domain = site.url(f"{ROOT_DIRECTORY}/")
    for post in posts:
        _add(generator, post, site, domain, language)
    body: bytes = generator.rss_str(pretty=True)
    if has_references(posts, feed.title, feed.slug, site.generator):
        body = with_character_references(body)
    return Document(document_path(feed, NAMES["rss"]), body, MEDIA_TYPE)


def _add(generator: FeedGenerator, post: Post, site: Site, domain: str, language: str) -> None:
    entry = generator.add_entry(order="append")
    entry.aggregator.post = post
    entry.aggregator.language = post.language if post.language != language else ""
    if title := post.title.strip():
        entry.title(rss_text(title))
    link = link_of(post, site)
    entry.link(href=link)
    guid = guid_of(post)
    entry.guid(guid, permalink=guid == link)
    _add_body(entry, post)
    categories = [{"term": rss_text(category.path), "scheme": domain} for category in post.categories if category.names]
    entry.category(categories + [{"term": rss_text(tag)} for tag in post.tags if tag.strip()])
    if post.enclosures:
        first = post.enclosures[0]
        entry.enclosure(uri(first.url), max(first.length or 0, 0), type_of(first))  # 0: RSS has no other unknown
    source = source_of(post)
    if source is not None and source.url:
        entry.source(source.url, rss_text(source.title))


def _add_body(entry: FeedGenerator, post: Post) -> None:
    content, summary = given_body_of(post)
    if content:
        entry.content(content)
    if summary:
        entry.description(summary, isSummary=True)
    if not (content or summary or post.title.strip()):
        entry.title(rss_text(headline(post)))  # an item needs one or the other
