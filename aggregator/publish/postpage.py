"""A post's own page: what a post without a link of its own links to.

It shows the post whole, cleaned as it is stored. Where the post has an origin, that is the canonical address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup

from aggregator.models import Document, Enclosure, Person, Post
from aggregator.publish.facts import body_of, headline, link_of, name_of, origin_link_of, source_of, type_of
from aggregator.publish.permalinks import post_directory
from aggregator.publish.site import Site
from aggregator.publish.text import first_words, uri
from aggregator.publish.view import MEDIA_TYPE, PAGE, View, day, filled, is_web, root_of, view_of_files

_DESCRIPTION = 160  # characters: what search engines show


@dataclass(frozen=True, slots=True)
class Named:
    """A name, and where it leads; empty where it leads nowhere."""

    name: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file that belongs to the post: how it is shown (audio | video | link), and what is known of it."""

    shown: str
    href: str
    type: str
    title: str
    size: str


def post_page(post: Post, directories: Mapping[str, str], site: Site, view: View | None = None) -> Document:
    """`posts/<name>/index.html`; `directories` are those of the feeds of categories, by the categories' paths."""
    view = view or view_of_files(site.language)
    directory = post_directory(post.id)
    root = root_of(directory)
    content, summary = body_of(post)
    image = uri(post.image) if post.image else ""
    source = source_of(post)
    origin = origin_link_of(post) or ""
    body = filled(
        "post.html",
        site,
        view,
        root,
        title=headline(post),
        language=post.language or site.language,
        canonical=link_of(post, site),
        description=first_words(post.summary, _DESCRIPTION) or first_words(post.content, _DESCRIPTION),
        origin=origin if is_web(origin) else "",
        source=Named(source.title, source.link if is_web(source.link) else "") if source else None,
        date=day(post.published, ZoneInfo(site.timezone)),
        moment=post.published.isoformat(),
        authors=[_person(person) for person in post.authors if name_of(person)],
        categories=[
            Named(" / ".join(one.names), view.href(directories[one.path], root) if one.path in directories else "")
            for one in post.categories
            if one.names
        ],
        tags=[tag for tag in post.tags if tag.strip()],
        image=image if is_web(image) and image not in content and (post.image or "") not in content else "",
        content=Markup(content or summary),  # noqa: S704 - what is stored is clean: normalize/html.py
        files=[_file(enclosure) for enclosure in post.enclosures if is_web(enclosure.url)],
        rights=post.rights.strip(),
    )
    return Document(f"{directory}/{PAGE}", body, MEDIA_TYPE)


def _person(person: Person) -> Named:
    return Named(name_of(person), uri(person.url) if is_web(person.url) else "")


def _file(enclosure: Enclosure) -> File:
    kind = type_of(enclosure)
    major = kind.partition("/")[0]
    name = enclosure.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return File(
        shown=major if major in {"audio", "video"} else "link",
        href=uri(enclosure.url),
        type=kind,
        title=enclosure.title.strip() or name or enclosure.url,
        size=_size(enclosure.length),
    )


def _size(length: int | None) -> str:
    """How much there is to load, as people say it."""
    if not length or length < 0:
        return ""
    return f"{length / 1_000_000:.1f} MB" if length >= 1_000_000 else f"{max(length // 1000, 1)} KB"
