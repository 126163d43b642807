"""When to ask again, by what servers and feeds say: the rules of RFC 9110 and RFC 9111, and what is sent in spite of them."""

import json
import random
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aggregator.ingest.politeness import (
    DAY_S,
    WEEK_S,
    Hints,
    backoff,
    http_date,
    max_age_s,
    not_before,
    retry_after_s,
)
from aggregator.models import FeedHints

NOW = datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)

header_texts = st.text(max_size=60) | st.text(alphabet='0123456789-,=":; amxgeno/+.\\', max_size=40)
moments = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def date(moment):
    return format_datetime(moment, usegmt=True)


# Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("007", 7),
        ("2.5", 2.5),
        ("86400", DAY_S),
        ("86401", DAY_S),
        ("99999999999", DAY_S),
        ("9" * 5000, DAY_S),
        ("9" * 5000 + ".5", DAY_S),
        ("0" * 5000 + "9", 9),
        ("30, 60", 60),
        (date(NOW + HOUR), 3600),
        (date(NOW + 400 * 24 * HOUR), DAY_S),
    ],
)
def test_f12_retry_after_is_obeyed_and_capped_at_a_day(value, seconds):
    assert retry_after_s(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "-1",
        "+5",
        "soon",
        "120s",
        "1e3",
        "0x10",
        "١٢",
        "²",
        "nan",
        "inf",
        "1,",
        ",",
        "1.",
        "Infinity",
        "\0",
        "-" * 9999,
    ],
)
def test_f12_nonsense_in_retry_after_is_ignored(value):
    assert retry_after_s(value, NOW) is None


def test_f12_a_retry_after_that_is_past_is_ignored():
    assert retry_after_s(date(NOW), NOW) is None
    assert retry_after_s(date(NOW - HOUR), NOW) is None
    assert retry_after_s("Sun, 06 Nov 1994 08:49:37 GMT", NOW) is None


@pytest.mark.parametrize(
    "value",
    [
        "Wed, 04 Mar 2026 10:25:30 GMT",  # IMF-fixdate
        "Wednesday, 04-Mar-26 10:25:30 GMT",  # RFC 850
        "Wed Mar  4 10:25:30 2026",  # asctime
        "Wed, 04-Mar-2026 10:25:30 GMT",  # what cookies had
        "4 Mar 2026 10:25:30 GMT",
        "Wed, 4 Mar 2026 11:25:30 +0100",
        "Wed, 04 Mar 2026 10:25:30",
        "Wed, 04 Mar 2026 10:25:30 UTC",
        "wed, 04 mar 2026 10:25:30 gmt",
        "Wed, 04 Mar 2026 10:25:30 " + "9" * 5000,  # no zone that there is
    ],
)
def test_f12_all_forms_of_http_dates_and_sloppy_ones_are_read(value):
    assert retry_after_s(value, NOW) == 300


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("Sunday, 06-Nov-94 08:49:37 GMT", 1994),
        ("Sunday, 06-Nov-70 08:49:37 GMT", 2070),  # 44 years ahead; the e-mail rule would have 1970
        ("Sunday, 06-Nov-76 08:49:37 GMT", 2076),
        ("Sunday, 06-Nov-77 08:49:37 GMT", 1977),
        ("Sunday, 06-Nov-00 08:49:37 GMT", 2000),
    ],
)
def test_a_year_of_two_digits_is_the_past_when_it_is_over_fifty_years_ahead(value, year):
    assert http_date(value, NOW).year == year


def test_the_second_that_is_a_leap_second_is_a_date_too():
    assert http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "Wed, 31 Feb 2026 10:00:00 GMT",
        "Wed, 04 Mar 2026 25:00:00 GMT",
        "Wed, 04 Mar 99999 10:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Wed, 04 Mar 2026 10:00:00 +9999",
        "Wed, 04 Mar " + "9" * 5000 + " 10:00:00 GMT",
        "Wed, 04 Mar 2026 -1:00:00 GMT",
        "2026-03-04T10:20:30Z",
    ],
)
def test_a_date_that_is_none_is_none(value):
    assert http_date(value, NOW) is None


@given(header_texts, moments)
@example("1 , 2", NOW)
def test_any_retry_after_is_read_or_ignored(value, now):
    seconds = retry_after_s(value, now)
    assert seconds is None or 0 <= seconds <= DAY_S


