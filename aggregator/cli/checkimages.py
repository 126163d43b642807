"""`aggregator check --images`: asks for the images of recent posts, and says which of them readers do not see."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from aggregator.cli.tables import print_table
from aggregator.config.models import Config
from aggregator.pipeline.discovery import printable
from aggregator.pipeline.imaging.checking import check_images, shown_images
from aggregator.pipeline.imaging.verdicts import BAD, Found, HostReport, Looked, by_host
from aggregator.pipeline.results import counted
from aggregator.store.store import Store

_TITLES = ("HOST", "FOUND", "IMAGES", "WHY", "FOR EXAMPLE")


def check_shown(
    config: Config, store: Store, now: datetime, feeds: Collection[str], waits: Mapping[str, datetime], *, quiet: bool
) -> list[HostReport]:
    """Asks for the images; unless it is to be quiet, says on stderr what it is about to do, and on stdout what it found."""
    shown = shown_images(config, store, feeds)
    store.close()  # asking takes minutes, and others may want to write
    hosts = Counter(one.host for one in shown)
    about = f"{counted(len(shown), 'image')} of {counted(len(hosts), 'host')}"
    if not quiet and shown:
        print(f"asking for {about}", file=sys.stderr, flush=True)  # noqa: T201
    reports = by_host(check_images(config, shown, now, waits=waits))
    if not quiet:
        _print(reports, about)
    return reports


def is_bad(reports: Collection[HostReport]) -> bool:
    """Whether there is an image that readers do not see."""
    return any(one.found in BAD for report in reports for one in report.looked)


def _print(reports: Collection[HostReport], about: str) -> None:
    """A row for each host and what was found there, and the rules that would help."""
    print_table(_TITLES, [_row(report, found) for report in reports for found in Found if _of(report, found)])
    bad = sum(one.found in BAD for report in reports for one in report.looked)
    print(f"{about} asked for; {f'{bad} not seen by readers' if bad else 'readers see them'}")  # noqa: T201
    if rules := dict.fromkeys(report.rule for report in reports if report.rule):
        print("rules that would help, for `images.rules`:", *map(printable, rules), sep="\n  ")  # noqa: T201


def _row(report: HostReport, found: Found) -> tuple[str, ...]:
    looked = _of(report, found)
    ((reason, _),) = Counter(one.reason for one in looked).most_common(1)
    example = next(one.shown.url for one in looked if one.reason == reason)
    total = report.asked if found is not Found.NOT_ASKED else len(looked)
    return tuple(map(printable, (report.host, found, f"{len(looked)} of {total}", reason, example)))


def _of(report: HostReport, found: Found) -> list[Looked]:
    return [one for one in report.looked if one.found is found]


def as_data(report: HostReport) -> dict[str, Any]:
    """The report for `--json`."""
    return {
        "host": report.host,
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
