"""When a post was published, read from whatever its source wrote; what cannot be read for sure is None, never a guess.

The forms: RFC 2822 with its comments, missing parts and two-digit years, RFC 850, asctime and JavaScript's `Date`; RFC 3339,
ISO 8601 (extended and basic) and W3CDTF; `YYYY-M-D` and `YYYY/M/D` with or without a time; Chinese, Japanese and Korean dates;
English and Chinese month names; Unix seconds and milliseconds. The day of the week is never looked at: where it
contradicts the date, the date is right more often.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST_YEAR = 1990  # no web before it; 1970 is somebody's zero, 1626 a number read as a date
_FURTHEST_YEARS = 100
_LONGEST = 200  # characters; a longer text is no date, and is not searched for one

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan 一月 1月",
            "february feb 二月 2月",
            "march mar 三月 3月",
            "april apr 四月 4月",
            "may 五月 5月",
            "june jun 六月 6月",
            "july jul 七月 7月",
            "august aug 八月 8月",
            "september sep sept 九月 9月",
            "october oct 十月 10月",
            "november nov 十一月 11月",
            "december dec 十二月 12月",
        ),
        start=1,
    )
    for name in names.split()
}

# RFC 2822 §4.3, then the abbreviations that mean one thing only; CST is decided by who writes it. Hours east of UTC.
_ZONES: Final = {
    name: float(hours)
    for name, hours in re.findall(
        r"(\S+) (\S+)",
        "z 0 ut 0 utc 0 gmt 0 wet 0 est -5 edt -4 cdt -5 mst -7 mdt -6 pst -8 pdt -7 akst -9 akdt -8 hst -10 "
        "hkt 8 sgt 8 awst 8 jst 9 kst 9 cet 1 cest 2 met 1 mest 2 eet 2 eest 3 west 1 msk 3 bst 1 "
        "aest 10 aedt 11 acst 9.5 acdt 10.5 nzst 12 nzdt 13 北京时间 8",
    )
}
_CHINESE_KEYS: Final = re.compile(
    r"Asia/(Shanghai|Chongqing|Chungking|Harbin|Urumqi|Kashgar|Hong_Kong|Taipei|Macau|Macao)|PRC|ROC|Hongkong"
)

_CLOCK = r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,]\d*)?)?"
_ZONE = (
    r"(z|(?![ap]\.?m)[a-z]{2,5}|(?:utc|gmt)?\s?[+-]\d{1,2}(?::?\d{2})?(?::?\d{2})?|[a-z]+(?:/[a-z_+\-0-9]+)+|北京时间)"
)
_DAY_NAME = r"(?:(?:[a-z]{2,9}\.?|星期[一二三四五六日天]|周[一二三四五六日]|週[一二三四五六日])\s*,?\s*)?"
_MONTH = r"([a-z]{3,9}|1?\d月|十?[一二三四五六七八九]月|十月)\.?"
_HALF = r"([ap]\.?m\.?|上午|下午|凌晨|早上|中午|晚上|午前|午後|오전|오후)"
_FLAGS = re.IGNORECASE

# The two forms that nearly every post has, as they are written by machines: 1 µs to match, and no flags.
_USUAL_RFC = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d\d?) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))? (GMT|[+-]\d{4})"
)
_USUAL_ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?)?")

# The others are compiled when they are first asked for: 15 ms that most runs do without.
_ISO = rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}})(?:(?:T|\s+|T\s+){_CLOCK}(?:\s?{_ZONE}(?:\s[a-z]{{3,5}})?)?(?:\[[\w/+\-]+\])?)?"
_RFC = rf"{_DAY_NAME}(\d{{1,2}})[\s-]{_MONTH}[\s-](\d{{2,4}})(?:,?\s+{_CLOCK}(?:\s*{_ZONE})?)?"

# `Jul 4, 2021 2:56 PM`, `Sun Jul  4 06:56:06 UTC 2021`, `Sun Jul 04 2021 14:56:06 GMT+0800`
_MONTH_FIRST = rf"{_DAY_NAME}{_MONTH}\s*(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?:\s*(?:,|at|\s)\s*{_CLOCK}\s*{_HALF}?(?:\s*{_ZONE})?)?"
_ASCTIME = rf"{_DAY_NAME}{_MONTH}\s+(\d{{1,2}})\s+{_CLOCK}\s+(?:{_ZONE}\s+)?(\d{{4}})"
_DAY_FIRST = rf"{_DAY_NAME}(\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})(?:\s*(?:,|at|\s)\s*{_CLOCK}\s*{_HALF}?(?:\s*{_ZONE})?)?"
_HAN = (
    rf"(\d{{4}})\s*[年년]\s*(\d{{1,2}})\s*[月월]\s*(\d{{1,2}})\s*[日号號일]?\s*{_DAY_NAME}(?:[(（].?[)）]\s*)?"
    rf"(?:{_HALF}?\s*(\d{{1,2}})\s*[:时時点點시]\s*(?:(\d{{1,2}})\s*[:分분]?\s*(?:(\d{{1,2}})\s*[秒초]?)?)?\s*(?:{_ZONE})?)?"
)
_NUMBERS_HALF = (
    rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}})\s*{_DAY_NAME}(?:{_HALF}\s*{_CLOCK}|{_CLOCK}\s*{_HALF}?)(?:\s*{_ZONE})?"
)
_BASIC = r"(\d{4})(\d\d)(\d\d)(?:T?(\d\d)(\d\d)(\d\d)?(?:[.,]\d*)?\s?(z|[+-]\d\d:?(?:\d\d)?)?)?"
_YEAR_LAST = rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}})(?:,?\s+{_CLOCK}\s*{_HALF}?(?:\s*{_ZONE})?)?"
_YEAR_MONTH = r"(\d{4})(?:-(\d{1,2}))?"
_UNIX = re.compile(r"(\d{9,10})(?:\.\d*)?|(\d{12,13})(?:\.\d*)?")
_OFFSET = re.compile(r"(?:utc|gmt)?\s?([+-])(\d{1,2})(?::?(\d{2}))?(?::?\d{2})?", _FLAGS)
_COMMENT = re.compile(r"\s*\([^()]*\)")


def read_date(raw: str, zone: tzinfo, language: str = "") -> datetime | None:
    """The moment that the text names, in UTC and whole seconds; None where it cannot be read for sure.

    A date without a zone is in `zone`, and one without a time is its midnight; a time that daylight saving skips is
    taken as if the clocks had not yet been put forward (PEP 495). `CST` is China's where `language` or `zone` is
    Chinese, else America's. `04/07/2021` is nobody's: None.

    >>> read_date("2021年7月4日 14:56", ZoneInfo("Asia/Shanghai")).isoformat()
    '2021-07-04T06:56:00+00:00'
    """
    try:
        if match := _USUAL_RFC.fullmatch(raw):
            day, month, year, hour, minute, second, where = match.groups()
            if number := _MONTHS.get(month.lower()):
                return _moment((int(year), number, int(day)), (hour, minute, second), _zone(where, zone, language))
        elif match := _USUAL_ISO.fullmatch(raw):
            year, month, day, hour, minute, second, where = match.groups()
            return _moment((int(year), int(month), int(day)), (hour, minute, second), _zone(where, zone, language))
        return _read_slowly(_tidy(raw), zone, language) if len(raw) <= _LONGEST else None
    except (
        ValueError,
        OverflowError,
        ZoneInfoNotFoundError,
    ):  # 31 February, 21:50:74, +9900, year 0, a zone nobody knows
        return None


def plausible(moment: datetime, now: datetime) -> bool:
    """Whether a post can have this date: not before 1990, and not more than a century ahead."""
    return _OLDEST_YEAR <= moment.year <= now.year + _FURTHEST_YEARS


def _tidy(raw: str) -> str:
    """The text in ASCII digits and punctuation, without comments, quotes, and white space at its ends."""
    text = raw if raw.isascii() else unicodedata.normalize("NFKC", raw)
    if "(" in text:
        text = _COMMENT.sub("", text)
    return " ".join(text.replace("−", "-").split()).strip("\"' ,;")


def _read_slowly(text: str, zone: tzinfo, language: str) -> datetime | None:
    """Every form there is, one after another; no two of them match the same text."""
    if match := _UNIX.fullmatch(text):
        seconds, milliseconds = match.groups()
        return _EPOCH + timedelta(seconds=int(seconds) if seconds else int(milliseconds) // 1000)
    for pattern, names in _FORMS:
        match = re.compile(pattern, _FLAGS).fullmatch(text)  # from the cache of `re`
        if match is None:
            continue
        parts = {name: value for name, value in zip(names, match.groups(), strict=True) if value is not None}
        if pattern is _YEAR_LAST and not _settle_day_and_month(parts):
            return None
        month = parts.get("month", "1")
        number = int(month) if month.isdecimal() else _MONTHS.get(month.lower())
        if number is None:
            continue
        hour = _hour(parts.get("hour"), parts.get("half", ""))
        minute = parts.get("minute", "0") if hour is not None else None
        where = _zone(parts.get("zone"), zone, language)
        date = (_full_year(parts["year"]), number, int(parts.get("day", "1")))
        return _moment(date, (hour, minute, parts.get("second")), where)
    return None


_TIME = ("hour", "minute", "second")
_FORMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (_RFC, ("day", "month", "year", *_TIME, "zone")),
    (_ISO, ("year", "", "month", "day", *_TIME, "zone")),
    (_HAN, ("year", "month", "day", "half", *_TIME, "zone")),
    (_NUMBERS_HALF, ("year", "", "month", "day", "half", *_TIME, *_TIME, "half", "zone")),
    (_MONTH_FIRST, ("month", "day", "year", *_TIME, "half", "zone")),
    (_DAY_FIRST, ("day", "month", "year", *_TIME, "half", "zone")),
    (_ASCTIME, ("month", "day", *_TIME, "zone", "year")),
    (_BASIC, ("year", "month", "day", *_TIME, "zone")),
    (_YEAR_LAST, ("day", "", "month", "year", *_TIME, "half", "zone")),
    (_YEAR_MONTH, ("year", "month")),
)


def _settle_day_and_month(parts: dict[str, str]) -> bool:
    """Whether `31/12/2021` or `12/31/2021` can only mean one day; puts its parts right if it does."""
    first, second = int(parts["day"]), int(parts["month"])
    if first <= 12 and second <= 12 and first != second:
        return False
    if second > 12:
        parts["day"], parts["month"] = parts["month"], parts["day"]
    return True


def _hour(hour: str | None, half: str) -> str | None:
    """The hour of 24 that an hour of 12 and its half of the day mean; an hour above 12 says it all by itself."""
    if hour is None or not half:
        return hour
    number = int(hour)
    late = half[0] in "pP" or half in {"下午", "晚上", "午後", "오후"} or (half == "中午" and number < 11)
    if half == "晚上" and number == 12:
        raise ValueError(hour)  # the midnight at which end of the day?
    if late and number < 12:
        return str(number + 12)
    return "0" if number == 12 and not late and half != "中午" else hour


def _full_year(year: str) -> int:
    """The year of RFC 2822 §4.3: two digits below 50 are of this century, three digits count from 1900."""
    number = int(year)
    if len(year) == 2:
        return number + (2000 if number < 50 else 1900)
    return number + 1900 if len(year) == 3 else number


def _moment(date: tuple[int, int, int], time: tuple[str | None, str | None, str | None], zone: tzinfo) -> datetime:
    """The moment in UTC; 24:00 is the next midnight (ISO 8601), a leap second the one after it (RFC 3339 §5.6)."""
    hour, minute, second = time
    if hour is None or minute is None:
        return datetime(*date, tzinfo=zone).astimezone(UTC)
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    more = timedelta()
    if hours == 24 and minutes == 0 and seconds == 0:
        hours, more = 0, timedelta(days=1)
    elif seconds == 60:
        seconds, more = 59, timedelta(seconds=1)
    moment = datetime(*date, hours, minutes, seconds, tzinfo=zone)
    if more:
        moment += more
    return moment if zone is UTC else moment.astimezone(UTC)


def _zone(name: str | None, zone: tzinfo, language: str) -> tzinfo:
    """The zone that the date names, or `zone`; raises ValueError for one that cannot be."""
    if name is None:
        return zone
    if name.upper() == "CST":
        return _fixed(8.0) if _is_chinese(zone, language) else _fixed(-6.0)
    return _named_zone(name)


def _fixed(hours: float) -> timezone:
    return timezone(timedelta(hours=hours)) if hours else UTC


@lru_cache(maxsize=512)
def _named_zone(name: str) -> tzinfo:
    """The zone of an offset, an abbreviation or an IANA name.

    An abbreviation nobody knows, a military letter included, is UTC by RFC 2822 §4.3: wrong by hours where it is wrong,
    when a date that is None moves an old post to today.
    """
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = int(hours) * 60 + int(minutes or 0)
        if offset > 14 * 60 or int(minutes or 0) > 59:
            raise ValueError(name)
        return _fixed((-offset if sign == "-" else offset) / 60)
    if "/" in name:
        return ZoneInfo("/".join(part.capitalize() if part.islower() else part for part in name.split("/")))
    return _fixed(_ZONES.get(name.lower(), 0.0))


def _is_chinese(zone: tzinfo, language: str) -> bool:
    """Whether somebody who writes this language, or lives in this zone, means China Standard Time by CST."""
    if language[:2].lower() == "zh":
        return True
    if isinstance(zone, ZoneInfo) and zone.key is not None:
        return _CHINESE_KEYS.fullmatch(zone.key) is not None
    return zone.utcoffset(None) == timedelta(hours=8)
