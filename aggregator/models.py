"""The nouns that the rooms hand to each other: frozen, slotted dataclasses that do no I/O.

The arrows of the pipeline, each with a type of its own::

    Source ─fetch→ Fetched | NotModified ─parse→ Parsed (Draft…) ─normalise→ Post… ─upsert→ changed categories
           ─select→ Post… ─render→ Document ─write→ feeds/

Times are aware `datetime`s in UTC with whole seconds; URLs are `str`; HTML is `str` and says so in its name or comment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Category:
    r"""A path of names, `新媒体/趣头条/分类`; the empty path is the root, which holds every post.

    >>> Category.parse("编程/CI\\/CD").names
    ('编程', 'CI/CD')
    >>> [category.path for category in Category(("a", "b")).lineage()]
    ['a', 'a/b']
    """

    names: tuple[str, ...]

    def __reduce__(self) -> tuple[type[Category], tuple[tuple[str, ...]]]:
        """How it is pickled: a worker hands over three for each post, and dataclasses take ten times as long."""
        return Category, (self.names,)

    @classmethod
    def parse(cls, path: str) -> Category:
        r"""The category that a path names: names are joined by `/`, and a slash inside a name is written `\\/`."""
        parts = re.findall(r"(?:\\.|[^/\\]|\\$)+", path)
        names = (re.sub(r"\\(.)", r"\1", part).strip() for part in parts)
        return cls(tuple(name for name in names if name))

    @property
    def path(self) -> str:
        r"""The names joined by `/`, with `\\` and `/` inside a name escaped by a backslash."""
        return "/".join(name.replace("\\", "\\\\").replace("/", "\\/") for name in self.names)

    @property
    def name(self) -> str:
        """The last name, which is what a person calls the category; empty for the root."""
        return self.names[-1] if self.names else ""

    def lineage(self) -> Iterator[Category]:
        """Every category that holds this one's posts but the root: its ancestors, outermost first, then itself."""
        for depth in range(1, len(self.names) + 1):
            yield Category(self.names[:depth])


ROOT = Category(())


