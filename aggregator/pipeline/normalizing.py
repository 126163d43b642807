"""Where the rooms are introduced to each other: a source's configuration becomes the function that makes its posts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from lxml.html import HtmlElement

from aggregator.config.images import Images
from aggregator.config.models import Fetch, Site
from aggregator.config.sources import FrontMatterSource, Source, WebSource
from aggregator.images.placeholders import is_placeholder
from aggregator.images.rewrite import rewrite_images
from aggregator.images.trackers import Trackers, signs_out
from aggregator.models import Category
from aggregator.normalize.html import HtmlCleaner
from aggregator.normalize.post import Normalizer, Rules
from aggregator.pipeline.images import proxy_table
from aggregator.pipeline.rules import may_lead_inside


def normalizer(site: Site, source: Source, images: Images, fetch: Fetch) -> Normalizer:
    """The function that turns this source's drafts into posts."""
    inside = may_lead_inside(source, fetch)
    cleaner, unwrap, is_waiting = _images_made_whole(images, inside)
    is_folder = isinstance(source, FrontMatterSource)
    rules = Rules(
        source=source.name,
        base_url=site.base_url,
        zone=ZoneInfo(source.timezone or site.timezone),
        language=(site.language if source.language is None else source.language)
        if is_folder
        else source.language or "",
        dialect=source.dialect if isinstance(source, FrontMatterSource) else "flat",
        category=Category.parse(source.category) if source.category else None,
        category_mode=source.category_mode,
        link=source.link if isinstance(source, FrontMatterSource) else None,
        publish_future=source.future == "publish",
        full_text=isinstance(source, WebSource) and source.fulltext,
        allow_private=inside,
    )
    return Normalizer(rules, clean=cleaner.clean, unwrap=unwrap, is_placeholder=is_waiting)


@lru_cache(maxsize=4)  # the same for every source, and a worker normalises for hundreds of them
def _images_made_whole(
    images: Images, inside: bool
) -> tuple[HtmlCleaner, Callable[[str], str | None], Callable[[str], bool]]:
    """What cleans HTML, what recovers the origin of an image, and what knows a placeholder, by this configuration.

    An image that is no picture (a tracker, or one that signs readers out) has no origin.
    """
    table, trackers = proxy_table(images), Trackers(images.trackers)

    def unwrap(url: str) -> str | None:
        origin = table.unwrap(url).origin
        return None if trackers.count(origin) or signs_out(origin) else origin

    def rewrite(root: HtmlElement, resolve: Callable[[str], str | None]) -> tuple[str, ...]:
        placeholders = images.placeholders
        # No style that loads anything is left.
        return rewrite_images(root, resolve=resolve, unwrap=unwrap, placeholders=placeholders, styles=False)

    cleaner = HtmlCleaner(images=rewrite, allow_private=inside)
    return cleaner, unwrap, partial(is_placeholder, more=images.placeholders)
