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
    assert next_due(folder.model_copy(update={"every": "1h"}), CHECKED, "UTC") == NOON + timedelta(hours=1)


@pytest.mark.parametrize(("every", "wait"), [(None, 30), ("2h", 120), ("15m", 15)])
def test_a_web_feed_is_due_after_its_interval(every, wait):
    source = web(every=every) if every else web()
    assert next_due(source, CHECKED, "UTC") == NOON + timedelta(minutes=wait)
    assert not is_due(source, CHECKED, "UTC", NOON + timedelta(minutes=wait, seconds=-1))
    assert is_due(source, CHECKED, "UTC", NOON + timedelta(minutes=wait))


def test_a_cron_expression_is_read_in_the_zone_of_the_source():
    source = web(every="0 7 * * *", timezone="Asia/Shanghai")
    assert next_due(source, CHECKED, "UTC") == datetime(2024, 5, 1, 23, tzinfo=UTC)


def test_a_source_waits_for_what_its_host_its_feed_or_its_failures_want():
    waiting = replace(CHECKED, not_before=NOON + timedelta(hours=3))
    assert next_due(web(), waiting, "UTC") == NOON + timedelta(hours=3)
    assert next_due(web(every="1d"), waiting, "UTC") == NOON + timedelta(days=1)
    assert next_due(web(every="30 12 * * *"), waiting, "UTC") == NOON + timedelta(days=1, minutes=30)
    assert not is_due(web(), waiting, "UTC", NOON + timedelta(hours=2))
    never_asked = SourceState(name="x", not_before=NOON + timedelta(hours=3))
    assert not is_due(web(), never_asked, "UTC", NOON)
    folder = FrontMatterSource.model_validate({"name": "x", "type": "front-matter", "path": "posts"})
    assert next_due(folder, waiting, "UTC") is None


def test_a_wait_that_was_written_while_the_clock_was_ahead_does_not_hold():
    far = replace(CHECKED, not_before=NOON + timedelta(days=40))
    assert is_due(web(every="30m"), far, "UTC", NOON + timedelta(hours=1))
    assert is_due(web(), far, "UTC", NOON + timedelta(hours=1))


def test_a_clock_that_was_set_back_leaves_nothing_waiting():
    assert is_due(web(), CHECKED, "UTC", NOON - timedelta(hours=1))
