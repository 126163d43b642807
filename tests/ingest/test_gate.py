"""Turns at the gate of a host: with real threads and short gaps, and with a clock that only moves when somebody sleeps."""

import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregator.ingest.gate import Gate


class Clock:
    """Time that passes while somebody sleeps, and not otherwise."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def at_once(*functions):
    """Runs functions in a thread each, started in order, and raises what they raise."""
    with ThreadPoolExecutor(len(functions)) as pool:
        for future in [pool.submit(function) for function in functions]:
            future.result(timeout=10)


def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.001)


def test_the_first_request_to_a_host_waits_for_nothing(clock):
    gate = Gate(1, 1, clock=clock, sleep=clock.sleep)
    with gate.turn("a"), gate.turn("b"):
        pass
    assert clock.slept == []


def test_the_gap_counts_from_the_end_of_one_request_to_the_start_of_the_next(clock):
    gate = Gate(1, 1, clock=clock, sleep=clock.sleep)
    with gate.turn("a"):
        clock.now += 20  # the request itself
    clock.now += 0.25
    with gate.turn("a"):
        assert clock.slept == [0.75]
    with gate.turn("b"):
        assert clock.slept == [0.75]


def test_a_request_that_fails_counts_too(clock):
    gate = Gate(1, 1, clock=clock, sleep=clock.sleep)
    with pytest.raises(OSError, match="reset"), gate.turn("a"):
        raise OSError("reset")
    with gate.turn("a"):
        assert clock.slept == [1]


def test_a_host_is_ready_when_its_gap_has_passed(clock):
    gate = Gate(1, 1, clock=clock, sleep=clock.sleep)
    assert gate.ready_in_s("a") == 0
    with gate.turn("a"):
        clock.now += 5
        assert gate.ready_in_s("a") == 1, "when the request in hand ended now"
        assert gate.ready_in_s("b") == 0
    assert gate.ready_in_s("a") == 1
    clock.now += 0.75
    assert gate.ready_in_s("a") == 0.25
    clock.now += 7
    assert gate.ready_in_s("a") == 0


def test_with_two_connections_a_host_is_ready_while_one_of_them_is_in_use(clock):
    gate = Gate(2, 1, clock=clock, sleep=clock.sleep)
    with gate.turn("a"):
        assert gate.ready_in_s("a") == 0
        with gate.turn("a"):
            assert gate.ready_in_s("a") == 1
    assert clock.slept == []


def test_a_clock_that_moves_in_small_steps_is_waited_for_to_the_end(clock):
    def short_sleep(seconds):
        clock.sleep(min(seconds, 0.25))

    gate = Gate(1, 1, clock=clock, sleep=short_sleep)
    with gate.turn("a"):
        pass
    with gate.turn("a"):
        assert clock.now == 1001


def test_idle_hosts_are_forgotten_once_their_gap_has_passed(clock):
    gate = Gate(1, 1, clock=clock, sleep=clock.sleep)
    for number in range(5000):
        with gate.turn(f"host-{number}"):
            clock.now += 0.01
    assert len(gate._hosts) <= 102
    assert len(gate._pauses) <= 102
    clock.now += 2
    with gate.turn("another"):
        assert list(gate._hosts) == ["another"]


def test_a_host_asked_again_and_again_is_remembered_once(clock):
    gate = Gate(2, 1, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        with gate.turn("a"), gate.turn("a"):
            clock.now += 0.01
    assert len(gate._hosts) == 1
    assert len(gate._pauses) <= 2


def test_who_gave_up_does_not_make_a_later_gap_forgotten(clock):
    def sleep(_seconds):
        raise InterruptedError

    gate = Gate(1, 1, clock=clock, sleep=sleep)
    for host in ("a", "b"):
        with gate.turn(host):
            clock.now += 0.5
    with pytest.raises(InterruptedError), gate.turn("a"):
        pass
    clock.now += 0.75
    with gate.turn("a"):
        pass
    clock.now += 0.5
    with gate.turn("c"):
        assert gate.ready_in_s("a") == 0.5


def test_without_a_gap_nothing_is_remembered_and_nobody_sleeps(clock):
    gate = Gate(1, 0, clock=clock, sleep=clock.sleep)
    for _ in range(100):
        with gate.turn("a"):
            pass
    assert (clock.slept, gate._hosts, len(gate._pauses)) == ([], {}, 0)


def test_a_turn_costs_microseconds():
    gate = Gate(1, 0)
    started = time.process_time()
    for _ in range(10_000):
        with gate.turn("a"):
            pass
    assert time.process_time() - started < 1, "100 µs a turn; it is 4 where this was written"


@pytest.mark.parametrize(("per_host", "gap_s"), [(0, 1), (1, -1), (1, float("nan"))])
def test_a_gate_that_nobody_could_pass_is_refused(per_host, gap_s):
    with pytest.raises(ValueError, match="gate"):
        Gate(per_host, gap_s)


def test_f15_one_connection_at_a_time_and_a_gap_between_two_whatever_the_threads_do():
    gate, gap_s = Gate(1, 0.01), 0.01
    spans = []

    def ask():
        with gate.turn("a"):
            started = time.monotonic()
            time.sleep(0.002)
            spans.append((started, time.monotonic()))

    at_once(*[ask] * 15)
    spans.sort()
    assert len(spans) == 15
    pauses = [later[0] - earlier[1] for earlier, later in itertools.pairwise(spans)]
    assert min(pauses) >= gap_s
    assert not gate._hosts["a"].waiting


def test_f15_other_hosts_are_not_held_up():
    stopped = threading.Event()

    def sleep(seconds):
        if stopped.wait(seconds):
            raise InterruptedError

    gate, asked = Gate(1, 60, sleep=sleep), []
    with gate.turn("slow"):
        pass

    def wait_for_slow():
        with contextlib.suppress(InterruptedError), gate.turn("slow"):
            asked.append("slow")

    threads = [threading.Thread(target=wait_for_slow) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: len(gate._hosts["slow"].waiting) == 20)
    started = time.monotonic()
    for number in range(1000):
        with gate.turn(f"host-{number}"):
            pass
    assert time.monotonic() - started < 1
    assert 20 * 60 < gate.ready_in_s("slow") <= 21 * 60
    stopped.set()
    for thread in threads:
        thread.join(10)
    assert asked == []


def test_those_who_wait_are_served_in_the_order_in_which_they_came():
    gate, served, threads = Gate(1, 0.001), [], []

    def ask(number):
        with gate.turn("a"):
            served.append(number)

    with gate.turn("a"):
        for number in range(50):
            threads.append(threading.Thread(target=ask, args=[number]))
            threads[-1].start()
            until(lambda: len(gate._hosts["a"].waiting) == len(threads))
    for thread in threads:
        thread.join(10)
    assert served == list(range(50))


def test_nobody_overtakes_those_who_wait_for_the_gap():
    gate, served = Gate(1, 0.03), []

    def ask(name):
        with gate.turn("a"):
            served.append(name)

    with gate.turn("a"):
        pass
    waiting = threading.Thread(target=ask, args=["first"])
    waiting.start()
    until(lambda: gate._hosts["a"].waiting)
    ask("second")
    waiting.join(10)
    assert served == ["first", "second"]


@pytest.mark.parametrize("gap_s", [0, 0.002])
def test_never_more_than_per_host_ask_at_once(gap_s):
    gate, lock = Gate(3, gap_s), threading.Lock()
    now, most = 0, 0

    def ask():
        nonlocal now, most
        with gate.turn("a"):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.002)
            with lock:
                now -= 1

    at_once(*[ask] * 40)
    assert most == 3
    assert now == 0


def test_two_connections_that_become_free_go_to_the_first_two_who_wait():
    gate, both = Gate(2, 0.02), threading.Barrier(2)

    def ask():
        with gate.turn("a"):
            both.wait(5)  # neither leaves before the other has come

    with gate.turn("a"), gate.turn("a"):
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda: len(gate._hosts["a"].waiting) == 2)
    for thread in threads:
        thread.join(10)
    assert not both.broken


def test_hundreds_of_threads_and_thousands_of_turns_lose_nobody():
    gate, lock, taken = Gate(1, 0), threading.Lock(), {}
    inside = set()

    def ask(start):
        for number in range(30):
            host = f"host-{(start * 7 + number) % 40}"
            with gate.turn(host):
                assert host not in inside
                inside.add(host)
                time.sleep(0.0001)
                with lock:
                    taken[host] = taken.get(host, 0) + 1
                inside.remove(host)

    at_once(*[lambda start=start: ask(start) for start in range(200)])
    assert sum(taken.values()) == 6000
    assert gate._hosts == {}


def test_a_sleep_that_gives_up_lets_the_next_one_go_on():
    stopped = threading.Event()

    def sleep(seconds):
        if stopped.wait(seconds):
            raise InterruptedError("stopped")

    gate, ends = Gate(1, 60, sleep=sleep), []

    def ask():
        try:
            with gate.turn("a"):
                ends.append("asked")
        except InterruptedError:
            ends.append("gave up")

    with gate.turn("a"):
        pass
    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: len(gate._hosts["a"].waiting) == 5)
    stopped.set()
    for thread in threads:
        thread.join(10)
    assert ends == ["gave up"] * 5
    assert not gate._hosts["a"].waiting
    assert gate._hosts["a"].busy == 0


def test_who_gives_up_in_the_middle_costs_the_others_nothing(clock):
    gate = Gate(1, 1, clock=clock, sleep=clock.sleep)
    with gate.turn("a"):
        pass

    def interrupted(_seconds):
        raise KeyboardInterrupt

    gate._sleep = interrupted
    with pytest.raises(KeyboardInterrupt), gate.turn("a"):
        pass
    gate._sleep = clock.sleep
    with gate.turn("a"):
        assert clock.now == 1001