@dataclass(frozen=True, slots=True)
class Person:
    """An author, as plain text; at least one field is set."""

    name: str = ""
    email: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that belongs to a post; `length` is in bytes, None where the source did not say."""

    url: str
    type: str = ""
    length: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A Media RSS `media:content` or `media:thumbnail`; sizes in pixels, None where the source did not say."""

    url: str
    kind: str = "content"  # content | thumbnail
    type: str = ""
    medium: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Our own copy of an image: where it lies below the output, and what it is; sizes in pixels, where they are known."""

    path: str  # media/ab/ab….jpg
    type: str
    bytes: int
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The web feed a post comes from, for RSS `<source>` and Atom `atom:source`."""

    title: str = ""
    url: str = ""  # of the feed itself
    link: str = ""  # of the site it belongs to


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave us to ask with next time, verbatim (RFC 9110 §8.8); empty where it gave none."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body that arrived whole: decoded bytes, the URL after redirects, and lower-cased response headers.

    `moved` is where the permanent redirects (301, 308) lead with which the way there begins; empty where there are none.
    """

    body: bytes = field(repr=False)
    url: str
    headers: Mapping[str, str]
    validators: Validators
    moved: str = ""


@dataclass(frozen=True, slots=True)
class NotModified:
    """A 304: nothing to read, but its validators and headers still count (RFC 9111 §4.3.4)."""

    url: str
    headers: Mapping[str, str]
    validators: Validators
    moved: str = ""


@dataclass(frozen=True, slots=True)
class FeedHints:
    """What a feed says of how often it changes: RSS `ttl`, `skipHours`, `skipDays`, RSS 1.0 `sy:*`."""

    every_s: int | None = None  # the longer of `ttl` and the syndication module's period, in seconds
    skip_hours: tuple[int, ...] = ()  # 0–23, GMT
    skip_days: tuple[int, ...] = ()  # 0 = Monday … 6 = Sunday, as datetime.weekday() counts


@dataclass(frozen=True, slots=True)
class SeenItem:
    """An item whose bytes were read before: what it takes to know its post again without reading it.

    `guid`, `link` and `title` are those of its draft, as they were; `draft_hash` is that draft's.
    """

    guid: str | None
    link: str | None
    title: str | None
    draft_hash: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The items of a document as they were when it was last read, by the hash of their bytes.

    `context` is the hash of everything around them; where it is another now, nothing counts as seen.
    """

    context: str
    items: Mapping[str, SeenItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One post as a source gave it, typed but not yet normalised: text is as written, dates are unread.

    `content` and `summary` are HTML that nobody has cleaned. `categories` keeps the shape in which the source listed
    them, because its dialect decides what a list within the list means.
    """

    path: str | None = None  # of its file in the source's folder, with `/`
    guid: str | None = None
    link: str | None = None  # absolute, where the source let us make it so
    base_url: str | None = None  # what relative URLs in content and summary resolve against; None: the post's link
    title: str | None = None
    title_is_plain: bool = False  # True: never decode it (Atom type="text", JSON Feed); False: markup, decoded once
    content: str | None = None
    article: str | None = None  # the page's own text, fetched once where the source wants it; stands before `content`
    summary: str | None = None
    published: str | None = None  # raw, as the source wrote it
    updated: str | None = None
    categories: tuple[str | tuple[str, ...], ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[Person, ...] = ()
    image: str | None = None  # the cover, as given
    enclosures: tuple[Enclosure, ...] = ()
    media: tuple[Media, ...] = ()
    language: str | None = None
    rights: str | None = None
    origin: Origin | None = None
    hidden: bool = False  # draft: true, published: false, hidden: true


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one document of a source held: its drafts in document order, and what had to be guessed on the way.

    Where the document's items can be told apart by their bytes, `items` holds the hash of each draft's, and `context` the
    hash of what stands around them. A draft that stands in `seen` was not read: it holds `guid`, `link` and `title` alone.
    """

    drafts: tuple[Draft, ...]
    title: str = ""
    link: str = ""
    warnings: tuple[str, ...] = ()
    hints: FeedHints = FeedHints()
    hub: str = ""  # the WebSub hub that the document names, absolute; empty where it names none
    topic: str = ""  # its own address (`rel="self"`), absolute; empty where it does not say, or names no hub
    context: str = ""
    items: tuple[str, ...] = ()  # as many as drafts, or none
    seen: Mapping[int, SeenItem] = field(default_factory=dict)  # by the number of the draft


class State(StrEnum):
    """Whether a stored post may be published."""

    LIVE = "live"
    HELD = "held"  # its date is in the future
    HIDDEN = "hidden"  # its source says draft, or not to publish
    WITHDRAWN = "withdrawn"  # its file is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One normalised post: clean, absolute, safe to publish as it is.

    `content` and `summary` are sanitised HTML; every other text is plain. `guid` is the published one.
    """

    source: str
    key: str  # its identity within the source
    guid: str
    link: str | None = None
    title: str = ""
    content: str = ""
    summary: str = ""
    published: datetime
    updated: datetime | None = None
    language: str = ""
    rights: str = ""
    image: str | None = None
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[Person, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    media: tuple[Media, ...] = ()
    origin: Origin | None = None
    state: State = State.LIVE

    @property
    def id(self) -> int:
        """63 bits that depend on source and key alone, so that a rebuilt store gives the same order and the same pages."""
        digest = hashlib.blake2b(f"{self.source}\0{self.key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1

    @property
    def changed(self) -> datetime:
        """When the source last changed the post: `updated` where it says so, else `published`."""
        return self.updated or self.published


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Something we publish: a selection of posts with a title, a place and formats.

    A post belongs to the feed when it lies in any of `categories`, at any depth; the root category holds every post.
    """

    slug: str  # for people and `--feed`: `docker`, `category/编程/Docker`
    directory: str  # where its documents lie below the output, with `/`: safe on any file system
    title: str
    description: str = ""
    language: str = ""
    categories: tuple[Category, ...] = (ROOT,)
    limit: int | None = 50  # posts, newest first; None: all of them
    formats: tuple[str, ...] = ("rss", "atom", "json")
    private: bool = False  # its directory holds a secret: it is listed nowhere, and never shown


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of one feed in one format, and where they lie below the output."""

    path: str
    body: bytes = field(repr=False)
    media_type: str

    @property
    def etag(self) -> str:
        """A strong validator over the bytes (RFC 9110 §8.8.3), quoted."""
        return f'"{hashlib.blake2b(self.body, digest_size=16).hexdigest()}"'
