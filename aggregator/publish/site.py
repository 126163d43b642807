"""What every document says about the place it is published at."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from aggregator.models import Feed

# The name of each format's document within its feed's directory, and what it is served as.
NAMES = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}
TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The publishing site: `base_url` is absolute and ends in `/`; `timezone` (IANA) dates the posts on pages only.

    `hub` is the URL of the WebSub hub that is told of news, empty where there is none.

    >>> Site(title="Planet", base_url="https://feeds.example.com/").url("category/C++/rss.xml")
    'https://feeds.example.com/category/C%2B%2B/rss.xml'
    """

    title: str
    base_url: str
    language: str = "en"
    description: str = ""
    generator: str = "aggregator"
    timezone: str = "UTC"
    hub: str = ""

    def url(self, path: str) -> str:
        """The absolute URL of a path below the output: percent-encoded UTF-8 (RFC 3986 §2.1)."""
        return self.base_url + encoded(path)

    def document_url(self, feed: Feed, format_name: str) -> str:
        """The URL of a feed's document in one format (`rss`, `atom` or `json`)."""
        return self.url(document_path(feed, NAMES[format_name]))

    def hub_of(self, feed: Feed) -> str:
        """The hub that a feed's documents name: for a private feed only our own, as its URL is nobody else's to know."""
        return "" if feed.private and not self.hub.startswith(self.base_url) else self.hub

    def page_url(self, feed: Feed) -> str:
        """The URL of a feed's page, which ends in `/`."""
        return self.url(document_path(feed, ""))


def document_path(feed: Feed, name: str) -> str:
    """Where a feed's document lies below the output; the empty name is its directory."""
    return f"{feed.directory}/{name}" if feed.directory else name


def encoded(path: str) -> str:
    """A path as it stands in a URL; `+` is encoded too, because object stores such as S3 read it as a space."""
    return quote(path, safe="/")


def language_of(feed: Feed, site: Site) -> str:
    """The language a feed is published in: its own, else the site's."""
    return feed.language or site.language
