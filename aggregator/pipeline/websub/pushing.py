"""Storing a document that was pushed for a source: what is new in it, and nothing of what polling remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, RsshubSource
from aggregator.errors import AggregatorError, IngestError, StoreError
from aggregator.models import Fetched, Validators
from aggregator.pipeline.digesting import Gathered, Task, digest_answer
from aggregator.pipeline.results import SourceResult
from aggregator.store.leases import LEASED
from aggregator.store.sources import SourceState
from aggregator.store.store import Store, Transaction


def store_push(
    config: Config,
    store: Store,
    now: datetime,
    source: str,
    body: bytes,
    content_type: str,
    *,
    is_last: Callable[[], bool] = lambda: True,
) -> SourceResult:
    """Stores what is new in a document that was pushed, in the calling thread; says how it went, as a refresh does.

    A hub may leave out items that it has delivered already, so validators, the body's hash, hints and the items that were
    seen stay those of the last poll. While its lease lasts, the source is asked seldom, if this was the last of the pushes
    that wait for it; a body that could not be read changes nothing, and is in the result alone.
    """
    found = next((one for one in config.sources if one.name == source), None)
    if not isinstance(found, FeedSource | RsshubSource):
        return SourceResult(source, how="pushed", error="no source of that name can be pushed to")
    try:
        try:
            return _stored(config, store, now, found, body, content_type, is_last)
        except StoreError:  # it was being asked at the same time, and the same posts came first
            return _stored(config, store, now, found, body, content_type, is_last)
    except IngestError as error:
        return SourceResult(source, how="pushed", error=f"what was pushed cannot be read: {error}")
    except AggregatorError as error:
        return SourceResult(source, how="pushed", error=str(error))


def _stored(
    config: Config,
    store: Store,
    now: datetime,
    source: FeedSource | RsshubSource,
    body: bytes,
    content_type: str,
    is_last: Callable[[], bool],
) -> SourceResult:
    with store.read() as tx:
        state = tx.sources.get(source.name)
    answer = Fetched(body, _place(source, state), {"content-type": content_type}, Validators())
    task = Task(config.site, config.images, config.fetch, source, now, anew=False, answer=answer)
    gathered = digest_answer(store, task)
    with store.write() as tx:
        return _written(tx, source.name, gathered, now, is_last)


def _place(source: FeedSource | RsshubSource, state: SourceState) -> str:
    """Where the document would have been fetched from, so that a poll that brings the same posts finds them unchanged."""
    if isinstance(source, FeedSource):
        return state.url or source.address
    return state.topic


def _written(
    tx: Transaction, name: str, gathered: Gathered, now: datetime, is_last: Callable[[], bool]
) -> SourceResult:
    result = SourceResult(name, how="pushed")
    result.add(gathered.changes)
    if gathered.changes.entries:
        tx.posts.put(gathered.changes.entries, gathered.changes.known, now)
    tx.posts.touch(gathered.changes.touched)
    if result.is_news:
        tx.sources.put([replace(tx.sources.get(name), changed_at=now)])
    ends = [lease.until for lease in tx.leases.all() if lease.source == name and lease.state in LEASED and lease.until]
    if ends and is_last():
        tx.sources.expect_pushes([name], max(ends))
    return result
