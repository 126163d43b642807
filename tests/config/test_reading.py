from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from aggregator.config.document import dotted
from aggregator.config.fields import interval
from aggregator.config.images import ProxyRow
from aggregator.config.models import ByCategory, Config, FeedConfig, Site, Websub
from aggregator.config.reading import NOT_YET_KEYS, find_faults, read_config
from aggregator.config.schema import json_schema
from aggregator.config.sources import FeedSource, FrontMatterSource, JsonSource, PageSource, RsshubSource
from aggregator.errors import ConfigError

PAGE = "a.yaml:1: sources[0]."
POSTS = """
  - name: blog
    type: front-matter
    path: posts
"""


def faults_of(file: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read_config(file, environment or {})
    return [str(fault).replace(f"{file.parent}/", "") for fault in raised.value.faults]


def test_a_section_that_is_commented_out_is_as_if_it_were_not_there(write):
    assert read_config(write("a.yaml", "sources:\n#  - x\nfeeds:\n")).sources == ()


@pytest.mark.parametrize("text", ["", "\n", "# site:\n#   title: x\n", "---\n"])
def test_a_file_without_anything_is_refused_because_it_would_withdraw_every_post(write, text):
    assert faults_of(write("a.yaml", text)) == ["a.yaml:1: is empty; `aggregator init DIR` writes one to begin with"]


def test_a_file_that_says_nothing_of_anything_is_all_defaults(write):
    config = read_config(write("etc/a.yaml", "sources:\n"))
    assert config.sources == ()
    assert config.output.name == "feeds"
    assert config.by_category.enabled


def test_paths_are_relative_to_the_file_they_stand_in(write, tmp_path):
    write("etc/sources.d/b.yaml", "name: local\ntype: feed\nurl: b.xml\n")
    config = read_config(
        write("etc/a.yaml", f"store: sqlite:///x.db\noutput: out\nsources:{POSTS}  - include: sources.d/*.yaml\n")
    )
    blog, local = config.sources
    assert isinstance(blog, FrontMatterSource)
    assert isinstance(local, FeedSource)
    assert blog.path == tmp_path / "etc" / "posts"
    assert local.url == str(tmp_path / "etc" / "sources.d" / "b.xml")
    assert config.output == tmp_path / "etc" / "out"
    assert config.store == f"sqlite:///{tmp_path}/etc/x.db"


def test_every_fault_is_told_at_once_with_file_line_and_key(write):
    file = write(
        "a.yaml",
        "site:\n  titel: x\n  base_url: ftp://x\nstore: mysql://x\nsources:\n"
        "  - name: A b\n    type: feed\n  - name: y\n    type: front-matter\n    path: p\n    dialekt: hexo\n",
    )
    assert faults_of(file) == [
        "a.yaml:2: site.titel: unknown key (did you mean title?)",
        "a.yaml:3: site.base_url: must be an absolute http:// or https:// URL without query or fragment",
        "a.yaml:4: store: must be sqlite:///PATH or postgresql://USER@HOST/NAME",
        "a.yaml:6: sources[0].name: may hold only lower-case letters, digits and hyphens, 100 at the most",
        "a.yaml:6: sources[0].url: is required",
        "a.yaml:11: sources[1].dialekt: unknown key (did you mean dialect?)",
    ]


def test_a_key_given_twice_is_refused(write):
    assert faults_of(write("a.yaml", "site:\n  title: a\n  title: b\n")) == [
        "a.yaml:3: site.title: is given twice, first on line 2"
    ]


def test_names_and_slugs_are_unique(write):
    file = write("a.yaml", f"sources:{POSTS}{POSTS}feeds:\n  - {{slug: a, title: A}}\n  - {{slug: a, title: B}}\n")
    first, second = faults_of(file)
    assert first.startswith("a.yaml:6: sources[1].name: is taken already, at")
    assert second.startswith("a.yaml:11: feeds[1].slug: is taken already, at")


def test_a_name_taken_in_an_included_file_names_both_places(write):
    write("d/b.yaml", "- name: blog\n  type: feed\n  url: b.xml\n")
    [fault] = faults_of(write("a.yaml", f"sources:{POSTS}  - include: d/*.yaml\n"))
    assert fault.startswith("d/b.yaml:1: sources[1].name: is taken already, at ")
    assert fault.endswith("a.yaml:2")


def test_a_fault_in_an_included_file_names_that_file(write):
    write("d/b.yaml", "name: b\ntype: feed\nurl: b.xml\nevry: 3h\n")
    assert faults_of(write("a.yaml", "sources:\n  - include: d/*.yaml\n")) == [
        "d/b.yaml:4: sources[0].evry: unknown key (did you mean every?)"
    ]


def test_what_is_not_built_yet_is_refused_by_name(write):
    file = write(
        "a.yaml",
        f"sources:{POSTS}feeds:\n  - {{slug: x, title: X, match: a}}\nby_category:\n  match: b\n",
    )
    assert faults_of(file) == [
        "a.yaml:6: feeds[0].match: is not supported yet",
        "a.yaml:8: by_category.match: is not supported yet",
    ]


def test_what_is_built_is_not_called_unsupported():
    models = {"": Config, "feeds[]": FeedConfig, "by_category": ByCategory}
    assert NOT_YET_KEYS.keys() <= models.keys()
    for where, keys in NOT_YET_KEYS.items():
        assert not keys & set(models[where].model_fields)


def test_a_type_that_nobody_knows_is_compared_with_those_that_are(write):
    file = write("a.yaml", "sources:\n  - name: x\n    type: fed\n  - name: y\n    type: 7\n")
    kinds = "must be front-matter, feed, rsshub, opml, page or json"
    assert faults_of(file) == [
        f"a.yaml:3: sources[0].type: {kinds} (did you mean feed?)",
        f"a.yaml:5: sources[1].type: {kinds}",
    ]


EVERY_KIND = """
sources:
  - {name: a, type: front-matter, path: posts}
  - {name: b, type: feed, url: "https://example.com/feed", auth: {username: me, password: "${PW}"}, query: {page: 2, all: true}}
  - {name: c, type: rsshub, path: /36kr/newsflashes, parameters: {limit: 5, mode: fulltext}}
  - {name: d, type: opml, path: list.opml, feeds_every: 2h}
  - {name: e, type: page, url: "https://example.com/", item: article, link: "a.more@href", date: 'time[title="a@b"]'}
  - {name: f, type: json, url: "https://example.com/api", item: "data.list[?kind=='post']", title: "join(' ', names)"}
rsshub:
  instances: [https://rsshub.example.com, {url: https://other.example.com, access_key: "${PW}"}]
"""


def test_every_kind_of_source_is_read(write):
    config = read_config(write("a.yaml", EVERY_KIND), {"PW": "hunter2"})
    assert [source.type for source in config.sources] == ["front-matter", "feed", "rsshub", "opml", "page", "json"]
    feed, page = config.sources[1], config.sources[4]
    assert isinstance(feed, FeedSource)
    assert isinstance(page, PageSource)
    assert feed.auth is not None
    assert feed.auth.password.get_secret_value() == "hunter2"
    assert {name: value.get_secret_value() for name, value in feed.query.items()} == {"page": "2", "all": "true"}
    assert page.link == "a.more@href"
    first, second = config.rsshub.instances
    assert (first.url, second.access_key.get_secret_value()) == ("https://rsshub.example.com", "hunter2")
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("feed:https://example.com/x", "https://example.com/x"),
        ("feed://https://example.com/x", "https://example.com/x"),
        ("feed://example.com/x", "http://example.com/x"),
        ("FEED://example.com/x", "http://example.com/x"),
        ("HTTPS://example.com/x", "https://example.com/x"),
    ],
)
def test_f17_the_feed_scheme_is_understood(write, written, meant):
    [source] = read_config(write("a.yaml", f"sources: [{{name: a, type: feed, url: '{written}'}}]")).sources
    assert isinstance(source, FeedSource)
    assert (source.url, source.is_local) == (meant, False)


