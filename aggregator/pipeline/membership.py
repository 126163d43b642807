"""Which feeds a post may be in, by what the configuration says alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from aggregator.config.models import Config
from aggregator.models import ROOT, Category, Post
from aggregator.pipeline.regenerate import listed_in

OWN_PAGE = ""  # what a post's own page, and a hit of the search, counts as


def feeds_of(config: Config) -> Callable[[Post], set[str]]:
    """Gives the slugs of the feeds that a post may be in, and `OWN_PAGE`.

    Perhaps more than it is in: how many posts a feed holds, and which categories hold enough to get one, the store knows.
    """
    slugs: defaultdict[Category, set[str]] = defaultdict(set)
    for feed in listed_in(config):
        for category in map(Category.parse, feed.categories or (ROOT.path,)):
            slugs[category].add(feed.slug)
    depth = config.by_category.depth if config.by_category.enabled else 0

    def found(post: Post) -> Iterator[str]:
        yield OWN_PAGE
        yield from slugs.get(ROOT, ())
        for category in {above for one in post.categories for above in one.lineage()}:
            yield from slugs.get(category, ())
            if len(category.names) <= depth:
                yield f"category/{category.path}"

    return lambda post: set(found(post))
