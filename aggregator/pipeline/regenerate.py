"""Regenerating: the documents of the feeds whose posts changed, and of no others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from aggregator import __version__
from aggregator.config.models import Config, FeedConfig
from aggregator.models import ROOT, Category, Feed
from aggregator.pipeline.imagerules import ImageRules, image_rules, is_proxied, signing_key
from aggregator.pipeline.postpages import PostPages
from aggregator.pipeline.private import PRIVATE, give_token, tokens
from aggregator.pipeline.results import FeedResult, Workers
from aggregator.publish.paths import assign
from aggregator.publish.permalinks import DIRECTORY
from aggregator.publish.site import NAMES, Site, document_path
from aggregator.publish.writer import Writer
from aggregator.store.codec import digest
from aggregator.store.feeds import CategoryState, FeedState
from aggregator.store.sources import moment
from aggregator.store.store import Store

if TYPE_CHECKING:  # jinja2 is for runs that render
    from aggregator.publish.pages import Listed

# Raised by whoever changes the bytes of documents without changing posts: every feed is then rendered anew.
RENDERER_VERSION = 2

OWN_HUB = "websub"  # where our own hub is reachable, below `base_url`
ALL = FeedConfig(slug="all", title="Everything")
_FRONT = ""  # the slug under which the front page and the OPML list are remembered
_FRONT_PATHS = ("index.html", "feeds.opml")
_BATCH = 16  # feeds, at the most, that one piece of work renders
_PIECES = 8  # of work, at the least, that are shared out among processes
_PARALLEL_FROM = 24  # feeds; below that, starting processes costs more than they save


@dataclass(frozen=True, slots=True)
class _Job:
    """One stale feed, and the write of the store that its documents will hold."""

    feed: Feed
    recipe: str
    write: int


@dataclass(frozen=True, slots=True)
class Regenerator:
    """What regenerating needs; `workers` gives processes to render in, or None."""

    config: Config
    store: Store
    workers: Workers

    def release(self, now: datetime) -> int:
        """Publishes held posts whose date has come; returns how many categories they changed."""
        with self.store.write() as tx:
            return len(tx.posts.release(now))

    def preview(self) -> list[str]:
        """The slugs of the feeds that are stale now; writes nothing."""
        return [job.feed.slug for job in self._stale(self.feeds(), Writer(self.config.output), force=False)]

    def house(self) -> None:
        """Makes, for good, what will be part of URLs: directories of categories, tokens of private feeds, a key for images."""
        with self.store.read() as tx:
            found = tx.feeds.categories()
            secret = tokens(self.config, tx)
        if is_proxied(self.config.images):
            signing_key(self.config, self.store)
        if without := [slug for slug, token in secret.items() if token is None]:
            with self.store.write() as tx:
                for slug in without:
                    give_token(tx, slug)
        homeless = [Category.parse(path) for path, state in found.items() if path and not state.directory]
        if homeless:
            taken = {path: state.directory for path, state in found.items() if state.directory}
            with self.store.write() as tx:
                tx.feeds.give_directories(assign(homeless, taken))

    def feeds(self) -> list[Feed]:
        """Every feed there is to publish now: the configured ones, then those of categories, in the order of paths."""
        with self.store.read() as tx:
            found = tx.feeds.categories()
            secret = tokens(self.config, tx)
        return [*_configured(self.config, secret), *_by_category(self.config, found)]

    def regenerate(self, *, only: Collection[str] = (), force: bool = False) -> Iterator[FeedResult]:
        """Renders the stale feeds, removes those that are no longer published, and brings the front page up to date.

        `only` names feeds by slug; then nothing else is touched. `force` renders feeds that are not stale, too. A feed
        that cannot be written is reported, its old documents stay, and the others go on.
        """
        self.house()
        feeds = self.feeds()
        writer = Writer(self.config.output)
        paths = {path for feed in feeds for path in document_paths(feed)} | set(_FRONT_PATHS)
        writer.clean_up()  # in every run: what was killed may have been writing the front page, with no feed stale
        writer.register(paths)
        chosen = [feed for feed in feeds if not only or feed.slug in only]
        jobs = self._stale(chosen, writer, force=force)
        yield from self._render(jobs)
        if only:
            known_slugs = {feed.slug for feed in feeds}
            yield from (FeedResult(slug, error="there is no such feed") for slug in only if slug not in known_slugs)
            return
        with self.store.write() as tx:
            known = tx.feeds.states()
            kept = {_FRONT, DIRECTORY, *(feed.slug for feed in feeds)}
            tx.feeds.forget([slug for slug in known if slug not in kept])
        writer.remove_stale(paths)
        yield from self._front_page(feeds, writer, force=force)
        yield from PostPages(self.config, self.store, self.workers, site_of(self.config), version()).regenerate(
            feeds, known.get(DIRECTORY), force=force
        )

    def _stale(self, feeds: Sequence[Feed], writer: Writer, *, force: bool) -> list[_Job]:
        """The feeds whose posts, recipe or documents are not what was last rendered."""
        with self.store.read() as tx:
            categories, states, images = tx.feeds.categories(), tx.feeds.states(), image_rules(self.config, tx)
        missing = writer.missing(path for feed in feeds for path in document_paths(feed))
        jobs = []
        for feed in feeds:
            newest = max((categories[c.path].changed for c in feed.categories if c.path in categories), default=0)
            recipe, state = _recipe(feed, self.config, images), states.get(feed.slug)
            fresh = state is not None and state.recipe == recipe and state.rendered >= newest
            if force or not fresh or not missing.isdisjoint(document_paths(feed)):
                jobs.append(_Job(feed, recipe, newest))
        return jobs

    def _render(self, jobs: Sequence[_Job]) -> Iterator[FeedResult]:
        """Renders feeds, in processes where there are many, and remembers each batch once it is on the disk."""
        if not jobs:
            return
        from aggregator.pipeline.rendering import render_feeds  # noqa: PLC0415 - its libraries, only where needed

        with self.store.read() as tx:
            images = image_rules(self.config, tx)
        work = partial(render_feeds, self.store.url, site_of(self.config), self.config.output, images)
        executor = None
        if len(jobs) >= _PARALLEL_FROM:
            self.store.close()
            executor = self.workers()
        # Each piece of work holds its documents until they are written.
        size = min(_BATCH, -(-len(jobs) // _PIECES)) if executor else _BATCH
        batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        feeds = [[job.feed for job in batch] for batch in batches]
        for batch, rendered in zip(batches, (executor.map if executor else map)(work, feeds), strict=True):
            made = [(job, result) for job, result in zip(batch, rendered, strict=True) if not result.error]
            with self.store.write() as tx:
                tx.feeds.rendered(
                    [
                        FeedState(job.feed.slug, job.recipe, job.write, result.posts, result.updated)
                        for job, result in made
                    ]
                )
            yield from rendered

    def _front_page(self, feeds: Sequence[Feed], writer: Writer, *, force: bool) -> Iterator[FeedResult]:
        """Writes the list of feeds as a page and as OPML, where a feed came, went, or holds other posts."""
        with self.store.read() as tx:
            states = tx.feeds.states()
        listed = [feed for feed in feeds if not feed.private]
        said = [(feed, states[feed.slug].posts, states[feed.slug].updated) for feed in listed if feed.slug in states]
        said += [(feed, 0, None) for feed in listed if feed.slug not in states]
        recipe = digest(version(), repr(site_of(self.config)), *map(repr, said))
        before = states.get(_FRONT)
        if not force and before is not None and before.recipe == recipe and not writer.missing(_FRONT_PATHS):
            return
        from aggregator.pipeline.rendering import render_front  # noqa: PLC0415

        result = render_front(listed_feeds(feeds, states), site_of(self.config), self.config.output)
        if not result.error:
            with self.store.write() as tx:
                tx.feeds.rendered([FeedState(_FRONT, recipe, 0, 0, None)])
        yield result


def listed_feeds(feeds: Sequence[Feed], states: Mapping[str, FeedState]) -> list[Listed]:
    """The feeds with what was last rendered of them."""
    from aggregator.publish.pages import Listed  # noqa: PLC0415

    rendered = ((feed, states.get(feed.slug)) for feed in feeds)
    return [Listed(feed, state.posts, moment(state.updated)) if state else Listed(feed, 0) for feed, state in rendered]


def version() -> str:
    """Names the code that documents are made by."""
    return f"{RENDERER_VERSION} {__version__}"


def site_of(config: Config) -> Site:
    """What documents say about the site."""
    site, hub = config.site, config.websub.hub
    return Site(
        title=site.title,
        base_url=site.base_url,
        language=site.language,
        description=site.description,
        generator=f"aggregator {__version__}",
        timezone=site.timezone,
        hub=site.base_url + OWN_HUB if hub == "builtin" else hub or "",
    )


def document_paths(feed: Feed) -> list[str]:
    """Where a feed's documents lie below the output, its page among them."""
    return [document_path(feed, name) for name in (*(NAMES[name] for name in feed.formats), "index.html")]


