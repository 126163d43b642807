"""Pages for whoever asks a server: from the store to their bytes, in the language of the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aggregator.config.models import Config
from aggregator.errors import SearchTimedOut
from aggregator.ingest.feedurls import safe_url
from aggregator.models import Feed, Post
from aggregator.pipeline.imagerules import image_rules
from aggregator.pipeline.images import PostImages
from aggregator.pipeline.private import without_folders
from aggregator.pipeline.regenerate import ALL, Regenerator, listed_feeds, site_of
from aggregator.pipeline.searching import search_posts
from aggregator.pipeline.standing import SICK, Activity, Due, Status, health_of, read_status
from aggregator.publish.noticepage import notice_page
from aggregator.publish.pages import Paging, feed_page, site_page
from aggregator.publish.paths import ROOT_DIRECTORY
from aggregator.publish.permalinks import post_id_of
from aggregator.publish.postpage import post_page
from aggregator.publish.searchpage import Result, search_page
from aggregator.publish.statuspage import Standing, status_page
from aggregator.publish.tree import category_of
from aggregator.publish.view import View
from aggregator.publish.words import LANGUAGES, spoken
from aggregator.store.media import MediaFigures
from aggregator.store.store import Store, Transaction

__all__ = ["LANGUAGES", "Shower", "StatusQuestion", "is_feed_directory", "notice", "spoken"]

PAGE_POSTS = 50  # of a feed on one page
PAGE_SOURCES = 200  # on one page of the status: 120 KB


def is_feed_directory(config: Config, directory: str) -> bool:
    """Whether the page of a feed may lie there: without asking the store, which alone knows the categories.

    Private feeds are left to whoever serves their documents, and compares their tokens with care.
    """
    first, slash, _ = directory.partition("/")
    if slash:
        return first == ROOT_DIRECTORY
    return first == ALL.slug or any(feed.slug == first and not feed.private for feed in config.feeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusQuestion:
    """What the daemon knows and the store does not, for the status page."""

    now: datetime
    next_due: Mapping[str, datetime | None]
    faults: Sequence[str]
    problem: str
    figures: Mapping[str, int]
    activity: Activity


@dataclass(frozen=True, slots=True)
class Shower:
    """Makes pages; everything takes some milliseconds, so not on an event loop."""

    config: Config
    store: Store

    def version(self) -> tuple[int, ...]:
        """Another value whenever the pages of feeds and posts may be others; 0.3 ms."""
        with self.store.read() as tx:
            return tx.feeds.version()

    def front(self, language: str) -> bytes:
        """The list of feeds."""
        with self.store.read() as tx:
            states = tx.feeds.states()
        return site_page(listed_feeds(self._feeds(), states), site_of(self.config), self._view(language)).body

    def feed(self, directory: str, number: int, language: str) -> bytes | None:
        """A page of a feed, up to all that its categories hold; None where there is no such feed, or page of it."""
        feed = next((feed for feed in self._feeds() if feed.directory == directory and not feed.private), None)
        if feed is None or number < 1:
            return None
        with self.store.read() as tx:
            part = tx.feeds.part(feed.categories, PAGE_POSTS, (number - 1) * PAGE_POSTS)
            posts = self._shown(tx, part.posts, feed)
        last = max(-(-part.total // PAGE_POSTS), 1)
        if number > last:
            return None
        return feed_page(feed, posts, site_of(self.config), self._view(language), Paging(number, last)).body

    def post(self, name: str, language: str) -> bytes | None:
        """A live post's own page; None where there is none of that name."""
        post = self._post(name)
        if post is None:
            return None
        directories = {one.path: feed.directory for feed in self._feeds() if (one := category_of(feed))}
        return post_page(post, directories, site_of(self.config), self._view(language)).body

    def has_post(self, name: str) -> bool:
        """Whether there is a live post of that name."""
        return self._post(name) is not None

    def search(self, query: str, number: int, language: str) -> tuple[bytes | None, bool]:
        """The page of what was found, and whether it is complete: what took too long is not. None: it has no such page."""
        view, site = self._view(language), site_of(self.config)
        try:
            found = search_posts(self.store, query, number)
        except SearchTimedOut:
            return search_page(query, (), site, view, problem=view.words["too_long"]), False
        if number > 1 and not found.hits:
            return None, True
        with self.store.read() as tx:
            posts = self._shown(tx, [hit.post for hit in found.hits])
        results = [Result(post, hit.title, hit.snippet) for post, hit in zip(posts, found.hits, strict=True)]
        return search_page(query, results, site, view, number=found.page, has_more=found.has_more), True

    def status(self, question: StatusQuestion) -> Status:
        """How everything stands, as data for strangers: the sick sources first, then by name, each with its health.

        Of private feeds they learn nothing, not even that there are any, and of this machine not where things lie.
        """
        now, dues = question.now, question.next_due
        next_due: Due = lambda source, _: dues.get(source.name)  # noqa: E731 - a name for its type
        found = read_status(
            self.config,
            self.store,
            next_due,
            lambda source, _: (due := dues.get(source.name)) is None or due <= now,
            counts=question.activity.counts,
            images=question.activity.images,
        )
        rows = [{**_public(row), "health": health_of(row)} for row in found.sources]
        rows.sort(key=lambda row: (row["health"] not in SICK, row["name"]))
        return Status(rows, [row for row in found.feeds if not row["private"]], found.images)

    def status_page(self, question: StatusQuestion, number: int, language: str, query: str) -> bytes | None:
        """A page of the status; None where there is no page of that number."""
        rows = self.status(question).sources
        last = max(-(-len(rows) // PAGE_SOURCES), 1)
        if not 1 <= number <= last:
            return None
        with self.store.read() as tx:
            fetches = tx.fetches.since(question.now - timedelta(days=1))
        a_day = question.activity.a_day
        shown = rows[(number - 1) * PAGE_SOURCES : number * PAGE_SOURCES]
        standing = Standing(
            now=question.now,
            sources=[{**row, "a_day": a_day.get(row["name"], ())} for row in shown],
            sick=sum(row["health"] in SICK for row in rows),
            paging=Paging(number, last),
            problem=question.problem,
            faults=question.faults,
            fetches=fetches,
            figures={"sources": len(rows), **question.figures, **_of_images(question.activity.images)},
        )
        return status_page(standing, site_of(self.config), self._view(language), query)

    def _post(self, name: str) -> Post | None:
        post_id = post_id_of(name)
        if post_id is None:
            return None
        with self.store.read() as tx:
            found = self._shown(tx, tx.feeds.posts([post_id]))
        return next(iter(found), None)

    def _shown(self, tx: Transaction, posts: Sequence[Post], feed: Feed | None = None) -> list[Post]:
        return PostImages(image_rules(self.config, tx), tx).published(posts, feed)

    def _feeds(self) -> list[Feed]:
        return Regenerator(self.config, self.store, lambda: None).feeds()

    def _view(self, language: str) -> View:
        return _view(self.config, language)


def notice(config: Config, kind: str, language: str) -> bytes:
    """The page that says why there is nothing to see: `missing`, `locked` or `refused`."""
    return notice_page(kind, site_of(config), _view(config, language))


def _view(config: Config, language: str) -> View:
    return View(
        spoken(language),
        is_served=True,
        can_search=config.serve.search,
        has_status=config.status.enabled and config.status.token is None,
    )


def _of_images(figures: MediaFigures) -> dict[str, int]:
    """What the page says of mirrored images; nothing where none are."""
    if not any((figures.copies, figures.waiting, figures.failed)):
        return {}
    size = {"copies": figures.copies, "copies_kb": figures.bytes // 1000}
    return size | {"copies_waiting": figures.waiting, "copies_failed": figures.failed}


def _public(row: Mapping[str, Any]) -> dict[str, Any]:
    """A source for strangers: of a file, its name alone, wherever it is named."""
    texts = {key: without_folders(row[key]) for key in ("error", "note") if row.get(key)}
    addresses = {key: _address(row[key]) for key in ("url", "asked_at") if row.get(key)}
    return {**row, **texts, **addresses}


def _address(address: str) -> str:
    return safe_url(address) if "://" in address else address.rpartition("/")[2]
