"""The page of what was found; it is served only, because files cannot search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aggregator.models import Post
from aggregator.publish.pages import Entry, entry_of
from aggregator.publish.site import Site
from aggregator.publish.view import View, filled


class Piece(Protocol):
    """A stretch of text, and whether it is what was looked for."""

    @property
    def text(self) -> str:
        """Plain text."""

    @property
    def is_match(self) -> bool:
        """Whether it is to be marked."""


@dataclass(frozen=True, slots=True)
class Result:
    """A post that was found, with its title and a stretch of its text in pieces; a post without title has none."""

    post: Post
    title: tuple[Piece, ...]
    snippet: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as the page shows it."""

    entry: Entry
    title: tuple[Piece, ...]
    snippet: tuple[Piece, ...]


def search_page(
    query: str,
    results: Iterable[Result],
    site: Site,
    view: View,
    *,
    number: int = 1,
    has_more: bool = False,
    problem: str = "",
) -> bytes:
    """The page of results, or, where nothing was asked for, how to ask."""
    zone = ZoneInfo(site.timezone)
    shown = [
        Shown(entry_of(result.post, zone, site.language, view, ""), result.title, result.snippet) for result in results
    ]

    def link(page: int) -> str:
        return f"search?{urlencode({'q': query, 'page': page})}"

    return filled(
        "search.html",
        site,
        view,
        "",
        asked=query,
        results=shown,
        problem=problem,
        number=number,
        newer=link(number - 1) if number > 1 else "",
        older=link(number + 1) if has_more else "",
    )
