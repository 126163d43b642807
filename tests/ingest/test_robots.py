"""robots.txt as RFC 9309 has it, and as people write it."""

import time
import tracemalloc

import pytest

from aggregator.ingest.robots import MAX_BYTES, allowed, crawl_delay, read_robots, robots_url, rules_of

URL = "https://example.com/news/1"


def may(text, url=URL):
    return allowed(read_robots(text), url)


def test_the_group_that_names_us_goes_before_the_one_for_everybody():
    text = "User-agent: *\nDisallow: /\n\nUser-agent: Aggregator/1.0\nDisallow: /private\n"
    assert may(text)
    assert not may(text, "https://example.com/private/x")
    assert not may("User-agent: *\nDisallow: /\n\nUser-agent: other\nAllow: /\n")


def test_a_name_that_only_begins_like_ours_is_another():
    assert may("User-agent: aggre\nDisallow: /\n")
    assert may("User-agent: aggregator-pro\nDisallow: /\n")
    assert not may("User-agent: AGGREGATOR\nDisallow: /\n")


def test_groups_of_several_names_and_several_groups_of_one_name_are_put_together():
    text = "User-agent: a\nUser-agent: aggregator\nSitemap: https://x/\nUser-agent: b\n# and\n\nDisallow: /a\n"
    text += "User-agent: c\nDisallow: /c\nUser-agent: aggregator\nDisallow: /b\n"
    assert [may(text, f"https://example.com/{path}") for path in "abcd"] == [False, False, True, True]


def test_a_group_without_rules_forbids_nothing():
    assert may("User-agent: *\nDisallow: /\nUser-agent: aggregator\n")
    assert may("User-agent: *\nDisallow: /\nUser-agent: aggregator\nDisallow:\n")


def test_the_longest_rule_wins_with_wildcards_and_ends():
    text = "User-agent: *\nDisallow: /news/\nAllow: /news/*.html$\n"
    assert may(text, "https://example.com/news/x.html")
    assert not may(text, "https://example.com/news/x.html?page=2")
    assert not may(text, "https://example.com/news/x")


def test_robots_txt_itself_may_always_be_asked():
    assert may("User-agent: *\nDisallow: /\n", "https://example.com/robots.txt")
    assert allowed(rules_of(None), "https://example.com/robots.txt")


@pytest.mark.parametrize(
    "text", ["", "\ufeff", "<!DOCTYPE html><html><body>User-agent</body></html>", "\0\0\0", ":::\n"]
)
def test_what_is_no_robots_txt_holds_no_rules(text):
    assert may(text)


def test_a_byte_order_mark_and_odd_spelling_are_read():
    assert not may("\ufeffUSER AGENT : *\r\nDISALLOW : /news\r\n")
    assert not may("User-agent: *\rDisallow: /news")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 302])
def test_without_a_robots_txt_everything_is_allowed(status):
    rules = rules_of(status, b"User-agent: *\nDisallow: /\n")
    assert allowed(rules, URL)
    assert not rules.reason


@pytest.mark.parametrize("status", [500, 503, 599, 429, None])
def test_while_it_cannot_be_read_nothing_is_and_the_reason_is_said(status):
    rules = rules_of(status, b"User-agent: *\nAllow: /\n")
    assert not allowed(rules, URL)
    assert "robots.txt could not be" in rules.reason
    assert str(status or "reached") in rules.reason


def test_what_stands_behind_500_kib_is_not_read():
    early = b"User-agent: *\nDisallow: /news\n"
    filler = b"#" * MAX_BYTES + b"\n"
    assert not allowed(rules_of(200, early + filler), URL)
    assert allowed(rules_of(200, filler + early), URL)


def test_crawl_delay_is_ours_finite_and_no_longer_than_a_day():
    assert crawl_delay(read_robots("User-agent: *\nCrawl-delay: 2.5\n")) == 2.5
    assert crawl_delay(read_robots("User-agent: *\nCrawl-delay: 99999999\n")) == 86_400
    assert crawl_delay(read_robots("User-agent: other\nCrawl-delay: 9\n")) is None
    for nonsense in ("nan", "inf", "-1", "soon", ""):
        assert crawl_delay(read_robots(f"User-agent: *\nDisallow: /x\nCrawl-delay: {nonsense}\n")) is None


def test_robots_txt_is_at_the_root_of_the_host_and_is_asked_without_credentials():
    assert robots_url("https://me:pw@example.com:8443/a/b?c=d#e") == "https://example.com:8443/robots.txt"


def test_a_file_of_many_agents_and_many_rules_is_read_at_once():
    agents = "".join(f"User-agent: a{number}\n" for number in range(15_000))
    text = agents + "User-agent: aggregator\n" + agents + "Disallow: /a*b*c*d*e\n" * 10_000
    tracemalloc.start()
    start = time.perf_counter()
    assert may(text)
    assert time.perf_counter() - start < 3
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()


def test_an_url_that_cannot_be_read_may_not_be_asked():
    assert not may("User-agent: *\nDisallow: /x\n", "https://[::1/")
