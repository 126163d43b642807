"""What becomes of a lease: from one state to the next, and nothing asked of anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from aggregator.pipeline.websub.leasing import confirmed, ended, plan, refused
from aggregator.store.leases import Lease, LeaseState

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WANTED = {"web": ("https://hub/", "https://t/")}
ASKED = Lease(
    callback="cb", source="web", hub="https://hub/", topic="https://t/", secret="s", failures=1, not_before=NOON
)
ACTIVE = replace(ASKED, state=LeaseState.ACTIVE, failures=0, until=NOON + 10 * DAY, not_before=NOON + 8 * DAY)


def planned(leases, now=NOON, wanted=WANTED):
    numbers = count(1)
    return plan(leases, wanted, now, lambda: f"minted-{next(numbers)}")


def said(mode, **fields):
    return {"hub.mode": mode, "hub.topic": "https://t/", "hub.challenge": "echo"} | {
        f"hub.{name}": value for name, value in fields.items()
    }


def test_a_source_without_a_lease_gets_one_and_its_hub_is_asked():
    made = planned([])
    [lease] = made.to_ask
    assert made.changed == {"minted-1": lease}
    assert (lease.source, lease.secret, lease.state, lease.failures) == ("web", "minted-2", LeaseState.ASKED, 1)
    assert planned([lease]).to_ask == []  # it has an hour to confirm
    assert planned([lease], NOON + HOUR).to_ask[0].failures == 2


def test_a_confirmed_lease_is_active_until_its_end_and_renewed_at_four_fifths():
    lease, answer = confirmed(ASKED, said("subscribe", lease_seconds="1000"), NOON)
    assert (answer.status, answer.text) == (200, "echo")
    assert (lease.state, lease.failures, lease.until) == (LeaseState.ACTIVE, 0, NOON + timedelta(seconds=1000))
    assert planned([lease], NOON + timedelta(seconds=799)).changed == {}
    [renewing] = planned([lease], NOON + timedelta(seconds=800)).to_ask
    assert (renewing.state, renewing.until) == (LeaseState.RENEWING, lease.until)
    assert confirmed(renewing, said("subscribe"), NOON + DAY)[0].until == NOON + 2 * DAY


def test_a_lease_that_runs_out_is_lost_and_asked_for_anew():
    made = planned([ACTIVE], ACTIVE.until)
    assert made.unpushed == {"web"}
    assert (made.to_ask[0].state, made.to_ask[0].until) == (LeaseState.ASKED, None)


def test_a_hub_that_cannot_be_asked_is_asked_again_later():
    later = refused(replace(ASKED, failures=3), NOON, lambda: 0.5)
    assert later.not_before == NOON + timedelta(minutes=8)
    assert planned([later], NOON + timedelta(minutes=7)).to_ask == []
    assert planned([later], NOON + timedelta(minutes=8)).to_ask != []


@pytest.mark.parametrize("state", [LeaseState.ASKED, LeaseState.ACTIVE, LeaseState.RENEWING, LeaseState.LEAVING])
def test_what_was_written_while_the_clock_was_ahead_is_not_waited_for(state):
    ahead = NOON + 365 * DAY
    lease = replace(ACTIVE, state=state, until=ahead + 10 * DAY, not_before=ahead + 8 * DAY)
    [asked] = planned([lease], wanted={} if state is LeaseState.LEAVING else WANTED).to_ask
    assert (asked.callback, asked.not_before) == ("cb", NOON + HOUR)
    later, _ = confirmed(asked, said("subscribe", lease_seconds="864000"), NOON)
    assert state is LeaseState.LEAVING or later.until == NOON + 10 * DAY


@pytest.mark.parametrize(
    "wanted", [{}, {"web": ("https://other/", "https://t/")}, {"web": ("https://hub/", "https://moved/")}]
)
def test_a_lease_that_nobody_wants_any_more_is_ended_at_its_hub(wanted):
    made = planned([ACTIVE], wanted=wanted)
    assert made.unpushed == {"web"}
    assert made.changed["cb"].state is LeaseState.LEAVING
    lease, answer = confirmed(made.changed["cb"], said("unsubscribe"), NOON)
    assert (answer.status, answer.text, lease.state, lease.secret) == (200, "echo", LeaseState.ENDED, "")
    assert planned([lease], NOON + 29 * DAY, {}).forgotten == []
    assert planned([lease], NOON + 30 * DAY, {}).forgotten == ["cb"]
    others = [one for one in made.to_ask if one.callback != "cb"]
    assert [(one.hub, one.topic) for one in others] == list(wanted.values())


def test_a_hub_that_does_not_listen_is_left_without_a_goodbye():
    lease, now = ACTIVE, NOON
    for _ in range(4):
        lease = planned([lease], now, {}).changed["cb"]
        now += HOUR
    assert lease.state is LeaseState.ENDED


def test_an_end_that_was_confirmed_is_not_undone_by_a_source_that_comes_back():
    [lease] = planned([ended(ACTIVE, NOON)]).to_ask
    assert lease.callback == "minted-1"


@pytest.mark.parametrize("state", [LeaseState.ASKED, LeaseState.ACTIVE, LeaseState.RENEWING])
def test_a_lease_that_is_denied_is_none_and_asked_for_again_a_day_later(state):
    lease, answer = confirmed(replace(ACTIVE, state=state), said("denied", reason="no"), NOON)
    assert (answer.status, lease.state, lease.until) == (200, LeaseState.ASKED, None)
    assert planned([lease], NOON + DAY - HOUR).to_ask == []
    assert planned([lease], NOON + DAY).to_ask != []


@pytest.mark.parametrize(
    ("lease", "query"),
    [
        (ACTIVE, said("subscribe")),  # it was confirmed before
        (ACTIVE, said("unsubscribe")),
        (ASKED, said("unsubscribe")),
        (ASKED, said("subscribe", topic="https://other/")),
        (ASKED, said("denied", topic="https://other/")),
        (ASKED, said("subscribe", challenge="")),
        (ASKED, said("subscribe", challenge="x" * 5000)),
        (ASKED, said("publish")),
        (ASKED, {}),
        (replace(ASKED, failures=0), said("subscribe")),  # to be asked for
        (replace(ASKED, state=LeaseState.LEAVING), said("subscribe")),
        (ended(ASKED, NOON), said("denied")),
    ],
)
def test_s7_what_was_not_asked_for_is_not_confirmed(lease, query):
    assert confirmed(lease, query, NOON)[0] == lease
    assert confirmed(lease, query, NOON)[1].status == 404
