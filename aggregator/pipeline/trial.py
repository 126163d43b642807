"""Trying a source out: what it would give, without storing anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from aggregator.config.sources import FeedSource, OpmlSource, RsshubSource
from aggregator.errors import AggregatorError, ParseError
from aggregator.ingest.opml import read_opml
from aggregator.models import Fetched
from aggregator.normalize.dates import read_date
from aggregator.normalize.post import is_empty
from aggregator.pipeline.crawl import Crawled
from aggregator.pipeline.digesting import parse_answer
from aggregator.pipeline.discovery import kind_of
from aggregator.pipeline.web import Asked, Asker
from aggregator.store.sources import SourceState


@dataclass(frozen=True, slots=True)
class Trial:
    """What a source would give: posts, or the feeds of a subscription list; `newest` is a day, None where none is dated."""

    source: str
    posts: int = 0
    feeds: int | None = None
    newest: str | None = None
    kind: str = ""  # of the document: `RSS 2.0`, `JSON Feed 1.1`
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""


def try_out(asker: Asker, source: Crawled) -> Trial:
    """Asks a source as if for the first time; whatever goes wrong is said in `error`."""
    try:
        asked = asker.ask(source, SourceState(name=source.name))
        return _trial(asker, source, asked)
    except Exception as error:  # noqa: BLE001 - said under the source's name
        if not isinstance(error, AggregatorError):
            return Trial(source.name, error=f"unexpected {type(error).__name__}")
        return Trial(source.name, error=asker.in_words(source, error))


def _trial(asker: Asker, source: Crawled, asked: Asked) -> Trial:
    answer, config = asked.answer, asker.config
    assert isinstance(answer, Fetched)  # it was asked without conditions
    moved = asked.place.moved and f"it moved permanently to {asked.place.moved}: change its address"
    notes = tuple(filter(None, (*asked.notes, asked.place.note, moved)))
    if isinstance(source, OpmlSource):
        listing = read_opml(answer.body, url=answer.url, content_type=answer.headers.get("content-type", ""))
        return Trial(source.name, feeds=len(listing.subscriptions), kind="OPML", warnings=listing.warnings, notes=notes)
    try:
        parsed = parse_answer(answer, source, config.site)
    except ParseError as error:
        if not error.feeds or source.address in error.feeds:
            raise
        asked = asker.follow(source, error.feeds[0])
        assert isinstance(asked.answer, Fetched)
        answer = asked.answer
        parsed = parse_answer(answer, source, config.site)
        notes = (*notes, *asked.notes)
    drafts = [draft for draft in parsed.drafts if not is_empty(draft)]
    zone = ZoneInfo(source.timezone or config.site.timezone)
    dates = [
        found
        for draft in drafts
        for written in (draft.published, draft.updated)
        if written and (found := read_date(written, zone, draft.language or "")) is not None
    ]
    newest = max((found.astimezone(UTC) for found in dates), default=None)
    warnings = tuple(map(asked.redact, parsed.warnings))
    is_feed = isinstance(source, FeedSource | RsshubSource)
    kind = kind_of(answer.body, answer.headers.get("content-type", "")) if is_feed else ""
    return Trial(source.name, len(drafts), newest=_day(newest), kind=kind, warnings=warnings, notes=notes)


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d}"