def test_f17_a_feed_at_an_rsshub_url_is_a_route(write):
    text = (
        "rsshub: {instances: [https://r.example.com]}\nsources:\n"
        "  - {name: a, type: feed, url: 'rsshub://36kr/newsflashes', category: news}\n"
        "  - {name: b, type: feed, url: 'RSSHub:///x/y?limit=5&code=hunter2', parameters: {limit: 9}}\n"
    )
    a, b = read_config(write("a.yaml", text)).sources
    assert isinstance(a, RsshubSource)
    assert isinstance(b, RsshubSource)
    assert (a.path, a.category, a.parameters) == ("/36kr/newsflashes", "news", {})
    assert (b.path, b.parameters, b.access_code.get_secret_value()) == ("/x/y", {"limit": 9}, "hunter2")


def test_a_fault_of_an_rsshub_url_names_the_key_that_stands_in_the_file(write):
    text = (
        "rsshub: {instances: [https://r.example.com]}\nsources:\n  - name: a\n    type: feed\n    url: rsshub://a b\n"
    )
    [fault] = faults_of(write("a.yaml", text))
    assert fault.startswith("a.yaml:5: sources[0].url: must be a path such as /36kr/newsflashes")


def test_a_route_that_no_instance_is_there_for_is_a_fault(write):
    text = "sources:\n  - {name: a, type: rsshub, path: /x}\n  - {name: b, type: feed, url: 'rsshub://x'}\n"
    words = "needs `instances`, here or at the top level under `rsshub`"
    assert faults_of(write("a.yaml", text)) == [f"a.yaml:2: sources[0]: {words}", f"a.yaml:3: sources[1]: {words}"]
    own = "sources:\n  - {name: a, type: rsshub, path: /x, instances: [https://r.example.com]}\n"
    assert len(read_config(write("a.yaml", own)).sources) == 1


