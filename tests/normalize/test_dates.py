"""Dates as sources write them: read for sure, or not at all (HOSTILE row P12)."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from aggregator.normalize.dates import plausible, read_date

SHANGHAI = ZoneInfo("Asia/Shanghai")
MOMENT = datetime(2021, 7, 4, 6, 56, 6, tzinfo=UTC)
MINUTE = MOMENT.replace(second=0)
MIDNIGHT = datetime(2021, 7, 3, 16, tzinfo=UTC)  # of 4 July in Shanghai


@pytest.mark.parametrize(
    "raw",
    [
        "Sun, 04 Jul 2021 06:56:06 GMT",
        "Sun, 4 Jul 2021 06:56:06 +0000",
        "Sun, 04 Jul 2021 14:56:06 +0800",
        "Sun, 04 Jul 2021 14:56:06 +0800 (CST)",
        "Sun, 04 July 2021 02:56:06 EDT",
        "04 Jul 21 06:56:06 Z",
        "Sunday, 04-Jul-21 06:56:06 GMT",
        "Mon, 04 Jul 2021 06:56:06 GMT",  # it was a Sunday
        "周日, 04 七月 2021 06:56:06 +0000",
        "星期日, 04 7月 2021 06:56:06 +0000",
        "Sun Jul  4 14:56:06 2021",
        "Sun Jul 04 06:56:06 UTC 2021",
        "Sun Jul 04 2021 14:56:06 GMT+0800 (中国标准时间)",
        "2021-07-04T06:56:06Z",
        "2021-07-04T14:56:06+08:00",
        "2021-07-04T14:56:06.999+0800",
        "2021-07-04T14:56:06,5+08",
        "2021-07-04T14:56:06+08:00[Asia/Shanghai]",
        "2021-07-04 15:56:06 Asia/Tokyo",
        "2021-07-04 14:56:06 +0800 CST",
        "20210704T065606Z",
        "20210704145606",
        "2021-07-04 14:56:06",
        "2021-7-4 14:56:06",
        "2021/07/04 14:56:06",
        "2021.7.4 14:56:06",
        "2021-07-04 02:56:06 PM",
        "2021-07-04 下午 2:56:06",
        "July 4th, 2021 2:56:06 pm",
        "4 July 2021, 14:56:06",
        "2021年7月4日 14:56:06",
        "2021年07月04日 下午2:56:06",
        "2021年7月4日 星期日 14时56分06秒",
        "２０２１年７月４日 １４：５６：０６",
        "2021년 7월 4일 오후 2:56:06",
        "1625381766",
        "1625381766000",
        "1625381766.25",
        '"2021-07-04 14:56:06"',
        " 2021-07-04 14:56:06\n",
    ],
)
def test_the_same_moment_is_read_from_every_form(raw):
    assert read_date(raw, SHANGHAI) == MOMENT


@pytest.mark.parametrize("raw", ["2021年7月4日 14:56", "2021/07/04 14:56", "2021-07-04T06:56Z", "04 Jul 21 06:56 GMT"])
def test_a_time_without_seconds_is_read(raw):
    assert read_date(raw, SHANGHAI) == MINUTE


@pytest.mark.parametrize(
    "raw",
    [
        "2021-07-04",
        "2021/7/4",
        "2021年07月04日",
        "2021 年 7 月 4 日",
        "20210704",
        "July 4, 2021",
        "七月 4, 2021",
        "04-Jul-2021",
    ],
)
def test_p12_a_day_without_a_time_is_its_midnight_in_the_zone(raw):
    assert read_date(raw, SHANGHAI) == MIDNIGHT


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "Invalid Date",
        "2023-09-01 21:50:74",
        "2021-02-31",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "2021-13-01",
        "Thu, 32 Jul 2021 06:56:06 GMT",
        "Sun, 04 Xyz 2021 06:56:06 GMT",
        "2021-07-04T14:56:06+99:00",
        "2021-07-04 14:56:06 Nowhere/Land",
        "2021-07-04 14:56:06 ../etc",
        "9999-12-31T23:59:59-05:00",
        "2021年7月4日 晚上12:00",
        "三小时前",
        "12:30",
        "1" * 300,
        "2021-07-04" + " " * 500,
    ],
)
def test_p12_what_is_no_date_is_none(raw):
    assert read_date(raw, SHANGHAI) is None


def test_p12_a_day_that_could_be_two_is_none_and_one_that_cannot_is_read():
    assert read_date("04/07/2021", SHANGHAI) is None
    assert read_date("31/12/2021", UTC) == read_date("12/31/2021", UTC) == datetime(2021, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "language", "hour"),
    [
        (UTC, "zh-CN", 6),
        (SHANGHAI, "", 6),
        (timezone(timedelta(hours=8)), "en", 6),
        (UTC, "", 20),
        (ZoneInfo("America/Chicago"), "en-US", 20),
    ],
)
def test_p12_cst_is_china_s_for_a_chinese_source_and_america_s_for_others(zone, language, hour):
    assert read_date("Sun, 04 Jul 2021 14:56:06 CST", zone, language) == MOMENT.replace(hour=hour)


def test_a_time_that_daylight_saving_skips_is_read_as_if_it_had_not_begun():
    assert read_date("2021-03-14 02:30:00", ZoneInfo("America/New_York")) == datetime(2021, 3, 14, 7, 30, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first_of_the_two():
    assert read_date("2021-11-07 01:30:00", ZoneInfo("America/New_York")) == datetime(2021, 11, 7, 5, 30, tzinfo=UTC)


def test_midnight_at_the_end_of_a_day_and_a_leap_second_are_moments():
    assert read_date("2021-07-03 24:00:00", UTC) == datetime(2021, 7, 4, tzinfo=UTC)
    assert read_date("2016-12-31T23:59:60Z", UTC) == datetime(2017, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "hour"), [("上午12:05", 0), ("中午12:05", 12), ("凌晨3:05", 3), ("晚上9:05", 21), ("下午15:05", 15)]
)
def test_the_halves_of_a_chinese_day_are_known(raw, hour):
    assert read_date(f"2021年7月4日 {raw}", UTC) == datetime(2021, 7, 4, hour, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "year"), [("04 Jul 49 00:00 GMT", 2049), ("04 Jul 99 00:00 GMT", 1999), ("04 Jul 121 00:00 GMT", 2021)]
)
def test_short_years_are_read_as_rfc_2822_says(raw, year):
    assert read_date(raw, UTC) == datetime(year, 7, 4, tzinfo=UTC)


def test_an_unknown_zone_is_utc_as_rfc_2822_says():
    assert read_date("Sun, 04 Jul 2021 06:56:06 XYZ", SHANGHAI) == MOMENT


@pytest.mark.parametrize(
    ("year", "expected"),
    [(1626, False), (1970, False), (1989, False), (1990, True), (2026, True), (2099, True), (2286, False)],
)
def test_p12_only_a_date_since_1990_and_within_a_century_is_plausible(year, expected):
    assert plausible(datetime(year, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)) is expected
