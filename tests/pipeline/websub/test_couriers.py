from __future__ import annotations

import threading
import time

from aggregator.pipeline.websub.couriers import Couriers


def test_a_slow_host_holds_up_nobody_but_itself():
    slow, done, all_done = threading.Event(), [], threading.Event()
    couriers = Couriers(2, done.append)
    for _ in range(5):
        couriers.send("slow", lambda: slow.wait(5))
    for number in range(20):
        couriers.send(f"host-{number}", lambda number=number: done.append(number))
    couriers.send("last", all_done.set)
    assert all_done.wait(2)
    assert sorted(done) == list(range(20))
    slow.set()
    couriers.close(2)


def test_errands_to_one_host_are_run_one_at_a_time_in_their_order():
    at_once, most, order, done = [], [], [], threading.Event()

    def errand(number):
        at_once.append(number)
        most.append(len(at_once))
        order.append(number)
        time.sleep(0.002)
        at_once.remove(number)

    couriers = Couriers(8, order.append)
    for number in range(20):
        couriers.send("one", lambda number=number: errand(number))
    couriers.send("one", done.set)
    assert done.wait(2)
    assert (max(most), order) == (1, list(range(20)))


def test_an_errand_that_raises_is_told_and_the_others_go_on():
    told, done = [], threading.Event()
    couriers = Couriers(1, told.append)
    couriers.send("a", lambda: 1 / 0)
    couriers.send("a", done.set)
    assert done.wait(2)
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_threads_end_when_there_is_nothing_to_do_and_start_again():
    first, second = threading.Event(), threading.Event()
    couriers = Couriers(3, lambda _: None)
    couriers.send("a", first.set)
    assert first.wait(2)
    deadline = time.monotonic() + 2
    while any(thread.name == "courier" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not any(thread.name == "courier" for thread in threading.enumerate())
    couriers.send("a", second.set)
    assert second.wait(2)


def test_closing_waits_for_what_is_in_work_and_forgets_the_rest():
    begun, done = threading.Event(), []

    def errand():
        begun.set()
        time.sleep(0.05)
        done.append(1)

    couriers = Couriers(1, lambda _: None)
    couriers.send("a", errand)
    couriers.send("b", errand)
    assert begun.wait(2)
    couriers.close(2)
    couriers.send("c", errand)
    time.sleep(0.02)
    assert done == [1]
