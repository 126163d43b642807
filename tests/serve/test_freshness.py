from datetime import UTC, datetime, timedelta

import pytest

from aggregator.serve.freshness import Freshness

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Plan:
    def __init__(self, **minutes):
        self.due = {name: None if m is None else NOON + timedelta(minutes=m) for name, m in minutes.items()}

    def next_due(self):
        return self.due


@pytest.mark.parametrize(
    ("sources", "seconds"),
    [
        ({"soon"}, 120),
        ({"later"}, 1800),
        ({"soon", "later"}, 120),
        ({"far"}, 3600),
        ({"late"}, 60),
        ({"folder"}, 60),
        ({"later", "left the configuration"}, 1800),
        ({"left the configuration"}, 3600),
        (set(), 60),
        (None, 60),
    ],
)
def test_it_holds_until_the_first_of_its_sources_is_due(sources, seconds):
    plan = Plan(soon=2, later=30, far=600, late=-5, folder=None)
    freshness = Freshness(plan, NOON.timestamp)
    assert freshness.max_age(None if sources is None else frozenset(sources)) == seconds


def test_time_passes_and_plans_change():
    now = NOON.timestamp()
    plan = Plan(soon=2)
    freshness = Freshness(plan, lambda: now)
    assert freshness.max_age(None) == 120
    now += 1
    assert freshness.max_age(None) == 119
    plan.due["soon"] = NOON + timedelta(minutes=10)
    now += 5
    assert freshness.max_age(None) == 594
