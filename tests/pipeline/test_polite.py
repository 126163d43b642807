"""Etiquette, from the configuration to the store: what hosts and feeds want is done, and secrets stay secret."""

from __future__ import annotations

import itertools
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from webfeed import Ask, Reply, an_item, rss

from aggregator.schedule.due import is_due, next_due


def source(planet: Any, name: str = "web") -> Any:
    return next(one for one in planet.config.sources if one.name == name)


def test_f10_cache_hints_put_off_the_next_question(planet, feed):
    feed.items, feed.etag, feed.headers = [an_item(1)], '"v1"', {"Cache-Control": "max-age=7200", "Age": "600"}
    planet.run()
    wanted = planet.now + timedelta(seconds=6600)
    assert next_due(source(planet), planet.state(), "UTC") == wanted
    feed.headers = {"Cache-Control": "max-age=10800"}
    assert planet.run().sources[0].how == "not-modified"
    assert next_due(source(planet), planet.state(), "UTC") == planet.now + timedelta(hours=3)


def test_a_feed_says_itself_how_often_it_changes(planet, web):
    url = web.put(1, "/feed.xml", Reply(200, rss(an_item(1), more="<ttl>240</ttl>"), {"ETag": '"1"'}))
    planet.sources.append({"name": "web", "type": "feed", "url": url})
    for _ in range(2):
        planet.run()
        assert next_due(source(planet), planet.state(), "UTC") == planet.now + timedelta(hours=4)
    assert planet.state().waits_for == "ttl"


def test_conditional_requests_take_a_part_of_a_feed_too(planet, feed):
    feed.items, feed.etag = [an_item(1)], '"v1"'
    planet.run()
    planet.run()
    assert "A-IM" not in feed.asked[0].headers
    assert feed.asked[1].headers["A-IM"] == "feed"


@pytest.mark.parametrize(
    ("said", "hours"),
    [("7200", 2), ("Wed, 01 May 2024 16:00:00 GMT", 3), ("99999999999", 24), ("-1", None), ("soon", None)],
)
def test_f12_retry_after_is_obeyed_for_the_host(planet, web, said, hours):
    reply = Reply(429, b"", {"Retry-After": said})
    for name in ("one", "two"):
        planet.sources.append({"name": name, "type": "feed", "url": web.put(1, f"/{name}", reply)})
    planet.sources.append({"name": "other", "type": "feed", "url": web.put(2, "/", Reply(200, rss(an_item(1))))})
    results = {result.name: result for result in planet.run().sources}
    assert "429" in results["one"].error
    assert results["other"].new == 1
    if hours is None:
        assert "429" in results["two"].error
        return
    # The host has said it once: the second source on it is not asked at all, and has not failed.
    assert (results["two"].how, results["two"].error) == ("waiting", "")
    assert len(web.asks(1)) == 1
    for name in ("one", "two"):
        due = next_due(source(planet, name), planet.state(name), "UTC")
        assert abs(due - planet.now - timedelta(hours=hours)) < timedelta(seconds=30)
    planet.run()  # an hour later, in another run, it still holds
    assert len(web.asks(1)) == (1 if hours > 1 else 2)


def test_f12_a_redirect_leads_to_no_host_that_wants_to_be_left_alone(planet, web):
    busy = web.put(2, "/", Reply(503, b"", {"Retry-After": "3600"}))
    planet.sources.append({"name": "busy", "type": "feed", "url": busy})
    planet.run()
    to_busy = web.put(1, "/", Reply(302, b"", {"Location": busy}))
    planet.sources.insert(0, {"name": "led", "type": "feed", "url": to_busy})
    planet.now -= timedelta(minutes=50)
    assert {result.name: result.how for result in planet.run().sources} == {"led": "waiting", "busy": "waiting"}
    assert len(web.asks(2)) == 1


@pytest.mark.parametrize("status", [301, 308])
def test_f13_a_permanent_move_is_adopted_after_three_times_and_told(planet, web, status):
    new = web.put(2, "/new.xml", Reply(200, rss(an_item(1)), {"ETag": '"1"'}))
    old = web.put(1, "/feed.xml", Reply(status, b"", {"Location": new}))
    planet.sources.append({"name": "web", "type": "feed", "url": old})
    for times in range(1, 4):
        planet.run()
        assert planet.state().url == (new if times == 3 else "")
    assert f"moved permanently to {new}" in planet.state().note
    planet.run()
    assert (len(web.asks(1)), len(web.asks(2))) == (3, 4)
    assert web.asks(2)[-1].headers["if-none-match"] == '"1"'
    assert len(planet.items()) == 1


