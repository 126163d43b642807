"""A draft becomes a post: every field read, cleaned and made absolute by the rules of its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import PurePosixPath
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from aggregator.models import Category, Draft, Enclosure, Media, Origin, Person, Post, State
from aggregator.normalize.categories import categories
from aggregator.normalize.dates import plausible, read_date
from aggregator.normalize.identity import Identity, mint_guid
from aggregator.normalize.text import clean_text, plain_text
from aggregator.normalize.urls import outside, resolve, strip_tracking

_T = TypeVar("_T")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?(-[A-Za-z0-9]{5,8})*")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]*/[A-Za-z0-9][\w!#$&^.+-]*", re.ASCII)
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class CleanHtml(Protocol):
    """What cleaning a piece of HTML gives: the HTML, its real images in order, and what was cut."""

    @property
    def html(self) -> str:
        """Sanitised and absolute."""

    @property
    def images(self) -> tuple[str, ...]:
        """Origins of the images that show something, in order."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the posts of one source are read."""

    source: str
    base_url: str  # of the site: the authority of minted GUIDs
    zone: tzinfo
    language: str = ""
    dialect: str = "flat"
    category: Category | None = None
    category_mode: str = "fallback"
    link: str | None = None  # template for posts that carry none
    publish_future: bool = False
    allow_private: bool = False  # whether its posts may lead into private networks
    full_text: bool = False  # whether a page's own article stands before what the source gave


class Normalized(NamedTuple):
    """A post, whether its source gave its date, and what had to be guessed."""

    post: Post
    dated: bool
    warnings: tuple[str, ...]


