"""`aggregator check --images`: hosts on the loopback of which one is dead, one refuses strangers, one has a placeholder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from pictures import picture
from servers import Server, header, kept, response

from aggregator.cli.checkimages import _longest
from aggregator.config.reading import read_config
from aggregator.pipeline.imaging.verdicts import Shown

PIXEL = picture("GIF", (1, 1))


class Hosts(NamedTuple):
    dead: Server
    blocked: Server
    placeholder: Server
    fine: Server


@pytest.fixture
def hosts():
    def refuses_strangers(connection, request):
        is_own = header(request, "referer") == f"http://{header(request, 'host')}/"
        connection.sendall(response(picture()) if is_own else response(b"no", status="403 Forbidden"))
        return "keep"

    answers = (kept({}), refuses_strangers, kept({"/a.jpg": response(PIXEL)}), kept({"/a.jpg": response(picture())}))
    found = Hosts(*(Server(answer, address=f"127.0.0.{number}") for number, answer in enumerate(answers, 2)))
    yield found
    for server in found:
        server.close()


@pytest.fixture
def config(write, aggregator, hosts) -> Path:
    """A planet that was published, with one image of each host in its posts, and the dead one in two of them."""
    for number, server in enumerate((*hosts, hosts.dead), 1):
        date = f"2024-01-0{number} 00:00:00"
        text = f'---\ntitle: t\ndate: {date}\nlink: https://blog.example/{number}\n---\n<img src="http://{server.host}/a.jpg">\n'
        write(f"posts/{number}.md", text)
    file = write(
        "a.yaml",
        "site: {base_url: 'http://feeds.example.com/'}\nstore: sqlite:///store.db\noutput: out\n"
        "fetch: {allow_private: true, min_gap_s: 0}\n"
        "sources: [{name: blog, type: front-matter, path: posts}]\n"
        "feeds: [{slug: newest, title: n, limit: 1}]\n",
    )
    assert aggregator("run", "-c", file).code == 0
    return file


def test_exactly_the_dead_the_blocked_and_the_placeholder_are_reported(aggregator, config, hosts):
    said = aggregator("check", "-c", config, "--images")
    dead, blocked, placeholder, _ = (server.host for server in hosts)
    name = [host.partition(":")[0] for host in (dead, blocked, placeholder)]
    assert said.code == 1
    assert said.out.splitlines()[1:] == [
        "HOST\tFOUND\tIMAGES\tWHY\tFOR EXAMPLE",
        f"{name[0]}\tdead\t1 of 1\tanswered 404 Not Found\thttp://{dead}/a.jpg",
        f"{name[1]}\tblocked\t1 of 1\tanswered 403 Forbidden\thttp://{blocked}/a.jpg",
        f"{name[2]}\tplaceholder\t1 of 1\t1×1 pixels\thttp://{placeholder}/a.jpg",
        "4 images of 4 hosts asked for; 3 not seen by readers",
        "rules that would help, for `images.rules`:",
        f'  - {{hosts: ["{name[0]}"], action: drop}}',
        f'  - {{hosts: ["{name[1]}"], action: proxy}}',
        f'  - {{hosts: ["{name[2]}"], action: drop}}',
    ]
    assert said.err == "asking for 4 images of 4 hosts\n"
    assert len(hosts.dead.asked) == 1
    assert len(hosts.fine.asked) == 1


def test_the_rules_that_it_names_do_help(aggregator, config):
    said = aggregator("check", "-c", config, "--images")
    rules = [line for line in said.out.splitlines() if line.startswith("  - ")]
    config.write_text(config.read_text() + "\n".join(["images:", "  rules:", *rules, ""]))
    assert aggregator("run", "-c", config).code == 0
    said = aggregator("check", "-c", config, "--images")
    assert (said.code, said.out.splitlines()[1:]) == (0, ["2 images of 2 hosts asked for; readers see them"])


def test_the_images_of_one_feed_can_be_checked_alone(aggregator, config, hosts):
    said = aggregator("check", "-c", config, "--images", "--feed", "newest", "--json")
    assert said.code == 1
    found = json.loads(said.out)
    assert found["faults"] == found["missing"] == []
    (report,) = found["images"]
    url = f"http://{hosts.dead.host}/a.jpg"
    assert report == {
        "host": "127.0.0.2",
        "place": f"http://{hosts.dead.host}",
        "asked": 1,
        "rule": '- {hosts: ["127.0.0.2"], action: drop}',
        "images": [
            {
                "url": url,
                "origin": url,
                "found": "dead",
                "reason": "answered 404 Not Found",
                "feed": "newest",
                "post": "https://blog.example/5",
            }
        ],
    }
    assert said.err == ""
    assert [len(server.asked) for server in hosts] == [1, 0, 0, 0]


def test_an_image_that_our_proxy_may_not_fetch_is_refused_and_counted_apart(aggregator, config, hosts):
    def check(rule):
        with_leave = without + "fetch: {allow_private: true}\n" + rule
        config.write_text(with_leave)
        assert aggregator("run", "-c", config).code == 0
        config.write_text(with_leave.replace("allow_private: true", "allow_private: false"))
        said = aggregator("check", "-c", config, "--images", "--feed", "newest")
        return said.code, *said.out.splitlines()[2:]

    without = config.read_text().replace("fetch: {allow_private: true, min_gap_s: 0}\n", "")
    code, row, summary = check("images: {rules: [{hosts: '127.0.0.2', action: proxy}]}\n")
    why = "not asked: 127.0.0.2, which is no public address; for images only `fetch.allow_private` counts"
    assert row.startswith(f"127.0.0.2\trefused\t1 of 1\t{why}\thttp://feeds.example.com/img/")
    assert (code, summary) == (1, "0 images of 0 hosts asked for; 1 refused")
    assert check("")[0] == 0
    assert not any(server.asked for server in hosts)


def test_a_rule_goes_above_the_one_that_it_would_replace(aggregator, config):
    config.write_text(
        config.read_text() + "images: {rules: [{hosts: '*.1', action: drop}, {hosts: '*.2', action: link}]}\n"
    )
    assert aggregator("run", "-c", config).code == 0
    said = aggregator("check", "-c", config, "--images", "--feed", "newest")
    line = '  - {hosts: ["127.0.0.2"], action: drop}  # above images.rules[1], which it would replace'
    assert said.out.splitlines()[-1] == line


def test_what_takes_long_is_named(config):
    said = read_config(config)
    shown = [
        Shown(url, url, "a.example")
        for url in (f"{scheme}://a.example/{n}" for scheme in ("http", "https") for n in range(4))
    ]
    asked = said.model_copy(update={"fetch": said.fetch.model_copy(update={"min_gap_s": 2})})
    assert _longest(asked, shown) == "; the 8 of a.example take 14 seconds or more"
    assert _longest(said, shown) == _longest(asked, shown[:3]) == _longest(asked, []) == ""


def test_a_wrong_use_asks_nobody(aggregator, config, hosts):
    for words, fault in (
        (("--feed", "newest"), "goes with --images"),
        (("--images", "--feed", "newst"), "did you mean newest?"),
    ):
        said = aggregator("check", "-c", config, *words)
        assert (said.code, fault in " ".join(said.err.split())) == (2, True)
    config.write_text(config.read_text() + "bad: 1\n")
    assert aggregator("check", "-c", config, "--images").code == 2
    assert not any(server.asked for server in hosts)