def test_a_route_without_instance_is_told_beside_other_faults(write):
    text = "site: {titel: x}\nsources:\n  - {name: a, type: rsshub, path: /x}\n"
    assert len(faults_of(write("a.yaml", text))) == 2


def test_defaults_of_a_json_source_can_be_read(write):
    text = "sources: [{name: a, type: json, url: 'https://x.example/', item: '@'}]"
    [source] = read_config(write("a.yaml", text)).sources
    assert isinstance(source, JsonSource)
    read_config(write("b.yaml", text.replace("item: '@'", f"item: '@', link: '{source.link}', id: '{source.id}'")))


def test_fulltext_needs_trafilatura(write, monkeypatch):
    file = write("a.yaml", "sources: [{name: a, type: feed, url: 'https://x.example/', fulltext: true}]")
    [source] = read_config(file).sources
    assert isinstance(source, FeedSource)
    assert source.fulltext
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert faults_of(file) == [
        "a.yaml:1: sources[0].fulltext: needs trafilatura: pip install -e '.[fulltext]'",
    ]


def test_light_configurations_do_not_import_what_reads_selectors(write):
    file = write("a.yaml", "sources: [{name: a, type: feed, url: 'https://x.example/'}]")
    script = (
        "import sys; from pathlib import Path; from aggregator.config.reading import read_config\n"
        f"read_config(Path({str(file)!r}))\n"
        "print(sorted({'cssselect', 'jmespath', 'lxml', 'trafilatura', 'apscheduler', 'requests'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_files_and_folders_that_are_not_there_are_told(write, tmp_path):
    for name in ("etc/list.opml", "etc/here.pem", "etc/d/pw"):
        write(name, "x")
    text = """
    sources:
      - {name: a, type: front-matter, path: posts}
      - {name: b, type: feed, url: none.xml, ca_bundle: here.pem, headers_file: none.txt}
      - {name: c, type: opml, path: list.opml, cookies_file: none.txt}
      - {name: d, type: opml, path: none.opml, auth: {username: u, password_file: "${PW}"}}
      - {name: e, type: rsshub, path: /x, query_file: d, instances: [{url: "https://r.example", access_key_file: none}]}
      - {name: f, type: page, url: "https://x.example/", item: a, ca_bundle: none.pem}
      - {name: g, type: feed, url: "x.example/feed?token=${PW}"}
      - include: d/*.yaml
    rsshub: {instances: [{url: "https://r.example", access_key_file: none}]}
    """
    write("etc/d/b.yaml", "{name: z, type: feed, url: 'https://x.example/', auth: {username: u, password_file: pw}}")
    config, faults, missing = find_faults(write("etc/a.yaml", text), {"PW": "hunter2"})
    assert config is not None
    assert faults == []
    etc = tmp_path / "etc"
    no_file = f"there is no such file; paths here are relative to {etc}"
    no_feed = "there is no file {}; does its URL lack the https://?"
    assert [str(fault).replace(f"{etc}/a.yaml:", "") for fault in missing] == [
        f"3: sources[0].path: there is no folder {etc}/posts",
        f"4: sources[1].url: {no_feed.format(etc / 'none.xml')}",
        f"4: sources[1].headers_file: {no_file}",
        f"5: sources[2].cookies_file: {no_file}",
        f"6: sources[3].path: {no_feed.format(etc / 'none.opml')}",
        f"6: sources[3].auth.password_file: {no_file}",
        f"7: sources[4].query_file: {no_file}",
        f"7: sources[4].instances[0].access_key_file: {no_file}",
        f"8: sources[5].ca_bundle: {no_file}",
        "9: sources[6].url: there is no such file; does its URL lack the https://?",
        f"11: rsshub.instances[0].access_key_file: {no_file}",
    ]


def test_paths_that_no_file_can_have_are_no_surprise(write):
    text = f"sources: [{{name: a, type: feed, url: {'x' * 300}, ca_bundle: {'y' * 300}}}, {{name: b, type: opml, path: ~nobody-here/x}}]"
    _, faults, missing = find_faults(write("a.yaml", text))
    assert [fault.message for fault in faults] == ["starts with the home folder of a user who is not known here"]
    assert [fault.key for fault in missing] == ["sources[0].url", "sources[0].ca_bundle"]
    [fault] = faults_of(write("b.yaml", f"sources: [include: {'x' * 300}]"))
    assert "must be a pattern" in fault


def test_a_file_of_secrets_that_may_not_be_read_is_told(write, monkeypatch):
    write("pw", "x")
    text = "sources: [{name: a, type: feed, url: 'https://x.example/', auth: {username: u, password_file: pw}}]"
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests may run as root, who may read everything
    _, _, [fault] = find_faults(write("a.yaml", text))
    assert str(fault).endswith("a.yaml:1: sources[0].auth.password_file: the file cannot be read by this user")


def test_a_password_may_be_empty_and_stands_in_one_place(write):
    text = "sources: [{name: a, type: feed, url: 'https://x.example/', auth: {username: u}}]"
    assert len(read_config(write("a.yaml", text)).sources) == 1
    [fault] = faults_of(
        write("a.yaml", text.replace("username: u", "username: u, password: hunter2, password_file: b"))
    )
    assert fault == "a.yaml:1: sources[0].auth: has both `password` and `password_file`"


def test_environment_variables_stand_for_secrets(write):
    file = write("a.yaml", "store: postgresql://me:${PASSWORD}@host/db\nsite: {title: 'costs $${5}'}\n")
    config = read_config(file, {"PASSWORD": "hunter2"})
    assert config.store == "postgresql+psycopg://me:hunter2@host/db"
    assert config.site.title == "costs ${5}"


def test_a_variable_that_is_not_set_is_a_fault(write):
    assert faults_of(write("a.yaml", "store: postgresql://me:${PASSWORD}@host/db\n")) == [
        "a.yaml:1: store: the environment variable PASSWORD is not set"
    ]


def test_a_secret_is_never_echoed(write):
    file = write(
        "a.yaml", "store: ${SECRET}\nsite: {timezone: '${SECRET}', titel: '${SECRET}', base_url: '${SECRET}'}\n"
    )
    assert "hunter2" not in "\n".join(faults_of(file, {"SECRET": "hunter2"}))


@pytest.mark.parametrize(
    "entry",
    [
        "type: ${SECRET}",
        "type: feed, url: '${SECRET}:x'",
        "type: feed, url: 'ftp://me:${SECRET}@x/'",
        "type: feed, url: 'rsshub://a b?code=${SECRET}'",
        "type: feed, url: x, every: ${SECRET}, headers: {a: ['${SECRET}'], 'b c': '${SECRET}'}, max_items: '${SECRET}'",
        "type: feed, url: x, auth: {username: '${SECRET}', password: '${SECRET}', password_file: '${SECRET}'}",
        "type: feed, url: x, auth: '${SECRET}', headers: '${SECRET}', allow_private: '${SECRET}'",
        'type: feed, url: x, headers: {a: "${SECRET}\\n"}',
        "type: rsshub, path: 'x/${SECRET}', instances: ['${SECRET}', {url: '${SECRET}'}]",
        "type: page, url: '${SECRET}', item: '[${SECRET}', title: 'a ${SECRET}(', link: 'a:${SECRET}'",
        "type: json, url: '${SECRET}', item: '[${SECRET}', title: 'a ${SECRET}', link: '${SECRET}(a)', date: '`${SECRET}'",
    ],
)
def test_f16_no_secret_is_in_a_fault_of_a_source(write, entry):
    text = "".join(faults_of(write("a.yaml", f"sources: [{{name: a, {entry}}}]"), {"SECRET": "hunter2"}))
    assert text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("site: [", "a.yaml:2: is not YAML: "),
        ("- a\n- b\n", "a.yaml:1: must be a mapping of keys to values"),
        (b"site: {title: \xff}", "a.yaml:1: cannot be read: it is not UTF-8"),
        ("site: x", "a.yaml:1: site: must be a mapping"),
        ("sources: x", "a.yaml:1: sources: must be a list"),
        ("sources: [x]", "a.yaml:1: sources[0]: must be a mapping with `name` and `type`"),
        (
            "sources: [{name: x}]",
            "a.yaml:1: sources[0]: `type` is required: front-matter, feed, rsshub, opml, page or json",
        ),
        ("sources:\n  - include: /etc/*.yaml", "a.yaml:2: sources[0].include: must be a pattern relative to this file"),
        (
            "sources:\n  - {name: x, type: feed, url: ftp://x/}",
            "a.yaml:2: sources[0].url: must be an http:// or https://",
        ),
        (
            "sources:\n  - {name: x, type: feed, url: x, every: 5x}",
            "a.yaml:2: sources[0].every: is neither `adaptive`, an interval",
        ),
        (
            "sources: [{name: x, type: feed, url: x, every: '0 0 30 2 *'}]",
            "a.yaml:1: sources[0].every: is a cron expression for a day that never comes, such as 30 February",
        ),
        ('websub: {hub: "https://hub.example/\\n"}', "a.yaml:1: websub.hub: must be `builtin`, or the http://"),
        ('websub: {hub: "https://hub.example/\\r\\nX: y"}', "a.yaml:1: websub.hub: must be `builtin`, or the http://"),
        (f"websub: {{hub: 'https://{'ü' * 70}/'}}", "a.yaml:1: websub.hub: names a host that cannot"),
        ("websub: {hub: biultin}", "a.yaml:1: websub.hub: must be `builtin`, or the http:// or https:// URL"),
        ("status: {token: ''}", "a.yaml:1: status.token: must be 16 to 200 letters"),
        ("site: {timezone: Mars/Olympus}", "a.yaml:1: site.timezone: is no time zone"),
        ("site: {language: '中文'}", "a.yaml:1: site.language: is no language tag"),
        ("feeds: [{slug: category, title: x}]", "a.yaml:1: feeds[0].slug: is reserved"),
        ("feeds: [{slug: x, title: x, formats: []}]", "a.yaml:1: feeds[0].formats: must not be empty"),
        ("store: postgresql://u:p@ss:/w@host/x", "a.yaml:1: store: is no URL; a password in it needs"),
        ("store: 'postgresql://u:p[w@host/x'", "a.yaml:1: store: is no URL; a password in it needs"),
        ("sources: [{include: none.yaml}]", "a.yaml:1: sources[0].include: there is no file none.yaml"),
        ("site:\n\ttitle: x", "a.yaml:2: is not YAML: found character that cannot start any token (is there a tab?"),
        (
            "sources: [{name: x, type: front-matter, path: p, link: 'https://x/{slug}'}]",
            "a.yaml:1: sources[0].link: does not know {slug}; there are {day}, {month}",
        ),
        ("sources: &a [*a]", "a.yaml:1: holds an alias of something that it is itself part of"),
        ("sources: [{include: '.'}]", "a.yaml:1: sources[0].include: there is no file ."),
        ("sources: [{include: '**x/*.yaml'}]", "a.yaml:1: sources[0].include: is no pattern"),
        ("sources: [{name: x, type: [feed]}]", "a.yaml:1: sources[0].type: must be front-matter, feed,"),
        ('output: "a\\0b"', "a.yaml:1: output: holds a NUL character"),
        ("site: {base_url: 'http://[x/'}", "a.yaml:1: site.base_url: names a host that cannot be one"),
        ("site: {title: ''}", "a.yaml:1: site.title: must not be empty"),
        ("by_category: {limit: 99999999999999999999}", "a.yaml:1: by_category.limit: should be less than or equal to"),
        (
            "output: p/feeds\nsources: [{name: x, type: front-matter, path: p}]",
            "a.yaml:2: sources[0].path: is also where feeds are published",
        ),
        (
            "sources: [{name: x, type: page, url: 'http://x/', item: 'a['}]",
            PAGE + "item: is no CSS selector: it cannot be",
        ),
        (
            "sources: [{name: x, type: page, url: 'http://x/', item: 'a', link: 'a:b(1)@href'}]",
            PAGE + "link: is no CSS",
        ),
        ("sources: [{name: x, type: page, url: 'http://x/', item: ''}]", PAGE + "item: must not be empty"),
        (
            "sources: [{name: x, type: feed, url: 'http://exa mple/feed'}]",
            PAGE + "url: names a host or port that cannot",
        ),
        ("sources: [{name: x, type: feed, url: 'http://x.example:99999/'}]", PAGE + "url: names a host or port that"),
        ("sources: [{name: x, type: feed, url: 'http://x.example:0/'}]", PAGE + "url: names a host or port that"),
        ("sources: [{name: x, type: page, url: 'x.html', item: 'a'}]", PAGE + "url: must start with http://"),
        (
            "sources: [{name: x, type: json, url: 'http://x/', item: 'a b'}]",
            PAGE + "item: is no JMESPath expression: it",
        ),
        ("sources: [{name: x, type: json, url: 'http://x/', item: 'a(b)'}]", PAGE + "item: calls a function that"),
        ("sources: [{name: x, type: opml, path: p, fulltext: perhaps}]", PAGE + "fulltext: must be true or false"),
        ("sources: [{name: x, type: opml, path: p, max_items: many}]", PAGE + "max_items: must be a whole number"),
        (
            "sources: [{name: x, type: opml, path: p, query: {a: 1.5}}]",
            PAGE + "query.a: must be text; put it in quotes",
        ),
        ("sources: [{name: x, type: opml, path: p, query: [a]}]", PAGE + "query: must be a mapping"),
        ("sources: [{name: x, type: opml, path: p, url: u}]", PAGE + "url: unknown key (did you mean path?)"),
        ("store: 'sqlite:///:memory:'", "a.yaml:1: store: needs a file"),
        ("images: {proxies: [{name: x, path: '('}]}", "a.yaml:1: images.proxies[0].path: is no regular expression"),
        ("images: {proxies: [{name: x, path: 'a'}]}", "a.yaml:1: images.proxies[0]: without `parameter`, `path` needs"),
    ],
)
def test_each_kind_of_fault_is_said_in_words(write, text, expected):
    [fault] = faults_of(write("a.yaml", text))
    assert fault.startswith(expected)


