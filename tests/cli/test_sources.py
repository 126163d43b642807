"""`aggregator sources`: adding a feed from a real local server, and subscription lists both ways."""

from __future__ import annotations

import io
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from pytest_httpserver import HTTPServer

from aggregator.cli.sourcefiles import Entry, as_yaml, name_for, slug, unique
from aggregator.config.reading import read_config
from aggregator.config.sources import FeedSource, RsshubSource

CONFIG = """
site: {title: Planet & Co}
store: sqlite:///store.db
fetch: {min_gap_s: 0}
sources:
  - {name: blog, type: front-matter, path: posts}
  - {name: known, type: feed, url: "https://known.example.com/feed/", category: "编程/CI\\\\/CD"}
  - include: sources.d/*.yaml
"""
RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>{0}</title><link>http://s.example/</link>
<item><title>a</title><guid>1</guid><pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"""
LIST = """<opml version="2.0"><head><title>Mine</title></head><body>
<outline text="Known" xmlUrl="http://www.known.example.com/feed"/>
<outline text="编程"><outline text="CI/CD"><outline text="Planet Debian" xmlUrl="https://planet.debian.org/rss20.xml"/>
</outline></outline>
<outline text="News" xmlUrl="https://a.example.com/feed"/><outline text="News" xmlUrl="https://b.example.com/feed"/>
<outline text="blog" xmlUrl="https://c.example.com/${X}"/>
<outline text="知乎" xmlUrl="https://www.zhihu.com/rss"/>
<outline text="no address" type="rss" xmlUrl="mailto:me@example.com"/>
<outline text="a route" xmlUrl="rsshub://36kr/newsflashes"/>
</body></opml>"""


@pytest.fixture
def config(write) -> Path:
    return write("etc/a.yaml", CONFIG)


def serve(server: HTTPServer, **documents: str) -> str:
    for path, body in documents.items():
        kind = "text/html" if body.startswith("<!doctype") else "application/xml"
        server.expect_request(f"/{path.replace('_', '/')}").respond_with_data(body, content_type=kind)
    return server.url_for("")


def page_of(*links: str) -> str:
    return "<!doctype html><title>p</title>" + "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{link}">' for link in links
    )


def written(config: Path, name: str) -> str:
    return (config.parent / "sources.d" / f"{name}.yaml").read_text(encoding="utf-8")


def test_add_finds_the_feed_of_a_page_and_notes_it_down(aggregator, config, httpserver):
    url = serve(httpserver, page=page_of("/feed"), feed=RSS.format("Planet Debian"))
    said = aggregator("sources", "add", f"{url}page", "-c", config, "--allow-private", "--category", "编程/Debian")
    file = config.parent / "sources.d" / "planet-debian.yaml"
    assert said.code == 0, said.err
    assert f"\tPlanet Debian\tRSS 2.0\t1\t2026-11-20\t{url}feed\n" in said.out
    assert said.out.endswith(f"{file} written.\nNext: aggregator run --source planet-debian -c {config}\n")
    assert file.read_text(encoding="utf-8") == dedent(
        f"""\
        # Planet Debian: RSS 2.0; found at {url}page
        - name: planet-debian
          type: feed
          url: {url}feed
          category: 编程/Debian
          allow_private: true
        """
    )
    assert aggregator("run", "-c", config, "--source", "planet-debian").out.startswith("planet-debian: 1 new")


def test_f1_a_private_address_is_refused_unless_it_is_allowed(aggregator, config, httpserver):
    url = serve(httpserver, feed=RSS.format("x"))
    said = aggregator("sources", "add", f"{url}feed", "-c", config)
    assert (said.code, said.out) == (1, "")
    assert "no public address" in said.err
    assert not (config.parent / "sources.d").exists()
    assert httpserver.log == []


def test_several_feeds_are_listed_with_the_commands_to_choose(aggregator, config, httpserver, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no terminal
    url = serve(httpserver, page=page_of("/a?x=1&y=2", "/b"), a=RSS.format("A"), b=RSS.format("B"))
    words = ("sources", "add", f"{url}page", "-c", config, "--allow-private")
    said = aggregator(*words, "--category", "a b")
    assert said.code == 2
    assert said.err.splitlines()[1:] == [
        f"  aggregator sources add '{url}a?x=1&y=2' --category 'a b' --allow-private -c {config}",
        f"  aggregator sources add {url}b --category 'a b' --allow-private -c {config}",
    ]
    assert not (config.parent / "sources.d").exists()
    assert aggregator(*words, "--yes", "--name", "mine").code == 0
    assert f"  url: {url}a?x=1&y=2\n" in written(config, "mine")


def test_on_a_terminal_one_of_several_is_asked_for(config, httpserver):
    url = serve(httpserver, page=page_of("/a", "/b"), a=RSS.format("Aaa"), b=RSS.format("Bbb"))
    words = ["sources", "add", f"{url}page", "-c", str(config), "--allow-private"]
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"7\n2\n")
    done = subprocess.run(
        [sys.executable, "-m", "aggregator", *words], stdin=terminal, capture_output=True, text=True, check=True
    )
    os.close(keyboard)
    os.close(terminal)
    assert done.stdout.count("Which one (1 to 2)") == 2
    assert f"url: {url}b\n" in written(config, "bbb")


def test_a_url_that_is_configured_is_refused_and_its_source_named(aggregator, config, httpserver):
    said = aggregator("sources", "add", "http://www.known.example.com/feed#x", "-c", config)
    assert (said.code, said.err) == (1, "It is configured already, as source known; nothing was written.\n")
    url = serve(httpserver, page=page_of("/feed"), feed=RSS.format("One"))
    assert aggregator("sources", "add", f"{url}feed", "-c", config, "--allow-private").code == 0
    again = aggregator("sources", "add", f"{url}page", "-c", config, "--allow-private")
    assert (again.code, "as source one;" in again.err) == (1, True)


def test_names_are_unique_and_no_file_is_overwritten(aggregator, config, httpserver, write):
    write("etc/sources.d/one-2.yaml", "[]")
    url = serve(httpserver, a=RSS.format("One"), b=RSS.format("One"), c=RSS.format("Blog"))
    for path in "abc":
        assert aggregator("sources", "add", f"{url}{path}", "-c", config, "--allow-private").code == 0
    assert [source.name for source in read_config(config).sources] == ["blog", "known", "blog-2", "one-3", "one"]
    for name, words in (("blog", "another source"), ("one-2", "there already"), ("A b", "only lower-case letters")):
        said = aggregator("sources", "add", f"{url}d", "-c", config, "--name", name)
        assert said.code == 2
        assert words in " ".join(said.err.replace("│", " ").split())
    assert written(config, "one-2") == "[]"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://x.example/", "must be an http:// or https:// URL"),
        ("https://", "must be an http:// or https:// URL"),
        ("http://a b/", "must be an http:// or https:// URL"),
        ("/etc/passwd", "is a file here"),
        ("rsshub://36kr/newsflashes", "needs `instances`"),
    ],
)
def test_what_can_be_no_source_is_wrong_usage(aggregator, config, url, words):
    said = aggregator("sources", "add", url, "-c", config)
    assert said.code == 2
    assert words in " ".join(said.err.replace("│", " ").split())


def test_a_page_without_a_feed_is_exit_1(aggregator, config, httpserver):
    url = serve(httpserver, page=page_of())
    said = aggregator("sources", "add", f"{url}page", "-c", config, "--allow-private")
    assert (said.code, said.out) == (1, "")
    assert f"no feed was found at {url}page: its page names none" in said.err


def test_f16_a_file_with_credentials_is_for_its_owner_alone(aggregator, config, httpserver):
    url = serve(httpserver, feed=RSS.format("Mine")).replace("http://", "http://me:hunter2@")
    said = aggregator("sources", "add", f"{url}feed?token=hunter2", "-c", config, "--allow-private")
    assert said.code == 0, said.err
    assert "hunter2" not in said.out + said.err
    assert "only you may read it" in said.err
    file = config.parent / "sources.d" / "mine.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert f"  url: {url}feed?token=hunter2\n" in text
    assert "hunter2" not in text.partition("\n")[0]
    assert httpserver.log[-1][0].authorization.password == "hunter2"


def test_a_configuration_that_does_not_take_the_file_in_is_told_how(aggregator, write, httpserver):
    config = write("a.yaml", "fetch: {allow_private: true, min_gap_s: 0}\n")
    url = serve(httpserver, feed=RSS.format("Mine"))
    said = aggregator("sources", "add", f"{url}feed", "-c", config)
    assert said.code == 0
    assert said.err == f"{config} does not take it in yet. Add below `sources:`\n  - include: sources.d/*.yaml\n"


def test_a_faulty_configuration_is_exit_2_before_anything_is_asked(aggregator, write, httpserver):
    config = write("a.yaml", "fetch: {alow_private: true}\n")
    assert aggregator("sources", "add", serve(httpserver, feed=RSS), "-c", config).code == 2
    assert httpserver.log == []


def test_a_folder_that_cannot_be_written_is_exit_1(aggregator, config, httpserver, write):
    write("etc/sources.d", "a file")
    url = serve(httpserver, feed=RSS.format("Mine"))
    said = aggregator("sources", "add", f"{url}feed", "-c", config, "--allow-private")
    assert (said.code, said.err) == (1, f"{config.parent}/sources.d is there already; nothing was written\n")


def test_f17_a_route_of_rsshub_is_asked_of_the_instance_and_noted_down(aggregator, config, httpserver):
    config.write_text(CONFIG + f"rsshub: {{instances: ['{httpserver.url_for('')}']}}\n")
    httpserver.expect_request("/36kr/newsflashes", query_string={"limit": "5"}).respond_with_data(RSS.format("36kr"))
    said = aggregator("sources", "add", "rsshub://36kr/newsflashes?limit=5", "-c", config, "--allow-private")
    assert said.code == 0, said.err
    source = read_config(config).sources[-1]
    assert isinstance(source, RsshubSource)
    assert (source.name, source.path, source.parameters) == ("36kr-newsflashes", "/36kr/newsflashes", {"limit": "5"})
    again = aggregator("sources", "add", "RSSHUB://36kr/newsflashes?limit=5", "-c", config, "--allow-private")
    assert (again.code, "as source 36kr-newsflashes" in again.err) == (1, True)
    httpserver.expect_request("/x").respond_with_data(RSS.format("x"))
    assert aggregator("sources", "add", "rsshub://x?code=hunter2", "-c", config, "--allow-private").code == 0
    assert stat.S_IMODE((config.parent / "sources.d" / "x.yaml").stat().st_mode) == 0o600
    failed = aggregator("sources", "add", "rsshub://no/such", "-c", config, "--allow-private")
    assert (failed.code, "/no/such: " in failed.err) == (1, True)


def test_import_writes_one_file_with_what_is_new(aggregator, config, write):
    file = write("My List.opml", LIST)
    dry = aggregator("sources", "import", file, "-c", config, "--dry-run")
    assert dry.out.splitlines()[1] == "planet-debian\t编程/CI\\/CD\thttps://planet.debian.org/rss20.xml"
    assert not (config.parent / "sources.d").exists()
    said = aggregator("sources", "import", file, "-c", config)
    assert said.code == 0, said.err
    assert said.out.endswith(f"my-list.yaml written.\n5 feeds imported. Next: aggregator run -c {config}\n")
    assert "http://www.known.example.com/feed: configured already, as source known\n" in said.err
    assert "rsshub://36kr/newsflashes: needs `instances`, at the top level under `rsshub`\n" in said.err
    assert "no address" in said.err
    found = {source.name: source for source in read_config(config).sources[2:]}
    debian, *rest = found
    assert debian == "planet-debian"
    assert found["planet-debian"].category == "编程/CI\\/CD"
    assert [name.rpartition("-")[0] for name in rest] == ["a-example-com", "b-example-com", "c-example-com", "zhihu"]
    weird = found[rest[2]]
    assert isinstance(weird, FeedSource)
    assert weird.url == "https://c.example.com/${X}"
    assert written(config, "my-list").startswith("# Planet Debian\n- name: planet-debian\n  type: feed\n")


def test_importing_again_brings_what_is_new_into_another_file(aggregator, config, write):
    file = write("list.opml", LIST)
    assert aggregator("sources", "import", file, "-c", config).code == 0
    before = written(config, "list")
    again = aggregator("sources", "import", file, "-c", config)
    assert (again.code, again.out) == (0, "There is nothing new in it; nothing was written.\n")
    assert "https://planet.debian.org/rss20.xml: configured already, as source planet-debian" in again.err
    file.write_text(LIST.replace("</body>", '<outline text="New" xmlUrl="https://n.example.com/"/></body>'))
    assert aggregator("sources", "import", file, "-c", config).code == 0
    assert written(config, "list") == before
    assert "- name: new\n" in written(config, "list-2")


def test_names_of_imported_feeds_do_not_depend_on_the_order_of_the_list(aggregator, write):
    outlines = [f'<outline text="News" xmlUrl="https://{host}.example/"/>' for host in "abc"]
    names = []
    for number in (1, -1):
        config = write(f"{number}/a.yaml", "sources: [{include: 'sources.d/*.yaml'}]")
        file = write(f"{number}/x.opml", f"<opml><body>{''.join(outlines[::number])}</body></opml>")
        assert aggregator("sources", "import", file, "-c", config).code == 0
        names.append({source.url: source.name for source in read_config(config).sources})
    assert names[0] == names[1]
    assert len(set(names[0].values())) == 3


def test_f16_an_imported_list_with_credentials_is_for_its_owner_alone(aggregator, config, write):
    file = write("x.opml", '<opml><body><outline text="a" xmlUrl="https://me:hunter2@x.example/?key=k"/></body></opml>')
    dry = aggregator("sources", "import", file, "-c", config, "--dry-run")
    said = aggregator("sources", "import", file, "-c", config)
    assert "hunter2" not in dry.out + dry.err + said.out + said.err
    assert stat.S_IMODE((config.parent / "sources.d" / "x.yaml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [(RSS, "a web feed, not a subscription list", 1), ("", "an empty body", 1), (None, "does not exist", 2)],
)
def test_what_is_no_list_is_told(aggregator, config, write, content, words, code):
    file = write("x.opml", content) if content is not None else config.parent / "none.opml"
    said = aggregator("sources", "import", file, "-c", config)
    assert said.code == code
    assert words in " ".join(said.err.replace("│", " ").split())


def test_a_hostile_list_cannot_forge_a_source_by_its_title(aggregator, config, write):
    title = "x&#10;- name: forged&#10;  type: front-matter&#10;  path: /&#x2028;- y"
    file = write("x.opml", f'<opml><body><outline text="{title}" xmlUrl="https://x.example/"/></body></opml>')
    assert aggregator("sources", "import", file, "-c", config).code == 0
    assert [source.type for source in read_config(config).sources] == ["front-matter", "feed", "feed"]


EXPORT = """
site: {title: Planet & Co}
store: sqlite:///store.db
fetch: {allow_private: true}
rsshub: {instances: [{url: "https://r.example.com/", access_key: hunter2}]}
sources:
  - {name: blog, type: front-matter, path: posts}
  - {name: plain, type: feed, url: "https://plain.example.com/feed?a=1&b=2", category: "编程/CI\\\\/CD"}
  - {name: closed, type: feed, url: "https://me:hunter2@closed.example.com/feed?token=hunter2&x=1", category: 编程}
  - {name: headed, type: feed, url: "https://headed.example.com/feed", headers: {X-Key: hunter2}}
  - {name: route, type: rsshub, path: /36kr/newsflashes, parameters: {limit: 5}}
  - {name: file, type: feed, url: feed.xml}
  - {name: page, type: page, url: "https://page.example.com/", item: a}
