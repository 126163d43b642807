"""The fields of a post's front matter, whatever its generator calls them, as a Draft."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Final

from aggregator.models import Draft, Enclosure, Person

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title",),
    "published": ("date", "pubdate", "created_at", "published"),
    "updated": ("updated", "lastmod", "last_modified_at"),
    "categories": ("categories", "category"),
    "tags": ("tags",),
    "authors": ("author", "authors"),
    "image": ("headimg", "cover", "image", "thumbnail", "banner"),
    "summary": ("excerpt", "description", "summary"),
    "link": ("link", "original_link", "url", "permalink"),
    "guid": ("guid", "id", "uuid", "abbrlink"),
    "language": ("lang",),
    "hidden": ("draft", "published", "hidden"),
    "enclosures": ("enclosure", "enclosures", "audio"),
}
# `layout` and `comments` say nothing about a post, but that a line is front matter.
KNOWN: Final = frozenset(name for names in ALIASES.values() for name in names) | {"layout", "comments"}

_YES: Final = frozenset(("true", "yes", "on", "y", "1"))
_NO: Final = frozenset(("false", "no", "off", "n", "0"))
_NOTHING: Final = frozenset(("", "null", "~"))
_URL: Final = re.compile(r"(?:https?:)?//[^\s/]\S*", re.IGNORECASE)
_MAIL: Final = re.compile(
    r"(?P<name>[^<>]*?)\s*<(?P<mail>[^<>@\s]+@[^<>@\s]+)>|(?P<only>[^<>@\s]+@[^<>@\s]+\.[^<>@\s]+)"
)
_FILE_DATE: Final = re.compile(r"(?:.*/)?(\d{4}-\d{1,2}-\d{1,2})-[^/]*")
_TAG: Final = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>")
_LOOSE_AMPERSAND: Final = re.compile(r"&(?!#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)")

# YAML's aliases can make a list of a million entries out of a line; nobody files a post in as many places.
_MOST_ENTRIES = 200
_MOST_NAMES = 30


def draft(fields: Mapping[str, Any], path: str, title: str | None, content: str | None, excerpt: str) -> Draft:
    """The draft of the file at `path`; field names are lower case, and for each field the first alias that says something wins.

    `title` is passed in because it is text as it was written, whatever a parser thinks it is. An explicit excerpt
    comes before the one taken from the body.
    """
    link, permalink = _link(fields)
    guid = _first_text(fields, "guid") or permalink
    hidden = _flags(fields)
    return Draft(
        path=path,
        guid=guid,
        link=link,
        title=title,
        content=content,
        summary=_summary(_first_text(fields, "summary")) or excerpt or None,
        published=_published(fields) or _file_date(path),
        updated=_first_text(fields, "updated"),
        categories=_categories(_first(fields, "categories")),
        tags=_tags(_first(fields, "tags")),
        authors=_authors(_first(fields, "authors")),
        image=_image(fields),
        enclosures=_enclosures(_first(fields, "enclosures")) if "enclosure" in fields or "audio" in fields else (),
        language=_first_text(fields, "language"),
        hidden="_drafts" in path.split("/")[:-1] if hidden is None else hidden,
    )


def text_of(value: object) -> str | None:
    """The text of one value, None where it says nothing: empty, null, a list, a map."""
    if isinstance(value, str):
        text = value.strip()
        return None if len(text) < 5 and text.lower() in _NOTHING else text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, int | float) else None


def _first(fields: Mapping[str, Any], field: str) -> Any:
    """The value of the first alias that says something, None where none does."""
    for name in ALIASES[field]:
        value = fields.get(name)
        if value and not (isinstance(value, str) and text_of(value) is None):
            return value
    return None


def _first_text(fields: Mapping[str, Any], field: str) -> str | None:
    """The text of the first alias that holds one."""
    for name in ALIASES[field]:
        if name in fields and (text := text_of(fields[name])):
            return text
    return None


def _published(fields: Mapping[str, Any]) -> str | None:
    """The date as it is written; `published: true` is no date."""
    for name in ALIASES["published"]:
        text = text_of(fields[name]) if name in fields else None
        if text and not (name == "published" and text.lower() in _YES | _NO):
            return text
    return None


def _file_date(path: str) -> str | None:
    """The date in the file name, as Jekyll has it: `2021-07-04-title.md`."""
    match = _FILE_DATE.fullmatch(path)
    return match[1] if match else None


def _flags(fields: Mapping[str, Any]) -> bool | None:
    """Whether the post says that it is not to be published; None where it does not say."""
    said = None
    for name in ALIASES["hidden"]:
        if name not in fields:
            continue
        text = (text_of(fields[name]) or "").lower()
        if text in (_NO if name == "published" else _YES):
            return True
        if text in _YES | _NO:
            said = False
    return said


def _link(fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The first absolute link, and a relative permalink, which tells the post from others however its file is called.

    A permalink that is a pattern (`/:year/:title/`) or the name of one (`pretty`) tells nothing.
    """
    link = permalink = None
    for name in ALIASES["link"]:
        text = text_of(fields[name]) if name in fields else None
        if text is None:
            continue
        if _URL.fullmatch(text):
            link = link or (f"https:{text}" if text.startswith("//") else text)
        elif (
            name in {"url", "permalink"}
            and ":" not in text
            and ("/" in text.strip("/") or text.startswith("/") or "." in text)
        ):
            permalink = permalink or text
    return link, permalink


