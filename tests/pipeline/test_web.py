from __future__ import annotations

import pytest
from webfeed import an_item


def test_a_feed_is_published_under_the_guids_of_its_origin(planet, feed):
    feed.items = [an_item(1), an_item(2)]
    assert planet.run().sources[0].new == 2
    assert [item["id"] for item in planet.items("category/news")] == [
        "https://site.example/?p=2",
        "https://site.example/?p=1",
    ]


def test_f10_a_304_is_not_parsed_and_validators_are_sent_back(planet, feed):
    feed.items, feed.etag = [an_item(1)], '"v1"'
    planet.run()
    before = planet.documents()
    result = planet.run()
    assert feed.asked[1].headers["If-None-Match"] == '"v1"'
    assert (result.sources[0].how, result.feeds) == ("not-modified", [])
    assert planet.documents() == before
    planet.run()
    assert feed.asked[2].headers["If-None-Match"] == '"v1"'


def test_f11_an_unchanged_body_is_not_parsed(planet, feed):
    feed.items = [an_item(1)]
    planet.run()
    result = planet.run()
    assert (result.sources[0].how, result.sources[0].is_news, result.feeds) == ("same-body", False, [])


def test_only_new_and_changed_items_are_news(planet, feed):
    feed.items = [an_item(1), an_item(2)]
    planet.run()
    feed.items = [an_item(1), an_item(2, description="edited"), an_item(3)]
    [result] = planet.run().sources
    assert (result.new, result.changed, result.unchanged) == (1, 1, 1)
    assert planet.titles() == ["Item 3", "Item 2", "Item 1"]


def test_items_that_leave_the_feed_stay_published(planet, feed):
    feed.items = [an_item(1)]
    planet.run()
    feed.items = [an_item(2)]
    planet.run()
    assert planet.titles() == ["Item 2", "Item 1"]


def test_p3_a_feed_that_became_empty_keeps_its_posts(planet, feed):
    feed.items = [an_item(1)]
    planet.run()
    feed.items = []
    [result] = planet.run().sources
    assert result.error == ""
    assert planet.titles() == ["Item 1"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, None, "500"),
        (404, None, "404"),
        (200, b"<!doctype html><html><head><title>Log in</title></head><body>x</body></html>", "an HTML page"),
        (200, b"   ", "white space"),
        (200, b"\x89PNG\r\n\x1a\n" + b"x" * 64, "PNG"),
    ],
)
def test_a_source_that_fails_keeps_its_posts_and_validators(planet, feed, status, body, words):
    feed.items, feed.etag = [an_item(1)], '"v1"'
    planet.run()
    feed.status, feed.body, feed.etag = status, body, '"v2"'
    result = planet.run()
    assert words in result.sources[0].error
    assert result.failed
    assert planet.titles() == ["Item 1"]
    with planet.store.read() as tx:
        state = tx.sources.get("web")
    assert (state.failures, state.validators.etag) == (1, '"v1"')
    feed.status, feed.body, feed.etag = 200, None, '"v1"'
    assert planet.run().sources[0].how == "not-modified"


def test_a_broken_source_leaves_the_others_published(planet, feed):
    planet.sources.insert(0, {"name": "dead", "type": "feed", "url": "http://127.0.0.1:9/feed"})
    planet.sources.insert(0, {"name": "gone", "type": "front-matter", "path": "nowhere"})
    feed.items = [an_item(1)]
    result = planet.run()
    assert {source.name: bool(source.error) for source in result.sources} == {"gone": True, "dead": True, "web": False}
    assert planet.titles() == ["Item 1"]


def test_p11_guids_that_change_at_each_fetch_make_no_new_posts(planet, feed):
    feed.items = [an_item(n, guid=f"session-{n}-a") for n in range(5)]
    planet.run()
    before = [item["id"] for item in planet.items()]
    feed.items = [an_item(n, guid=f"session-{n}-b") for n in range(5)]
    [result] = planet.run().sources
    assert result.new == 0
    assert [item["id"] for item in planet.items()] == before


def test_p11_a_guid_reused_for_a_new_post_loses_neither(planet, feed):
    feed.items = [an_item(1, guid="latest")]
    planet.run()
    feed.items = [an_item(2, guid="latest")]
    planet.run()
    feed.items = [an_item(2, guid="latest", description="edited")]
    planet.run()
    assert planet.titles() == ["Item 2", "Item 1"]
    assert "edited" in planet.items()[0]["content_html"]
    assert len({item["id"] for item in planet.items()}) == 2


