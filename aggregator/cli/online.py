"""`aggregator check --online`: asks every web source, and says what it would get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any

from aggregator.cli.logs import Log
from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, FrontMatterSource, OpmlSource, Source
from aggregator.pipeline.crawl import Crawled
from aggregator.pipeline.discovery import printable
from aggregator.pipeline.manners import Manners
from aggregator.pipeline.results import counted
from aggregator.pipeline.trial import Trial, try_out
from aggregator.pipeline.web import Asker

_THREADS = 32  # most of them wait for a host


def askable(sources: Sequence[Source]) -> list[Crawled]:
    """Those that are asked over HTTP."""
    asked = (source for source in sources if not isinstance(source, FrontMatterSource))
    return [source for source in asked if not (isinstance(source, FeedSource | OpmlSource) and source.is_local)]


def try_all(
    config: Config, sources: Sequence[Crawled], now: datetime, waits: Mapping[str, datetime] | None = None
) -> Iterator[Trial]:
    """Asks every source, many at a time and each host politely; gives them in the order of the configuration.

    Hosts among `waits` asked an earlier run to be left alone until then, and are.
    """
    if not sources:
        return
    with closing(Asker(config, now, Manners(dict(waits or {})))) as asker:
        pool = ThreadPoolExecutor(min(_THREADS, len(sources)))
        try:
            yield from pool.map(partial(try_out, asker), sources)
        finally:
            pool.shutdown(cancel_futures=True)


def check_online(
    config: Config, sources: Sequence[Source], now: datetime, *, waits: Mapping[str, datetime], quiet: bool
) -> list[dict[str, Any]]:
    """Asks the web sources; unless it is to be quiet, says of each what it got on stdout, and its warnings on stderr."""
    log = Log("text")
    found = []
    for trial in try_all(config, askable(sources), now, waits):
        found.append(as_data(trial))
        if not quiet:
            for warning in trial.warnings:
                log.warning(warning, source=trial.source)
            print(in_words(trial), flush=True)  # noqa: T201
    return found


def in_words(trial: Trial) -> str:
    """`name: 20 posts, newest 2026-11-20; RSS 2.0; 3 warnings`, or the error."""
    if trial.error:
        return printable(f"{trial.source}: {'; '.join((trial.error, *trial.notes))}")
    count = counted(trial.posts, "post") if trial.feeds is None else counted(trial.feeds, "feed")
    posts = count + (f", newest {trial.newest}" if trial.newest else "")
    warnings = [counted(len(trial.warnings), "warning")] if trial.warnings else []
    kind = [trial.kind] if trial.kind else []
    return printable(f"{trial.source}: {'; '.join((posts, *kind, *trial.notes, *warnings))}")


def as_data(trial: Trial) -> dict[str, Any]:
    """The trial for `--json`."""
    return {
        "source": trial.source,
        "posts": trial.posts,
        "feeds": trial.feeds,
        "newest": trial.newest,
        "kind": trial.kind or None,
        "warnings": list(trial.warnings),
        "notes": list(trial.notes),
        "error": trial.error or None,
    }
