from __future__ import annotations

from aggregator.schedule.clocks import ClockWatch


def test_r5_a_clock_that_is_set_is_noticed_once():
    wall, ticks = [1_000_000.0], [50.0]
    watch = ClockWatch(lambda: wall[0], lambda: ticks[0])
    wall[0] += 60
    ticks[0] += 60
    assert watch.jump_s() == 0
    wall[0] -= 3600
    assert watch.jump_s() == -3600
    assert watch.jump_s() == 0
    wall[0] += 30 * 86_400
    assert watch.jump_s() == 30 * 86_400


def test_a_clock_that_is_slewed_is_no_clock_that_is_set():
    wall = [0.0]
    watch = ClockWatch(lambda: wall[0], lambda: 0.0)
    wall[0] = 0.4
    assert watch.jump_s() == 0
