"""Which images are kept as copies, and which posts show them, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, a_post, an_entry

from aggregator.models import Mirrored, State
from aggregator.store.following import BEGINNING, changed_after
from aggregator.store.media import Copy, File, MediaFigures, Missed, Stray, Wanted, media_id

CAT, DOG = "https://one.example/cat.png", "https://two.example/dog.jpg"


def put(store, *posts):
    with store.write() as tx:
        tx.posts.put([an_entry(post) for post in posts], tx.posts.known_by_id([post.id for post in posts]), NOON)


def wanted(post, *origins):
    return [Wanted(origin, origin.split("/")[2], post.published) for origin in origins]


def refer(store, shown):
    """Has posts (by object) show these origins, as if all posts had been looked at just now."""
    with store.write() as tx:
        batch = changed_after(tx.media._connection, BEGINNING, 100)
        tx.media.refer("rules", batch, {post.id: wanted(post, *origins) for post, origins in shown.items()})


def a_copy(origin, content="c0ffee", size=10, **fields):
    given = {"suffix": "png", "type": "image/png", "width": 3, "height": None, **fields}
    return Copy(media_id(origin), content * 5 + "00", bytes=size, **given)


def copied(store, *copies, after_s=0):
    with store.write() as tx:
        tx.media.copied(copies, NOON + timedelta(seconds=after_s))


def due(store, **options):
    with store.read() as tx:
        return [one.origin for one in tx.media.due(NOON, **{"most": 10, "per_host": 10, **options})]


def read(store, name, *arguments):
    with store.read() as tx:
        found = getattr(tx.media, name)(*arguments)
        return found if isinstance(found, set | Mirrored | MediaFigures | None) else list(found)


def test_an_image_that_a_post_shows_is_due_until_there_is_a_copy(store):
    post = a_post("a")
    put(store, post)
    refer(store, {post: [CAT, DOG]})
    assert sorted(due(store)) == [CAT, DOG]
    assert read(store, "find", CAT) is None
    copied(store, a_copy(CAT))
    assert due(store) == [DOG]
    assert read(store, "find", CAT) == Mirrored(
        "media/c0/c0ffeec0ffeec0ffeec0ffeec0ffee00.png", "image/png", 10, 3, None
    )
    assert read(store, "find", DOG) is None
    assert read(store, "files") == {File("c0ffeec0ffeec0ffeec0ffeec0ffee00", "png")}
    assert read(store, "shown_by", [media_id(CAT)]) == {post.id}


def test_what_failed_is_due_again_later(store):
    post = a_post("a")
    put(store, post)
    refer(store, {post: [CAT]})
    with store.write() as tx:
        tx.media.missed([Missed(media_id(CAT), CAT, 2, NOON + timedelta(hours=1), "answered 500\0\ud800")])
    assert due(store) == []
    with store.read() as tx:
        (found,) = tx.media.due(NOON + timedelta(hours=1), 10, 10)
        assert (found.origin, found.host, found.failures) == (CAT, "one.example", 2)
        assert tx.media.figures() == MediaFigures(failed=1)


def test_what_was_put_off_while_the_clock_was_years_ahead_is_due(store):
    post = a_post("a")
    put(store, post)
    refer(store, {post: [CAT, DOG]})
    with store.write() as tx:
        tx.media.missed([Missed(media_id(CAT), CAT, 1, NOON + timedelta(days=3657), "answered 404 Not Found")])
        tx.media.missed([Missed(media_id(DOG), DOG, 2, NOON + timedelta(days=30), "answered 404 Not Found")])
    assert due(store) == [CAT]


def test_images_of_new_posts_and_of_every_host_come_first(store):
    old, new = a_post("a"), a_post("a", published=NOON + timedelta(days=9))
    put(store, old, new)
    first, second = "https://one.example/1", "https://one.example/2"
    refer(store, {old: [first, second, DOG], new: [second]})
    assert due(store) == [second, DOG, first]
    assert due(store, per_host=1) == [second, DOG]
    assert due(store, most=1) == [second]


def test_an_image_that_a_newer_post_shows_too_comes_sooner(store):
    old, new = a_post("a"), a_post("a", published=NOON + timedelta(days=9))
    put(store, old)
    refer(store, {old: ["https://one.example/1", "https://one.example/2"]})
    last = due(store)[-1]
    put(store, new)
    refer(store, {old: ["https://one.example/1", "https://one.example/2"], new: [last]})
    assert due(store)[0] == last


def test_what_no_post_shows_any_more_is_forgotten_unless_there_is_a_copy(store):
    post, other = a_post("a"), a_post("a")
    put(store, post, other)
    refer(store, {post: [CAT, DOG], other: [DOG]})
    copied(store, a_copy(CAT))
    refer(store, {other: [DOG]})
    assert due(store) == [DOG]
    assert read(store, "unshown") == [(File("c0ffeec0ffeec0ffeec0ffeec0ffee00", "png"), 10)]
    refer(store, {})
    assert due(store) == []
    assert read(store, "find", CAT) is not None


def test_copies_that_nobody_shows_are_told_oldest_first_and_one_that_another_origin_shares_is_not(store):
    post = a_post("a")
    put(store, post)
    shared, third = "https://three.example/same.png", "https://three.example/x.png"
    refer(store, {post: [CAT, DOG, shared, third]})
    copied(store, a_copy(CAT, "aaaaaa", 5), after_s=9)
    copied(store, a_copy(DOG, "bbbbbb", 7), a_copy(shared, "cccccc", 9), a_copy(third, "cccccc", 9))
    assert read(store, "figures") == MediaFigures(copies=3, bytes=21)
    refer(store, {post: [third]})
    assert [(file.hash[0], size) for file, size in read(store, "unshown")] == [("b", 7), ("a", 5)]


def test_a_copy_that_goes_is_found_no_more_and_its_file_is_known_until_it_is_removed(store):
    post = a_post("a")
    put(store, post)
    refer(store, {post: [CAT, DOG]})
    copied(store, a_copy(CAT), a_copy(DOG, "dddddd"))
    file = File("c0ffeec0ffeec0ffeec0ffeec0ffee00", "png")
    for _ in range(2):
        with store.write() as tx:
            tx.media.let_go([file])
    assert read(store, "find", CAT) is None
    assert read(store, "leaving") == [file]
    assert read(store, "held", [file, File("d" * 30 + "00", "png")]) == {File("d" * 30 + "00", "png")}
    with store.write() as tx:
        tx.media.left()
    assert read(store, "leaving") == []


def test_a_file_that_was_found_is_a_copy_that_nobody_shows_until_an_image_has_its_bytes(store):
    post = a_post("a")
    put(store, post)
    refer(store, {post: [CAT]})
    old, new = (File(f"{letter}0ffee" * 5 + "00", "png") for letter in "dc")
    with store.write() as tx:
        tx.media.take_up([Stray(new, "image/png", 10, 1_600_000_000), Stray(old, "image/png", 7, 1_500_000_000)])
    assert read(store, "unshown") == [(old, 7), (new, 10)]
    assert read(store, "figures") == MediaFigures(copies=2, bytes=17, waiting=1)
    assert due(store) == [CAT]
    copied(store, a_copy(CAT))
    assert read(store, "unshown") == [(old, 7)]
    with store.write() as tx:
        assert tx.media.lost({old, new}) == {post.id}
    assert due(store) == [CAT]  # what nobody knows the origin of is forgotten
    assert read(store, "figures") == MediaFigures(waiting=1)


def test_a_lost_copy_is_due_again_for_those_who_show_it(store):
    post, other = a_post("a"), a_post("a")
    put(store, post, other)
    refer(store, {post: [CAT, DOG], other: [CAT]})
    copied(store, a_copy(CAT), a_copy(DOG, "dddddd"))
    refer(store, {post: [DOG], other: [CAT]})
    with store.write() as tx:
        assert tx.media.lost(tx.media.files()) == {post.id, other.id}
    assert sorted(due(store)) == [CAT, DOG]
    refer(store, {post: [DOG]})
    assert due(store) == [DOG]


def test_each_change_of_a_post_is_looked_at_once_and_all_of_them_under_other_rules(store):
    one, two, held = a_post("a"), a_post("a"), a_post("a", state=State.HELD)
    put(store, one, two, held)

    def look(rules, limit=2):
        with store.write() as tx:
            batch = tx.media.unseen(rules, limit)
            tx.media.refer(rules, batch, {})
            return len(batch.ids)

    assert [look("first") for _ in range(3)] == [2, 1, 0]
    assert look("second", 9) == 3
    with store.write() as tx:
        tx.posts.withdraw([one.id], NOON)
    assert [look("second"), look("second")] == [1, 0]


def test_an_origin_that_only_shares_the_hash_of_another_has_no_copy(store, monkeypatch):
    monkeypatch.setattr("aggregator.store.media.media_id", lambda _: 7)
    post = a_post("a")
    put(store, post)
    refer(store, {post: [CAT]})
    copied(store, replace(a_copy(CAT), id=7))
    assert read(store, "find", CAT) is not None
    assert read(store, "find", DOG) is None


@pytest.mark.parametrize(("link", "is_changed"), [("https://blog.example.com/1", False), (None, True)])
def test_showing_a_post_anew_makes_its_feeds_stale_and_changes_it_only_where_it_has_a_page(store, link, is_changed):
    post, beside, held = a_post("a/b", link=link), a_post("c"), a_post("d", state=State.HELD, link=None)
    put(store, post, beside, held)

    def standing():
        with store.read() as tx:
            return {
                path: (one.changed, one.posts) for path, one in tx.feeds.categories().items()
            }, tx.feeds.newest_write()

    before, write = standing()
    with store.write() as tx:
        assert tx.posts.show_anew([post.id, held.id]) == {"", "a", "a/b"}
    after, newest = standing()
    assert newest > write
    assert {path for path in after if after[path] != before[path]} == {"", "a", "a/b"}
    assert all(after[path][1] == before[path][1] for path in after)
    with store.read() as tx:
        assert [one.id for one in tx.feeds.changed_since(write)] == ([post.id] if is_changed else [])
