"""Where the rooms are introduced to each other: a source's configuration becomes the function that makes its posts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo

from lxml.html import HtmlElement

from aggregator.config.images import Images
from aggregator.config.models import Site
from aggregator.config.sources import FrontMatterSource, Source, WebSource
from aggregator.images.placeholders import is_placeholder
from aggregator.images.rewrite import rewrite_images
from aggregator.models import Category
from aggregator.normalize.html import HtmlCleaner
from aggregator.normalize.post import Normalizer, Rules
from aggregator.pipeline.images import proxy_table


def normalizer(site: Site, source: Source, images: Images) -> Normalizer:
    """The function that turns this source's drafts into posts."""
    cleaner, unwrap = _images_made_whole(images)
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
    )
    return Normalizer(rules, clean=cleaner.clean, unwrap=unwrap, is_placeholder=is_placeholder)


@lru_cache(maxsize=4)  # the same for every source, and a worker normalises for hundreds of them
def _images_made_whole(images: Images) -> tuple[HtmlCleaner, Callable[[str], str]]:
    """What cleans HTML, and what recovers the origin of an image, by this configuration of images."""
    table = proxy_table(images)

    def unwrap(url: str) -> str:
        return table.unwrap(url).origin

    def rewrite(root: HtmlElement, resolve: Callable[[str], str | None]) -> tuple[str, ...]:
        return rewrite_images(root, resolve=resolve, unwrap=unwrap, styles=False)  # none that load anything are left

    return HtmlCleaner(images=rewrite), unwrap
