import asyncio
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.errors import StoreError
from aggregator.serve.freshness import Freshness

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Plan:
    def __init__(self, **minutes):
        self.due = {name: None if m is None else NOON + timedelta(minutes=m) for name, m in minutes.items()}
        self.error = None

    def next_due(self):
        if self.error is not None:
            raise self.error
        return self.due


class Hanging(Executor):
    """Threads in which a store hangs, until it answers."""

    def __init__(self):
        self.waiting = []

    def submit(self, work, /, *arguments):
        self.waiting.append((Future(), work, arguments))
        return self.waiting[-1][0]

    def answer(self):
        future, work, arguments = self.waiting.pop()
        future.set_result(work(*arguments))


@pytest.fixture
def threads():
    with ThreadPoolExecutor(1) as threads:
        yield threads


async def learnt(freshness, sources=None):
    await freshness.learn()
    return freshness.max_age(sources)


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
def test_it_holds_until_the_first_of_its_sources_is_due(threads, sources, seconds):
    plan = Plan(soon=2, later=30, far=600, late=-5, folder=None)
    freshness = Freshness(plan, NOON.timestamp, threads)
    assert asyncio.run(learnt(freshness, None if sources is None else frozenset(sources))) == seconds


def test_time_passes_and_plans_change(threads):
    now = NOON.timestamp()
    plan = Plan(soon=2)
    freshness = Freshness(plan, lambda: now, threads)

    async def pass_time():
        nonlocal now
        assert await learnt(freshness) == 120
        now += 1
        assert await learnt(freshness) == 119
        plan.due["soon"] = NOON + timedelta(minutes=10)
        now += 5
        assert await learnt(freshness) == 594

    asyncio.run(pass_time())


def test_while_the_store_fails_what_was_known_counts(threads):
    now = NOON.timestamp()
    plan = Plan(soon=2)
    freshness = Freshness(plan, lambda: now, threads)

    async def fail():
        nonlocal now
        plan.error = StoreError("it is locked")
        assert await learnt(freshness) == 60
        plan.error, now = None, now + 5
        assert await learnt(freshness) == 115
        plan.error, now = StoreError("it is locked"), now + 5
        assert await learnt(freshness) == 110

    asyncio.run(fail())


def test_a_store_that_hangs_is_asked_once_and_waited_for_a_moment_by_all_together():
    hanging = Hanging()
    freshness = Freshness(Plan(soon=2), NOON.timestamp, hanging)

    async def hang():
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(freshness.learn() for _ in range(20)))
        assert 0.2 < loop.time() - begun < 1
        begun = loop.time()
        for _ in range(20):
            assert await learnt(freshness) == 60
        assert loop.time() - begun < 0.2
        assert len(hanging.waiting) == 1
        hanging.answer()
        for _ in range(5):  # turns of the loop, in which the answer gets there
            await asyncio.sleep(0)
        assert await learnt(freshness) == 120
        assert hanging.waiting == []

    asyncio.run(hang())


def test_who_asks_while_the_server_ends_is_answered(threads):
    threads.shutdown()
    assert asyncio.run(learnt(Freshness(Plan(soon=2), NOON.timestamp, threads))) == 60