@pytest.mark.parametrize("status", [302, 303, 307])
def test_f13_a_temporary_redirect_is_never_adopted(planet, web, status):
    new = web.put(2, "/new.xml", Reply(200, rss(an_item(1))))
    planet.sources.append(
        {"name": "web", "type": "feed", "url": web.put(1, "/", Reply(status, b"", {"Location": new}))}
    )
    for _ in range(5):
        planet.run()
    assert planet.state().url == ""
    assert len(web.asks(1)) == 5


def test_f13_an_address_that_holds_a_secret_is_not_adopted_but_told(planet, web):
    new = web.put(2, "/new.xml", Reply(200, rss(an_item(1))))
    moved = web.put(1, "/", Reply(301, b"", {"Location": f"{new}?token=hunter2hunter2"}))
    planet.sources.append({"name": "web", "type": "feed", "url": moved})
    for _ in range(4):
        planet.run()
    assert planet.state().url == ""
    assert "moved permanently" in planet.state().note
    assert "hunter2" not in repr(planet.state())


def test_f14_gone_is_told_and_probed_once_a_week(planet, feed):
    feed.items = [an_item(1)]
    planet.run()
    feed.status = 410
    result = planet.run()
    assert "410" in result.sources[0].error
    assert planet.state().gone_at == planet.now
    assert not is_due(source(planet), planet.state(), "UTC", planet.now + timedelta(days=6, hours=23))
    assert is_due(source(planet), planet.state(), "UTC", planet.now + timedelta(days=7))
    assert planet.titles() == ["Item 1"]
    feed.status = 200
    planet.run()
    assert planet.state().gone_at is None


def test_f15_many_sources_on_one_host_take_turns_and_hold_up_no_other(planet, web):
    gap = 0.05
    planet.settings["fetch"] = {"min_gap_s": gap}
    web.latency_s = 0.02
    others = threading.Barrier(16)

    def of_the_one(ask: Ask) -> Reply:
        """The third of the one host's answers waits until every other host was asked, which it may not hold up."""
        if len(web.asks(1)) == 3:
            others.wait(10)
        return Reply(200, rss(an_item(int(ask.path.removeprefix("/")))))

    def of_another(ask: Ask) -> Reply:
        others.wait(10)
        return Reply(200, rss(an_item(1)))

    for number in range(15):
        for name, url in (
            (f"one-{number}", web.put(1, f"/{number}", of_the_one)),
            (f"other-{number}", web.put(number + 2, "/", of_another)),
        ):
            planet.sources.append({"name": name, "type": "feed", "url": url})
    assert not any(result.error for result in planet.run().sources)
    one = sorted(web.asks(1), key=lambda ask: ask.begun_s)
    assert len(one) == 15
    assert all(later.begun_s - earlier.ended_s >= gap - 0.005 for earlier, later in itertools.pairwise(one))


SECRETS = {
    "password": "hunter2-password",
    "header": "s3cret-header-value",
    "cookie": "c00kie-value-of-mine",
    "query": "query+key/of=mine",
}


def _configured(url: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "type": "feed",
        "url": url,
        "auth": {"username": "me", "password": SECRETS["password"]},
        "headers": {"X-Api-Key": SECRETS["header"]},
        "cookies": {"session": SECRETS["cookie"]},
        "query": {"key": SECRETS["query"]},
        **more,
    }


