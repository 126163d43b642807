"""What was gathered from web sources, written to the store: in batches, by one writer."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from aggregator.config.fields import interval
from aggregator.config.models import Config
from aggregator.errors import AskedToWait, HttpStatus, StoreError
from aggregator.ingest.gate import Gate
from aggregator.pipeline.crawl import Crawl, Crawled, Outcome
from aggregator.pipeline.manners import Manners
from aggregator.pipeline.remembering import after_failure, after_waiting
from aggregator.pipeline.results import SourceResult
from aggregator.pipeline.subscriptions import is_listed, subscribed
from aggregator.pipeline.web import Asker
from aggregator.store.sources import SourceState
from aggregator.store.store import Store, Transaction

_DEFAULT_EVERY_S = 1800.0
_PACE_OF = 20  # newest posts of a source: how often they came says how often it is asked
_ROBOTS_HOLD = timedelta(days=1)  # RFC 9309 §2.4: not longer than a day


class Crawler:
    """Refreshes web sources and stores what they gave."""

    def __init__(
        self,
        config: Config,
        store: Store,
        now: datetime,
        executor: Executor | None,
        *,
        gate: Gate | None = None,
        ending: threading.Event | None = None,
    ) -> None:
        self._config, self._store, self._now, self._executor = config, store, now, executor
        self._ending = ending or threading.Event()
        with store.read() as tx:
            self._states = tx.sources.all()
            manners = Manners(tx.hosts.waits(now), tx.hosts.robots(now - _ROBOTS_HOLD))
        self.own_sources = tuple(source for source in config.sources if not is_listed(source))
        self._asker = Asker(config, now, manners, gate)

    def __enter__(self) -> Self:
        """The crawler itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remembers what hosts said of themselves, and closes the connections."""
        self._asker.close()
        if error is None:
            manners = self._asker.manners
            with self._store.write() as tx:
                tx.hosts.wait(manners.new_waits)
                tx.hosts.put_robots(manners.new_robots, self._now)
                tx.hosts.forget(self._now - _ROBOTS_HOLD)

    def refresh(self, sources: Sequence[Crawled]) -> Iterator[SourceResult]:
        """The result of each source, as soon as it is stored."""
        if not sources:
            return
        crawl = Crawl(self._config, self._store, self._now, self._asker, self._states, self._executor)
        for batch in crawl.run(sources, self._ending):
            yield from self._write(batch)

    def _write(self, batch: Sequence[Outcome]) -> list[SourceResult]:
        """Writes outcomes in one transaction; where one cannot be written, each in one of its own."""
        try:
            with self._store.write() as tx:
                return self._put(tx, batch)
        except Exception as error:  # noqa: BLE001 - recorded under the source's name, as all that a source brings to light
            if len(batch) > 1:
                return [result for outcome in batch for result in self._write([outcome])]
            # What the source said was not kept, so nor is what to ask it with next time: it has to say it again.
            text = str(error) if isinstance(error, StoreError) else f"unexpected {type(error).__name__} while writing"
            failed = replace(batch[0], gathered=None, listing=None, error=error, redacted=text, warnings=())
            with self._store.write() as tx:
                return self._put(tx, [failed])

    def _put(self, tx: Transaction, batch: Sequence[Outcome]) -> list[SourceResult]:
        gathered = [outcome.gathered for outcome in batch if outcome.gathered]
        entries = [entry for one in gathered for entry in one.changes.entries]
        if entries:
            known = {number: post for one in gathered for number, post in one.changes.known.items()}
            tx.posts.put(entries, known, self._now)
        tx.posts.touch([entry for one in gathered for entry in one.changes.touched])
        tx.seen.put({one.source.name: one.gathered.seen for one in batch if one.gathered and one.gathered.seen})
        results = [self._result(tx, outcome) for outcome in batch]
        # Pushes fail silently: whoever was to be pushed to and has to find a new post by asking asks as often as before.
        tx.sources.expect_pushes(
            [result.name for result in results if result.new and self._is_pushed(result.name)], None
        )
        tx.sources.put([self._state(tx, outcome, result) for outcome, result in zip(batch, results, strict=True)])
        tx.fetches.count(self._now, Counter(result.outcome for result in results))
        return results

    def _is_pushed(self, name: str) -> bool:
        before = self._states.get(name)
        return before is not None and before.push_until is not None

    def _result(self, tx: Transaction, outcome: Outcome) -> SourceResult:
        result = SourceResult(outcome.source.name, how=outcome.how, warnings=list(outcome.warnings))
        before = self._states.get(outcome.source.name)
        if outcome.error is None and outcome.state.note and (before is None or before.note != outcome.state.note):
            result.warnings.append(outcome.state.note)
        if isinstance(outcome.error, AskedToWait):
            result.how, result.until = "waiting", outcome.error.until
        elif outcome.error is not None:
            result.error = outcome.redacted
        if outcome.gathered is not None:
            changes = outcome.gathered.changes
            result.new, result.changed, result.unchanged = changes.new, changes.changed, changes.unchanged
        if outcome.listing is not None:
            rows = subscribed(outcome.source.name, outcome.listing.subscriptions)
            tx.subscriptions.put(outcome.source.name, rows, self._now)
            result.feeds = len(rows)
        return result

    def _state(self, tx: Transaction, outcome: Outcome, result: SourceResult) -> SourceState:
        if outcome.error is None:
            state = replace(outcome.state, result=result.in_words)
            if not result.is_news:
                return state
            return replace(state, changed_at=self._now, gap_s=tx.posts.gap_s(state.name, _PACE_OF))
        every = interval(outcome.source.every) if outcome.source.every else None
        every_s = every.total_seconds() if every else _DEFAULT_EVERY_S
        failed = after_failure(
            outcome.before, outcome.error, outcome.redacted, now=self._now, every_s=every_s, random=random.random
        )
        until = self._asker.wait_of(outcome.error) if isinstance(outcome.error, HttpStatus) else None
        return after_waiting(failed, until) if until else failed