class Normalizer:
    """Turns the drafts of one source into posts; HTML and images are the business of the functions it is handed."""

    def __init__(
        self,
        rules: Rules,
        *,
        clean: Callable[[str, str | None], CleanHtml],
        unwrap: Callable[[str], str | None],
        is_placeholder: Callable[[str], bool],
    ) -> None:
        self._rules = rules
        self._clean = clean
        self._unwrap = unwrap
        self._is_placeholder = is_placeholder
        self._resolve = resolve if rules.allow_private else outside(resolve)

    def __call__(self, draft: Draft, identity: Identity, now: datetime) -> Normalized:
        """The post that a draft becomes; without a readable date of its own it is dated `now`."""
        rules = self._rules
        warnings: list[str] = []
        published, updated, dated = self._dates(draft, now, warnings)
        link = self._link(draft, published)
        base = draft.base_url or link
        article = draft.article if rules.full_text else None
        content = self._clean(article or draft.content or "", base)
        teaser = draft.summary or (draft.content if article else None)  # the page's article holds more than that
        summary = self._clean(teaser, base).html if teaser else ""
        warnings.extend(content.warnings)
        media = _present(self._media(item, base) for item in draft.media)
        enclosures = _present(self._enclosure(item, base) for item in draft.enclosures)
        post = Post(
            source=rules.source,
            key=identity.key,
            guid=identity.guid or mint_guid(rules.base_url, rules.source, identity.key),
            link=link,
            title=_text(draft.title, is_plain=draft.title_is_plain),
            content=content.html,
            summary="" if summary == content.html else summary,
            published=published,
            updated=updated,
            language=_language(draft.language or "") or rules.language,
            rights=_text(draft.rights),
            image=self._lead_image(draft, base, content.images, media, enclosures),
            categories=categories(draft.categories, rules.dialect, rules.category, rules.category_mode),
            tags=_texts(draft.tags),
            authors=_present(map(self._person, draft.authors)),
            enclosures=enclosures,
            media=media,
            origin=self._origin(draft.origin),
            state=self._state(draft, published, now),
        )
        return Normalized(post, dated, tuple(warnings))

    def _dates(self, draft: Draft, now: datetime, warnings: list[str]) -> tuple[datetime, datetime | None, bool]:
        """When the post was published and updated, and whether its source said so in a way that can be believed."""
        language = draft.language or self._rules.language
        published = self._date(draft.published, language, now)
        updated = self._date(draft.updated, language, now)
        if updated is not None and updated > now + timedelta(days=1):  # a clock that is a little ahead is no lie
            updated = None
        dated = published or updated
        if dated is not None:
            return dated, updated if updated != dated else None, True
        written = draft.published or draft.updated or ""
        unreadable = read_date(written, self._rules.zone, language) is None
        what = "cannot be read" if unreadable else "cannot be believed"
        what = f"date {clean_text(written)[:40]!r} {what}" if written else "no date"
        warnings.append(f"{what}: dated when first seen")
        return now, None, False

    def _date(self, raw: str | None, language: str, now: datetime) -> datetime | None:
        if not raw:
            return None
        found = read_date(raw, self._rules.zone, language)
        return found if found is not None and plausible(found, now) else None

    def _state(self, draft: Draft, published: datetime, now: datetime) -> State:
        if draft.hidden:
            return State.HIDDEN
        return State.HELD if published > now and not self._rules.publish_future else State.LIVE

    def _link(self, draft: Draft, published: datetime) -> str | None:
        """The post's own link without tracking parameters, else the one that the source's template makes, else none."""
        if draft.link and (link := self._resolve(draft.link, draft.base_url)):
            return strip_tracking(link)
        if self._rules.link is None or draft.path is None:
            return None
        path = PurePosixPath(draft.path)
        day = published.astimezone(self._rules.zone)
        parts = {
            "path": quote(str(path.with_suffix(""))),
            "name": quote(path.stem),
            "year": f"{day:%Y}",
            "month": f"{day:%m}",
            "day": f"{day:%d}",
        }
        link = self._rules.link
        for name, value in parts.items():
            link = link.replace(f"{{{name}}}", value)
        return resolve(link)

    def _lead_image(
        self,
        draft: Draft,
        base: str | None,
        body: tuple[str, ...],
        media: tuple[Media, ...],
        enclosures: tuple[Enclosure, ...],
    ) -> str | None:
        """The cover, else the first real image of the body, else what else the source attached as an image."""
        cover = self._resolve(draft.image, base) if draft.image else None
        origin = self._unwrap(cover) if cover else None
        candidates = [origin] if origin else []
        candidates += body
        candidates += [item.url for item in media if item.kind == "thumbnail"]
        candidates += [item.url for item in media if item.medium == "image" or item.type.startswith("image/")]
        candidates += [item.url for item in enclosures if item.type.startswith("image/")]
        return next((url for url in candidates if not self._is_placeholder(url)), None)

    def _media(self, media: Media, base: str | None) -> Media | None:
        is_image = media.kind == "thumbnail" or media.medium == "image" or media.type.startswith("image/")
        url = self._attached(media.url, base, is_image=is_image)
        if url is None or media.width == media.height == 1:  # a tracker; 0 is what some write that know no size
            return None
        return replace(
            media,
            url=url,
            type=_type(media.type),
            medium=clean_text(media.medium),
        )

    def _enclosure(self, enclosure: Enclosure, base: str | None) -> Enclosure | None:
        kind = _type(enclosure.type)
        url = self._attached(enclosure.url, base, is_image=kind.startswith("image/"))
        return None if url is None else replace(enclosure, url=url, type=kind, title=clean_text(enclosure.title))

    def _attached(self, written: str, base: str | None, *, is_image: bool) -> str | None:
        """The URL of a file that belongs to a post; None where it must not be asked for."""
        url = self._resolve(written, base)
        return self._unwrap(url) if is_image and url is not None else url

    def _person(self, person: Person) -> Person | None:
        name, email = _text(person.name), clean_text(person.email).strip()
        if email and not _EMAIL.fullmatch(email):  # "hidden", "webmaster at example.com": a name, if anything
            name, email = name or email, ""
        cleaned = Person(name, email, self._resolve(person.url or "") or "")
        return cleaned if any((cleaned.name, cleaned.email, cleaned.url)) else None

    def _origin(self, origin: Origin | None) -> Origin | None:
        if origin is None:
            return None
        cleaned = Origin(
            _text(origin.title), self._resolve(origin.url or "") or "", self._resolve(origin.link or "") or ""
        )
        return cleaned if any((cleaned.title, cleaned.url, cleaned.link)) else None


def is_empty(draft: Draft) -> bool:
    """Whether a draft has nothing that a reader could be shown."""
    return not any(
        (value or "").strip() for value in (draft.title, draft.content, draft.summary, draft.link, draft.image)
    ) and not (draft.enclosures or draft.media)


def _present(found: Iterable[_T | None]) -> tuple[_T, ...]:
    return tuple(item for item in found if item is not None)


def _language(text: str) -> str:
    """A language tag as RFC 5646 has it (`en_US` is `en-US`), or nothing: `english` is none that anybody reads."""
    tag = clean_text(text).strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""


def _type(text: str) -> str:
    """A media type without its parameters, or nothing where it is none."""
    kind = clean_text(text).partition(";")[0].strip()
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""


def _text(value: str | None, *, is_plain: bool = False) -> str:
    if not value:
        return ""
    return clean_text(value if is_plain else plain_text(value)).strip()


def _texts(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for value in values if (text := _text(value))))
