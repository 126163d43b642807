"""What `aggregator run` prints: progress while it works, a table on a terminal, plain lines or JSON otherwise."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aggregator.cli.logs import Log, LogFormat
from aggregator.cli.tables import print_table
from aggregator.pipeline.private import without_tokens
from aggregator.pipeline.results import FeedResult, SourceResult, counted

if TYPE_CHECKING:
    from aggregator.schedule.once import RunResult


class RunReport:
    """Takes results as they come, and says them all at the end."""

    def __init__(self, sources: int | None, *, as_json: bool, log_format: LogFormat) -> None:
        self._log = Log(log_format)
        self._as_json = as_json
        self._progress: Any = _progress(sources) if sys.stderr.isatty() and not as_json else None

    def __enter__(self) -> Self:
        """Starts the progress bar, where there is one."""
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the progress bar away."""
        if self._progress:
            self._progress.stop()

    def source(self, result: SourceResult) -> None:
        """Says what had to be guessed in a source, or why it failed."""
        for warning in result.warnings:
            self._log.warning(warning, source=result.name)
        if result.error:
            self._log.error(result.error, source=result.name)
        if self._progress:
            self._progress.advance(self._progress.task_ids[0])

    def feed(self, result: FeedResult) -> None:
        """Says why a feed failed."""
        if result.error:
            self._log.error(result.error, feed=result.slug or "the front page")
        if self._progress:
            self._progress.advance(self._progress.task_ids[1])

    def finish(self, result: RunResult) -> None:
        """Prints the result on stdout."""
        for warning in result.images.warnings if result.images is not None else ():
            self._log.warning(warning)
        if self._as_json:
            print(json.dumps(_as_data(result), ensure_ascii=False, indent=2))  # noqa: T201
            return
        if sys.stdout.isatty():
            rows = [
                (one.name, one.in_words, str(one.lenient or ""), str(len(one.warnings) or "")) for one in result.sources
            ]
            print_table(("source", "result", "read leniently", "warnings"), rows)
        else:
            for source in result.sources:
                print(_line(source))  # noqa: T201
        if result.images is not None and result.images.in_words:
            print(result.images.in_words)  # noqa: T201
        written = sum(len(feed.written) for feed in result.feeds)
        unchanged = sum(len(feed.unchanged) for feed in result.feeds)
        rendered = sum(bool(feed.slug) for feed in result.feeds)
        failed = sum(bool(item.error) for item in result.sources) + sum(bool(item.error) for item in result.feeds)
        waiting = sum(source.how == "waiting" for source in result.sources)
        later = f" and {waiting} waiting" if waiting else ""
        print(  # noqa: T201
            f"{counted(len(result.sources) - waiting, 'source')} refreshed{later}, {counted(rendered, 'feed')} regenerated: "
            f"{counted(written, 'document')} written, {unchanged} unchanged" + (f"; {failed} failed" if failed else "")
        )


def _line(source: SourceResult) -> str:
    """A source's result on one line that explains itself."""
    more = [f"{source.lenient} read leniently"] if source.lenient else []
    more += [counted(len(source.warnings), "warning")] if source.warnings else []
    return f"{source.name}: {', '.join([source.in_words, *more])}"


def _progress(sources: int | None) -> Any:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task("sources", total=sources)
    progress.add_task("feeds", total=None)
    return progress


def _as_data(result: RunResult) -> dict[str, Any]:
    return {
        "sources": [
            {
                "name": source.name,
                "result": source.in_words,
                "new": source.new,
                "changed": source.changed,
                "withdrawn": source.withdrawn,
                "unchanged": source.unchanged,
                "read_leniently": source.lenient,
                "warnings": source.warnings,
                "error": source.error or None,
                "how": source.how or None,
            }
            for source in result.sources
        ],
        "feeds": [
            {
                "slug": feed.slug,
                "posts": feed.posts,
                "written": list(map(without_tokens, feed.written)),
                "unchanged": list(map(without_tokens, feed.unchanged)),
                "error": without_tokens(feed.error) or None,
            }
            for feed in result.feeds
            if feed.slug
        ],
        "images": asdict(result.images) if result.images is not None else None,
        "failed": result.failed,
    }
