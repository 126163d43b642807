"""The pages that people see: the site's list of feeds, and each feed's posts.

Every link between our own documents is relative, so that the pages work from a disk, on any static host and below any
path; only `canonical` is absolute. They run no script and, but for the posts' own pictures, ask nobody for anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from aggregator.models import Document, Feed, Post
from aggregator.publish import opml
from aggregator.publish.facts import headline, name_of, origin_link_of, source_of
from aggregator.publish.permalinks import post_directory
from aggregator.publish.readers import reader_links
from aggregator.publish.site import NAMES, TYPES, Site, document_path, encoded, language_of
from aggregator.publish.text import cleaned, first_words, uri
from aggregator.publish.tree import Branch, planted
from aggregator.publish.view import MEDIA_TYPE, PAGE, View, day, filled, is_web, root_of, view_of_files

EXCERPT = 300  # characters
MAX_READERS = 200  # feeds, up to which the list has one-click links for each: 0.6 KB; every feed's page has them
LABELS = {"rss": "RSS", "atom": "Atom", "json": "JSON"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed as the list of feeds shows it: its number of posts, and when the newest of them changed."""

    feed: Feed
    posts: int
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a feed a page shows: the number of the page, and of the last one."""

    number: int = 1
    last: int = 1


@dataclass(frozen=True, slots=True)
class Link:
    """A document of a feed: what it is called, where it lies from here, what it is served as."""

    label: str
    href: str
    type: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line in the list of feeds, with the lines below it; without a page where a category has no feed."""

    title: str
    href: str = ""
    count: str = ""
    date: str = ""
    links: tuple[Link, ...] = ()
    readers: tuple[tuple[str, str], ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A post as its feed's page shows it: everything is plain text."""

    title: str
    href: str
    page: str  # its own page, where there is one and the title leads elsewhere
    date: str
    moment: str
    byline: str
    source: str
    image: str
    excerpt: str
    language: str


def site_page(listed: Sequence[Listed], site: Site, view: View | None = None) -> Document:
    """`index.html`: every feed with its number of posts and when it changed, the categories as a tree."""
    listed, site = cleaned(tuple(listed)), cleaned(site)
    view = view or view_of_files(site.language)
    lines = _Lines({one.feed.directory: one for one in listed}, site, view)
    feeds, root = planted(one.feed for one in listed)
    body = filled(
        "site.html",
        site,
        view,
        "",
        opml=opml.PATH,
        feeds=[lines.line(feed) for feed in feeds],
        categories=[lines.branch(branch) for branch in root.branches()],
    )
    return Document(PAGE, body, MEDIA_TYPE)


def feed_page(
    feed: Feed, posts: Sequence[Post], site: Site, view: View | None = None, paging: Paging | None = None
) -> Document:
    """`<directory>/index.html`: what the feed is, how to subscribe, and the posts with the beginning of their text."""
    feed, site = cleaned(feed), cleaned(site)
    view, paging = view or view_of_files(site.language), paging or Paging()
    root = root_of(feed.directory)
    zone = ZoneInfo(site.timezone)
    language = language_of(feed, site)
    body = filled(
        "feed.html",
        site,
        view,
        root,
        feed=feed,
        title=feed.title.strip() or feed.slug,
        language=language,
        canonical=site.page_url(feed) + (f"?page={paging.number}" if paging.number > 1 else ""),
        links=_links(feed, ""),
        readers=_readers(feed, site),
        entries=[entry_of(post, zone, language, view, root) for post in posts],
        paging=paging,
    )
    return Document(document_path(feed, PAGE), body, MEDIA_TYPE)


def entry_of(post: Post, zone: ZoneInfo, language: str, view: View, root: str) -> Entry:
    """A post in a list in this language, `root` leading from the list up to the output."""
    origin, image = origin_link_of(post) or "", uri(post.image) if post.image else ""
    source = source_of(post)
    own = view.href(post_directory(post.id), root)
    return Entry(
        title=headline(post),
        href=origin if is_web(origin) else own,
        page=own if is_web(origin) and view.is_served else "",
        date=day(post.published, zone),
        moment=post.published.isoformat(),
        byline=", ".join(filter(None, (name_of(person) for person in post.authors))),
        source=source.title if source else "",
        image=image if is_web(image) else "",
        excerpt=first_words(post.summary, EXCERPT) or first_words(post.content, EXCERPT),
        language=post.language if post.language != language else "",
    )


def _links(feed: Feed, directory: str) -> tuple[Link, ...]:
    return tuple(
        Link(LABELS[name], directory + document, TYPES[name])
        for name, document in NAMES.items()
        if name in feed.formats
    )


def _readers(feed: Feed, site: Site) -> tuple[tuple[str, str], ...]:
    """The links that subscribe to the first of a feed's formats."""
    first = next((name for name in NAMES if name in feed.formats), None)
    return tuple(reader_links(site.document_url(feed, first))) if first else ()


@dataclass(frozen=True, slots=True)
class _Lines:
    """Makes the lines of the list of feeds."""

    listed: Mapping[str, Listed]
    site: Site
    view: View

    def line(self, feed: Feed) -> Line:
        found, words = self.listed[feed.directory], self.view.words
        directory = f"{encoded(feed.directory)}/" if feed.directory else ""
        return Line(
            title=feed.title.strip() or feed.slug,
            href=self.view.href(feed.directory),
            count=words["one"] if found.posts == 1 else words["many"].format(found.posts),
            date=day(found.updated, ZoneInfo(self.site.timezone)) if found.updated else "",
            links=_links(feed, directory),
            readers=_readers(feed, self.site) if len(self.listed) <= MAX_READERS else (),
        )

    def branch(self, branch: Branch) -> Line:
        lines = tuple(self.branch(child) for child in branch.branches())
        line = self.line(branch.feed) if branch.feed else Line("")
        return replace(line, title=branch.name, lines=lines)