def _entries(value: object) -> Iterator[object]:
    """The entries of a list, or the one value there is."""
    if isinstance(value, list):
        yield from islice(value, _MOST_ENTRIES)
    elif value is not None:
        yield value


def _entry_text(entry: object) -> str | None:
    """The text of an entry; `- CI: CD` is one, although YAML reads a map."""
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, value),) = entry.items()
        if isinstance(value, str) and isinstance(name, str):
            return f"{name}: {value}".rstrip(": ")
    return text_of(entry)


def _categories(value: object) -> tuple[str | tuple[str, ...], ...]:
    """The categories in the shape in which they are listed; a text is one entry, a list within the list a tuple."""
    found: list[str | tuple[str, ...]] = []
    for entry in _entries(value):
        if isinstance(entry, list):
            names = tuple(text for name in islice(entry, _MOST_NAMES) if (text := _entry_text(name)))
            if names:
                found.append(names)
        elif text := _entry_text(entry):
            found.append(text)
    return tuple(found)


def _tags(value: object) -> tuple[str, ...]:
    """The tags, flat; a text lists them between commas."""
    if isinstance(value, str):
        return tuple(tag for part in re.split("[,，]", value) if (tag := part.strip()))
    found: list[str] = []
    for entry in _entries(value):
        found += (text for one in _entries(entry) if (text := _entry_text(one)))
    return tuple(found[:_MOST_ENTRIES])


def _authors(value: object) -> tuple[Person, ...]:
    """The authors: names, `Name <mail>`, or maps with a name, an e-mail address and a URL."""
    people = []
    for entry in _entries(value):
        if isinstance(entry, dict):
            lowered = {str(name).lower(): text for name, part in entry.items() if (text := text_of(part))}
            name, mail = lowered.get("name", ""), lowered.get("email", "")
            url = next((lowered[key] for key in ("url", "uri", "link", "website") if key in lowered), "")
            if name or mail or url:
                people.append(Person(name, mail, url))
                continue
        text = _entry_text(entry)
        if text is None:
            continue
        match = _MAIL.fullmatch(text)
        people.append(Person(match["name"] or "", match["mail"] or match["only"]) if match else Person(text))
    return tuple(people)


def _image(fields: Mapping[str, Any]) -> str | None:
    """The first cover: a text, the image of a map (Hugo), or the first of a list; `cover: false` is none."""
    for name in ALIASES["image"]:
        value = fields.get(name)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict):
            value = _part(value, ("image", "src", "url", "path", "file"))
        text = text_of(value)
        if text and text.lower() not in _YES | _NO:
            return text
    return None


def _part(values: Mapping[Any, Any], names: Sequence[str]) -> str | None:
    """The first of the map's parts that says something."""
    return next((text for name in names if (text := text_of(values.get(name)))), None)


def _enclosures(value: object) -> tuple[Enclosure, ...]:
    """The files that belong to the post: URLs, or maps with `url`, `type` and `length`."""
    found = []
    for entry in _entries(value):
        if isinstance(entry, dict):
            url, length = _part(entry, ("url", "src", "file", "href")), _part(entry, ("length", "size"))
            size = int(length) if length and length.isdecimal() else None
            if url:
                found.append(Enclosure(url, _part(entry, ("type",)) or "", size, _part(entry, ("title",)) or ""))
        elif (url := text_of(entry)) and url.lower() not in _YES | _NO:
            found.append(Enclosure(url))
    return tuple(found)


def _summary(text: str | None) -> str | None:
    """The excerpt as HTML: kept where it holds tags, else escaped; entities stay as they are written."""
    if text is None or _TAG.search(text):
        return text
    return _LOOSE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def merged(maps: Iterable[object]) -> dict[str, Any]:
    """One map out of a list of maps, for front matter whose every line begins with a dash."""
    found: dict[str, Any] = {}
    for entry in maps:
        if isinstance(entry, dict):
            found |= entry
    return found
