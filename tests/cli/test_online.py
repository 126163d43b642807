"""`aggregator check --online`, against a real local server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>
<item><title>a</title><guid>1</guid><pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate></item>
<item><title>b</title><guid>2</guid><pubDate>Thu, 19 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"""


@pytest.fixture
def config(write, httpserver: HTTPServer) -> Path:
    httpserver.expect_request("/good").respond_with_data(RSS, content_type="application/rss+xml")
    httpserver.expect_request("/page").respond_with_data("<!doctype html><title>p</title>", content_type="text/html")
    httpserver.expect_request("/gone").respond_with_data("no", 404)
    httpserver.expect_request("/old").respond_with_data("", 301, headers={"Location": "/good"})
    write("posts/a.md", "---\ntitle: a\n---\n")
    write("feed.xml", RSS)
    return write(
        "a.yaml",
        f"""
fetch: {{allow_private: true, min_gap_s: 0}}
sources:
  - {{name: blog, type: front-matter, path: posts}}
  - {{name: file, type: feed, url: feed.xml}}
  - {{name: good, type: feed, url: "{httpserver.url_for("/good")}"}}
  - {{name: page, type: feed, url: "{httpserver.url_for("/page")}"}}
  - {{name: gone, type: feed, url: "{httpserver.url_for("/gone")}"}}
  - {{name: old, type: feed, url: "{httpserver.url_for("/old")}"}}
""",
    )


def test_every_web_source_is_tried_and_told_in_the_order_of_the_file(aggregator, config, httpserver):
    said = aggregator("check", "-c", config, "--online")
    assert said.code == 1
    head, good, page, gone, old = said.out.splitlines()
    assert head.endswith("6 sources, 0 feeds listed; no faults")
    assert good == "good: 2 posts, newest 2026-11-20; RSS 2.0"
    assert page.startswith("page: an HTML page, not a feed")
    assert gone.startswith("gone: ")
    assert "404" in gone
    assert old.startswith("old: 2 posts, newest 2026-11-20; RSS 2.0; ")
    assert f"moved permanently to {httpserver.url_for('/good')}" in old
    assert sorted(path.name for path in config.parent.iterdir()) == ["a.yaml", "feed.xml", "posts"]


def test_one_source_can_be_tried_alone(aggregator, config, httpserver):
    said = aggregator("check", "-c", config, "--online", "--source", "good")
    assert (said.code, said.out.splitlines()[1:]) == (0, ["good: 2 posts, newest 2026-11-20; RSS 2.0"])
    assert len(httpserver.log) == 1
    assert aggregator("check", "-c", config, "--online", "--source", "nope").code == 2
    wrong = aggregator("check", "-c", config, "--source", "good")
    assert (wrong.code, "goes with --online" in " ".join(wrong.err.split())) == (2, True)
    local = aggregator("check", "-c", config, "--online", "--source", "file")
    assert (local.code, "is no web source" in " ".join(local.err.split())) == (2, True)


def test_the_result_is_there_as_json(aggregator, config):
    said = json.loads(
        aggregator("check", "-c", config, "--online", "--json", "--source", "good", "--source", "gone").out
    )
    assert said["faults"] == said["missing"] == []
    good, gone = said["online"]
    assert good == {
        "source": "good",
        "posts": 2,
        "newest": "2026-11-20",
        "kind": "RSS 2.0",
        "warnings": [],
        "feeds": None,
        "notes": [],
        "error": None,
    }
    assert "404" in gone["error"]


def test_warnings_are_counted_on_stdout_and_told_on_stderr(aggregator, config, httpserver):
    httpserver.clear()
    httpserver.expect_request("/good").respond_with_data(RSS.replace("</channel></rss>", "<item><title>c & d"))
    said = aggregator("check", "-c", config, "--online", "--source", "good")
    assert "; 1 warning" in said.out or "; 2 warnings" in said.out
    assert "source=good" in said.err


def test_a_faulty_configuration_asks_nobody(aggregator, config, httpserver):
    config.write_text(config.read_text() + "bad: 1\n")
    assert aggregator("check", "-c", config, "--online").code == 2
    assert aggregator("check", "-c", config, "--online", "--source", "good").code == 2
    assert httpserver.log == []


def test_f16_no_secret_is_shown(aggregator, config, httpserver):
    secret = httpserver.url_for("/gone?token=hunter2").replace("http://", "http://me:hunter2@")
    entry = f'  - {{name: secret, type: feed, url: "{secret}", headers: {{X-Key: hunter2}}}}\n'
    config.write_text(config.read_text() + entry)
    for more in ((), ("--json",)):
        said = aggregator("check", "-c", config, "--online", "--source", "secret", *more)
        assert said.code == 1
        assert "hunter2" not in said.out + said.err


def test_f12_a_host_that_asked_a_run_to_wait_is_not_asked(aggregator, config, httpserver):
    httpserver.expect_request("/busy").respond_with_data("", 503, headers={"Retry-After": "3600"})
    config.write_text(
        "store: sqlite:///store.db\noutput: out\nfetch: {allow_private: true}\n"
        f"sources: [{{name: busy, type: feed, url: '{httpserver.url_for('/busy')}'}}]\n"
    )
    assert aggregator("run", "-c", config).code == 1
    said = aggregator("check", "-c", config, "--online")
    assert "asked to be left alone until" in said.out
    assert len(httpserver.log) == 1
