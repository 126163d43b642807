"""Who looks at a page: in which language, and whether from a server or from files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aggregator.publish.site import Site, encoded
from aggregator.publish.text import cleaned
from aggregator.publish.words import spoken, words_in

PAGE = "index.html"
MEDIA_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class View:
    """How a page is to be shown.

    In files, links name `index.html`, because a disk shows a directory's files where a server shows its page. A server
    shows every post on a page of its own, and more of a feed than its newest posts; it may search, and tell how it is.
    """

    language: str  # of what the page itself says
    is_served: bool = False
    can_search: bool = False
    has_status: bool = False
    words: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", words_in(self.language))

    def href(self, directory: str, root: str = "") -> str:
        """The link to the page in a directory below the output, from where `root` leads there."""
        path = f"{root}{encoded(directory)}/" if directory else root
        return (path or "./") if self.is_served else f"{path}{PAGE}"


def view_of_files(language: str) -> View:
    """The view of what lies on a disk or a static host: in the site's language, as far as we speak it."""
    return View(
        language if spoken(language).partition("-")[0] == language.partition("-")[0].lower() else spoken(language)
    )


def root_of(directory: str) -> str:
    """The way from a directory below the output up to it.

    >>> root_of("category/a"), root_of("")
    ('../../', '')
    """
    return "../" * (directory.count("/") + 1) if directory else ""


def filled(template: str, site: Site, view: View, root: str, **values: Any) -> bytes:
    """The bytes of a page."""
    text = _environment().get_template(template).render(site=site, view=view, words=view.words, root=root, **values)
    return cleaned(text).encode()


def day(moment: datetime, zone: ZoneInfo) -> str:
    """The date there."""
    return moment.astimezone(zone).date().isoformat()


def is_web(url: str) -> bool:
    """Whether a page may point there; posts come clean, and what did not would run in our own page."""
    return url.lower().startswith(("https://", "http://"))


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
