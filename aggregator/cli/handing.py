"""A run beside a daemon: the daemon does the work, and the run says how it went."""

from __future__ import annotations

import os
from pathlib import Path

from aggregator.cli.logs import LogFormat
from aggregator.cli.run_report import RunReport
from aggregator.config.models import Config
from aggregator.errors import LockHeld
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult
from aggregator.schedule.handover import hand_over, socket_path
from aggregator.schedule.once import Order, RunResult

_PREFIX = "another run holds the lock: "  # of what a daemon says that refuses: it is said once
DAEMON = "aggregator daemon"  # how the holder of a lock begins that takes work over


class _Heard:
    """Takes the results that a daemon tells of, as a run would have had them."""

    def __init__(self, report: RunReport) -> None:
        self.result = RunResult()
        self._report = report

    def source(self, result: SourceResult) -> None:
        """A source was refreshed."""
        self.result.sources.append(result)
        self._report.source(result)

    def feed(self, result: FeedResult) -> None:
        """A feed was regenerated."""
        self.result.feeds.append(result)
        self._report.feed(result)

    def mirrored(self, result: MirrorResult) -> None:
        """Images were fetched; what there is to say of them comes at the end."""
        self.result.images = result


def run_by_daemon(
    file: Path, config: Config, order: Order, held: LockHeld, *, as_json: bool, log_format: LogFormat
) -> RunResult:
    """Has the daemon that holds the lock do the work; raises LockHeld where it is none, or does not."""
    if not held.holder.startswith(DAEMON):
        raise held
    with RunReport(None, as_json=as_json, log_format=log_format) as report:
        heard = _Heard(report)
        refused = hand_over(socket_path(config, os.environ), file, order, heard)
    if refused is not None:
        holder = refused.removeprefix(_PREFIX)
        raise LockHeld(holder if holder != refused else f"{held.holder}: {refused}") from held
    report.finish(heard.result)
    return heard.result
