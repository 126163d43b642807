"""Many web sources at once: hundreds of hosts are asked in threads, their answers digested in processes.

A thread takes the next source whose host may be asked, asks it, lets the host go, and sees its answer through to the
end. So no host waits for another, and what is in memory is what the threads hold, however many sources there are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from queue import Empty, Queue

from aggregator.config.models import Config
from aggregator.config.sources import AskedSource, OpmlSource
from aggregator.errors import AggregatorError, ParseError
from aggregator.ingest.lanes import Lanes
from aggregator.ingest.opml import Listing, read_opml
from aggregator.models import Fetched
from aggregator.pipeline.digester import Digester
from aggregator.pipeline.digesting import Gathered, Task
from aggregator.pipeline.remembering import after_answer, as_asked
from aggregator.pipeline.rules import rules_digest
from aggregator.pipeline.terms import asked_digest
from aggregator.pipeline.web import THREADS, Asked, Asker, files_to_spare
from aggregator.store.codec import digest
from aggregator.store.sources import SourceState
from aggregator.store.store import Store

_BATCH = 64  # outcomes written together: a transaction costs 7 ms, however little it writes
_BATCH_S = 0.15  # how long the first of them waits for the others
_LOOK_UP_S = 0.5  # how often whoever waits for outcomes looks whether it is time to end
_ARTICLES = 50  # pages fetched for one source in one refresh; what is beyond keeps what the source gave
_ARTICLES_S = 180.0  # that this may take: a host that answers nothing must not hold up the run
_FAILED = 3  # pages in a row that could not be had: the others will not be had either

Crawled = AskedSource | OpmlSource


@dataclass(frozen=True, slots=True)
class Outcome:
    """How asking one source went: what it gave and its state from now on, or why it failed."""

    source: Crawled
    before: SourceState
    state: SourceState  # once all of this is stored; on failure: as it was before
    gathered: Gathered | None = None
    listing: Listing | None = None
    how: str = ""  # not-modified | same-body | parsed
    warnings: tuple[str, ...] = ()
    error: BaseException | None = None
    redacted: str = ""  # the error in words that hold no secret


class Crawl:
    """Asks sources and digests their answers; `executor` are processes for that, or None where threads have to do it."""

    def __init__(
        self,
        config: Config,
        store: Store,
        now: datetime,
        asker: Asker,
        states: dict[str, SourceState],
        executor: Executor | None,
    ) -> None:
        self._config, self._store, self._now = config, store, now
        self._asker, self._states = asker, states
        self._digester = Digester(store, executor)

    def run(self, sources: Sequence[Crawled], ending: threading.Event) -> Iterator[list[Outcome]]:
        """The outcomes of the sources, those together that came while the caller was busy with the ones before.

        The threads end when the caller stops listening. Once `ending` is set, what has not come by then is not waited for.
        """
        states = {
            source.name: as_asked(self._states.get(source.name, SourceState(name=source.name)), asked_digest(source))
            for source in sources
        }
        jobs = [(self._asker.host_of(source, states[source.name]), source) for source in sources]
        lanes: Lanes[Crawled] = Lanes(jobs, self._asker.gate.ready_in_s, self._config.fetch.per_host)
        done: Queue[Outcome] = Queue()  # what weighs in it, the digester bounds: whoever hands over must never wait
        stopped = threading.Event()

        def work() -> None:
            while (job := lanes.take()) is not None:
                host, source = job
                outcome = self._outcome(source, states[source.name], partial(lanes.done, host))
                if stopped.is_set():
                    return
                done.put(outcome)

        count = min(
            THREADS, files_to_spare() // 5, len({host for host, _ in jobs}) * self._config.fetch.per_host, len(jobs)
        )
        threads = [threading.Thread(target=work, name=f"source-{number}", daemon=True) for number in range(count)]
        started = 0
        try:
            for thread in threads:
                with suppress(RuntimeError):  # the system gives us no more of them: those there are do the work
                    thread.start()
                    started += 1
            if not started:
                raise AggregatorError("no thread could be started: the system's limit on processes is reached")
            for batch in _batches(done, len(jobs), ending):
                yield batch
                for _ in filter(None, (outcome.gathered for outcome in batch)):
                    self._digester.make_room()
            for thread in () if ending.is_set() else threads[:started]:
                thread.join()  # nothing is left to take: a fork that comes after this must find no thread at work
        finally:
            stopped.set()
            lanes.stop()
            self._digester.close()

    def _outcome(self, source: Crawled, state: SourceState, release: Callable[[], None]) -> Outcome:
        """What became of one source; whatever goes wrong is its outcome, and ends nothing else."""
        released = _Once(release)
        asked: Asked | None = None
        try:
            asked = self._asker.ask(source, state)
            released()
            if isinstance(source, OpmlSource):
                return self._listed(source, state, asked)
            return self._digested(source, state, asked)
        except BaseException as error:  # noqa: BLE001 - recorded under the source's name, or it would be waited for
            return Outcome(source, state, state, error=error, redacted=self._asker.in_words(source, error))
        finally:
            released()

    def _listed(self, source: OpmlSource, state: SourceState, asked: Asked) -> Outcome:
        """What a subscription list holds."""
        answer = asked.answer
        later = after_answer(state, answer, asked.place, now=self._now, feed_hints=None)
        rules = rules_digest(self._config.site, source, self._config.images, self._config.fetch)
        body_hash = digest(answer.url, answer.body) if isinstance(answer, Fetched) else state.body_hash
        if body_hash == state.body_hash:
            how = "same-body" if isinstance(answer, Fetched) else "not-modified"
            return Outcome(source, state, replace(later, rules=rules), how=how)
        assert isinstance(answer, Fetched)
        listing = read_opml(answer.body, url=answer.url, content_type=answer.headers.get("content-type", ""))
        later = replace(later, rules=rules, body_hash=body_hash, title=listing.title)
        return Outcome(source, state, later, listing=listing, how="parsed", warnings=(*asked.notes, *listing.warnings))

    def _digested(self, source: AskedSource, state: SourceState, asked: Asked) -> Outcome:
        """What is new in an answer, through as much work as it takes."""
        answer, config = asked.answer, self._config
        rules = rules_digest(config.site, source, config.images, config.fetch)
        anew = state.rules not in {"", rules}
        body_hash = digest(answer.url, answer.body) if isinstance(answer, Fetched) else state.body_hash
        fresh = answer if isinstance(answer, Fetched) and body_hash != state.body_hash else None
        is_new = fresh is not None
        how = "parsed" if is_new else "same-body" if isinstance(answer, Fetched) else "not-modified"
        if not is_new and not anew:
            later = after_answer(state, answer, asked.place, now=self._now, feed_hints=None)
            later = replace(later, rules=rules, body_hash=body_hash)
            return Outcome(source, state, later, how=how, warnings=asked.notes)
        more: tuple[str, ...] = ()
        task = Task(config.site, config.images, config.fetch, source, self._now, anew, fresh)
        try:
            gathered = self._digester.digest(task)
        except ParseError as error:
            # A page that never was a feed is followed to the one it names; a feed that became a page shows a login,
            # a challenge, an error: nothing to follow, and the posts stay.
            if not error.feeds or state.ok_at is not None or source.address in error.feeds:
                raise
            return self._followed(source, state, error.feeds[0])
        if gathered.wants:
            self._digester.make_room()
            pages = self._articles(source, gathered.wants)
            missing = sum(not article for article in pages.values())
            more = (f"no article was found on {missing} of {len(pages)} pages",) if missing else ()
            gathered = self._digester.digest(replace(task, articles=pages))
        later = after_answer(state, answer, asked.place, now=self._now, feed_hints=gathered.hints)
        later = replace(later, rules=rules, body_hash=body_hash)
        if is_new:
            hub, topic = gathered.hub, gathered.topic
            if asked.redact(f"{hub} {topic}") != f"{hub} {topic}":
                hub = topic = ""  # they hold what the source is asked with, and a hub is somebody else's
            later = replace(later, title=gathered.title, link=gathered.link, hub=hub, topic=topic)
        warnings = tuple(map(asked.redact, (*asked.notes, *more, *gathered.changes.warnings)))
        return Outcome(source, state, later, gathered, how=how, warnings=warnings)

    def _followed(self, source: AskedSource, state: SourceState, url: str) -> Outcome:
        """What the feed says that a page names; a page behind that one is not followed."""
        asked = self._asker.follow(source, url)
        outcome = self._digested(source, replace(state, ok_at=self._now), asked)
        return replace(outcome, before=state, warnings=tuple(dict.fromkeys((*asked.notes, *outcome.warnings))))

    def _articles(self, source: AskedSource, links: Sequence[str]) -> dict[str, str]:
        """The articles of the pages that new posts link to, by link; empty where there is none."""
        from aggregator.ingest.article import extract_article  # noqa: PLC0415 - for sources that want full text

        found = dict.fromkeys(links, "")
        until = time.monotonic() + _ARTICLES_S
        failed = 0
        for link in links[:_ARTICLES]:
            if failed == _FAILED or time.monotonic() > until:
                break
            page = self._asker.page(source, link)
            failed = 0 if page else failed + 1
            kind = page.headers.get("content-type", "") if page else ""
            found[link] = extract_article(page.body, url=page.url, content_type=kind) if page else ""
        return found


def _batches(done: Queue[Outcome], count: int, ending: threading.Event) -> Iterator[list[Outcome]]:
    """So many outcomes, as they come: one is kept waiting for the next ones only for a moment."""
    while count:
        first = _next(done, ending)
        if first is None:
            return
        batch = [first]
        until = time.monotonic() + _BATCH_S
        with suppress(Empty):
            while len(batch) < min(count, _BATCH):
                batch.append(done.get(timeout=max(until - time.monotonic(), 0)))
        count -= len(batch)
        yield batch


def _next(done: Queue[Outcome], ending: threading.Event) -> Outcome | None:
    """The next outcome; None where none is there, and it is time to end."""
    while True:
        with suppress(Empty):
            return done.get(timeout=_LOOK_UP_S)
        if ending.is_set():
            return None


class _Once:
    """A function that is called at most once."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()