def _everything(planet: Any, result: Any) -> str:
    """All that is written anywhere: the store's texts, what is published, what a run says."""
    engine = create_engine(planet.store.url)
    found = [repr(result)]
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            found += [repr(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]
    engine.dispose()
    return "\n".join(found + [body.decode(errors="replace") for body, _ in planet.documents().values()])


def _leaks(planet: Any, result: Any, caplog: pytest.LogCaptureFixture) -> list[str]:
    said = _everything(planet, result) + caplog.text
    forms = [*SECRETS.values(), "query%2Bkey%2Fof%3Dmine", "query%2Bkey", "bWU6aHVudGVyMi1wYXNzd29yZA"]
    return [form for form in forms if form in said]


def _echo(ask: Ask) -> Reply:
    """A careless server: everything that it was asked with stands in what it gives."""
    key = ask.path.partition("key=")[2]
    item = an_item(1, description=f"{ask.headers.get('x-api-key')} {ask.headers.get('cookie')}")
    link = f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="self" href="http://x.example/?key={key}"/>'
    return Reply(200, rss(item, more=link), {"ETag": '"1"'})


def test_f16_secrets_are_sent_and_shown_nowhere_when_all_is_well(planet, web, caplog):
    caplog.set_level("DEBUG")
    planet.sources.append(_configured(web.put(1, "/feed.xml", _echo)))
    result = planet.run()
    [ask] = web.asked
    assert ask.headers["authorization"].startswith("Basic ")
    assert ask.headers["x-api-key"] == SECRETS["header"]
    assert ask.headers["cookie"] == f"session={SECRETS['cookie']}"
    assert "key=query%2Bkey%2Fof%3Dmine" in ask.path
    assert result.sources[0].new == 1
    assert _leaks(planet, result, caplog) == []
    assert _leaks(planet, planet.run(), caplog) == []


def test_f16_another_host_gets_none_of_the_secrets(planet, web, caplog):
    caplog.set_level("DEBUG")
    other = web.put(2, "/there.xml", _echo)
    planet.sources.append(_configured(web.put(1, "/feed.xml", Reply(301, b"", {"Location": other}))))
    for _ in range(4):  # the last one asks the other host first, which was adopted
        result = planet.run()
        assert result.sources[0].error == ""
    told = json.dumps([[ask.path, ask.headers] for ask in web.asks(2)])
    assert len(web.asks(2)) == 4
    assert not any(secret in told for secret in ("authorization", "x-api-key", "cookie", "key="))
    assert _leaks(planet, result, caplog) == []


@pytest.mark.parametrize("trouble", ["401", "timeout", "tls", "refused", "redirect"])
def test_f16_secrets_stay_secret_when_something_goes_wrong(planet, web, caplog, trouble):
    caplog.set_level("DEBUG")
    pages = {
        "401": lambda ask: Reply(401, b"no " + ask.path.encode(), {"WWW-Authenticate": f"Basic realm={ask.path}"}),
        "redirect": lambda ask: Reply(302, b"", {"Location": "ftp://x.example/" + ask.path}),
    }
    url = web.put(1, "/feed.xml", pages.get(trouble, Reply()))
    if trouble == "timeout":
        planet.settings["fetch"] = {"timeout_s": 0.2}
        web.latency_s = 0.5
    url = {"tls": url.replace("http:", "https:"), "refused": "http://127.0.0.1:9/feed"}.get(trouble, url)
    planet.sources.append(_configured(url))
    result = planet.run()
    assert result.sources[0].error
    assert _leaks(planet, result, caplog) == []


def test_f16_secrets_come_from_files_that_are_read_anew_in_every_run(planet, web):
    planet.write("pw", "from-a-file\n")
    planet.write("headers", "# comment\nX-Api-Key: one\n")
    planet.sources.append(
        {
            "name": "web",
            "type": "feed",
            "url": web.put(1, "/", Reply(200, rss(an_item(1)))),
            "auth": {"username": "me", "password_file": "pw"},
            "headers_file": "headers",
        }
    )
    planet.run()
    planet.write("headers", "X-Api-Key: two\n")
    planet.run()
    assert [ask.headers["x-api-key"] for ask in web.asked] == ["one", "two"]
    (planet.folder / "pw").unlink()
    assert "pw cannot be read" in planet.run().sources[0].error


def test_another_address_in_the_configuration_is_asked_without_what_the_old_one_said(planet, web):
    first = web.put(1, "/", Reply(200, rss(an_item(1)), {"ETag": '"1"'}))
    planet.sources.append({"name": "web", "type": "feed", "url": first})
    planet.run()
    planet.sources[0]["url"] = web.put(2, "/", Reply(200, rss(an_item(1)), {"ETag": '"1"'}))
    planet.run()
    assert "if-none-match" not in web.asks(2)[0].headers
    assert len(planet.items()) == 1


def test_f1_private_addresses_are_refused_unless_the_source_says_otherwise(planet, web):
    planet.settings["fetch"] = {"allow_private": False}
    url = web.put(1, "/", Reply(200, rss(an_item(1))))
    planet.sources += [
        {"name": "no", "type": "feed", "url": url},
        {"name": "yes", "type": "feed", "url": url, "allow_private": True},
    ]
    results = {result.name: result for result in planet.run().sources}
    assert "allow_private" in results["no"].error
    assert results["yes"].new == 1
    assert len(web.asked) == 1


def test_an_unreachable_host_does_not_keep_a_result_waiting(planet, web):
    """What is there is stored at once, however long another source takes."""
    seen = []
    slow = web.put(2, "/", lambda _: (seen.append(planet.state("quick").ok_at), Reply(200, rss(an_item(2))))[1])
    planet.sources += [
        {"name": "quick", "type": "feed", "url": web.put(1, "/", Reply(200, rss(an_item(1))))},
        {"name": "slow", "type": "feed", "url": web.put(3, "/", lambda _: _later(0.4, slow))},
    ]
    planet.run()
    assert seen == [planet.now]


def _later(seconds: float, url: str) -> Reply:
    import time

    time.sleep(seconds)
    return Reply(302, b"", {"Location": url})
