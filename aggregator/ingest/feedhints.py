"""What a feed says of how often it changes, read from its head and its tail without reading the feed."""

from __future__ import annotations

import re
from xml.sax.saxutils import unescape

from aggregator.models import FeedHints

REACH = 65_536  # characters before the first item and after the last in which hints are looked for
_SYNDICATION = "http://purl.org/rss/1.0/modules/syndication/"
_DAY_S = 86_400
_PERIODS_S = {"hourly": 3600, "daily": _DAY_S, "weekly": 7 * _DAY_S, "monthly": 30 * _DAY_S, "yearly": 365 * _DAY_S}
_LONGEST_S = 365 * _DAY_S
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ITEM = re.compile(r"<(?:[\w.-]+:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_ITEM_ENDS = ("</item", "</entry", ":item>", ":entry>")
_NOT_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
_TTL = re.compile(r"<ttl(?:\s[^<>]*)?>([^<]{0,40})</", re.IGNORECASE)
_HOUR = re.compile(r"<hour(?:\s[^<>]*)?>([^<]{0,40})</", re.IGNORECASE)
_DAY = re.compile(r"<day(?:\s[^<>]*)?>([^<]{0,40})</", re.IGNORECASE)
_WHOLE = re.compile(r"\s*\+?(\d{1,9})(?:\.0*)?\s*")


def feed_hints(text: str) -> FeedHints:
    """What an XML feed says of how often it changes; what makes no sense counts as not said.

    `ttl` is in minutes, `skipHours` are hours of GMT, of which 24 is 0 (RSS 0.91 counts from 1), `skipDays` are English names
    (RSS 2.0); a period and how often it brings something new (1 where it does not say) are RSS 1.0's syndication module.
    """
    around = _around_items(text)
    lowered = around.lower()
    periods = []
    if "<ttl" in lowered and (found := _TTL.search(around)) and (minutes := _whole(found[1])):
        periods.append(minutes * 60)
    if "period>" in lowered and (period := _period_s(around)):
        periods.append(period)
    hours: set[int] = set()
    days: set[int] = set()
    if "<skiphours" in lowered:
        given = (_whole(found) for found in _HOUR.findall(_inside(around, "skipHours")))
        hours = {hour % 24 for hour in given if hour is not None and hour <= 24}
    if "<skipdays" in lowered:
        names = (found.strip().lower()[:3] for found in _DAY.findall(_inside(around, "skipDays")))
        days = {_DAYS.index(name) for name in names if name in _DAYS}
    return FeedHints(
        every_s=min(max(periods), _LONGEST_S) if periods else None,
        skip_hours=tuple(sorted(hours)) if len(hours) < 24 else (),
        skip_days=tuple(sorted(days)) if len(days) < 7 else (),
    )


def _around_items(text: str) -> str:
    """What stands before the first item and after the last, as far as it is near, without comments; CDATA as text."""
    first = _ITEM.search(text)
    if first is None:
        return _cleaned(text[: 2 * REACH])
    end = max(text.rfind(mark) for mark in _ITEM_ENDS)
    tail = text[end : end + REACH] if end > first.start() else ""
    return _cleaned(text[: min(first.start(), REACH)]) + "\n" + _cleaned(tail)


def _cleaned(part: str) -> str:
    """A part of a document in which `<` starts a tag."""
    return _CDATA.sub(lambda found: found[1].replace("<", "&lt;"), _NOT_MARKUP.sub("", part))


def _inside(around: str, name: str) -> str:
    """What stands in an element, to its end or for 2,000 characters."""
    found = re.search(rf"<{name}(?:\s[^<>]*)?(?<!/)>((?:(?!</{name}).){{0,2000}})", around, re.IGNORECASE | re.DOTALL)
    return found[1] if found else ""


def _period_s(around: str) -> int | None:
    """How long the syndication module says that nothing new comes, in seconds."""
    declared = re.findall(rf"\sxmlns:([\w.-]{{1,40}})\s*=\s*[\"']{re.escape(_SYNDICATION)}/?[\"']", around)
    prefixes = "|".join(re.escape(prefix) for prefix in dict.fromkeys([*declared, "sy"]))
    said = {}
    for name in ("updatePeriod", "updateFrequency"):
        found = re.search(rf"<(?:{prefixes}):{name}(?:\s[^<>]*)?>([^<]{{0,60}})</", around, re.IGNORECASE)
        said[name] = unescape(found[1]).strip().lower() if found else ""
    period = _PERIODS_S.get(said["updatePeriod"] or ("daily" if said["updateFrequency"] else ""))
    times = _whole(said["updateFrequency"]) or 1
    return max(period // times, 1) if period else None


def _whole(text: str) -> int | None:
    """A number of digits alone; None for anything else."""
    found = _WHOLE.fullmatch(text)
    return int(found[1]) if found else None
