from __future__ import annotations

from aggregator.schedule.backlog import Backlog


def rounds_for(due: int, total: int, every_s: float) -> int:
    """How many rounds it takes until nothing is due, `every_s` after one another."""
    seconds = [0.0]
    backlog = Backlog(lambda: seconds[0])
    left, rounds = list(range(due)), 0
    while left:
        left = left[len(backlog.share(left, total)) :]
        seconds[0] += every_s
        rounds += 1
    return rounds


def test_what_is_due_as_a_rule_is_asked_in_one_round():
    assert rounds_for(30, 2000, 5) == 1


def test_thousands_that_are_due_at_once_are_spread_over_ten_minutes():
    assert 500 <= rounds_for(6000, 6000, 5) * 5 <= 610


def test_a_round_that_took_long_lets_the_next_one_make_up_for_it():
    assert rounds_for(6000, 6000, 60) == 11


def test_those_that_are_due_for_longest_come_first():
    assert list(Backlog(lambda: 0.0).share(list(range(100)), 100)) == list(range(32))
