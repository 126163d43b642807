"""A feed as Atom 1.0 (RFC 4287), by feedgen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from feedgen.feed import FeedGenerator

from aggregator.models import Category, Document, Feed, Person, Post
from aggregator.publish.extensions import AtomEntry, AtomFeed, with_character_references
from aggregator.publish.facts import (
    body_of,
    guarded,
    guid_of,
    has_references,
    headline,
    link_of,
    name_of,
    newest,
    origin_link_of,
)
from aggregator.publish.paths import ROOT_DIRECTORY
from aggregator.publish.site import NAMES, TYPES, Site, document_path, language_of
from aggregator.publish.text import is_ambiguous, uri

MEDIA_TYPE = f"{TYPES['atom']}; charset=utf-8"

# `updated` is required (§4.1.1), and a feed without posts was never updated; before 1990 would be implausible.
NEVER = datetime(2000, 1, 1, tzinfo=UTC)


def render(feed: Feed, posts: Sequence[Post], site: Site) -> Document:
    """The feed's `atom.xml`; the same posts always give the same bytes. An empty feed was updated at `NEVER`.

    Raises:
        PublishError: the feed cannot be built.
    """
    return guarded(_build, feed, posts, site)


def _build(feed: Feed, posts: Sequence[Post], site: Site) -> Document:
    generator = FeedGenerator()
    generator.register_extension("aggregator", AtomFeed, AtomEntry, rss=False)
    generator.id(site.page_url(feed))
    generator.title(feed.title.strip() or feed.slug)
    if feed.description.strip():
        generator.subtitle(feed.description)
    generator.link(href=site.document_url(feed, "atom"), rel="self", type=TYPES["atom"])
    if hub := site.hub_of(feed):
        generator.link(href=hub, rel="hub")
    generator.link(href=site.page_url(feed), rel="alternate", type="text/html")
    if language := language_of(feed, site):
        generator.language(language)
    generator.generator(site.generator)
    generator.updated(newest(posts) or NEVER)
    if not all(any(map(name_of, post.authors)) for post in posts):
        generator.author(name=site.title, uri=site.base_url)  # §4.2.1: of the entries that have none themselves
    scheme = site.url(f"{ROOT_DIRECTORY}/")
    for post in posts:
        _add(generator, post, site, scheme, language)
    body: bytes = generator.atom_str(pretty=True)
    if has_references(posts, feed.title, feed.slug, site.title, site.generator):
        body = with_character_references(body)
    return Document(document_path(feed, NAMES["atom"]), body, MEDIA_TYPE)


def _add(generator: FeedGenerator, post: Post, site: Site, scheme: str, language: str) -> None:
    entry = generator.add_entry(order="append")
    entry.aggregator.post = post
    entry.aggregator.language = post.language if post.language != language else ""
    entry.id(uri(guid_of(post)))
    entry.title(headline(post))
    entry.updated(post.changed)
    entry.published(post.published)
    entry.link(href=link_of(post, site))  # feedgen drops its rel, and none means `alternate`
    entry.author([_person(person) for person in post.authors if name_of(person)])
    _add_body(entry, post)
    terms = [_term(category, scheme) for category in post.categories if category.names]
    entry.category(terms + [{"term": tag} for tag in post.tags if tag.strip()])
    if post.rights.strip():
        entry.rights(post.rights)


def _add_body(entry: FeedGenerator, post: Post) -> None:
    """Content and summary as HTML; without a link to more of it, a summary alone is the content."""
    content, summary = body_of(post)
    if not content and not origin_link_of(post):
        content, summary = summary, ""
    if content:
        entry.content(content, type="html")
    if summary:
        entry.summary(summary, type="html")


def _person(person: Person) -> dict[str, str]:
    fields = {"name": name_of(person)}
    if person.email:
        fields["email"] = person.email
    if person.url:
        fields["uri"] = uri(person.url)
    return fields


def _term(category: Category, scheme: str) -> dict[str, str]:
    term = {"term": category.path, "scheme": scheme}
    if not is_ambiguous(category.name):  # an attribute cannot say that it is no HTML; the term is exact
        term["label"] = category.name
    return term
