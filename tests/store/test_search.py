"""The index of words, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, a_post, an_entry

from aggregator.models import State
from aggregator.store.search import number_of
from aggregator.store.words import terms


def put(store, *posts):
    with store.write() as tx:
        tx.posts.put([an_entry(post) for post in posts], tx.posts.known_by_id([post.id for post in posts]), NOON)


def index(store, limit=300):
    count = 0
    while True:
        with store.write() as tx:
            batch = tx.search.stale(limit)
            if not batch.ids:
                return count
            tx.search.put(batch, {post.id: post.content for post in batch.posts})
            count += len(batch.ids)


def found(store, query, **more):
    with store.read() as tx:
        return [post.title for post in tx.search.find(terms(query), **{"limit": 10, **more})]


def test_words_of_two_signs_are_found_in_the_middle_of_a_run(store):
    put(store, a_post("a", title="小区停电了", content=""), a_post("a", title="电停", content=""))
    index(store)
    assert found(store, "停电") == ["小区停电了"]
    assert found(store, "区停电了") == ["小区停电了"]
    assert found(store, "区电") == []
    assert set(found(store, "电")) == {"小区停电了", "电停"}
    assert found(store, "了") == ["小区停电了"]


def test_every_word_must_be_found_and_the_last_may_go_on(store):
    put(
        store,
        a_post("a", title="Docker 3.7", content="Straße und Kubernetes"),
        a_post("a", title="Other", content="docker"),
    )
    index(store)
    assert found(store, "docker") == ["Other", "Docker 3.7"]
    assert found(store, "DOCKER kube") == ["Docker 3.7"]
    assert found(store, "strasse") == ["Docker 3.7"]
    assert found(store, "kube docker") == []
    assert found(store, "Docker 停电") == []


def test_the_newest_come_first_and_in_pages(store):
    put(store, *(a_post("a", title=f"t{n}", content="x", published=NOON - timedelta(days=n)) for n in range(7)))
    index(store, limit=3)
    assert found(store, "x", limit=3) == ["t0", "t1", "t2"]
    assert found(store, "x", limit=3, offset=5) == ["t5", "t6"]


def test_only_what_changed_is_looked_at_again(store):
    one, two = a_post("a", title="one", content="x"), a_post("a", title="two", content="x")
    put(store, one, two)
    assert index(store) == 2
    assert index(store) == 0
    put(store, replace(one, title="uno", published=one.published + timedelta(days=1)))
    assert index(store) == 1
    assert found(store, "uno") == ["uno"]
    assert found(store, "one") == []
    with store.read() as tx:
        assert tx.search.count() == 2


def test_what_is_no_longer_live_is_not_found(store):
    one, two = a_post("a", title="one", content="x"), a_post("a", title="two", content="x")
    put(store, one, two)
    index(store)
    with store.write() as tx:
        tx.posts.withdraw([one.id], NOON)
    assert found(store, "x") == ["two"]  # before the index knows
    assert index(store) == 1
    put(store, replace(two, state=State.HIDDEN))
    index(store)
    with store.read() as tx:
        assert tx.search.count() == 0


def test_a_post_that_is_released_is_found(store):
    held = a_post("a", title="held", state=State.HELD, published=NOON + timedelta(days=1))
    put(store, held)
    put(store, a_post("a", title="live"))
    index(store)
    assert found(store, "held") == []
    with store.write() as tx:
        tx.posts.release(NOON + timedelta(days=2))
    index(store)
    assert found(store, "held") == ["held"]


def test_a_write_of_nothing_live_hides_no_later_one_with_the_same_number(store):
    put(store, a_post("a", title="first"))
    hidden = [a_post("a", title=f"h{n}", state=State.HIDDEN) for n in range(5)]
    put(store, *hidden)
    index(store)
    put(store, *(a_post("a", title=f"live {n}") for n in range(5)))
    index(store)
    assert len(found(store, "live")) == 5


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "'",
        "a'b\"c",
        "title:x",
        "x*y",
        "NEAR(x y)",
        "x AND",
        "-x",
        "x <-> y:*",
        "\\",
        "x" * 10_000,
        "a\0b",
        "%_",
        "^x",
    ],
)
def test_s5_no_query_is_an_error(store, query):
    put(store, a_post("a", title="x y", content=""))
    index(store)
    assert isinstance(found(store, query), list)


def test_posts_are_numbered_by_their_date():
    old, new = a_post(published=NOON), a_post(published=NOON + timedelta(seconds=1))
    assert number_of(old) < number_of(new) < 2**63
