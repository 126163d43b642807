from __future__ import annotations

import threading
import time

from aggregator.schedule.debounce import Debounce


def test_wishes_within_a_moment_are_granted_once():
    wishes = Debounce()
    for _ in range(5):
        wishes.wish(0.05)
    assert wishes.wait(2)
    assert not wishes.wait(0.1)


def test_a_wish_is_not_put_off_by_later_ones():
    wishes, begun = Debounce(), time.monotonic()
    wishes.wish(0.1)
    stopped = threading.Event()

    def go_on_wishing():
        while not stopped.wait(0.01):
            wishes.wish(0.1)

    thread = threading.Thread(target=go_on_wishing)
    thread.start()
    assert wishes.wait(5)
    stopped.set()
    thread.join()
    assert time.monotonic() - begun < 1


def test_an_urgent_wish_comes_before_a_patient_one_and_takes_it_along():
    wishes, begun = Debounce(), time.monotonic()
    wishes.wish(60)
    threading.Timer(0.05, wishes.wish, (0,)).start()
    assert wishes.wait(5)
    assert time.monotonic() - begun < 2
    assert not wishes.wait(0.05)


def test_without_a_wish_nothing_is_granted():
    assert not Debounce().wait(0.01)