def test_p11_all_guids_equal_loses_no_post_and_doubles_none(planet, feed):
    feed.items = [an_item(n, guid="same") for n in range(6)]
    planet.run()
    feed.items = [an_item(n, guid="same") for n in range(1, 7)]
    planet.run()
    assert planet.titles() == [f"Item {n}" for n in range(6, -1, -1)]


def test_p11_items_without_guid_and_link_are_told_apart(planet, feed):
    feed.items = [{"title": f"T{n}", "description": "d"} for n in range(3)]
    planet.run()
    feed.items = [{"title": f"T{n}", "description": "d"} for n in range(4)]
    [result] = planet.run().sources
    assert (result.new, result.unchanged) == (1, 3)


def test_p11_a_reused_guid_above_its_old_post_doubles_neither(planet, feed):
    for uri in ("g", "https://site.example/latest"):
        feed.items = [an_item(1, guid=uri)]
        planet.run()
        feed.items = [an_item(2, guid=uri), an_item(1, guid=uri)]
        planet.run()
        assert planet.run().sources[0].how == "same-body"
    titles = planet.titles()
    assert sorted(titles) == ["Item 1", "Item 2"]


@pytest.mark.parametrize(("before", "after"), [((1, 10), (10, 1)), ((10, 1), (1, 10)), ((1, 1), (10, 1))])
def test_p11_trust_in_guids_that_comes_and_goes_doubles_no_post(planet, feed, before, after):
    """Ten items with one GUID, or one with it: known by what they say, or by their GUID."""

    def items(count: int, guids: int) -> list[dict[str, str]]:
        return [{"title": f"T{n}", "guid": f"g{n % guids}", "description": "d"} for n in range(count)]

    feed.items = items(*before)
    planet.run()
    feed.items = items(*after)
    planet.run()
    assert sorted(planet.titles()) == sorted(f"T{n}" for n in range(max(before[0], after[0])))


def test_p11_two_new_items_on_one_page_are_two_posts(planet, feed):
    feed.items = [an_item(1, title="Forecast", link="https://site.example/f")]
    planet.run()
    feed.items = [an_item(n, title="Forecast", link="https://site.example/f") for n in (4, 3)]
    planet.run()
    assert planet.titles() == ["Forecast"] * 3


def test_p11_a_reused_guid_in_a_feed_without_dates_loses_no_post(planet, feed):
    for number in (1, 2):
        feed.items = [
            {"title": f"T{number}", "guid": "g", "link": f"https://site.example/{number}", "description": "d"}
        ]
        planet.run()
    assert sorted(planet.titles()) == ["T1", "T2"]


def test_p11_two_items_that_reuse_one_guid_end_no_run(planet, feed):
    feed.items = [an_item(1, guid="g")]
    planet.run()
    new = [an_item(n, guid="g", link="https://site.example/new") for n in (2, 3)]
    feed.items = new
    assert planet.run().sources[0].error == ""
    feed.items = [*new, an_item(4)]
    assert planet.run().sources[0].new == 1
    assert sorted(planet.titles()) == ["Item 1", "Item 2", "Item 3", "Item 4"]


def test_a_moved_host_makes_no_new_posts(planet, feed):
    feed.items = [an_item(n, guid=f"https://old.example/{n}", link=f"https://old.example/{n}") for n in range(1, 4)]
    planet.run()
    before = [item["id"] for item in planet.items()]
    feed.items = [an_item(n, guid=f"https://new.example/{n}", link=f"https://new.example/{n}") for n in range(1, 4)]
    [result] = planet.run().sources
    assert (result.new, result.changed) == (0, 3)
    assert [item["id"] for item in planet.items()] == before
    assert planet.items()[0]["url"] == "https://new.example/3"


def test_p10_what_no_database_can_hold_costs_nothing_else(planet, feed):
    item = '{"id": "\\ud800a\\u0000", "url": "https://x.example/\\ud800", "title": "t", "content_text": "c"}'
    body = f'{{"version": "https://jsonfeed.org/version/1.1", "title": "x\\ud800\\u0000", "items": [{item}]}}'
    planet.write("odd.json", body)
    planet.write("odder.json", '{"\\ud800\\u0000": 1}')
    planet.sources += [{"name": name, "type": "feed", "url": f"{name}.json"} for name in ("odd", "odder")]
    feed.items = [an_item(1, guid="x" * 20_000)]
    result = planet.run()
    assert {source.name: bool(source.error) for source in result.sources} == {"web": False, "odd": False, "odder": True}
    assert sorted(planet.titles()) == ["Item 1", "t"]