@given(moments, st.integers(1, 3 * DAY_S))
def test_a_retry_after_as_a_date_says_the_same_as_in_seconds(now, seconds):
    now = now.replace(microsecond=0)
    assert retry_after_s(date(now + timedelta(seconds=seconds)), now) == retry_after_s(str(seconds), now)


# How long an answer is fresh


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("max-age=600", 600),
        ("Public, Max-Age=600, must-revalidate", 600),
        ("public,max-age=600", 600),
        ('max-age="600"', 600),
        ("max-age = 600", 600),
        ("max-age=600; public", 600),
        ("max-age=0, must-revalidate", 0),
        ("max-age=600, max-age=0", 600),  # the first one (§4.2.1)
        ("max-age=600, s-maxage=9000", 600),
        ("s-maxage=9000", None),
        ("s-maxage=9000, max-age=60", 60),
        ("max-age=600, no-cache", 0),  # the most restrictive
        ("max-age=600, no-store", 0),
        ("NO-CACHE", 0),
        ('no-cache="Set-Cookie, X-Thing", max-age=600', 600),  # about those headers alone (§5.2.2.4)
        ('private="max-age=5", max-age=600', 600),
        ('x="a, max-age=5", max-age=600', 600),
        (r'x="\", max-age=5", max-age=600', 600),
        ("stale-while-revalidate=9000, max-age=600", 600),
        ("xmax-age=5", None),
        ("max-age=31536000, immutable", DAY_S),
        ("max-age=" + "9" * 5000, DAY_S),
        ("max-age=1" + "0" * 20, DAY_S),
        ("max-age=" + "0" * 20 + "60", 60),
        ("max-age=-1", 0),
        ("max-age=soon", 0),
        ("max-age=", 0),
        ("max-age", 0),
        ("max-age=١٢", 0),
        ("public", None),
        ("must-revalidate", None),
        ("", None),
        (",,, ;=", None),
        ('x="max-age=5', 5),  # the quote never ends, so it was none
    ],
)
def test_cache_control_says_how_long_an_answer_is_fresh(cache_control, seconds):
    assert max_age_s({"cache-control": cache_control}, NOW) == seconds


@pytest.mark.parametrize(
    ("age", "seconds"), [("100", 500), ("600", 0), ("9999", 0), ("-5", 600), ("old", 600), ("", 600), ("100, 7", 500)]
)
def test_the_age_of_an_answer_is_taken_off(age, seconds):
    assert max_age_s({"cache-control": "max-age=600", "age": age}, NOW) == seconds


def test_the_age_is_taken_off_before_the_cap():
    assert max_age_s({"cache-control": f"max-age={10 * DAY_S}", "age": str(DAY_S)}, NOW) == DAY_S
    assert max_age_s({"cache-control": f"max-age={10 * DAY_S}", "age": str(10 * DAY_S - 60)}, NOW) == 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"expires": date(NOW + HOUR), "date": date(NOW)}, 3600),
        ({"expires": date(NOW + HOUR), "date": date(NOW + HOUR / 2)}, 1800),  # by the server's own clock
        ({"expires": date(NOW + HOUR), "date": date(NOW), "age": "600"}, 3000),
        ({"expires": date(NOW + HOUR)}, 3600),
        ({"expires": date(NOW + HOUR), "date": "yesterday"}, 3600),
        ({"expires": date(NOW + 900 * HOUR)}, DAY_S),
        ({"expires": date(NOW - HOUR)}, 0),
        ({"expires": "0", "date": date(NOW)}, 0),
        ({"expires": "-1"}, 0),
        ({"expires": ""}, 0),
        ({"expires": date(NOW + HOUR), "cache-control": "max-age=60"}, 60),
        ({"expires": date(NOW + HOUR), "cache-control": "max-age=nonsense"}, 0),
        ({"expires": date(NOW + HOUR), "cache-control": "public"}, 3600),
        ({"expires": date(NOW + HOUR), "cache-control": "no-cache"}, 0),
        ({"date": date(NOW), "age": "7", "pragma": "no-cache"}, None),
        ({}, None),
    ],
)
def test_without_max_age_expires_counts_from_the_servers_own_date(headers, seconds):
    assert max_age_s(headers, NOW) == seconds


