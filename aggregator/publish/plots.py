"""Small plots as SVG within the page: no script, no file, and in words for those who do not see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

# How asking may go (`fetches.outcome`), in the order in which it is stacked.
OUTCOMES = ("new", "unchanged", "not-modified", "waiting", "failed")
_HEIGHT, _STEP = 18, 3  # of a sparkline, in pixels
_PLOT_HEIGHT, _COLUMN = 96, 20


def sparkline(values: Sequence[int], label: str) -> Markup:
    """Bars beside each other, the highest as high as the line; nothing at all where there is nothing to show."""
    highest = max(values, default=0)
    if not highest:
        return Markup("")
    bars = "".join(
        f"M{number * _STEP + 1} {_HEIGHT}v-{max(round(value / highest * _HEIGHT, 1), 1):g}"
        for number, value in enumerate(values)
        if value
    )
    width = len(values) * _STEP
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><path d="{}"/></svg>'
    ).format(width, _HEIGHT, width, _HEIGHT, label, bars)


def hours_until(now: datetime, counted: Mapping[int, Mapping[str, int]], zone: ZoneInfo) -> list[tuple[str, list[int]]]:
    """The last 24 hours as they are called there, the oldest first, each with its number of every outcome."""
    last = int(now.timestamp()) // 3600
    hours = []
    for hour in range(last - 23, last + 1):
        called = (now - timedelta(hours=last - hour)).astimezone(zone).strftime("%H:00")
        hours.append((called, [counted.get(hour, {}).get(name, 0) for name in OUTCOMES]))
    return hours


def stacked(hours: Sequence[tuple[str, Sequence[int]]], label: str) -> Markup:
    """A column an hour, its outcomes on top of each other."""
    highest = max((sum(counts) for _, counts in hours), default=0) or 1
    pieces = []
    for number, (called, counts) in enumerate(hours):
        top = float(_PLOT_HEIGHT)
        for outcome, count in zip(OUTCOMES, counts, strict=True):
            if count:
                height = max(count / highest * _PLOT_HEIGHT, 1)
                top -= height
                pieces.append(
                    f'<rect class="{outcome}" x="{number * _COLUMN + 2}" y="{top:.1f}" width="{_COLUMN - 4}" height="{height:.1f}"/>'
                )
        if number % 6 == 0:
            pieces.append(f'<text x="{number * _COLUMN + 2}" y="{_PLOT_HEIGHT + 16}">{called}</text>')
    return Markup('<svg class="plot" viewBox="0 -2 {} {}" role="img" aria-label="{}">{}</svg>').format(
        len(hours) * _COLUMN,
        _PLOT_HEIGHT + 22,
        label,
        Markup("".join(pieces)),  # noqa: S704 - numbers and names of ours
    )
