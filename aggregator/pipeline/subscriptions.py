"""The feeds of subscription lists as sources of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, OpmlSource, RsshubSource, Source, WebSource
from aggregator.ingest.feedurls import safe_url
from aggregator.models import Category
from aggregator.store.store import Store
from aggregator.store.subscriptions import Subscribed

if TYPE_CHECKING:  # its libraries are for runs that read a list
    from aggregator.ingest.opml import Subscription


class ListedFeed(FeedSource):
    """A feed out of a subscription list."""


class ListedRoute(RsshubSource):
    """A route of RSSHub out of a subscription list."""


def is_listed(source: Source) -> bool:
    """Whether a source comes out of a subscription list, and not from the configuration itself."""
    return isinstance(source, ListedFeed | ListedRoute)


def shown_address(source: WebSource) -> str:
    """Where a source is configured to be asked, for people: without what is secret."""
    return safe_url(source.address)


def with_subscriptions(config: Config, store: Store) -> Config:
    """The configuration with the feeds of its subscription lists, as far as the store knows them, among the sources."""
    lists = {source.name: source for source in config.sources if isinstance(source, OpmlSource)}
    if not lists:
        return config
    with store.read() as tx:
        rows = tx.subscriptions.all()
    taken = {source.name for source in config.sources}
    found = []
    for row in rows:
        is_free = row.list in lists and row.left_at is None and row.name not in taken
        source = _source(lists[row.list], row) if is_free else None
        if source is not None:
            taken.add(row.name)
            found.append(source)
    return config.model_copy(update={"sources": (*config.sources, *found)})


def subscribed(name: str, subscriptions: Sequence[Subscription]) -> list[Subscribed]:
    """The feeds of a list as they are stored, each under a name that depends on its address alone."""
    from aggregator.ingest.opml import source_name  # noqa: PLC0415

    rows: dict[str, Subscribed] = {}
    for one in subscriptions:
        key = source_name(name, one.url)
        rows.setdefault(key, Subscribed(name, key, one.url, one.title, Category(one.folders).path))
    return list(rows.values())


def _source(listed: OpmlSource, row: Subscribed) -> Source | None:
    """The source that an outline becomes; None for one that no source can be."""
    path = "/".join(filter(None, (listed.category, row.category)))
    common = {
        "name": row.name,
        "category": path or None,
        "category_mode": listed.category_mode,
        "every": listed.feeds_every,
        "timezone": listed.timezone,
        "language": listed.language,
        "future": listed.future,
        "allow_private": listed.allow_private,
        "ca_bundle": str(listed.ca_bundle) if listed.ca_bundle else None,
        "max_items": listed.max_items,
        "fulltext": listed.fulltext,
        "robots": listed.robots,
    }
    try:
        if row.url.lower().startswith("rsshub://"):
            return ListedRoute.model_validate({**common, "type": "rsshub", "path": f"/{row.url[9:].lstrip('/')}"})
        if row.url.startswith(("http://", "https://")):  # never a path of this machine: the list may be anybody's
            return ListedFeed.model_validate({**common, "type": "feed", "url": row.url})
    except ValidationError:
        return None
    return None
