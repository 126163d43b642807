from __future__ import annotations

from aggregator.push.pace import Pace


def test_so_many_are_admitted_in_a_minute_for_each_and_for_all():
    now = [0.0]
    pace = Pace(2, 3, lambda: now[0])
    assert [pace.admits(key) for key in ("a", "a", "a", "b", "b", "c")] == [True, True, False, True, False, False]
    now[0] = 59.9
    assert not pace.admits("c")
    now[0] = 60.0
    assert pace.admits("a")
