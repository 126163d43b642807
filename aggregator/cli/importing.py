"""A subscription list as sources: which of its feeds are new, and what they are called."""

from __future__ import annotations

from pydantic import ValidationError

from aggregator.cli.sourcefiles import Entry, name_for
from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, JsonSource, OpmlSource, PageSource, RsshubSource
from aggregator.models import Category
from aggregator.pipeline.discovery import Listing, printable, safe_url, same_place, source_name


def place_of(url: str) -> str:
    """What tells whether two URLs ask the same; of a route of RSSHub, the route."""
    is_route = url.lower().startswith("rsshub:")
    return "rsshub:" + url[len("rsshub:") :].strip("/") if is_route else same_place(url)


def known_places(config: Config) -> dict[str, str]:
    """The name of the source that asks each place."""
    known: dict[str, str] = {}
    for source in config.sources:
        if isinstance(source, RsshubSource):
            query = "&".join(f"{key}={value}" for key, value in source.parameters.items())
            url = f"rsshub:/{source.path.rstrip('/')}" + (f"?{query}" if query else "")
        elif isinstance(source, FeedSource | PageSource | JsonSource):
            url = source.url
        elif isinstance(source, OpmlSource):
            url = source.path
        else:
            continue
        known.setdefault(place_of(url), source.name)
    return known


def entries_of(listing: Listing, config: Config) -> tuple[list[Entry], list[str]]:
    """What to write for the feeds that are not configured yet, and a line for each that is left out.

    A name is made from the feed's title or host, and from its address as well where another has the same: it does not
    depend on the order of the list.
    """
    known, skipped = known_places(config), []
    fresh = []
    for one in listing.subscriptions:
        name = known.get(place_of(one.url))
        problem = f"configured already, as source {name}" if name else _problem(one.url, config)
        if problem:
            skipped.append(f"{safe_url(one.url)}: {problem}")
        else:
            fresh.append(one)
            known[place_of(one.url)] = "of the same list"
    names = [name_for(one.title, one.url) for one in fresh]
    taken = {source.name for source in config.sources}
    entries = []
    for one, name in zip(fresh, names, strict=True):
        is_free = name not in taken and names.count(name) == 1
        keys = {"name": name if is_free else source_name("", one.url), "type": "feed", "url": one.url}
        if one.folders:
            keys |= {"category": Category(one.folders).path, "category_mode": "prefix"}  # as for `type: opml`
        entries.append(Entry(keys, printable(one.title) or "(without a title)"))
    return entries, skipped


def _problem(url: str, config: Config) -> str:
    """Why a feed cannot be configured; empty where it can."""
    if url.lower().startswith("rsshub:"):
        return "" if config.rsshub.instances else "needs `instances`, at the top level under `rsshub`"
    try:
        FeedSource.model_validate({"name": "x", "type": "feed", "url": url})
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
    return ""