def test_a_fault_of_ours_in_one_source_leaves_the_others_published(planet, feed, monkeypatch):
    import aggregator.pipeline.digesting as web

    real = web.parse_feed

    def parse(body, *, url, **options):
        if url.startswith("file:"):
            raise ZeroDivisionError("a bug")
        return real(body, url=url, **options)

    monkeypatch.setattr(web, "parse_feed", parse)
    planet.write("bad.xml", "<rss/>")
    planet.sources.append({"name": "bad", "type": "feed", "url": "bad.xml"})
    feed.items = [an_item(1)]
    good, bad = planet.run().sources
    assert (good.error, bad.error) == ("", "unexpected ZeroDivisionError: a bug")
    assert planet.titles() == ["Item 1"]


def test_http_to_https_is_the_same_post(planet, feed):
    feed.items = [{"title": "T", "link": "http://site.example/1", "description": "d"}]
    planet.run()
    feed.items = [{"title": "T", "link": "https://site.example/1", "description": "d"}]
    [result] = planet.run().sources
    assert (result.new, result.changed) == (0, 1)


def test_a_change_of_rules_makes_stored_posts_anew_without_fetching_them(planet, feed):
    feed.items, feed.etag = [an_item(1), an_item(2)], '"v1"'
    planet.run()
    feed.items = [an_item(3)]
    feed.etag = '"v2"'
    planet.run()
    planet.sources[0]["category"] = "other"
    [result] = planet.run().sources
    assert (result.how, result.changed) == ("not-modified", 3)
    assert planet.titles("category/other") == ["Item 3", "Item 2", "Item 1"]
    assert planet.items("category/news") == []


def test_a_change_of_rules_together_with_a_changed_body_counts_each_post_once(planet, feed):
    feed.items = [an_item(1), an_item(2)]
    planet.run()
    feed.items = [an_item(1), an_item(2, description="edited")]
    planet.sources[0]["category"] = "other"
    [result] = planet.run().sources
    assert (result.new, result.changed) == (0, 2)
    assert "edited" in planet.items("category/other")[0]["content_html"]


def test_a_local_file_is_a_feed_too(planet, feed):
    feed.items = [an_item(1)]
    planet.write("local.xml", feed.rss())
    planet.sources[:] = [{"name": "local", "type": "feed", "url": "local.xml"}]
    assert planet.run().sources[0].new == 1
    assert planet.run().sources[0].how == "same-body"
    (planet.folder / "local.xml").unlink()
    assert "cannot be read: No such file" in planet.run().sources[0].error


def test_p10_control_characters_spoil_no_document(planet, feed):
    feed.items = [an_item(1, title="a&#1;b\x02c", description="d&#xFFFE;e")]
    planet.run()
    assert planet.titles() == ["abc"]


def test_h3_unsafe_links_are_not_published(planet, feed):
    feed.items = [an_item(1, link="java&#9;script:alert(1)", guid="javascript:alert(2)", description="x")]
    planet.run()
    for name, (body, _) in planet.documents().items():
        assert b"script:" not in body, name


def test_a_contact_in_another_script_is_sent_as_ascii(planet, feed):
    planet.settings["fetch"] = {"contact": "张三\r\nX-Forged: 1"}
    feed.items = [an_item(1)]
    assert planet.run().sources[0].error == ""
    agent = feed.asked[0].headers["User-Agent"]
    assert agent.isascii()
    assert "X-Forged" not in feed.asked[0].headers


def test_the_hub_that_a_feed_names_is_remembered_until_a_new_document_names_another(planet, feed):
    feed.items, feed.etag = [an_item(1)], '"v1"'
    feed.headers = {"Link": '<https://hub.example/>; rel="hub", <https://site.example/f>; rel="self"'}
    planet.run()
    assert (planet.state().hub, planet.state().topic) == ("https://hub.example/", "https://site.example/f")
    feed.headers = {}
    planet.run()  # a 304 changes nothing
    feed.etag = ""
    planet.run()  # nor does the same body
    assert planet.state().hub == "https://hub.example/"
    feed.items = [an_item(2)]
    planet.run()
    assert (planet.state().hub, planet.state().topic) == ("", "")


def test_f16_a_topic_that_holds_what_the_source_is_asked_with_is_not_remembered(planet, feed):
    feed.items = [an_item(1)]
    feed.headers = {"Link": '<https://hub.example/>; rel="hub", <https://site.example/p4ssw0rd/f>; rel="self"'}
    planet.sources[0]["headers"] = {"X-Key": "p4ssw0rd"}
    planet.run()
    assert (planet.state().hub, planet.state().topic) == ("", "")
