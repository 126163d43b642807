from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from builders import NOON, a_post, an_entry

from aggregator.models import ROOT, Category, Enclosure, Media, Origin, Person, Post, State
from aggregator.store.codec import read_draft
from aggregator.store.store import Store


def put(store: Store, *posts: Post, now: datetime = NOON) -> set[str]:
    with store.write() as tx:
        known = tx.posts.known_by_id([post.id for post in posts])
        return tx.posts.put([an_entry(post) for post in posts], known, now)


def selected(store: Store, *paths: str, limit: int | None = 50) -> list[Post]:
    with store.read() as tx:
        return tx.feeds.select([Category.parse(path) for path in paths], limit).posts


def counts(store: Store) -> dict[str, int]:
    with store.read() as tx:
        return {path: state.posts for path, state in tx.feeds.categories().items() if state.posts}


def test_a_post_comes_back_as_it_went_in(store):
    post = a_post(
        "编程/CI\\/CD",
        "b",
        tags=("one", "two"),
        authors=(Person("Ann", "ann@example.com", "https://ann.example.com/"), Person("Bo")),
        enclosures=(Enclosure("https://e.example/a.mp3", "audio/mpeg", 0, "Episode"),),
        media=(Media("https://e.example/a.jpg", "thumbnail", width=3, height=0),),
        origin=Origin("Planet", "https://planet.example.com/feed"),
        rights="CC0",
        language="zh-CN",
        image="https://e.example/lead.png",
        summary="<p>short</p>",
        updated=NOON + timedelta(days=1),
        link=None,
    )
    put(store, post)
    assert selected(store, "") == [post]


def test_a_post_stands_in_its_categories_in_their_ancestors_and_in_the_root(store):
    changed = put(store, a_post("a/b/c", "a/d"))
    assert changed == {"", "a", "a/b", "a/b/c", "a/d"}
    assert counts(store) == dict.fromkeys(changed, 1)


def test_a_moved_post_leaves_its_old_categories(store):
    post = a_post("a/b")
    put(store, post)
    changed = put(store, replace(post, categories=(Category.parse("a/c"),)))
    assert changed == {"", "a", "a/b", "a/c"}
    assert counts(store) == {"": 1, "a": 1, "a/c": 1}
    assert selected(store, "a/b") == []


def test_only_the_categories_of_changed_posts_are_newly_dated(store):
    put(store, a_post("a"), a_post("b"))
    with store.read() as tx:
        before = tx.feeds.categories()
    put(store, a_post("a"))
    with store.read() as tx:
        after = tx.feeds.categories()
    assert after["b"].changed == before["b"].changed
    assert after["a"].changed > before["a"].changed
    assert after[""].changed == after["a"].changed


def test_hidden_held_and_withdrawn_posts_are_in_no_feed(store):
    hidden = a_post("a", state=State.HIDDEN)
    held = a_post("a", state=State.HELD, published=NOON + timedelta(days=1))
    gone = a_post("a")
    put(store, hidden, held, gone)
    with store.write() as tx:
        assert tx.posts.withdraw([gone.id], NOON) == {"", "a"}
    assert selected(store, "") == []
    assert counts(store) == {}


def test_a_held_post_is_released_when_its_date_has_come(store):
    held = a_post("a", state=State.HELD, published=NOON + timedelta(days=1))
    put(store, held)
    with store.write() as tx:
        assert tx.posts.release(NOON) == set()
    with store.write() as tx:
        assert tx.posts.release(NOON + timedelta(days=1)) == {"", "a"}
    assert [post.key for post in selected(store, "a")] == [held.key]
    assert counts(store) == {"": 1, "a": 1}


def test_the_newest_posts_come_first_and_ties_are_broken_by_id(store):
    posts = [a_post("a", published=NOON) for _ in range(5)]
    newest = a_post("a", published=NOON + timedelta(seconds=1))
    put(store, *posts, newest)
    expected = [newest.id, *sorted((post.id for post in posts), reverse=True)]
    assert [post.id for post in selected(store, "a")] == expected
    assert [post.id for post in selected(store, "a", limit=2)] == expected[:2]


def test_a_feed_of_several_categories_holds_a_post_once(store):
    both, one = a_post("a", "b"), a_post("b")
    put(store, both, one)
    assert {post.id for post in selected(store, "a", "b")} == {both.id, one.id}
    with store.read() as tx:
        assert tx.feeds.select([Category.parse("a"), Category.parse("b")], 1).total == 2
        assert tx.feeds.select([ROOT], 1).total == 2


def test_a_post_that_two_sources_carry_is_published_once(store):
    here = a_post("a", key="the same", guid="urn:x:1", link="https://e.example/1", title="Same")
    there = replace(here, source="planet", link="https://other.example/")
    same_page = replace(here, source="mirror", guid="urn:x:2")
    put(store, here, there, same_page)
    assert len(selected(store, "a")) == 1


def test_two_posts_of_one_source_may_share_link_and_title(store):
    one, two = (a_post("a", link="https://status.example/", title="Incident") for _ in range(2))
    put(store, one, two)
    assert len(selected(store, "a")) == 2


def test_a_selection_is_filled_up_behind_duplicates(store):
    copies = [a_post("a", guid="urn:same", published=NOON + timedelta(days=1, seconds=n)) for n in range(30)]
    others = [a_post("a") for _ in range(10)]
    put(store, *copies, *others)
    assert len(selected(store, "a", limit=11)) == 11


def test_moments_keep_their_second_and_their_zone(store):
    moment = datetime(2021, 7, 4, 6, 56, 6, tzinfo=UTC)
    put(store, a_post(published=moment))
    assert selected(store, "")[0].published == moment


def test_the_draft_of_a_post_can_be_read_again(store):
    post = a_post(title="標題")
    put(store, post)
    with store.read() as tx:
        [(known, packed)] = tx.posts.drafts("blog")
    assert known.id == post.id
    assert read_draft(packed).title == "標題"


def test_posts_are_known_by_key_by_link_and_by_id(store):
    post = a_post()
    put(store, post)
    link = (post.link or "").removeprefix("https://")
    with store.read() as tx:
        assert tx.posts.known("blog", [post.key, "guid:other"])[post.key].id == post.id
        assert tx.posts.known("planet", [post.key]) == {}
        assert [known.id for known in tx.posts.known_by_link("blog", [link])[link]] == [post.id]
        assert list(tx.posts.known_by_id([post.id])) == [post.id]


def test_a_write_that_fails_leaves_nothing(store):
    class Stop(Exception):
        pass

    try:
        with store.write() as tx:
            tx.posts.put([an_entry(a_post("a"))], {}, NOON)
            raise Stop
    except Stop:
        pass
    assert selected(store, "") == []
    assert counts(store) == {}
