from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from aggregator.config.document import dotted
from aggregator.config.models import Config, FeedSource, FrontMatterSource, ProxyRow, interval
from aggregator.config.reading import NOT_YET_KEYS, NOT_YET_TYPES, read_config
from aggregator.config.schema import json_schema
from aggregator.errors import ConfigError

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


def test_an_empty_file_is_all_defaults(write):
    config = read_config(write("etc/a.yaml", ""))
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
        f"sources:{POSTS}    fulltext: true\nimages:\n  rules: []\nfeeds:\n  - {{slug: x, title: X, match: a}}\n",
    )
    assert faults_of(file) == [
        "a.yaml:5: sources[0].fulltext: is not supported yet",
        "a.yaml:7: images.rules: is not supported yet",
        "a.yaml:9: feeds[0].match: is not supported yet",
    ]


@pytest.mark.parametrize("kind", sorted(NOT_YET_TYPES))
def test_kinds_of_source_that_are_not_built_yet_are_refused_by_name(write, kind):
    file = write("a.yaml", f"sources:\n  - name: x\n    type: {kind}\n    path: x\n")
    assert faults_of(file) == [f"a.yaml:3: sources[0].type: type {kind} is not supported yet"]


def test_what_is_built_is_not_called_unsupported():
    assert not NOT_YET_KEYS["sources[]"] & (set(FeedSource.model_fields) | set(FrontMatterSource.model_fields))
    assert not NOT_YET_KEYS[""] & set(Config.model_fields)


def test_a_type_that_nobody_knows_is_compared_with_those_that_are(write):
    file = write("a.yaml", "sources:\n  - name: x\n    type: fed\n")
    assert faults_of(file) == ["a.yaml:3: sources[0].type: must be front-matter or feed (did you mean feed?)"]


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
    ("text", "expected"),
    [
        ("site: [", "a.yaml:2: is not YAML: "),
        ("- a\n- b\n", "a.yaml:1: must be a mapping of keys to values"),
        (b"site: {title: \xff}", "a.yaml:1: cannot be read: it is not UTF-8"),
        ("site: x", "a.yaml:1: site: must be a mapping"),
        ("sources: x", "a.yaml:1: sources: must be a list"),
        ("sources: [x]", "a.yaml:1: sources[0]: must be a mapping with `name` and `type`"),
        ("sources: [{name: x}]", "a.yaml:1: sources[0]: `type` is required: front-matter or feed"),
        ("sources:\n  - include: /etc/*.yaml", "a.yaml:2: sources[0].include: must be a pattern relative to this file"),
        (
            "sources:\n  - {name: x, type: feed, url: ftp://x/}",
            "a.yaml:2: sources[0].url: must be an http:// or https://",
        ),
        (
            "sources:\n  - {name: x, type: feed, url: x, every: 5x}",
            "a.yaml:2: sources[0].every: is neither an interval",
        ),
        (
            "sources:\n  - {name: x, type: feed, url: x, every: adaptive}",
            "a.yaml:2: sources[0].every: `adaptive` is not",
        ),
        ("site: {timezone: Mars/Olympus}", "a.yaml:1: site.timezone: is no time zone"),
        ("site: {language: '中文'}", "a.yaml:1: site.language: is no language tag"),
        ("feeds: [{slug: category, title: x}]", "a.yaml:1: feeds[0].slug: is reserved"),
        ("feeds: [{slug: x, title: x, formats: []}]", "a.yaml:1: feeds[0].formats: must not be empty"),
        ("store: postgresql://u:p@ss:/w@host/x", "a.yaml:1: store: is no URL; a password in it needs"),
        ("sources: [{include: none.yaml}]", "a.yaml:1: sources[0].include: there is no file none.yaml"),
        ("site:\n\ttitle: x", "a.yaml:2: is not YAML: found character that cannot start any token (is there a tab?"),
        (
            "sources: [{name: x, type: front-matter, path: p, link: 'https://x/{slug}'}]",
            "a.yaml:1: sources[0].link: does not know {slug}; there are {day}, {month}",
        ),
        ("sources: &a [*a]", "a.yaml:1: holds an alias of something that it is itself part of"),
        ("sources: [{include: '.'}]", "a.yaml:1: sources[0].include: there is no file ."),
        ("sources: [{include: '**x/*.yaml'}]", "a.yaml:1: sources[0].include: is no pattern"),
        ("sources: [{name: x, type: [feed]}]", "a.yaml:1: sources[0].type: must be front-matter or feed"),
        ('output: "a\\0b"', "a.yaml:1: output: holds a NUL character"),
        ("site: {base_url: 'http://[x/'}", "a.yaml:1: site.base_url: names a host that cannot be one"),
        ("site: {title: ''}", "a.yaml:1: site.title: must not be empty"),
        ("by_category: {limit: 99999999999999999999}", "a.yaml:1: by_category.limit: should be less than or equal to"),
        (
            "output: p/feeds\nsources: [{name: x, type: front-matter, path: p}]",
            "a.yaml:2: sources[0].path: is also where feeds are published",
        ),
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


def test_a_base_url_in_another_script_becomes_a_uri(write):
    assert (
        read_config(write("a.yaml", "site: {base_url: 'https://例え.jp/x'}")).site.base_url
        == "https://xn--r8jz45g.jp/x/"
    )
