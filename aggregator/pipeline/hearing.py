"""Whether a new store has heard enough of its sources to be published over what another one, which is lost, has left."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, FrontMatterSource, OpmlSource, Source
from aggregator.pipeline.published import manifest_stamp
from aggregator.store.sources import SourceState
from aggregator.store.store import Store

_DEAD_AFTER = 3  # times that one failed: an hour and a half, after which it is the sources, and not our network


def withheld(config: Config, store: Store) -> str:
    """Why nothing is to be published yet; empty: it may be. `config` holds the feeds of its subscription lists.

    A store that never rendered a feed, beside feeds that are published, is one that was lost, or that was moved. What it
    publishes takes away all that it does not know yet, so every source has to have been asked first.
    """
    with store.read() as tx:
        if tx.feeds.states() or manifest_stamp(config.output) is None:
            return ""
        states = tx.sources.all()
    why = unheard(config.sources, states)
    return why and f"the store is new, and what is published stays as it is until its sources were heard: {why}"


def unheard(sources: tuple[Source, ...], states: Mapping[str, SourceState]) -> str:
    """What is still missing of the sources before they count as heard; empty: nothing."""
    if any(source.name not in states for source in sources):
        return "not all of them were asked yet"
    if sources and not any(states[source.name].ok_at for source in sources):
        return "none of them could be read"
    distant = [states[one.name] for one in sources if not _is_here(one)]
    if distant and not any(one.ok_at or one.failures >= _DEAD_AFTER for one in distant):
        return "none of those on the web could be read"
    return ""


def _is_here(source: Source) -> bool:
    is_file = isinstance(source, FeedSource | OpmlSource) and source.is_local
    return is_file or isinstance(source, FrontMatterSource)
