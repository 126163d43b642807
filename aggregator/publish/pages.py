"""The pages that people see: the site's list of feeds, and each feed's latest posts.

Every link between our own documents is relative, so that the pages work from a disk, on any static host and below any
path; only `canonical` is absolute. They run no script and, but for the posts' own pictures, ask nobody for anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aggregator.models import Document, Feed, Post
from aggregator.publish import opml
from aggregator.publish.facts import headline, link_of, name_of, source_of
from aggregator.publish.site import NAMES, TYPES, Site, document_path, encoded, language_of
from aggregator.publish.text import cleaned, first_words, uri
from aggregator.publish.tree import Branch, planted

PAGE = "index.html"
MEDIA_TYPE = "text/html; charset=utf-8"
EXCERPT = 300  # characters
LABELS = {"rss": "RSS", "atom": "Atom", "json": "JSON"}

# What the pages themselves say, by the first part of the language tag.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {"feeds": "Feeds", "categories": "Categories", "all": "All feeds", "subscribe": "Subscribe", "via": "via",
           "opml": "Subscribe to all of them (OPML)", "empty": "Nothing here yet.", "one": "1 post", "many": "{} posts",
           "skip": "Skip to the posts"},
    "zh": {"feeds": "订阅源", "categories": "分类", "all": "全部订阅源", "subscribe": "订阅", "via": "来自",
           "opml": "订阅全部（OPML）", "empty": "暂无内容。", "one": "1 篇", "many": "{} 篇", "skip": "跳到正文"},
}  # fmt: skip


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
    href: str
    count: str
    links: tuple[Link, ...]
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A post as its feed's page shows it: everything is plain text."""

    title: str
    href: str
    date: str
    moment: str
    byline: str
    source: str
    image: str
    excerpt: str
    language: str


@cache
def _environment() -> Environment:
    """The templates, compiled as they are used and kept: that takes 13 ms."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )


def site_page(feeds: Sequence[tuple[Feed, int]], site: Site) -> Document:
    """`index.html`: every feed with its number of posts, the categories as a tree."""
    feeds, site = cleaned(tuple(feeds)), cleaned(site)
    words = _words(site.language)
    counts = {feed.directory: count for feed, count in feeds}
    listed, root = planted(feed for feed, _ in feeds)
    text = (
        _environment()
        .get_template("site.html")
        .render(
            site=site,
            words=words,
            language=site.language,
            opml=opml.PATH,
            feeds=[_line(feed, counts, words) for feed in listed],
            categories=[_branch(branch, counts, words) for branch in root.branches()],
        )
    )
    return Document(PAGE, _encoded(text), MEDIA_TYPE)


def feed_page(feed: Feed, posts: Sequence[Post], site: Site) -> Document:
    """`<directory>/index.html`: what the feed is, how to subscribe, and the posts with the beginning of their text."""
    feed, site = cleaned(feed), cleaned(site)
    zone = ZoneInfo(site.timezone)
    language = language_of(feed, site)
    text = (
        _environment()
        .get_template("feed.html")
        .render(
            site=site,
            feed=feed,
            title=feed.title.strip() or feed.slug,
            words=_words(language),
            language=language,
            home=f"{'../' * (feed.directory.count('/') + 1) if feed.directory else ''}{PAGE}",
            canonical=site.page_url(feed),
            links=_links(feed, ""),
            entries=[_entry(post, zone, language) for post in posts],
        )
    )
    return Document(document_path(feed, PAGE), _encoded(text), MEDIA_TYPE)


def _encoded(text: str) -> bytes:
    return cleaned(text).encode()


def _words(language: str) -> Mapping[str, str]:
    return _WORDS.get(language.partition("-")[0].lower(), _WORDS["en"])


def _links(feed: Feed, directory: str) -> tuple[Link, ...]:
    return tuple(
        Link(LABELS[name], directory + document, TYPES[name])
        for name, document in NAMES.items()
        if name in feed.formats
    )


def _line(feed: Feed, counts: Mapping[str, int], words: Mapping[str, str], title: str = "") -> Line:
    directory = f"{encoded(feed.directory)}/" if feed.directory else ""
    count = counts[feed.directory]
    label = words["one"] if count == 1 else words["many"].format(count)
    # the file's name, because a disk shows a directory's files where a server shows its index.html
    return Line(title or feed.title.strip() or feed.slug, f"{directory}{PAGE}", label, _links(feed, directory))


def _branch(branch: Branch, counts: Mapping[str, int], words: Mapping[str, str]) -> Line:
    lines = tuple(_branch(child, counts, words) for child in branch.branches())
    if branch.feed is None:
        return Line(branch.name, "", "", (), lines)
    line = _line(branch.feed, counts, words, branch.name)
    return Line(line.title, line.href, line.count, line.links, lines)


def _entry(post: Post, zone: ZoneInfo, language: str) -> Entry:
    link, image = link_of(post) or "", uri(post.image) if post.image else ""
    source = source_of(post)
    return Entry(
        title=headline(post),
        href=link if _is_web(link) else "",
        date=_day(post.published, zone),
        moment=post.published.isoformat(),
        byline=", ".join(filter(None, (name_of(person) for person in post.authors))),
        source=source.title if source else "",
        image=image if _is_web(image) else "",
        excerpt=first_words(post.summary, EXCERPT) or first_words(post.content, EXCERPT),
        language=post.language if post.language != language else "",
    )


def _is_web(url: str) -> bool:
    """Whether a page may point there; posts come clean, and what did not would run in our own page."""
    return url.lower().startswith(("https://", "http://"))


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).date().isoformat()
