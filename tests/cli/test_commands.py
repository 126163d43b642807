"""The command as scripts and people use it: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aggregator.cli import main
from aggregator.cli.status import print_status
from aggregator.pipeline.standing import Status
from aggregator.store.lock import run_lock

CONFIG = """
site: {title: Planet, base_url: "https://feeds.example.com/", language: en}
store: sqlite:///store.db
output: out
sources:
  - {name: blog, type: front-matter, path: posts}
"""
POST = "---\ntitle: One\ndate: 2024-01-02\ncategories: [a]\n---\n<p>text</p>\n"


Command = Callable[..., Any]


@pytest.fixture
def config(write) -> Path:
    post = write("posts/one.md", POST)
    os.utime(post, (1, 1))  # a file saved this very moment would be read once more, to be sure
    return write("a.yaml", CONFIG)


def test_run_publishes_and_says_so_in_plain_lines(aggregator, config):
    said = aggregator("run", "-c", config)
    assert said == (0, "blog: 1 new\n1 source refreshed, 2 feeds regenerated: 11 documents written, 0 unchanged\n", "")
    assert (config.parent / "out" / "category" / "a" / "atom.xml").exists()


def test_run_says_as_json_what_it_did(aggregator, config):
    said = json.loads(aggregator("run", "-c", config, "--json").out)
    assert said["sources"][0]["new"] == 1
    assert [feed["slug"] for feed in said["feeds"]] == ["all", "category/a"]
    assert said["failed"] is False


def test_the_configuration_can_come_from_the_environment(aggregator, config, monkeypatch):
    monkeypatch.setenv("AGGREGATOR_CONFIG", str(config))
    assert aggregator("run").code == 0


def test_a_failed_source_is_exit_1_and_the_rest_is_published(aggregator, config):
    config.write_text(CONFIG + "  - {name: dead, type: feed, url: gone.xml}\n")
    said = aggregator("run", "-c", config)
    assert said.code == 1
    assert "gone.xml cannot be read" in said.err
    assert "dead: failed" in said.out
    assert (config.parent / "out" / "all" / "rss.xml").exists()


def test_a_faulty_configuration_is_exit_2_lists_all_and_touches_nothing(aggregator, config):
    config.write_text(CONFIG + "  - {name: x, type: fed}\nfeds: []\nby_category: {match: x}\n")
    said = aggregator("run", "-c", config)
    assert said.code == 2
    assert said.err.splitlines() == [
        f"{config}:7: sources[1].type: must be front-matter, feed, rsshub, opml, page or json (did you mean feed?)",
        f"{config}:8: feds: unknown key (did you mean feeds?)",
        f"{config}:9: by_category.match: is not supported yet",
    ]
    assert sorted(file.name for file in config.parent.iterdir()) == ["a.yaml", "posts"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "blgo"], "there is no source 'blgo' (did you mean blog?)"),
        (["--feed", "al"], "there is no feed 'al' (did you mean all?)"),
        (["--everything"], "No such option"),
        (["--source", "blog", "--feed", "nope"], "there is no feed 'nope'"),
    ],
)
def test_wrong_usage_is_exit_2(aggregator, config, arguments, words):
    said = aggregator("run", "-c", config, *arguments)
    assert said.code == 2
    assert words in " ".join(said.err.replace("│", " ").split())


def test_r3_beside_another_run_it_is_exit_3_and_names_the_holder(aggregator, config):
    with run_lock(f"sqlite:///{config.parent}/store.db", "aggregator run"):
        said = aggregator("run", "-c", config)
    assert said.code == 3
    assert f"another run holds the lock: aggregator run, process {os.getpid()} on " in said.err


def test_r3_beside_a_daemon_a_source_that_is_in_no_list_is_wrong_usage_too(aggregator, config, write):
    write("list.opml", '<opml version="2.0"><body/></opml>')
    config.write_text(config.read_text() + "  - {name: friends, type: opml, path: list.opml}\n")
    with run_lock(f"sqlite:///{config.parent}/store.db", "aggregator daemon"):
        said = aggregator("run", "-c", config, "--source", "blgo")
    assert said.code == 2
    assert "did you mean blog?" in " ".join(said.err.replace("│", " ").split())


def test_r4_a_corrupt_store_is_exit_1_with_a_reason(aggregator, config):
    (config.parent / "store.db").write_bytes(b"no database" * 500)
    said = aggregator("run", "-c", config)
    assert (said.code, "corrupt. Move it aside" in said.err) == (1, True)


def test_warnings_can_be_read_by_machines(aggregator, config, write):
    write("posts/odd.md", "---\ntitle: a: b\ndate: 2024-01-02\n---\nx\n")
    said = aggregator("run", "-c", config, "--log-format", "json")
    event = json.loads(said.err)
    assert (event["level"], event["source"]) == ("warning", "blog")
    assert "odd.md" in event["event"]
    assert said.out.startswith("blog: 2 new, 1 read leniently, 1 warning\n")


def test_a_dry_run_asks_and_writes_nothing(aggregator, config):
    before = sorted(config.parent.rglob("*"))
    said = aggregator("run", "-c", config, "--dry-run", "--json").out
    assert json.loads(said) == {"would": ["would read blog: 1 file to read, 0 gone", "would regenerate all"]}
    assert aggregator("run", "-c", config, "--dry-run").out == (
        "would read blog: 1 file to read, 0 gone\nwould regenerate all\n"
    )
    assert sorted(config.parent.rglob("*")) == before
    aggregator("run", "-c", config)
    assert aggregator("run", "-c", config, "--dry-run").out == "would read blog: 0 files to read, 0 gone\n"


def test_without_refresh_no_source_is_asked(aggregator, config):
    said = aggregator("run", "-c", config, "--no-refresh")
    assert said.out == "0 sources refreshed, 1 feed regenerated: 6 documents written, 0 unchanged\n"


def test_a_web_feed_is_asked_only_when_it_is_due_or_named(aggregator, config, write, monkeypatch):
    write("feed.xml", "<rss version='2.0'><channel><title>t</title></channel></rss>")
    config.write_text(
        CONFIG.replace("blog, type: front-matter, path: posts", "web, type: feed, url: feed.xml, every: 1h")
    )
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1735689600")
    assert aggregator("run", "-c", config).out.startswith("web: ")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(1735689600 + 3200))
    assert aggregator("run", "-c", config).out.startswith("0 sources refreshed")
    assert aggregator("run", "-c", config, "--source", "web").out.startswith("web: ")
    assert aggregator("run", "-c", config, "--all").out.startswith("web: ")


def test_check_finds_nothing_wrong_with_a_good_configuration(aggregator, config):
    assert aggregator("check", "-c", config) == (0, f"{config}: 1 source, 0 feeds listed; no faults\n", "")


def test_check_lists_faults_and_missing_folders(aggregator, config):
    config.write_text(CONFIG + "  - {name: x, type: feed, url: none.xml}\n")
    said = aggregator("check", "-c", config)
    missing = (
        f"{config}:7: sources[1].url: there is no file {config.parent}/none.xml; does its URL lack the https://?\n"
    )
    assert said == (1, "", missing)
    config.write_text(CONFIG + "bad: 1\n")
    said = aggregator("check", "-c", config, "--json")
    [fault] = json.loads(said.out)["faults"]
    assert (said.code, fault["line"], fault["key"]) == (2, 7, "bad")


def test_status_tells_how_sources_and_feeds_stand(aggregator, config):
    before = json.loads(aggregator("status", "-c", config, "--json").out)
    assert before["sources"][0]["result"] == "never refreshed"
    assert not (config.parent / "store.db").exists()
    aggregator("run", "-c", config)
    after = json.loads(aggregator("status", "-c", config, "--json").out)
    assert (after["sources"][0]["result"], after["sources"][0]["posts"]) == ("1 new", 1)
    assert [(feed["slug"], feed["posts"]) for feed in after["feeds"]] == [("all", 1), ("category/a", 1)]
    assert "blog\t1 new\t1\t" in aggregator("status", "-c", config).out


@pytest.mark.parametrize(
    ("waits_for", "said"),
    [("failed", "answered 500"), ("failed 2 times in a row", "answered 500; failed 2 times in a row")],
)
def test_status_says_once_that_a_source_failed(capsys, waits_for, said):
    row = {"name": "web", "result": "failed", "posts": 0, "held": 0, "hidden": 0, "withdrawn": 0, "is_due": True}
    print_status(Status([{**row, "error": "answered 500", "note": None, "waits_for": waits_for}], [], {}))
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("web")]
    assert line.split("\t")[-1] == said


@pytest.mark.parametrize(("option", "wrong", "right"), [("--source", "blgo", "blog"), ("--feed", "al", "all")])
def test_an_image_is_shown_only_as_if_in_a_source_or_feed_that_there_is(aggregator, config, option, wrong, right):
    said = aggregator("image", "-c", config, option, wrong, "https://o.example.com/a.png")
    assert (said.code, f"did you mean {right}?" in said.err) == (2, True)
    assert aggregator("image", "-c", config, option, right, "https://o.example.com/a.png").code == 0


def test_status_names_sources_that_left_the_configuration(aggregator, config):
    aggregator("run", "-c", config)
    config.write_text(CONFIG.replace("name: blog", "name: other"))
    [_, former] = json.loads(aggregator("status", "-c", config, "--json").out)["sources"]
    assert (former["name"], former["posts"]) == ("blog", 1)


def test_image_tells_origin_rule_and_what_is_published(aggregator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = "https://cors.zfour.workers.dev/?https://images.weserv.nl/?url=o.example.com/a.png&w=9"
    [found] = json.loads(aggregator("image", url, "--json").out)
    assert found == {
        "url": url,
        "origin": "https://o.example.com/a.png",
        "rule": "zfour-worker > weserv",
        "published": "https://o.example.com/a.png",
    }
    [plain] = json.loads(aggregator("image", "--json", "https://o.example.com/a.png").out)
    assert (plain["origin"], plain["rule"]) == ("https://o.example.com/a.png", None)
    assert "none: it is no proxy we know" in aggregator("image", "https://o.example.com/a.png").out


def test_image_knows_the_proxies_of_the_configuration(aggregator, config):
    config.write_text(CONFIG + "images: {proxies: [{name: mine, hosts: [i.example.com], parameter: src}]}\n")
    [found] = json.loads(
        aggregator("image", "-c", config, "--json", "https://i.example.com/?src=http://o.example.com/x").out
    )
    assert (found["origin"], found["rule"]) == ("http://o.example.com/x", "mine")
    config.write_text(CONFIG + "images: {unwrap: false}\n")
    [found] = json.loads(aggregator("image", "-c", config, "--json", "https://wsrv.nl/?url=o.example.com/x").out)
    assert found["rule"] is None


def test_the_schema_is_printed(aggregator):
    assert json.loads(aggregator("schema").out)["properties"]["sources"]


def test_the_version_is_printed(aggregator):
    assert aggregator("--version").out.startswith("aggregator 0.")


def test_on_a_terminal_there_is_a_table(config):
    """Run under a pseudo-terminal, as a person would."""
    script = f"{sys.executable} -m aggregator run -c {config}"
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert "source" in done.stdout
    assert "read leniently" in done.stdout
    assert "1 new" in done.stdout


def test_interrupting_is_exit_130(config, monkeypatch, capfd):
    import aggregator.cli.commands as commands

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "app", interrupt)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert threading.active_count() >= 1
    assert "interrupted" in capfd.readouterr().err


def test_a_feed_of_a_category_that_is_not_there_is_exit_1(aggregator, config):
    said = aggregator("run", "-c", config, "--feed", "category/none")
    assert (said.code, "there is no such feed" in said.err) == (1, True)


def test_a_moment_that_is_none_is_wrong_usage(aggregator, config, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    said = aggregator("run", "-c", config)
    assert (said.code, "SOURCE_DATE_EPOCH" in said.err) == (2, True)


def test_a_file_name_cannot_forge_a_line_of_the_log(aggregator, config, write):
    write("posts/x\n2026 [error] forged.md", "---\ntitle: a: b\n---\nx\n")
    said = aggregator("run", "-c", config)
    assert not any(line.startswith("2026 [error]") for line in said.err.splitlines())


def test_f16_status_shows_where_private_feeds_are_only_where_that_is_asked_for(aggregator, config):
    text = config.read_text() + "feeds:\n  - {slug: mine, title: Mine, private: true, token: s3cret-s3cret-s3cret}\n"
    config.write_text(text)
    said = aggregator("run", "-c", config, "--json")
    assert "private/***/mine/rss.xml" in said.out
    for options in ([], ["--json"]):
        shown = aggregator("status", "-c", config, *options)
        assert "mine" in shown.out
        assert "s3cret" not in said.out + said.err + shown.out + shown.err
    assert "/private/s3cret-s3cret-s3cret/mine/" in aggregator("status", "-c", config, "--private").out


def test_image_tells_by_which_rule_it_is_published(aggregator, config):
    rules = (
        "images: {rules: [{hosts: '*.cn', sources: blog, action: proxy}, {wrap: 'https://wsrv.nl/?url={href:q}'}]}\n"
    )
    config.write_text(CONFIG + rules)
    said = aggregator("image", "-c", config, "https://o.example.com/a.png").out
    assert "published  https://wsrv.nl/?url=https%3A%2F%2Fo.example.com%2Fa.png" in said
    assert "by         images.rules[1] (wrap)" in said
    url = "https://wx1.sinaimg.cn/a.jpg"
    [signed] = json.loads(aggregator("image", "-c", config, "--source", "blog", "--json", url).out)
    assert signed["published"].startswith("https://feeds.example.com/img/")
    [again] = json.loads(aggregator("image", "-c", config, "--source", "blog", "--json", signed["published"]).out)
    assert again == {**signed, "url": signed["published"]}


def test_image_tells_which_rules_could_not_do_their_job(aggregator, config):
    rules = "images: {rules: [{action: mirror}, {wrap: 'https://i0.wp.com/{host}{path}?ssl=1'}]}\n"
    config.write_text(CONFIG + rules)
    said = aggregator("image", "-c", config, "http://o.example.com/a.png").out
    assert "passed on  by images.rules[0] (mirror): there is no copy, or none yet" in said
    assert "passed on  by images.rules[1] (wrap): its template cannot hold this URL" in said
    assert "by         no rule: it is linked to" in said