def _recipe(feed: Feed, config: Config, images: ImageRules) -> str:
    """Names everything but posts that a feed's documents are made of."""
    return digest(version(), repr(feed), repr(site_of(config)), str(config.output), images.recipe(feed.slug))


def listed_in(config: Config) -> Sequence[FeedConfig]:
    """The feeds that the configuration lists, with the one of all posts first unless it is listed itself."""
    return config.feeds if any(feed.slug == ALL.slug for feed in config.feeds) else (ALL, *config.feeds)


def _configured(config: Config, secret: Mapping[str, str | None]) -> Iterator[Feed]:
    """What the configuration lists, without the private feeds that have no token yet."""
    for feed in listed_in(config):
        token = secret.get(feed.slug)
        if feed.private and token is None:
            continue  # until `house` has given it one
        yield Feed(
            slug=feed.slug,
            directory=f"{PRIVATE}/{token}/{feed.slug}" if feed.private else feed.slug,
            private=feed.private,
            title=feed.title,
            description=feed.description or ("" if feed.categories else config.site.description),
            language=config.site.language,
            categories=tuple(Category.parse(path) for path in feed.categories) or (ROOT,),
            limit=feed.limit,
            formats=feed.formats,
        )


def _by_category(config: Config, found: Mapping[str, CategoryState]) -> Iterator[Feed]:
    """The feeds of categories, ancestors among them, in the order of their paths."""
    wanted = config.by_category
    if not wanted.enabled:
        return
    for path in sorted(found):
        category, state = Category.parse(path), found[path]
        if path and state.directory and len(category.names) <= wanted.depth and state.posts >= wanted.min_posts:
            yield Feed(
                slug=f"category/{path}",
                directory=state.directory,
                title=" / ".join(category.names),
                language=config.site.language,
                categories=(category,),
                limit=wanted.limit,
                formats=wanted.formats,
            )