def test_a_missing_file_says_so(tmp_path):
    assert faults_of(tmp_path / "none.yaml") == [
        "none.yaml:1: there is no such file; name one with -c, or in $AGGREGATOR_CONFIG"
    ]


def test_cron_expressions_and_intervals_are_understood(write):
    text = "sources:\n  - {name: a, type: feed, url: x, every: '*/5 * * * *'}\n  - {name: b, type: feed, url: x, every: 2h}\n"
    a, b = read_config(write("a.yaml", text)).sources
    assert interval(a.every or "") is None
    assert interval(b.every or "").total_seconds() == 7200  # type: ignore[union-attr]


def test_models_are_frozen():
    with pytest.raises(ValidationError):
        Config().by_category.depth = 5


def test_key_paths_are_written_as_people_write_them():
    assert dotted(("sources", 0, "url")) == "sources[0].url"


def test_the_schema_beside_the_default_config_is_current():
    root = Path(__file__).parents[2]
    shipped = (root / "config" / "aggregator.schema.json").read_text(encoding="utf-8")
    assert shipped == json_schema(), "run: aggregator schema > config/aggregator.schema.json"
    first_line = (root / "config" / "aggregator.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first_line == "# yaml-language-server: $schema=aggregator.schema.json"
    assert json.loads(shipped)["properties"].keys() == set(Config.model_fields)


def test_the_schema_takes_what_the_file_may_hold(write):
    """An instance may be a text, a parameter a number, and no secret is hidden from whoever edits it."""
    schema = json.loads(json_schema())
    entry = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/RsshubInstance"}]}
    assert schema["$defs"]["Rsshub"]["properties"]["instances"]["items"] == entry
    query = schema["$defs"]["FeedSource"]["properties"]["query"]
    assert query["additionalProperties"] == {"type": ["string", "integer", "boolean"]}
    assert schema["$defs"]["Auth"]["properties"]["password"]["type"] == "string"
    assert "writeOnly" not in json_schema()
    assert '"format": "password"' not in json_schema()


def test_a_row_of_the_proxy_table_has_the_fields_of_the_built_in_ones():
    from dataclasses import fields

    from aggregator.images.proxies import BUILT_IN, Proxy

    declared = {field.name: field.default for field in fields(Proxy) if field.name != "name"}
    assert {name: field.default for name, field in ProxyRow.model_fields.items() if name != "name"} == declared
    for row in BUILT_IN:
        ProxyRow(**{field.name: getattr(row, field.name) for field in fields(Proxy)})


def test_merge_keys_lend_what_a_source_does_not_say_itself(write):
    text = "sources:\n  - &base {name: a, type: feed, url: x, every: 2h}\n  - {<<: *base, name: b}\n"
    a, b = read_config(write("a.yaml", text)).sources
    assert (a.name, b.name, b.every) == ("a", "b", "2h")


def test_an_interval_is_a_year_at_the_most():
    year = interval("999999999999w")
    assert year is not None
    assert year.days == 364


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("https://例え.jp/x", "https://xn--r8jz45g.jp/x/"),
        ("https://例え.jp:8443/订阅/", "https://xn--r8jz45g.jp:8443/%E8%AE%A2%E9%98%85/"),
        ("https://a.example/%e8%AE%A2阅/", "https://a.example/%e8%AE%A2%E9%98%85/"),
        ("https://a.example/~me/a+b;c/<x>/", "https://a.example/~me/a+b;c/%3Cx%3E/"),
        ("https://[::1]:8000/", "https://[::1]:8000/"),
    ],
)
def test_a_base_url_in_another_script_becomes_a_uri(written, uri):
    assert Site(base_url=written).base_url == uri


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("builtin", "builtin"),
        ("https://hub.例え.jp", "https://hub.xn--r8jz45g.jp"),
        ("HTTPS://hub.example/订?a=阅&b=%20", "https://hub.example/%E8%AE%A2?a=%E9%98%85&b=%20"),
    ],
)
def test_a_hub_in_another_script_becomes_a_uri(written, uri):
    assert Websub(hub=written).hub == uri