@given(
    st.dictionaries(
        st.sampled_from(["cache-control", "expires", "date", "age"]),
        header_texts | st.builds("max-age={}".format, header_texts) | moments.map(date),
    ),
    moments,
)
def test_any_headers_give_at_most_a_day(headers, now):
    seconds = max_age_s(headers, now)
    assert seconds is None or (isinstance(seconds, int) and 0 <= seconds <= DAY_S)


@pytest.mark.parametrize(
    "value",
    [
        'x="' * 30_000,
        "max-age=" + "\\" * 60_000,
        'x="' + "\\" * 60_000,
        "a " * 30_000,
        " " * 60_000,
        "9" * 60_000,
        "," * 60_000,
    ],
)
def test_a_header_as_long_as_a_server_can_send_takes_no_time(value):
    started = time.process_time()
    max_age_s({"cache-control": value, "age": value}, NOW)
    max_age_s({"expires": value, "date": value}, NOW)
    retry_after_s(value, NOW)
    assert time.process_time() - started < 0.5


# What is remembered


FEED = FeedHints(3600, (0, 1, 23), (5, 6))


def test_hints_come_back_from_json_as_they_were():
    for hints in (Hints(), Hints(0), Hints(600, FEED), Hints(None, FeedHints(60))):
        assert Hints.from_json(hints.to_json()) == hints
    assert Hints().to_json() == "{}"
    assert Hints(600, FEED).to_json() == '{"max_age_s":600,"every_s":3600,"skip_hours":[0,1,23],"skip_days":[5,6]}'


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "7", "{", "[" * 100_000, '{"max_age_s":"600"}', '{"max_age_s":-1}', '{"max_age_s":true}']
)
def test_hints_from_text_that_holds_none_are_none(text):
    assert Hints.from_json(text) == Hints()


def test_what_is_unknown_or_nonsense_among_hints_costs_itself_alone():
    text = '{"version":9,"max_age_s":1.5,"every_s":60,"skip_hours":[3,"4",24,-1,true,5],"skip_days":{"6":1},"x":[]}'
    assert Hints.from_json(text) == Hints(None, FeedHints(60, (3, 5)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["max_age_s", "every_s", "skip_hours", "skip_days"]), inner)
        ),
    )
)
def test_hints_from_any_json_are_hints_that_can_be_obeyed(value):
    hints = Hints.from_json(json.dumps(value))
    assert Hints.from_json(hints.to_json()) == hints
    not_before(hints, NOW)


def test_f10_a_200_replaces_every_hint():
    before = Hints(600, FEED)
    assert before.updated({}, FeedHints(), NOW) == Hints()
    assert before.updated({"cache-control": "max-age=60"}, FeedHints(7), NOW) == Hints(60, FeedHints(7))


def test_f10_a_304_updates_what_its_headers_say_and_keeps_what_the_body_said():
    before = Hints(600, FEED)
    assert before.updated({"cache-control": "max-age=60"}, None, NOW) == Hints(60, FEED)
    assert before.updated({"expires": date(NOW + HOUR)}, None, NOW) == Hints(3600, FEED)
    assert before.updated({"cache-control": "no-cache"}, None, NOW) == Hints(0, FEED)
    assert before.updated({"cache-control": "public"}, None, NOW) == Hints(None, FEED)


def test_f10_a_304_that_says_nothing_leaves_all_hints_as_they_were():
    before = Hints(600, FEED)
    assert before.updated({"etag": '"x"', "date": date(NOW)}, None, NOW) == before


# The earliest moment to ask again


