"""Jobs of many hosts handed to threads: in a fair order, one at a time for each host, and never to a thread that has to wait."""

import itertools
import random
import threading
import time
from collections import Counter

import pytest

from aggregator.ingest.gate import Gate
from aggregator.ingest.lanes import Lanes


def always(_host):
    return 0.0


def started(count, function):
    threads = [threading.Thread(target=function, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def joined(threads):
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "a thread waits for ever"


def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.001)


def waiting_in(lanes):
    """How many threads wait in `take`."""
    return len(lanes._watch._waiters) + len(lanes._idle._waiters)


def test_hosts_come_in_the_order_of_their_first_job_and_jobs_of_one_host_in_theirs():
    lanes = Lanes([("b", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5)], always, 1)
    taken = [lanes.take() for _ in range(3)]
    assert taken == [("b", 1), ("a", 2), ("c", 4)]
    lanes.done("a")
    lanes.done("b")
    assert [lanes.take(), lanes.take()] == [("a", 5), ("b", 3)], "whoever is free first"
    assert lanes.take() is None
    assert lanes.take() is None


def test_no_jobs_are_none_to_take():
    assert Lanes([], always, 1).take() is None


def test_a_host_with_many_jobs_lets_the_others_go_first():
    lanes = Lanes([*(("big", number) for number in range(3)), ("small", 0), ("tiny", 0)], always, 1)
    hosts = []
    while taken := lanes.take():
        hosts.append(taken[0])
        lanes.done(taken[0])
    assert hosts == ["big", "small", "tiny", "big", "big"]


def test_per_host_jobs_of_one_host_are_in_hand_and_no_more():
    lanes, taken = Lanes([("a", number) for number in range(5)], always, 2), []

    def work():
        while job := lanes.take():
            taken.append(job)

    threads = started(4, work)
    until(lambda: waiting_in(lanes) == 4)
    assert sorted(taken) == [("a", 0), ("a", 1)]
    lanes.done("a")
    until(lambda: len(taken) == 3)
    lanes.done("a")
    lanes.done("a")
    joined(threads)
    assert sorted(taken) == [("a", number) for number in range(5)]


def test_with_two_at_a_time_other_hosts_still_come_first():
    lanes = Lanes([("a", 1), ("a", 2), ("a", 3), ("b", 4)], always, 2)
    assert [lanes.take() for _ in range(3)] == [("a", 1), ("b", 4), ("a", 2)]


def test_a_host_in_its_gap_is_passed_over():
    now, gaps = 100.0, {"a": 5.0}
    lanes = Lanes([("a", 1), ("b", 2), ("c", 3)], lambda host: gaps.get(host, 0), 1, clock=lambda: now)
    assert [lanes.take(), lanes.take()] == [("b", 2), ("c", 3)]
    gaps.clear()
    now = 105.0
    assert lanes.take() == ("a", 1)


def test_a_gap_that_became_longer_while_its_host_waited_is_respected():
    now, gaps = 100.0, {}
    lanes = Lanes([("a", 1), ("a", 2), ("b", 3)], lambda host: gaps.get(host, 0), 1, clock=lambda: now)
    lanes.take()
    gaps["a"] = 1.0
    lanes.done("a")
    now, gaps["a"] = 102.0, 3.0  # a redirect of another job led here
    assert lanes.take() == ("b", 3)
    now, gaps["a"] = 105.0, 0.0
    assert lanes.take() == ("a", 2)


def test_a_thread_waits_for_the_gap_of_the_only_host_left_without_turning_in_circles():
    gate = Gate(1, 0.1)
    looked = 0

    def ready_in_s(host):
        nonlocal looked
        looked += 1
        return gate.ready_in_s(host)

    lanes = Lanes([("a", number) for number in range(3)], ready_in_s, 1)
    begun, ends = time.monotonic(), []

    def work():
        while taken := lanes.take():
            with gate.turn(taken[0]):
                pass
            lanes.done(taken[0])
        ends.append(time.monotonic())

    joined(started(8, work))
    assert 0.2 <= min(ends) - begun < 0.5, "the last job was handed out after two gaps"
    assert looked < 30, "they look when something happens, and not all of them"


def test_everybody_goes_home_when_the_last_job_is_handed_out():
    lanes, got = Lanes([("a", 1), ("a", 2)], always, 1), []
    lanes.take()

    def work():
        got.append(lanes.take())

    threads = started(5, work)
    until(lambda: waiting_in(lanes) == 5)
    lanes.done("a")
    joined(threads)
    assert sorted(got, key=str) == [("a", 2), None, None, None, None]


def test_stop_sends_home_those_who_wait_and_those_who_come():
    lanes, got = Lanes([("a", 1), ("a", 2), ("b", 3)], lambda host: 60.0 if host == "b" else 0.0, 1), []
    lanes.take()

    def work():
        got.append(lanes.take())

    threads = started(5, work)
    until(lambda: waiting_in(lanes) == 5)
    lanes.stop()
    joined(threads)
    assert got == [None] * 5
    lanes.done("a")
    assert lanes.take() is None


def test_a_host_that_becomes_free_is_seen_by_those_who_wait_for_a_later_one():
    lanes, got = Lanes([("a", 1), ("a", 2), ("late", 3)], lambda host: 60.0 if host == "late" else 0.0, 1), []
    lanes.take()

    def work():
        got.append(lanes.take())

    threads = started(3, work)
    until(lambda: waiting_in(lanes) == 3)
    lanes.done("a")
    until(lambda: got)
    assert got == [("a", 2)]
    lanes.stop()
    joined(threads)


def test_a_host_may_be_free_long_before_its_job_is_done():
    lanes = Lanes([("a", 1), ("a", 2)], always, 1)
    lanes.take()
    lanes.done("a")
    assert lanes.take() == ("a", 2)


def test_done_without_a_job_in_hand_is_a_mistake():
    lanes = Lanes([("a", 1)], always, 1)
    with pytest.raises(ValueError, match="no job of a"):
        lanes.done("a")
    lanes.take()
    lanes.done("a")
    with pytest.raises(ValueError, match="no job of a"):
        lanes.done("a")
    with pytest.raises(ValueError, match="at least one"):
        Lanes([], always, 0)


def test_two_hosts_whose_gaps_end_together_are_handed_to_two_threads():
    begun, both = time.monotonic(), threading.Barrier(2)
    lanes = Lanes([("a", 1), ("b", 2), ("c", 3)], lambda _host: max(0, begun + 0.05 - time.monotonic()), 1)

    def work():
        lanes.take()
        both.wait(5)  # neither comes back before the other has a job

    joined(started(2, work))
    assert not both.broken


def test_a_thread_that_is_interrupted_while_it_watches_the_clock_hands_the_watch_on(monkeypatch):
    due = time.monotonic() + 0.1
    lanes, got = Lanes([("a", 1)], lambda _host: max(0, due - time.monotonic()), 1), []
    idle = []

    def interrupted(_seconds):
        monkeypatch.undo()
        lanes._lock.release()  # as a wait does
        idle.extend(started(1, lambda: got.append(lanes.take())))
        until(lambda: lanes._idle._waiters)
        lanes._lock.acquire()
        raise KeyboardInterrupt

    monkeypatch.setattr(lanes._watch, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lanes.take()
    joined(idle)
    assert got == [("a", 1)]


def test_f15_forty_sources_on_one_host_hold_up_no_other():
    gap_s = 0.02
    gate = Gate(1, gap_s)
    jobs = [*(("big", number) for number in range(40)), *((f"host-{number % 20}", number) for number in range(40))]
    lanes, lock, spans = Lanes(jobs, gate.ready_in_s, 1), threading.Lock(), []

    def work():
        while taken := lanes.take():
            host, _ = taken
            came = time.monotonic()
            with gate.turn(host):
                begun = time.monotonic()
                time.sleep(0.002)
                ended = time.monotonic()
            lanes.done(host)
            with lock:
                spans.append((host, begun, ended, begun - came))

    begun = time.monotonic()
    joined(started(16, work))
    big = sorted(span[1:3] for span in spans if span[0] == "big")
    others = [ended - begun for host, _, ended, _ in spans if host != "big"]
    assert (len(big), len(others)) == (40, 40)
    assert min(later[0] - earlier[1] for earlier, later in itertools.pairwise(big)) >= gap_s
    assert max(others) < (big[-1][1] - begun) / 2, "they are done while the big one still has most before it"
    assert big[-1][1] - begun < 40 * (gap_s + 0.002) * 2, "and the big one is never kept waiting"
    assert sum(span[3] for span in spans) < 0.2, "no thread is held at the gate: it could have had another host's job"


@pytest.mark.parametrize("per_host", [1, 3])
def test_whatever_the_threads_do_every_job_is_handed_out_once_and_in_order(per_host):
    chance = random.Random(4)
    jobs = [(f"host-{min(int(chance.expovariate(0.2)), 30)}", number) for number in range(1500)]
    gate = Gate(per_host, 0.0005)
    lanes, lock = Lanes(jobs, gate.ready_in_s, per_host), threading.Lock()
    taken, inside, most = [], Counter(), Counter()

    def work():
        while job := lanes.take():
            host, _ = job
            with lock:
                taken.append(job)
                inside[host] += 1
                most[host] = max(most[host], inside[host])
            with gate.turn(host):
                pass
            with lock:
                inside[host] -= 1
            lanes.done(host)

    joined(started(12, work))
    assert sorted(taken, key=lambda job: job[1]) == jobs
    if per_host == 1:
        assert sorted(taken, key=lambda job: job[0]) == sorted(jobs, key=lambda job: job[0]), (
            "each host's in their order"
        )
    assert max(most.values()) <= per_host
    assert lanes._lanes == {}
