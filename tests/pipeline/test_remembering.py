"""From one state of a source to the next, without a network: times, moves, failures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.errors import AskedToWait, FetchError, HttpStatus
from aggregator.models import FeedHints, Fetched, NotModified, Validators
from aggregator.pipeline.remembering import Place, after_answer, after_failure, after_waiting, as_asked, conditions
from aggregator.store.sources import SourceState

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
GIVEN = Validators('"v1"', "Wed, 01 May 2024 11:00:00 GMT")
KNOWN = SourceState(name="x", asked="here", validators=GIVEN, ok_at=NOON, checked_at=NOON, full_at=NOON)
NEW = "https://new.example/feed"


def fetched(**headers: str) -> Fetched:
    return Fetched(b"<rss/>", "https://x.example/feed", headers, Validators('"v2"', ""))


def not_modified(**headers: str) -> NotModified:
    return NotModified("https://x.example/feed", headers, GIVEN)


def answered(state: SourceState, answer: Fetched | NotModified, place: Place | None = None, **more) -> SourceState:
    return after_answer(state, answer, place or Place(), now=NOON, feed_hints=more.get("feed_hints"))


def failed(state: SourceState, error: Exception | None = None, *, luck: float = 1.0) -> SourceState:
    error = error or FetchError("no", url="u")
    return after_failure(state, error, "no", now=NOON, every_s=1800, random=lambda: luck)


def test_f10_the_hints_of_a_304_count_and_those_of_the_feed_stay():
    state = answered(KNOWN, fetched(**{"cache-control": "max-age=60"}), feed_hints=FeedHints(every_s=7200))
    assert state.not_before == NOON + timedelta(hours=2)
    state = answered(state, not_modified())
    assert (state.not_before, state.waits_for) == (NOON + timedelta(hours=2), "ttl")
    state = answered(state, not_modified(**{"cache-control": "max-age=10800"}))
    assert state.not_before == NOON + timedelta(hours=3)
    assert answered(state, fetched(), feed_hints=FeedHints()).not_before is None


def test_an_answer_forgives_what_failed_before():
    state = replace(KNOWN, failures=9, error="no", gone_at=NOON, not_before=NOON + timedelta(days=1), waits_for="gone")
    state = answered(state, fetched(), feed_hints=FeedHints())
    assert (state.failures, state.error, state.gone_at, state.not_before, state.waits_for) == (0, "", None, None, "")
    assert state.validators == Validators('"v2"', "")


def test_what_was_learnt_at_another_address_does_not_count():
    learnt = replace(KNOWN, url=NEW, moved_to="z", moved_times=2, hints="{}", rules="r", title="T", not_before=NOON)
    assert as_asked(learnt, "here") is learnt
    moved = as_asked(learnt, "there")
    assert moved == SourceState(name="x", asked="there", rules="r", title="T", checked_at=NOON)


def test_a_store_that_remembered_no_addresses_loses_no_validators():
    old = replace(KNOWN, asked="", body_hash="b")
    assert as_asked(old, "here").validators == GIVEN
    assert as_asked(old, "here").body_hash == "b"


def test_validators_go_back_verbatim_but_once_a_week_where_only_304s_come():
    assert conditions(KNOWN, NOON + timedelta(days=6)) == GIVEN
    assert conditions(KNOWN, NOON + timedelta(days=7)) == Validators()
    again = answered(KNOWN, fetched())
    assert conditions(again, NOON + timedelta(days=1)) == Validators('"v2"', "")


def test_f13_three_permanent_redirects_to_one_place_are_adopted_and_told():
    state = KNOWN
    for times in (1, 2):
        state = answered(state, not_modified(), Place(moved=NEW))
        assert (state.url, state.moved_times) == ("", times)
        assert f"redirects permanently to {NEW}" in state.note
    state = answered(state, not_modified(), Place(moved=NEW))
    assert state.url == NEW
    assert f"moved permanently to {NEW}" in state.note
    assert answered(state, not_modified(), Place(instead=NEW)).note == state.note


def test_f13_redirects_to_different_places_and_temporary_ones_are_never_adopted():
    state = KNOWN
    for target in (NEW, "https://other.example/", NEW, "https://other.example/"):
        state = answered(state, not_modified(), Place(moved=target))
    assert state.url == ""
    for _ in range(5):
        state = answered(state, not_modified(), Place())
    assert (state.url, state.moved_to, state.note) == ("", "", "")
    state = answered(answered(KNOWN, fetched(), Place(moved=NEW)), fetched(), Place(moved=NEW))
    assert answered(answered(state, fetched(), Place()), fetched(), Place(moved=NEW)).moved_times == 1


@pytest.mark.parametrize("status", [410, 404])
def test_where_it_moved_to_is_given_up_when_nothing_is_there_any_more(status):
    state = replace(KNOWN, url=NEW)
    gone = HttpStatus("no", url=NEW, status=status)
    for _ in range(1 if status == 410 else 3):
        state = failed(state, gone)
    assert (state.url, state.validators, state.gone_at) == ("", Validators(), None)
    assert "asked again where it is configured" in state.note


def test_f14_gone_is_probed_once_a_week_and_comes_back():
    gone = HttpStatus("answered 410 Gone", url="u", status=410)
    state = failed(KNOWN, gone)
    assert (state.gone_at, state.not_before) == (NOON, NOON + timedelta(weeks=1))
    assert failed(state, gone).gone_at == NOON
    assert answered(state, fetched()).gone_at is None


def test_f14_a_month_of_404_is_backed_off_to_a_day_and_never_dead():
    state = KNOWN
    waits = []
    for _ in range(100):
        state = failed(state, HttpStatus("answered 404", url="u", status=404))
        assert state.not_before is not None
        waits.append(state.not_before - NOON)
    assert waits[:3] == [timedelta(hours=1), timedelta(hours=2), timedelta(hours=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(days=1)
    assert (state.failures, state.gone_at, state.validators) == (100, None, GIVEN)


def test_backing_off_has_full_jitter():
    assert failed(KNOWN, luck=0.0).not_before == NOON
    assert failed(KNOWN, luck=0.5).not_before == NOON + timedelta(minutes=30)


def test_f12_a_source_whose_host_wants_to_be_left_alone_has_not_failed():
    until = NOON + timedelta(hours=5)
    state = failed(KNOWN, AskedToWait("wait", url="u", until=until))
    assert state == replace(KNOWN, not_before=until, waits_for="Retry-After", result="asked to wait")
    assert after_waiting(failed(KNOWN), until).not_before == until
