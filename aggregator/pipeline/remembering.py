"""What is remembered of a source after it was asked: pure functions from one state to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.errors import AskedToWait, HttpStatus
from aggregator.ingest.politeness import DAY_S, WEEK_S, Hints, backoff, not_before
from aggregator.models import FeedHints, Fetched, NotModified, Validators
from aggregator.store.sources import FORMER, SourceState

ADOPT_AFTER = 3  # permanent redirects in a row to the same place: one may be an accident, or an attack
FULL_AGAIN = timedelta(days=7)  # a server whose 304 is stuck is found out; never more than one whole body a day for it
GIVE_UP_MOVED_AFTER = 3  # failures where it moved to: then it is asked where it is configured again
GONE = 410


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source was asked: as `configured`, or `instead` of it (empty: as configured); secrets are left out.

    `moved` is where permanent redirects led, and `found` the feed that a page named; both empty where there is nothing
    to remember. `note` is what the operator should know.
    """

    instead: str = ""
    moved: str = ""
    found: str = ""
    note: str = ""


def as_asked(state: SourceState, asked: str) -> SourceState:
    """The state as far as it still counts: what was learnt at another address does not."""
    if state.asked == asked:
        return state
    clean = SourceState(
        name=state.name,
        rules=state.rules,
        title=state.title,
        link=state.link,
        checked_at=state.checked_at,
        ok_at=None,
        changed_at=state.changed_at,
        asked=asked,
        gap_s=state.gap_s,
    )
    if not state.asked:  # a store from before addresses were remembered: all it knows was learnt there
        return replace(clean, validators=state.validators, body_hash=state.body_hash, ok_at=state.ok_at)
    return clean


def conditions(state: SourceState, now: datetime) -> Validators:
    """What to ask with: the validators as they were given; none where only 304s came for a week."""
    is_stale = state.full_at is not None and not timedelta(0) <= now - state.full_at < FULL_AGAIN
    return Validators() if is_stale else state.validators


def after_answer(
    state: SourceState,
    answer: Fetched | NotModified,
    place: Place,
    *,
    now: datetime,
    feed_hints: FeedHints | None,
) -> SourceState:
    """The state after a source answered well; what its posts are called and how it went is added by the caller.

    `feed_hints` is None where no document was read.
    """
    hints = Hints.from_json(state.hints)
    if feed_hints is None and isinstance(answer, Fetched):
        feed_hints = hints.feed  # the same body again says the same
    hints = hints.updated(answer.headers, feed_hints, now)
    wait = not_before(hints, now)
    later = replace(
        state,
        validators=answer.validators,
        checked_at=now,
        ok_at=now,
        error="",
        failures=0,
        gone_at=None,
        hints=hints.to_json(),
        not_before=wait[0] if wait else None,
        waits_for=wait[1] if wait else "",
        full_at=now if isinstance(answer, Fetched) else state.full_at,
    )
    return _settled(later, place, now)


def _settled(state: SourceState, place: Place, now: datetime) -> SourceState:
    """The state with where the source is asked from now on."""
    url = place.found or place.instead
    if not place.moved:
        keeps = url and url == state.url
        note = place.note or (state.note if keeps else "")
        return replace(state, url=url, moved_to="", moved_times=0, note=note)
    times = state.moved_times + 1 if place.moved == state.moved_to else 1
    if times < ADOPT_AFTER:
        note = f"it redirects permanently to {place.moved} ({times} of {ADOPT_AFTER} times until that is adopted)"
        return replace(state, url=url, moved_to=place.moved, moved_times=times, note=note)
    note = f"it moved permanently to {place.moved}, and is asked there since {now:%Y-%m-%d}: change its address"
    return replace(state, url=place.moved, moved_to="", moved_times=0, note=note)


def after_failure(
    state: SourceState, error: BaseException, text: str, *, now: datetime, every_s: float, random: Callable[[], float]
) -> SourceState:
    """The state after a refresh failed: validators and posts stay, and it is asked again later and later."""
    if isinstance(error, AskedToWait):  # it was not asked, so nothing failed
        return replace(state, not_before=error.until, waits_for="Retry-After", result="asked to wait")
    failures = state.failures + 1
    failed = replace(state, checked_at=now, result="failed", error=text, failures=failures)
    is_gone = isinstance(error, HttpStatus) and error.status == GONE
    if state.url and (is_gone or failures >= GIVE_UP_MOVED_AFTER):
        note = f"{state.url} failed; it is asked again where it is configured"
        failed = replace(failed, url="", moved_to="", moved_times=0, validators=Validators(), body_hash="", note=note)
        failed = replace(failed, ok_at=None)  # if it was found on a page, it may be looked for there again
    elif is_gone:
        until = now + timedelta(seconds=WEEK_S)
        return replace(
            failed,
            gone_at=state.gone_at or now,
            not_before=until,
            waits_for="gone: asked once a week, as long as it is configured",
        )
    wait_s = min(backoff(failures, every_s, random), DAY_S)
    return replace(failed, not_before=now + timedelta(seconds=wait_s), waits_for=_in_a_row(failures))


def _in_a_row(failures: int) -> str:
    return "failed" if failures == 1 else f"failed {failures} times in a row"


def after_waiting(state: SourceState, until: datetime) -> SourceState:
    """The state after a failure whose answer said Retry-After."""
    return replace(state, not_before=until, waits_for="Retry-After")


def after_reading(state: SourceState, *, now: datetime, rules: str) -> SourceState:
    """The state of a folder after its files were read."""
    return replace(state, checked_at=now, ok_at=now, error="", failures=0, rules=rules)


def after_leaving(state: SourceState, now: datetime) -> SourceState:
    """The state of a source that is no longer configured: should it come back, it is read anew, whatever it answers."""
    return SourceState(
        name=state.name,
        rules=FORMER,
        title=state.title,
        link=state.link,
        checked_at=state.checked_at,
        ok_at=state.ok_at,
        changed_at=now,
        result="left the configuration",
    )