def at(day, hour, minute=0, second=0):
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (Hints(), None),
        (Hints(0, FeedHints(0)), None),
        (Hints(600), (at(4, 10, 30, 30), "cache hint")),
        (Hints(600, FeedHints(300)), (at(4, 10, 30, 30), "cache hint")),
        (Hints(600, FeedHints(3600)), (at(4, 11, 20, 30), "ttl")),
        (Hints(0, FeedHints(3600)), (at(4, 11, 20, 30), "ttl")),
        (Hints(None, FeedHints(None, (10, 11))), (at(4, 12), "skipHours")),
        (Hints(None, FeedHints(None, (9, 11))), None),
        (Hints(3600, FeedHints(None, (11,))), (at(4, 12), "skipHours")),
        (Hints(3600, FeedHints(None, (10,))), (at(4, 11, 20, 30), "cache hint")),
        (Hints(None, FeedHints(None, tuple(h for h in range(24) if h != 3))), (at(5, 3), "skipHours")),
        (Hints(None, FeedHints(None, (), (2,))), (at(5, 0), "skipDays")),
        (Hints(None, FeedHints(None, (0, 1), (2,))), (at(5, 2), "skipHours")),
        (Hints(14 * 3600, FeedHints(None, (0,), (3,))), (at(5, 10, 20, 30), "skipDays")),  # a day ahead, and no more
        (Hints(None, FeedHints(None, tuple(range(24)))), None),
        (Hints(None, FeedHints(None, (), tuple(range(7)))), None),
        (Hints(60, FeedHints(None, tuple(range(24)), tuple(range(7)))), (at(4, 10, 21, 30), "cache hint")),
        (Hints(None, FeedHints(None, (99, -1), (9,))), None),
    ],
)
def test_the_earliest_moment_is_the_latest_that_anybody_wishes(hints, expected):
    assert not_before(hints, NOW) == expected


@pytest.mark.parametrize(
    "hints",
    [
        Hints(365 * DAY_S),
        Hints(None, FeedHints(365 * DAY_S)),
        Hints(10**30, FeedHints(10**30)),
        Hints(None, FeedHints(None, (), (2, 3, 4, 5, 6, 0))),
    ],
)
def test_nobody_puts_a_source_off_for_longer_than_a_day(hints):
    moment, _ = not_before(hints, NOW)
    assert moment == NOW + timedelta(days=1)


def test_hours_and_days_to_skip_are_those_of_greenwich():
    shanghai = timezone(timedelta(hours=8))
    hints = Hints(None, FeedHints(None, (10,)))
    assert not_before(hints, NOW.astimezone(shanghai)) == (at(4, 11), "skipHours")


@given(
    st.builds(
        Hints,
        st.none() | st.integers(-5, 10**12),
        st.builds(
            FeedHints,
            st.none() | st.integers(-5, 10**12),
            st.lists(st.integers(-1, 24)).map(tuple),
            st.lists(st.integers(-1, 7)).map(tuple),
        ),
    ),
    moments,
)
def test_any_hints_give_a_moment_within_a_day_that_is_not_to_be_skipped(hints, now):
    found = not_before(hints, now)
    if found is None:
        return
    moment, why = found
    assert now < moment <= now + timedelta(days=1)
    assert why in {"cache hint", "ttl", "skipHours", "skipDays"}
    if moment < now + timedelta(days=1):
        assert moment.hour not in hints.feed.skip_hours or set(range(24)) <= set(hints.feed.skip_hours)
        assert moment.weekday() not in hints.feed.skip_days or set(range(7)) <= set(hints.feed.skip_days)


# Failures


def test_failures_put_a_source_off_by_a_moment_drawn_from_a_time_that_doubles():
    assert [backoff(failures, 60, lambda: 0.5) for failures in range(5)] == [30, 60, 120, 240, 480]
    assert backoff(3, 60, lambda: 0.0) == 0


@pytest.mark.parametrize("failures", [11, 64, 1000, 10_000, 10**30])
def test_f14_no_number_of_failures_puts_a_source_off_for_longer_than_a_day(failures):
    assert backoff(failures, 60, lambda: 0.999) == 0.999 * DAY_S


def test_failures_of_many_sources_are_spread_over_the_whole_time():
    chance = random.Random(7)
    waits = [backoff(5, 60, chance.random) for _ in range(2000)]
    limit = 60 * 2**5
    assert min(waits) < 0.01 * limit
    assert max(waits) > 0.99 * limit
    assert 0.47 < sum(waits) / len(waits) / limit < 0.53


@given(st.integers(), st.floats(allow_nan=False), st.floats(0, 1, exclude_max=True))
def test_any_backoff_lies_within_a_day(failures, base_s, chance):
    assert 0 <= backoff(failures, base_s, lambda: chance) <= DAY_S


def test_a_week_is_seven_days():
    assert WEEK_S == 7 * DAY_S == 604_800
