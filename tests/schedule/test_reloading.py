from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.config.reading import read_files
from aggregator.errors import ConfigError
from aggregator.schedule.reloading import Watched

CONFIG = "sources:\n  - {name: blog, type: front-matter, path: posts}\n  - include: more/*.yaml\n"
MORE = "{name: NAME, type: feed, url: 'https://NAME.example/feed'}\n"


@pytest.fixture
def file(write) -> Path:
    return write("a.yaml", CONFIG)


def names(config) -> list[str]:
    return [source.name for source in config.sources]


def test_a_file_that_is_saved_is_noticed_until_it_is_read(file):
    watched = Watched(file)
    assert not watched.is_changed()
    file.write_text(CONFIG + "site: {title: New}\n")
    assert watched.is_changed()
    config, faults = watched.read()
    assert config.site.title == "New"
    assert faults == []
    assert not watched.is_changed()


def test_a_file_that_is_saved_while_it_is_read_is_read_once_more(file, monkeypatch):
    saved = []

    def read(*arguments):
        found = read_files(*arguments)
        file.write_text(CONFIG + f"site: {{title: {'x' * (len(saved) + 1)}}}\n")
        saved.append(found)
        return found

    with monkeypatch.context() as patched:
        patched.setattr("aggregator.schedule.reloading.read_files", read)
        watched = Watched(file)
    assert watched.is_changed()
    watched.read()
    assert len(watched.config.site.title) == len(saved)
    assert not watched.is_changed()


def test_what_could_not_be_put_in_force_counts_as_changed_until_it_is_read_again(file):
    watched = Watched(file)
    watched.forget()
    assert watched.is_changed()
    watched.read()
    assert not watched.is_changed()


def test_a_configuration_that_is_broken_at_the_start_is_an_error(file):
    file.write_text("sources: [")
    with pytest.raises(ConfigError):
        Watched(file)


def test_included_files_that_come_and_go_are_noticed(file, write):
    watched = Watched(file)
    write("more/x.yaml", MORE.replace("NAME", "x"))
    assert watched.is_changed()
    assert names(watched.read()[0]) == ["blog", "x"]
    (file.parent / "more/x.yaml").unlink()
    assert watched.is_changed()
    assert names(watched.read()[0]) == ["blog"]


def test_r6_a_broken_file_is_refused_and_says_why_without_this_machines_folders(file, write):
    watched = Watched(file)
    write("more/x.yaml", "{name: x, type: fed}\n")
    config, faults = watched.read()
    assert config is None
    assert faults[0].startswith(str(file.parent))
    assert watched.faults == ("x.yaml:1: sources[1].type: " + faults[0].partition("type: ")[2],)
    assert not watched.is_changed()
    write("more/x.yaml", MORE.replace("NAME", "x"))
    assert watched.is_changed()
    assert names(watched.read()[0]) == ["blog", "x"]
    assert watched.faults == ()


def test_a_file_that_is_no_yaml_any_more_can_be_mended_where_its_includes_were(file, write):
    watched = Watched(file)
    file.write_text("sources: [")
    assert watched.read()[0] is None
    write("more/x.yaml", MORE.replace("NAME", "x"))
    assert watched.is_changed()


def test_other_patterns_are_read_once(file, write):
    watched = Watched(file)
    write("others/y.yaml", MORE.replace("NAME", "y"))
    file.write_text(CONFIG.replace("more/", "others/"))
    assert names(watched.read()[0]) == ["blog", "y"]
    assert not watched.is_changed()


@pytest.mark.parametrize("more", ["store: sqlite:///other.db\n", "serve: {port: 9}\n", "serve: {socket: x}\n"])
def test_what_a_daemon_holds_cannot_change_while_it_runs(file, more):
    watched = Watched(file)
    file.write_text(CONFIG + more)
    config, faults = watched.read()
    assert config is None
    assert "cannot change while the daemon runs: restart it" in faults[0]
    file.write_text(CONFIG)
    assert watched.read()[1] == []
