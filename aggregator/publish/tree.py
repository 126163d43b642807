"""The published feeds as people look for them: those of the configuration, then the categories below each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from aggregator.models import Category, Feed
from aggregator.publish.paths import ROOT_DIRECTORY


@dataclass(slots=True)
class Branch:
    """A name in the tree: its own feed where there is one, and what lies below it."""

    name: str
    feed: Feed | None = None
    children: dict[str, Branch] = field(default_factory=dict)

    def branches(self) -> Iterator[Branch]:
        """The branches below this one, by name."""
        for name in sorted(self.children):
            yield self.children[name]


def category_of(feed: Feed) -> Category | None:
    """The category that a feed was made for; None where the configuration lists the feed itself."""
    if not feed.slug.startswith(f"{ROOT_DIRECTORY}/") or len(feed.categories) != 1 or not feed.categories[0].names:
        return None
    return feed.categories[0]


def planted(feeds: Iterable[Feed]) -> tuple[list[Feed], Branch]:
    """The feeds of the configuration in their order, and the root of the categories' tree; private ones are not listed."""
    listed: list[Feed] = []
    root = Branch("")
    for feed in feeds:
        if feed.private:
            continue
        category = category_of(feed)
        if category is None:
            listed.append(feed)
            continue
        branch = root
        for name in category.names:
            branch = branch.children.setdefault(name, Branch(name))
        branch.feed = feed
    return listed, root
