from __future__ import annotations

from datetime import timedelta

from builders import NOON, a_post, an_entry

from aggregator.pipeline.searching import PAGE, index_posts, search_posts


def put(store, *posts):
    with store.write() as tx:
        tx.posts.put([an_entry(post) for post in posts], {}, NOON)
    while index_posts(store):
        pass


def marked(pieces):
    return "".join(f"[{piece.text}]" if piece.is_match else piece.text for piece in pieces)


def test_the_words_are_marked_in_the_title_and_around_the_first_match(store):
    text = "前" * 200 + "小区停电了" + "后" * 400
    put(store, a_post("a", title="停电 Docker", content=f"<p>{text}</p><p>dockers <b>docker</b></p>"))
    (hit,) = search_posts(store, "停电 docker").hits
    assert marked(hit.title) == "[停电] [Docker]"
    assert "小区[停电]了后" in marked(hit.snippet)
    assert marked(hit.snippet)[0] == marked(hit.snippet)[-1] == "…"
    assert len(marked(hit.snippet)) < 300


def test_h5_what_is_shown_is_text_and_not_markup(store):
    put(store, a_post("a", title="<script>x</script>", content="<p>a &lt;script&gt; b</p><img src='x' alt='hidden'>"))
    (hit,) = search_posts(store, "script").hits
    assert marked(hit.snippet) == "a <[script]> b"
    assert search_posts(store, "hidden").hits == ()


def test_there_are_pages_and_an_end(store):
    put(store, *(a_post("a", title=f"t {n}", published=NOON - timedelta(days=n)) for n in range(PAGE + 5)))
    first, second = search_posts(store, "t"), search_posts(store, "t", page=2)
    assert (len(first.hits), first.has_more) == (PAGE, True)
    assert (len(second.hits), second.has_more) == (5, False)
    assert search_posts(store, "t", page=10**9).hits == ()
    assert search_posts(store, "").hits == ()


def test_indexing_is_done_in_short_steps(store):
    with store.write() as tx:
        tx.posts.put([an_entry(a_post("a")) for _ in range(5)], {}, NOON)
    assert [index_posts(store, limit=2) for _ in range(4)] == [2, 2, 1, 0]
