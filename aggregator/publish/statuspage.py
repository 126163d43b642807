"""The page that says how sources stand, the sick ones first; it never leaves the server as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from aggregator.publish.pages import Paging
from aggregator.publish.plots import OUTCOMES, hours_until, sparkline, stacked
from aggregator.publish.site import Site
from aggregator.publish.view import View, filled
from aggregator.publish.words import result_in

_SAID_ALREADY = frozenset({"failed", "never refreshed"})  # by the label beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the page says: plain data, without anything secret.

    `sources` are the rows of `Status`, each with its `health` and its number of posts a day; `fetches` is what was counted
    by the hour since 1970; `figures` are numbers by the key of what they are called, or their name.
    """

    now: datetime
    sources: Sequence[Mapping[str, Any]]
    sick: int
    paging: Paging
    problem: str
    faults: Sequence[str]
    fetches: Mapping[int, Mapping[str, int]]
    figures: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source as the page shows it."""

    name: str
    title: str
    url: str
    health: str
    label: str
    result: str
    details: tuple[str, ...]
    facts: tuple[str, ...]
    checked: str
    next: str
    posts: int
    unpublished: int
    spark: Markup


def status_page(standing: Standing, site: Site, view: View, query: str = "") -> bytes:
    """The page; `query` is what every link to it has to carry, such as the token."""
    zone = ZoneInfo(site.timezone)
    hours = hours_until(standing.now, standing.fetches, zone)
    words = view.words
    total = [sum(counts[number] for _, counts in hours) for number in range(len(OUTCOMES))]
    said = ", ".join(
        f"{count} {words[f'outcome_{name}']}" for name, count in zip(OUTCOMES, total, strict=True) if count
    )
    return filled(
        "status.html",
        site,
        view,
        "",
        standing=standing,
        moment=_moment(standing.now, zone),
        lines=[_line(row, view, zone) for row in standing.sources],
        outcomes=OUTCOMES,
        hours=hours if any(total) else [],
        plot=stacked(hours, f"{words['fetches']}: {said}"),
        figures=[(words.get(name, name), value) for name, value in standing.figures.items()],
        query=query,
    )


def _is_due(row: Mapping[str, Any]) -> bool:
    """Whether a source waits to be asked; files of this machine, which are looked at all the time, do not."""
    return bool(row["is_due"] and (row["next_due"] or not row.get("checked")))


def _is_said(text: str) -> bool:
    """Whether a detail says no more than the label and the facts do: that it failed, and how often."""
    return text.startswith("failed")


def _line(row: Mapping[str, Any], view: View, zone: ZoneInfo) -> SourceLine:
    words = view.words
    facts = []
    if row.get("failures"):
        if row["failures"] > 1:
            facts.append(words["failed_times"].format(row["failures"]))
        if row.get("succeeded"):
            facts.append(words["well_at"].format(_moment(_read(row["succeeded"]), zone)))
    following = "" if row["type"] is None else words["now"] if _is_due(row) else words["each_run"]
    if row["next_due"] and not row["is_due"]:
        following = _moment(_read(row["next_due"]), zone)
    a_day: Sequence[int] = row["a_day"]
    return SourceLine(
        name=row["name"],
        title=row.get("title") or "",
        url=row.get("url") or "",
        health=row["health"],
        label=words[row["health"]],
        result="" if row["result"] in _SAID_ALREADY else result_in(view.language, row["result"]),
        details=tuple(row[key] for key in ("error", "note", "waits_for") if row.get(key) and not _is_said(row[key])),
        facts=tuple(facts),
        checked=_moment(_read(row["checked"]), zone) if row.get("checked") else "",
        next=following,
        posts=row["posts"],
        unpublished=row["held"] + row["hidden"] + row["withdrawn"],
        spark=sparkline(a_day, words["in_thirty_days"].format(sum(a_day))),
    )


def _read(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
