"""Our subscriptions at the hubs of others: pure functions from one state of a lease to the next (WebSub §5).

A lease's `not_before` is when something is to be done next, whatever that is: ask, ask again, renew, forget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aggregator.push.leases import renewal_in_s, retry_in_s, taken_s
from aggregator.push.messages import Answer
from aggregator.store.leases import LEASED, Lease, LeaseState

_PATIENCE = timedelta(hours=1)  # that a hub may take to confirm what it was asked for
_DENIED = timedelta(days=1)  # then it is asked again: it may have been a mistake, or be another hub by now
_TOMBSTONE = timedelta(days=30)  # the longest lease: until then a hub that we left may push
_LONGEST_WAIT = timedelta(days=31)  # nothing waits longer: what says so was written while the clock was wrong
_GOODBYES = 3  # times that a hub is asked to end a subscription
_LONGEST_CHALLENGE = 4096

Wanted = Mapping[str, tuple[str, str]]  # hub and topic by the name of the source


@dataclass(slots=True)
class Plan:
    """What is to be done now: leases that changed, those to ask hubs about, and what to forget."""

    changed: dict[str, Lease] = field(default_factory=dict)  # by callback
    to_ask: list[Lease] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)  # callbacks
    unpushed: set[str] = field(default_factory=set)  # sources that are to be asked as often as before

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changed or self.forgotten)


def plan(leases: Iterable[Lease], wanted: Wanted, now: datetime, mint: Callable[[], str]) -> Plan:
    """What has to be done now so that there is a lease for each source that is wanted, and no other."""
    made = Plan()
    covered = set()
    for lease in leases:
        is_wanted = wanted.get(lease.source) == (lease.hub, lease.topic) and lease.source not in covered
        if is_wanted and lease.state not in (LeaseState.LEAVING, LeaseState.ENDED):
            covered.add(lease.source)
            _keep(lease, now, made)
        else:
            _end(lease, now, made)
    for source, (hub, topic) in wanted.items():
        if source not in covered:
            new = Lease(callback=mint(), source=source, hub=hub, topic=topic, secret=mint(), not_before=now)
            _ask(new, now, made)
    return made


def _keep(lease: Lease, now: datetime, made: Plan) -> None:
    """A lease that ran out is lost, and asked for anew; one whose time has come is asked for, or renewed."""
    if lease.state in LEASED and lease.until is not None and lease.until <= now:
        lease = made.changed[lease.callback] = replace(lease, state=LeaseState.ASKED, until=None)
        made.unpushed.add(lease.source)
    if _has_come(lease.not_before, now):
        _ask(lease, now, made)


def _end(lease: Lease, now: datetime, made: Plan) -> None:
    """A lease that nobody wants is ended at its hub, as far as that listens, and remembered while it may still push."""
    if lease.state is LeaseState.ENDED:
        if _has_come(lease.not_before, now):
            made.forgotten.append(lease.callback)
        return
    if lease.state is not LeaseState.LEAVING:
        made.unpushed.add(lease.source)
        lease = made.changed[lease.callback] = replace(lease, state=LeaseState.LEAVING, failures=0, not_before=now)
    if _has_come(lease.not_before, now):
        if lease.failures >= _GOODBYES:
            made.changed[lease.callback] = ended(lease, now)
        else:
            _ask(lease, now, made)


def _has_come(moment: datetime, now: datetime) -> bool:
    return moment <= now or moment > now + _LONGEST_WAIT


def _ask(lease: Lease, now: datetime, made: Plan) -> None:
    """Asks the hub; until it has confirmed, it counts as having failed, and may be asked again after an hour."""
    state = LeaseState.RENEWING if lease.state is LeaseState.ACTIVE else lease.state
    asked = replace(lease, state=state, failures=lease.failures + 1, not_before=now + _PATIENCE)
    made.changed[lease.callback] = asked
    made.to_ask.append(asked)


def refused(lease: Lease, now: datetime, random: Callable[[], float]) -> Lease:
    """The lease after its hub could not be asked."""
    return replace(lease, not_before=now + timedelta(seconds=retry_in_s(lease.failures, random)))


def ended(lease: Lease, now: datetime) -> Lease:
    """The lease after its end: nobody knows its secret any more."""
    return replace(lease, state=LeaseState.ENDED, secret="", not_before=now + _TOMBSTONE)


def confirmed(lease: Lease, query: Mapping[str, str], now: datetime) -> tuple[Lease, Answer]:
    """The lease after its hub asked whether we want what we asked for, and what it is answered (§5.3).

    What was not asked for is answered 404, whoever asks; so is what is about another topic.
    """
    mode, challenge = query.get("hub.mode", ""), query.get("hub.challenge", "")
    refusal = Answer(404, "Nobody asked for that.")
    if query.get("hub.topic") != lease.topic or lease.state is LeaseState.ENDED:
        return lease, refusal
    if mode == "denied":
        return _denied(lease, now), Answer(200)
    if not lease.failures or not 0 < len(challenge) <= _LONGEST_CHALLENGE:  # the hub has not been asked
        return lease, refusal
    if mode == "subscribe" and lease.state in (LeaseState.ASKED, LeaseState.RENEWING):
        lease_s = taken_s(query.get("hub.lease_seconds", ""))
        renewal = now + timedelta(seconds=renewal_in_s(lease_s))
        until = now + timedelta(seconds=lease_s)
        later = replace(lease, state=LeaseState.ACTIVE, until=until, failures=0, not_before=renewal)
        return later, Answer(200, challenge)
    if mode == "unsubscribe" and lease.state is LeaseState.LEAVING:
        return ended(lease, now), Answer(200, challenge)
    return lease, refusal


def _denied(lease: Lease, now: datetime) -> Lease:
    """The lease after its hub said that there will be none, which it may say at any time (§5.2)."""
    if lease.state is LeaseState.LEAVING:
        return ended(lease, now)
    failures = max(lease.failures, 1)
    return replace(lease, state=LeaseState.ASKED, until=None, failures=failures, not_before=now + _DENIED)
