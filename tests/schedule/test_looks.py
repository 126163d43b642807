from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from aggregator.schedule.looks import Looks


@pytest.fixture
def looking():
    """Looks that wait until they are let go: what is looked at comes out of the queue."""
    looked: SimpleQueue = SimpleQueue()
    go = threading.Semaphore(0)

    def look(names):
        looked.put(names)
        go.acquire(timeout=5)

    looks = Looks(look)
    looks.start()
    yield looks, looked, go
    go.release(10)
    looks.close()
    looks._thread.join(5)
    assert not looks._thread.is_alive()


def test_who_wishes_for_a_look_does_not_wait_for_the_one_before_and_is_served_together_with_others(looking):
    looks, looked, go = looking
    looks.wish({"one"})
    assert looked.get(timeout=5) == {"one"}
    looks.wish({"two"})
    looks.wish({"three"})
    assert looked.empty()
    go.release()
    assert looked.get(timeout=5) == {"two", "three"}


def test_a_look_at_all_takes_the_others_along(looking):
    looks, looked, go = looking
    looks.wish({"one"})
    looked.get(timeout=5)
    looks.wish({"two"})
    looks.wish()
    go.release()
    assert looked.get(timeout=5) is None
    looks.wish({"four"})
    go.release()
    assert looked.get(timeout=5) == {"four"}