"""


def test_f16_export_is_a_list_of_the_web_feeds_without_secrets(aggregator, write, tmp_path):
    config = write("a.yaml", EXPORT)
    said = aggregator("sources", "export", "-c", config)
    assert said.code == 0, said.err
    assert "hunter2" not in said.out + said.err
    assert said.out == dedent(
        """\
        <?xml version='1.0' encoding='UTF-8'?>
        <opml version="2.0">
          <head>
            <title>Planet &amp; Co</title>
          </head>
          <body>
            <outline text="编程">
              <outline text="CI/CD">
                <outline type="rss" text="plain" title="plain" xmlUrl="https://plain.example.com/feed?a=1&amp;b=2"/>
              </outline>
              <outline type="rss" text="closed" title="closed" xmlUrl="https://closed.example.com/feed?x=1"/>
            </outline>
            <outline type="rss" text="headed" title="headed" xmlUrl="https://headed.example.com/feed"/>
            <outline type="rss" text="route" title="route" xmlUrl="https://r.example.com/36kr/newsflashes?limit=5"/>
          </body>
        </opml>
        """
    )
    words = "exported without its credentials; elsewhere it may need them."
    assert said.err.splitlines() == [
        *(f"{name}: {words}" for name in ("closed", "headed", "route")),
        "2 sources left out: what is no web feed, no other reader could ask.",
    ]
    target = tmp_path / "out.opml"
    assert aggregator("sources", "export", "-c", config, "--output", target).out == ""
    assert target.read_text(encoding="utf-8") == said.out
    assert aggregator("sources", "export", "-c", config, "--output", tmp_path / "no" / "x").code == 1
    assert not (tmp_path / "store.db").exists()


def test_an_exported_list_has_the_titles_that_the_feeds_gave_themselves(aggregator, config, httpserver):
    url = serve(httpserver, feed=RSS.format("Planet Debian"))
    assert aggregator("sources", "add", f"{url}feed", "-c", config, "--allow-private", "--name", "x").code == 0
    assert aggregator("run", "-c", config, "--source", "x").code == 0
    said = aggregator("sources", "export", "-c", config)
    assert f'title="Planet Debian" xmlUrl="{url}feed" htmlUrl="http://s.example/"' in said.out
    (config.parent / "store.db").write_bytes(b"no database" * 500)
    assert f'title="x" xmlUrl="{url}feed"' in aggregator("sources", "export", "-c", config).out


def test_feeds_of_a_subscription_list_count_as_configured_and_are_exported(aggregator, config, write, httpserver):
    url = serve(httpserver, feed=RSS.format("Listed"))
    write("etc/l.opml", f'<opml><body><outline text="F"><outline text="x" xmlUrl="{url}feed"/></outline></body></opml>')
    config.write_text(
        CONFIG.replace("min_gap_s", "allow_private: true, min_gap_s") + "  - {name: l, type: opml, path: l.opml}\n"
    )
    assert aggregator("run", "-c", config, "--source", "l").code == 0
    said = aggregator("sources", "add", f"{url}feed", "-c", config)
    assert (said.code, "configured already, as source l-" in said.err) == (1, True)
    exported = aggregator("sources", "export", "-c", config)
    assert f'xmlUrl="{url}feed"' in exported.out
    assert '<outline text="F">' in exported.out


def test_a_page_cannot_move_the_cursor_of_a_terminal(aggregator, config, httpserver):
    url = serve(httpserver, text="plain \x1b]0;owned\x07 text", feed=RSS.format("a&#x9b;31m"))
    for path in ("text", "feed"):
        said = aggregator("sources", "add", f"{url}{path}", "-c", config, "--allow-private")
        assert not {"\x1b", "\x07", "\x9b"} & set(said.out + said.err)


def test_an_exported_list_is_utf_8_whatever_the_locale(config):
    done = subprocess.run(
        [sys.executable, "-m", "aggregator", "sources", "export", "-c", str(config)],
        env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert '<outline text="编程">'.encode() in done.stdout


def test_what_is_exported_can_be_imported(aggregator, write):
    exported = aggregator("sources", "export", "-c", write("1/a.yaml", CONFIG)).out
    config = write("2/a.yaml", "sources: [{include: 'sources.d/*.yaml'}]")
    assert aggregator("sources", "import", write("2/known.opml", exported), "-c", config).code == 0
    [source] = read_config(config).sources
    assert isinstance(source, FeedSource)
    assert (source.name, source.url) == ("known", "https://known.example.com/feed/")
    assert source.category == "编程/CI\\/CD"


@pytest.mark.parametrize(
    "value",
    [
        "on",
        "1_0",
        "2024-01-02",
        "a: b",
        "a #b",
        "'x",
        "${HOME}",
        "$$",
        "编程 \U0001f600",
        "- a",
        "{a}",
        "1.10",
        "~",
        "=",
        "a\u2028b",
    ],
)
def test_whatever_is_written_is_read_back_the_same(write, value):
    keys = {"name": "x", "type": "feed", "url": f"https://x.example/{value}", "category": value, "language": "en"}
    write("x.yaml", as_yaml([Entry(keys, "x")]))
    [source] = read_config(write("a.yaml", "sources: [{include: x.yaml}]"), {}).sources
    assert isinstance(source, FeedSource)
    assert (source.url, source.category) == (keys["url"], value)
    yaml.safe_load(as_yaml([Entry(keys, "x")]))


@pytest.mark.parametrize(
    ("title", "url", "name"),
    [
        ("Planet Debian", "https://x.example/", "planet-debian"),
        ("知乎日报", "https://www.zhihu.com/x", "zhihu-com"),
        ("知乎日报 RSS", "https://www.zhihu.com/x", "zhihu-com"),
        ("x", "https://例え.jp/", "jp"),
        ("", "https://例え/", "source"),
        ("", "https://[::1]:8000/", "1"),
        ("a" * 61, "https://x.example/", "x-example"),
    ],
)
def test_names_come_from_titles_in_latin_script_else_from_hosts(title, url, name):
    assert name_for(title, url) == name


def test_a_taken_name_gets_a_number():
    assert unique("a", {"a", "a-2"}) == "a-3"
    assert slug("-" * 70 + "Ä b") == "b"
