"""What the three formats say of a post, decided once: its headline, its files, its pictures, its names."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aggregator.errors import PublishError
from aggregator.models import Document, Enclosure, Feed, Media, Person, Post
from aggregator.publish.permalinks import post_directory
from aggregator.publish.site import Site
from aggregator.publish.text import cleaned, first_words, is_active, uri, without_credentials

HEADLINE = 60  # characters of a post's own words that stand for a title it has not

# Enclosures without a type: RSS, Atom readers and JSON Feed need one. A table of our own, because that of `mimetypes`
# differs between machines, and with it the bytes.
_TYPES = {
    "aac": "audio/aac", "avif": "image/avif", "flac": "audio/flac", "gif": "image/gif", "jpeg": "image/jpeg",
    "jpg": "image/jpeg", "m4a": "audio/mp4", "m4v": "video/mp4", "mkv": "video/x-matroska", "mov": "video/quicktime",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg",
    "opus": "audio/ogg", "pdf": "application/pdf", "png": "image/png", "svg": "image/svg+xml",
    "torrent": "application/x-bittorrent", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
    "zip": "application/zip",
}  # fmt: skip
_UNKNOWN_TYPE = "application/octet-stream"
_MIME = re.compile(r"[\w!#$&^.+\-]+/[\w!#$&^.+\-]+(?:\s*;.*)?", re.ASCII)
_MEDIA = frozenset({"image", "audio", "video", "document", "executable"})  # Media RSS 1.5.1, `medium`


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of a post as it is published: URIs without credentials; the title is never empty."""

    title: str
    url: str
    link: str


def newest(posts: Sequence[Post]) -> datetime | None:
    """When the feed last changed, which is when its last changed post did; None without posts."""
    return max((post.changed for post in posts), default=None)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as Atom and JSON Feed want it."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()


def headline(post: Post) -> str:
    """The title, else the post's first words, else where it is: never empty."""
    return (
        post.title.strip()
        or first_words(post.content, HEADLINE)
        or first_words(post.summary, HEADLINE)
        or (post.link or "").strip()
        or guid_of(post)
    )


def guid_of(post: Post) -> str:
    """The published guid; posts come with one, and an empty one would cost the whole feed."""
    return post.guid.strip() or f"urn:x-aggregator:{post.id}"


def origin_link_of(post: Post) -> str | None:
    """The post's own link as a URI; posts come without links that run code, and should one not, it stays out."""
    return uri(post.link) if post.link and not is_active(post.link) else None


def link_of(post: Post, site: Site) -> str:
    """Where the post is to be read: its own link, else its page at our place."""
    return origin_link_of(post) or f"{site.base_url}{post_directory(post.id)}/"


def name_of(person: Person) -> str:
    """What an author is called; Atom and `dc:creator` need a name."""
    return person.name.strip() or person.email or person.url


def type_of(enclosure: Enclosure) -> str:
    """The media type of a file, from its name where the source did not say."""
    if _MIME.fullmatch(enclosure.type):
        return enclosure.type
    try:
        path = urlsplit(enclosure.url).path
    except ValueError:
        path = ""
    return _TYPES.get(path.rpartition(".")[2].lower(), _UNKNOWN_TYPE)


def source_of(post: Post) -> Source | None:
    """The web feed that the post comes from, where it is known."""
    origin = post.origin
    if origin is None:
        return None
    url, link = uri(without_credentials(origin.url)), uri(without_credentials(origin.link))
    title = origin.title.strip() or link or url
    return Source(title, url, link) if title else None


def media_of(post: Post) -> list[tuple[str, dict[str, str]]]:
    """The post's Media RSS elements in order, as kind and attributes; the lead image is the first thumbnail.

    A lead image becomes `media:thumbnail`, because that is what readers show beside a title without playing or
    downloading it, as they do with `media:content`.
    """
    elements: list[tuple[str, dict[str, str]]] = []
    lead = uri(post.image) if post.image else ""
    for medium in post.media:
        element = (medium.kind if medium.kind == "thumbnail" else "content", _attributes(medium))
        if lead and element[0] == "thumbnail" and element[1]["url"] == lead:
            elements.insert(0, element)
            lead = ""
        else:
            elements.append(element)
    if lead:
        elements.insert(0, ("thumbnail", {"url": lead}))
    return elements


def _attributes(medium: Media) -> dict[str, str]:
    attributes = {"url": uri(medium.url)}
    if medium.kind != "thumbnail":
        if _MIME.fullmatch(medium.type):
            attributes["type"] = medium.type
        if medium.medium in _MEDIA:
            attributes["medium"] = medium.medium
    if medium.width and medium.width > 0:
        attributes["width"] = str(medium.width)
    if medium.height and medium.height > 0:
        attributes["height"] = str(medium.height)
    return attributes


def given_body_of(post: Post) -> tuple[str, str]:
    """The post's content and summary as HTML, as far as it has them; a summary that is the content counts once."""
    content = "" if post.content.isspace() else post.content  # `strip` would copy it
    summary = "" if post.summary.isspace() or post.summary == content else post.summary
    return content, summary


def body_of(post: Post) -> tuple[str, str]:
    """The post's content and summary as HTML; one that has neither has its headline for content."""
    content, summary = given_body_of(post)
    if not content and not summary:
        content = html.escape(headline(post), quote=False)
    return content, summary


def has_references(posts: Sequence[Post], *texts: str) -> bool:
    """Whether `&` or `<` stands in any plain text of a document, which is cheaper to see here than in its bytes."""
    if any("&" in text or "<" in text for text in texts):
        return True
    for post in posts:
        parts = [post.title.strip() or "&", post.rights, *post.tags]  # a headline may hold anything
        parts += [name for category in post.categories for name in category.names]
        parts += [name_of(person) for person in post.authors]
        if post.origin:
            parts += [post.origin.title, post.origin.url, post.origin.link]
        joined = "".join(parts)
        if "&" in joined or "<" in joined:
            return True
    return False


def guarded(
    build: Callable[[Feed, Sequence[Post], Site], Document], feed: Feed, posts: Sequence[Post], site: Site
) -> Document:
    """What `build` makes of the posts, without the characters that no XML document can hold.

    Posts come without them, so nobody pays for looking: lxml refuses them by itself, and only then everything is
    cleaned and built again.

    Raises:
        PublishError: the feed cannot be built at all.
    """
    try:
        return build(feed, posts, site)
    except ValueError:
        try:
            return build(cleaned(feed), cleaned(tuple(posts)), cleaned(site))
        except ValueError as error:
            raise PublishError(f"{feed.slug}: the feed cannot be built: {error}", feed=feed.slug) from error
