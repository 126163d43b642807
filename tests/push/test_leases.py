from __future__ import annotations

from itertools import pairwise

import pytest

from aggregator.push.leases import DEFAULT_S, LONGEST_S, SHORTEST_S, granted_s, renewal_in_s, retry_in_s, taken_s


@pytest.mark.parametrize(
    ("asked", "given"),
    [("", DEFAULT_S), ("0", SHORTEST_S), ("7200", 7200), ("9" * 18, LONGEST_S), ("9" * 5000, LONGEST_S)],
)
def test_a_lease_is_between_an_hour_and_thirty_days(asked, given):
    assert granted_s(asked) == given


@pytest.mark.parametrize(
    ("given", "taken"), [("3600", 3600), ("5", 5), ("0", 1), ("", 86_400), ("soon", 86_400), ("9" * 5000, 86_400), ("9" * 9, LONGEST_S)]
)  # fmt: skip
def test_a_lease_that_a_hub_gives_is_taken_as_far_as_it_makes_sense(given, taken):
    assert taken_s(given) == taken


def test_a_lease_is_renewed_when_a_fifth_of_it_is_left():
    assert renewal_in_s(1000) == 800


def test_what_fails_is_tried_again_later_and_later():
    waits = [retry_in_s(failures, lambda: 0.5) for failures in range(1, 100)]
    assert waits[:4] == [30, 120, 480, 1920]
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert waits[-1] == 6 * 3600
    assert retry_in_s(1, lambda: 0.0) == 22.5
