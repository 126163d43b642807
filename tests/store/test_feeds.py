"""Parts of feeds, and what changed since, on both databases."""

from __future__ import annotations

from datetime import timedelta

from builders import NOON, a_post, an_entry

from aggregator.models import Category, State

A, B = Category(("a",)), Category(("b",))


def put(store, *posts):
    with store.write() as tx:
        tx.posts.put([an_entry(post) for post in posts], tx.posts.known_by_id([post.id for post in posts]), NOON)


def titles(store, chosen, limit, offset):
    with store.read() as tx:
        part = tx.feeds.part(chosen, limit, offset)
        return [post.title for post in part.posts], part.total


def test_a_part_of_a_feed_is_newest_first_and_says_how_many_there_are(store):
    put(store, *(a_post("a", title=f"t{n}", published=NOON - timedelta(hours=n)) for n in range(7)))
    assert titles(store, [A], 3, 0) == (["t0", "t1", "t2"], 7)
    assert titles(store, [A], 3, 6) == (["t6"], 7)
    assert titles(store, [A], 3, 9) == ([], 7)
    assert titles(store, [B], 3, 0) == ([], 0)


def test_a_post_in_several_of_the_categories_is_there_once(store):
    put(store, a_post("a", "b", title="both"), a_post("b", title="one"))
    assert titles(store, [A, B], 10, 0) == (["one", "both"], 2)
    assert titles(store, [A, B], 1, 1) == (["both"], 2)


def test_only_live_posts_are_given_in_the_order_asked_for(store):
    one, two, held = a_post("a", title="1"), a_post("a", title="2"), a_post("a", state=State.HELD)
    put(store, one, two, held)
    with store.read() as tx:
        assert [post.title for post in tx.feeds.posts([two.id, held.id, one.id, 5])] == ["2", "1"]


def test_what_changed_since_a_write_says_which_posts_have_no_link(store):
    linked, bare, held = a_post("a"), a_post("a", link=None), a_post("a", link=None, state=State.HELD)
    put(store, linked, bare, held)
    with store.read() as tx:
        first = tx.feeds.newest_write()
        found = {post.id: post.is_unlinked for post in tx.feeds.changed_since(-1)}
        assert tx.feeds.changed_since(first) == []
    assert found == {linked.id: False, bare.id: True, held.id: False}
    with store.write() as tx:
        tx.posts.withdraw([bare.id], NOON)
    with store.read() as tx:
        assert [(post.id, post.is_unlinked) for post in tx.feeds.changed_since(first)] == [(bare.id, False)]


def test_the_version_of_what_pages_show_follows_posts_directories_and_documents(store):
    from aggregator.store.feeds import FeedState

    def version():
        with store.read() as tx:
            return tx.feeds.version()

    seen = [version()]
    put(store, a_post("a"))
    seen.append(version())
    with store.write() as tx:
        tx.feeds.give_directories({"a": "category/a"})
    seen.append(version())
    with store.write() as tx:
        tx.feeds.rendered([FeedState("all", "r", 1, 1, 5)])
    seen.append(version())
    assert len(set(seen)) == 4
    assert version() == seen[-1]


def test_posts_are_counted_by_the_days_of_a_place(store):
    put(
        store,
        a_post("a", source="x", published=NOON.replace(hour=23)),
        a_post("a", source="x", published=NOON.replace(hour=1)),
        a_post("a", source="y", published=NOON - timedelta(days=2)),
        a_post("a", source="y", published=NOON - timedelta(days=40)),
        a_post("a", source="y", state=State.HIDDEN),
    )
    with store.read() as tx:
        today, found = tx.sources.posts_a_day(NOON, 30, timedelta())
        there, shifted = tx.sources.posts_a_day(NOON, 30, timedelta(hours=8))
    assert found == {"x": {today: 2}, "y": {today - 2: 1}}
    assert there == today
    assert shifted == {"x": {today: 1}, "y": {today - 2: 1}}  # 23:00 in London is tomorrow in Shanghai
