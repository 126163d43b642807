"""`aggregator check --images`: asks for the images of recent posts, and says which of them readers do not see."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from aggregator.cli.tables import print_table
from aggregator.config.models import Config
from aggregator.pipeline.discovery import printable
from aggregator.pipeline.imaging.checking import busiest, check_images, shown_images
from aggregator.pipeline.imaging.verdicts import BAD, UNKNOWN, Found, HostReport, Looked, Shown, by_host
from aggregator.pipeline.results import counted
from aggregator.store.store import Store

_TITLES = ("HOST", "FOUND", "IMAGES", "WHY", "FOR EXAMPLE")
_LONG_S = 5  # from which on somebody wonders what it waits for


def check_shown(
    config: Config, store: Store, now: datetime, feeds: Collection[str], waits: Mapping[str, datetime], *, quiet: bool
) -> list[HostReport]:
    """Asks for the images; unless it is to be quiet, says on stderr what it is about to do, and on stdout what it found."""
    shown = shown_images(config, store, feeds)
    store.close()  # asking takes minutes, and others may want to write
    if not quiet and shown:
        about = f"{counted(len(shown), 'image')} of {counted(len({one.host for one in shown}), 'host')}"
        print(f"asking for {about}{_longest(config, shown)}", file=sys.stderr, flush=True)  # noqa: T201
    reports = by_host(check_images(config, shown, now, waits=waits))
    if not quiet:
        _print(reports)
    return reports


def is_bad(reports: Collection[HostReport]) -> bool:
    """Whether there is an image that readers do not see."""
    return any(one.is_unseen for report in reports for one in report.looked)


def _longest(config: Config, shown: Sequence[Shown]) -> str:
    """Which host takes longest, and how long at least, because of the gap between its requests; empty for a moment."""
    host, images = busiest(config, shown)
    least_s = round((images - 1) * config.fetch.min_gap_s)
    return f"; the {images} of {printable(host)} take {least_s} seconds or more" if least_s >= _LONG_S else ""


def _print(reports: Collection[HostReport]) -> None:
    """A row for each host and what was found there, and the rules that would help."""
    places = Counter(report.host for report in reports)
    rows = (
        _row(report.place if places[report.host] > 1 else report.host, report, found)
        for report in reports
        for found in Found
        if _of(report, found)
    )
    print_table(_TITLES, list(rows))
    print(_summary(reports))  # noqa: T201
    if rules := dict.fromkeys(report.rule for report in reports if report.rule):
        print("rules that would help, for `images.rules`:", *map(_as_line, rules), sep="\n  ")  # noqa: T201


def _summary(reports: Collection[HostReport]) -> str:
    """How many images were asked for, and what became of all."""
    counts = Counter(one.found for report in reports for one in report.looked)
    asked, bad = sum(report.asked for report in reports), sum(counts[found] for found in BAD)
    hosts = {report.host for report in reports if report.asked}
    said = [f"{counted(asked, 'image')} of {counted(len(hosts), 'host')} asked for"]
    if asked or not reports:
        said.append(f"{bad} not seen by readers" if bad else "readers see them")
    said += (f"{counts[found]} {found}" for found in Found if found in UNKNOWN and counts[found])
    return "; ".join(said)


def _row(name: str, report: HostReport, found: Found) -> tuple[str, ...]:
    looked = _of(report, found)
    ((reason, _),) = Counter(one.reason for one in looked).most_common(1)
    example = next(one.shown.url for one in looked if one.reason == reason)
    total = len(looked) if found in UNKNOWN else report.asked
    return tuple(map(printable, (name, found, f"{len(looked)} of {total}", reason, example)))


def _as_line(rule: str) -> str:
    """A rule as it may be shown, with the two spaces that YAML's comments are used to."""
    return "  # ".join(map(printable, rule.split("  # ")))


def _of(report: HostReport, found: Found) -> list[Looked]:
    return [one for one in report.looked if one.found is found]


def as_data(report: HostReport) -> dict[str, Any]:
    """The report for `--json`."""
    return {
        "host": report.host,
        "place": report.place,
        "asked": report.asked,
        "rule": report.rule or None,
        "images": [
            {
                "url": one.shown.url,
                "origin": one.shown.origin,
                "found": str(one.found),
                "reason": one.reason,
                "feed": one.shown.feed,
                "post": one.shown.post,
            }
            for one in report.looked
        ],
    }
