from __future__ import annotations

import queue
from pathlib import Path

import pytest
import watchfiles

from aggregator.config.models import Config
from aggregator.schedule.watching import Glances, Watcher


def config_of(folder: Path, *sources: dict[str, str]) -> Config:
    return Config.model_validate({"sources": list(sources)}, context={"folder": folder})


@pytest.fixture
def looked():
    return queue.SimpleQueue()


@pytest.fixture
def watching(looked):
    """Starts watchers, and ends them after the test."""
    started = []

    def watch(config, say=lambda _: None):
        watcher = Watcher(looked.put, say)
        watcher.start(config)
        started.append(watcher)
        return watcher

    yield watch
    for watcher in started:
        watcher.close()
        watcher._thread.join(5)
        assert not watcher._thread.is_alive()


def save_until_seen(looked, file: Path) -> set[str]:
    """Saves a file, again and again until the watcher is there to see it; the names that were then looked at."""
    for number in range(50):
        file.write_text(f"---\ntitle: {number}\n---\n")
        try:
            return looked.get(timeout=0.5)
        except queue.Empty:
            continue
    raise AssertionError("nobody saw it")


def blog(folder: Path, name: str) -> dict[str, str]:
    (folder / name).mkdir(exist_ok=True)
    return {"name": name, "type": "front-matter", "path": name}


def test_a_post_that_is_saved_is_known_of_with_the_name_of_its_source(tmp_path, looked, watching):
    watching(config_of(tmp_path, blog(tmp_path, "one"), blog(tmp_path, "two")))
    assert save_until_seen(looked, tmp_path / "two" / "post.md") == {"two"}


def test_a_post_in_a_new_folder_that_is_moved_into_place_is_known_of(tmp_path, looked, watching):
    watching(config_of(tmp_path, blog(tmp_path, "one")))
    save_until_seen(looked, tmp_path / "one" / "first.md")
    (tmp_path / "one" / "deep").mkdir()
    assert save_until_seen(looked, tmp_path / "one" / "deep" / "second.md") == {"one"}


def test_another_configuration_is_watched_from_then_on(tmp_path, looked, watching):
    watcher = watching(config_of(tmp_path, blog(tmp_path, "one")))
    save_until_seen(looked, tmp_path / "one" / "post.md")
    watcher.watch(config_of(tmp_path, blog(tmp_path, "three")))
    assert save_until_seen(looked, tmp_path / "three" / "post.md") == {"three"}


def test_a_folder_that_is_not_there_is_named_and_the_others_are_watched(tmp_path, looked, watching):
    said: list[str] = []
    gone = {"name": "gone", "type": "front-matter", "path": "gone"}
    watching(config_of(tmp_path, gone, blog(tmp_path, "one")), said.append)
    assert save_until_seen(looked, tmp_path / "one" / "post.md") == {"one"}
    assert said == [f"not watched, because it is not there: {tmp_path / 'gone'}"]


def test_a_folder_that_cannot_even_be_looked_for_leaves_the_others_watched(tmp_path, looked, watching):
    said: list[str] = []
    watching(config_of(tmp_path, {**blog(tmp_path, "x"), "path": "x" * 300}, blog(tmp_path, "one")), said.append)
    assert save_until_seen(looked, tmp_path / "one" / "post.md") == {"one"}
    assert "not watched" in said[0]


def test_whatever_the_library_raises_is_said_and_watching_goes_on(tmp_path, looked, watching, monkeypatch):
    monkeypatch.setattr("aggregator.schedule.watching._AGAIN_S", 0.01)
    real, said = watchfiles.watch, []

    def fail_once(*places, **options):
        if not said:
            raise RuntimeError("a fault of its own")
        return real(*places, **options)

    monkeypatch.setattr(watchfiles, "watch", fail_once)
    watching(config_of(tmp_path, blog(tmp_path, "one")), said.append)
    assert save_until_seen(looked, tmp_path / "one" / "post.md") == {"one"}
    assert said == ["files cannot be watched (a fault of its own): they are looked at once a minute"]


def test_a_folder_that_another_takes_the_place_of_is_watched_anew(tmp_path, looked, watching):
    watcher = watching(config_of(tmp_path, blog(tmp_path, "one")))
    save_until_seen(looked, tmp_path / "one" / "post.md")
    assert watcher.replaced() == set()
    (tmp_path / "one").rename(tmp_path / "old")
    assert watcher.replaced() == {"one"}
    blog(tmp_path, "one")
    assert watcher.replaced() == {"one"}
    assert watcher.replaced() == set()
    assert save_until_seen(looked, tmp_path / "one" / "post.md") == {"one"}


def test_a_local_feed_that_is_saved_in_place_or_by_renaming_is_noticed_once(tmp_path):
    file = tmp_path / "feed.xml"
    config = config_of(
        tmp_path, {"name": "x", "type": "feed", "url": "feed.xml"}, {"name": "y", "type": "feed", "url": "none.xml"}
    )
    file.write_text("one")
    glances = Glances(config)
    assert glances.changed() == set()
    file.write_text("another")
    assert glances.changed() == {"x"}
    (tmp_path / "new").write_text("a third")
    (tmp_path / "new").replace(file)
    assert glances.changed() == {"x"}
    assert glances.changed() == set()
    (tmp_path / "none.xml").write_text("now there")
    assert glances.changed() == {"y"}
