from aggregator.serve.pagecache import Page, PageCache


def test_what_was_not_asked_for_longest_goes_first():
    cache = PageCache(max_bytes=250)
    for name in "abab":
        cache.get(name, 1, lambda: b"x" * 100)
    assert (cache.hits, cache.made) == (2, 2)
    cache.get("a", 1, lambda: b"")
    cache.get("c", 1, lambda: b"x" * 100)
    cache.get("a", 1, lambda: b"")
    assert (cache.hits, cache.made) == (4, 3)
    cache.get("b", 1, lambda: b"x" * 100)
    assert cache.made == 4
    assert cache.size <= 250


def test_another_version_is_made_anew_and_nothing_is_not_kept():
    cache = PageCache()
    assert cache.get("a", 1, lambda: b"one").body() == b"one"
    assert cache.get("a", 2, lambda: b"two").body() == b"two"
    assert cache.get("a", 3, lambda: None) is None
    assert cache.figures()["pages_cached"] == 0


def test_a_small_page_is_not_compressed_and_a_large_one_is_the_same_each_time():
    assert Page(b"x").coding("br") == ""
    large = b"text " * 1000
    assert Page(large).coding("gzip") == "gzip"
    assert Page(large).body("gzip") == Page(large).body("gzip")
    assert len(Page(large).body("br")) < 100
