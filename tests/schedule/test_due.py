from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aggregator.config.sources import FeedSource, FrontMatterSource
from aggregator.schedule.due import is_due, next_due
from aggregator.store.sources import SourceState

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
CHECKED = SourceState(name="x", checked_at=NOON, ok_at=NOON)


def web(**fields: Any) -> FeedSource:
    return FeedSource.model_validate({"name": "x", "type": "feed", "url": "https://e.example/feed", **fields})


def test_a_source_never_asked_is_due():
    assert next_due(web(), SourceState(name="x"), "UTC") is None


def test_files_on_this_machine_are_always_due_unless_told_otherwise():
    folder = FrontMatterSource.model_validate({"name": "x", "type": "front-matter", "path": "posts"})
    assert next_due(folder, CHECKED, "UTC") is None
    assert next_due(web(url="/tmp/feed.xml"), CHECKED, "UTC") is None
    assert next_due(folder.model_copy(update={"every": "1h"}), CHECKED, "UTC") == NOON + waits(web(every="1h"))


def waits(source: FeedSource, state: SourceState = CHECKED) -> timedelta:
    due = next_due(source, state, "UTC")
    assert due is not None
    return due - NOON


@pytest.mark.parametrize(("every", "wait"), [(None, 30), ("2h", 120), ("15m", 15)])
def test_a_web_feed_is_due_after_its_interval_or_up_to_a_tenth_sooner(every, wait):
    source = web(every=every) if every else web()
    longest = timedelta(minutes=wait)
    assert longest * 0.9 <= waits(source) <= longest
    assert not is_due(source, CHECKED, "UTC", NOON + waits(source) - timedelta(seconds=1))
    assert is_due(source, CHECKED, "UTC", NOON + longest)


def test_sources_that_were_asked_together_drift_apart():
    dues = {waits(web(every="10h"), replace(CHECKED, name=f"s{number}")) for number in range(100)}
    assert len(dues) == 100
    assert max(dues) - min(dues) > timedelta(minutes=50)


HOUR_S = 3600


@pytest.mark.parametrize(
    ("gap_s", "wait"),
    [
        (2 * HOUR_S, timedelta(hours=1)),
        (60, timedelta(minutes=15)),
        (10 * 24 * HOUR_S, timedelta(hours=24)),
    ],
)
def test_an_adaptive_source_is_asked_twice_as_often_as_its_posts_come_within_bounds(gap_s, wait):
    state = replace(CHECKED, gap_s=gap_s)
    assert max(wait * 0.9, timedelta(minutes=15)) <= waits(web(every="adaptive"), state) <= wait
    assert waits(web(), state) == waits(web(every="adaptive"), state)


def test_a_source_that_fell_silent_is_asked_ever_more_seldom():
    busy = replace(CHECKED, gap_s=HOUR_S)
    silent = [waits(web(), replace(busy, changed_at=NOON - timedelta(hours=hours))) for hours in (1, 10, 50, 1000)]
    assert silent == sorted(silent)
    assert silent[0] <= timedelta(minutes=30)
    assert timedelta(hours=4.5) <= silent[2] <= timedelta(hours=5)
    assert timedelta(hours=21) <= silent[3] <= timedelta(hours=24)


def test_a_source_of_which_news_is_pushed_is_asked_once_a_day_as_long_as_that_lasts():
    pushed = replace(CHECKED, push_until=NOON + timedelta(days=9))
    assert waits(web(), pushed) == timedelta(days=1)
    assert waits(web(), replace(pushed, push_until=NOON + timedelta(hours=5))) == timedelta(hours=5)
    assert waits(web(), replace(pushed, push_until=NOON + timedelta(minutes=1))) == waits(web())
    assert waits(web(every="3d"), pushed) > timedelta(days=2)


def test_a_cron_expression_is_read_in_the_zone_of_the_source():
    source = web(every="0 7 * * *", timezone="Asia/Shanghai")
    assert next_due(source, CHECKED, "UTC") == datetime(2024, 5, 1, 23, tzinfo=UTC)


def test_a_source_waits_for_what_its_host_its_feed_or_its_failures_want():
    waiting = replace(CHECKED, not_before=NOON + timedelta(hours=3))
    assert next_due(web(), waiting, "UTC") == NOON + timedelta(hours=3)
    assert waits(web(every="1d"), waiting) == waits(web(every="1d")) > timedelta(hours=21)
    assert next_due(web(every="30 12 * * *"), waiting, "UTC") == NOON + timedelta(days=1, minutes=30)
    assert not is_due(web(), waiting, "UTC", NOON + timedelta(hours=2))
    never_asked = SourceState(name="x", not_before=NOON + timedelta(hours=3))
    assert not is_due(web(), never_asked, "UTC", NOON)
    folder = FrontMatterSource.model_validate({"name": "x", "type": "front-matter", "path": "posts"})
    assert next_due(folder, waiting, "UTC") is None


def test_r5_a_wait_that_was_written_while_the_clock_was_ahead_does_not_hold():
    far = replace(CHECKED, not_before=NOON + timedelta(days=40))
    assert is_due(web(every="30m"), far, "UTC", NOON + timedelta(hours=1))
    assert is_due(web(), far, "UTC", NOON + timedelta(hours=1))
    assert is_due(web(every="0 13 * * *"), far, "UTC", NOON + timedelta(hours=1))
    assert not is_due(web(every="0 13 * * *"), far, "UTC", NOON + timedelta(minutes=59))
    assert not is_due(web(every="30d"), far, "UTC", NOON + timedelta(days=20))


def test_r5_a_clock_that_was_set_back_leaves_nothing_waiting():
    assert is_due(web(), CHECKED, "UTC", NOON - timedelta(hours=1))