@pytest.mark.parametrize("place", ["u@[::1]:5432/db", "[::1]/db", "u:p%5Bw@host:1/db?sslmode=require", "/db?host=/run"])
def test_a_postgresql_may_be_anywhere(place):
    assert Config(store=f"postgresql://{place}").store == f"postgresql+psycopg://{place}"


@pytest.mark.parametrize("every", ["0 0 29 2 *", "0 0 31 * *", "0 0 29 2 mon", "0 0 last * *"])
def test_a_cron_expression_may_come_seldom(every):
    assert FeedSource(name="x", type="feed", url="https://x/", every=every).every == every


def test_what_this_user_cannot_read_is_as_good_as_missing(write, tmp_path, monkeypatch):
    (tmp_path / "posts").mkdir()
    write("b.xml", "<rss/>")
    file = write("a.yaml", f"sources:{POSTS}  - {{name: local, type: feed, url: b.xml}}\n")
    assert find_faults(file)[2] == []
    monkeypatch.setattr("os.access", lambda path, _: Path(path).suffix == ".yaml")
    assert [str(fault).replace(f"{tmp_path}/", "") for fault in find_faults(file)[2]] == [
        "a.yaml:4: sources[0].path: the folder posts cannot be read by this user",
        "a.yaml:5: sources[1].url: the file b.xml cannot be read by this user",
    ]


def test_spaces_around_a_url_are_not_part_of_it(write):
    text = "sources: [{name: x, type: feed, url: ' http://x.example:80/a b '}]"
    assert read_config(write("a.yaml", text)).sources[0].url == "http://x.example:80/a b"


def test_a_store_on_postgresql_needs_its_driver(write, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert faults_of(write("a.yaml", "store: postgresql://x@localhost/y")) == [
        "a.yaml:1: store: needs psycopg: pip install -e '.[postgresql]'"
    ]
