from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from builders import NOON

from aggregator.store.leases import Lease, LeaseState
from aggregator.store.sources import SourceState

ASKED = Lease(callback="c1", source="web", hub="https://h/", topic="https://t/", secret="s", not_before=NOON)


def test_a_lease_is_what_was_put(store):
    active = replace(ASKED, callback="c2", state=LeaseState.ACTIVE, until=NOON + timedelta(days=10), failures=3)
    with store.write() as tx:
        tx.leases.put([active, ASKED])
        tx.leases.put([replace(active, failures=0)])
    with store.read() as tx:
        assert tx.leases.all() == [ASKED, replace(active, failures=0)]
        assert (tx.leases.at("c1"), tx.leases.at("c3")) == (ASKED, None)
    with store.write() as tx:
        tx.leases.forget([])
        tx.leases.forget(["c1"])
        assert [lease.callback for lease in tx.leases.all()] == ["c2"]


def test_a_secret_is_not_shown():
    assert "'s'" not in repr(ASKED)


def test_what_a_poll_remembers_leaves_what_pushes_are_expected(store):
    with store.write() as tx:
        tx.sources.put([SourceState(name="web", hub="https://h/", topic="https://t/"), SourceState(name="other")])
        tx.sources.expect_pushes(["web", "unknown"], NOON)
        tx.sources.put([SourceState(name="web", hub="https://h/", topic="https://t/", title="T")])
        assert tx.sources.get("web").push_until == NOON
        assert tx.sources.hubs() == {"web": ("https://h/", "https://t/")}
        tx.sources.expect_pushes(["web"], None)
        assert tx.sources.get("web").push_until is None
