"""The folder of images: bounded, and whatever happens to it, the worst is that an image is fetched again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from aggregator.pipeline.imaging.cache import ImageCache, Kept


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "images"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_cache(folder, clock):
    return lambda max_bytes=100_000: ImageCache(folder, max_bytes, clock=clock)


def image(body=b"bytes", media_type="image/png"):
    return Kept(body, media_type, 1_700_000_000.25, 1_600_000_000.5)


def files(folder):
    return sorted(file for file in folder.rglob("*") if file.is_file())


def test_what_is_kept_comes_back_as_it_was_also_after_a_restart(open_cache):
    cache = open_cache()
    cache.put("https://e.example/a", image())
    assert cache.get("https://e.example/a") == image()
    assert cache.get("https://e.example/b") is None
    again = open_cache()
    assert (len(again), again.size) == (1, cache.size)
    assert again.get("https://e.example/a") == image()
    again.put("https://e.example/a", image(b"other bytes"))
    assert again.get("https://e.example/a").body == b"other bytes"
    assert len(again) == 1


def test_the_least_recently_used_go_also_after_a_restart(open_cache, folder, clock):
    cache = open_cache()
    for name in "abcd":
        clock.now += 10
        cache.put(name, image(bytes(20_000)))
        os.utime(max(files(folder), key=lambda file: file.stat().st_mtime), (clock.now, clock.now))
    clock.now += 7200
    assert cache.get("a") is not None
    assert len(files(folder)) == 4
    smaller = open_cache(65_000)
    assert [smaller.get(name) is not None for name in "abcd"] == [True, False, True, True]
    assert smaller.get("c") is not None
    smaller.put("e", image(bytes(30_000)))
    assert [smaller.get(name) is not None for name in "abcde"] == [False, False, True, False, True]
    assert smaller.size <= 65_000
    assert smaller.size == sum(file.stat().st_size for file in files(folder))


def test_what_is_larger_than_all_of_it_is_not_kept(open_cache, folder):
    cache = open_cache(1000)
    cache.put("a", image(bytes(2000)))
    assert cache.get("a") is None
    assert files(folder) == []
    open_cache(0).put("a", image())
    assert files(folder) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:10],
        lambda data: b"",
        lambda data: data[:-1] + b"!",
        lambda data: data.replace(b"image/png", b"text/html"),
        lambda data: data.replace(b'"a"', b'"b"'),
        lambda data: data.replace(b"17", b"xx"),
        lambda data: b"aggregator image 1\n[]\n",
    ],
)
def test_a_torn_or_foreign_file_is_no_image_and_goes(open_cache, folder, spoil):
    cache = open_cache()
    cache.put("a", image())
    (file,) = files(folder)
    file.write_bytes(spoil(file.read_bytes()))
    assert cache.get("a") is None
    assert (len(cache), cache.size) == (0, 0)
    assert files(folder) == []
    cache.put("a", image())
    assert cache.get("a") == image()


def test_what_is_no_file_of_ours_is_left_alone(open_cache, folder, tmp_path):
    cache = open_cache()
    cache.put("a", image())
    (file,) = files(folder)
    file.unlink()
    os.mkfifo(file)
    assert cache.get("a") is None
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    file.unlink(missing_ok=True)
    file.symlink_to(outside)
    assert cache.get("a") is None
    assert outside.read_bytes() == b"secret"
    for name in ("note.txt", "aa/note.txt", "aa/" + "b" * 32, "ab"):
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"not ours")
    assert len(open_cache(0)) == 0
    assert {"note.txt", "ab"} <= {one.name for one in files(folder)}


def test_what_somebody_was_writing_who_was_killed_is_removed_later(open_cache, folder, clock):
    open_cache().put("a", image())
    (file,) = files(folder)
    draft = file.with_name(f"{file.name}.{'0' * 32}.tmp")
    draft.write_bytes(file.read_bytes()[:9])
    os.utime(draft, (clock.now, clock.now))
    assert len(open_cache()) == 1
    assert draft.exists()
    clock.now += 7200
    assert len(open_cache()) == 1
    assert not draft.exists()


def test_a_disk_that_takes_nothing_costs_the_keeping_and_no_more(open_cache, folder, monkeypatch):
    cache = open_cache()
    cache.put("a", image())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        cache.put("b", image())
    assert cache.faults == 1
    assert cache.get("b") is None
    assert cache.get("a") == image()
    assert len(files(folder)) == 1


def test_a_folder_that_cannot_be_made_is_an_empty_one(open_cache, folder):
    folder.write_bytes(b"a file")
    cache = open_cache()
    cache.put("a", image())
    assert cache.faults == 1
    assert cache.get("a") is None
    assert folder.read_bytes() == b"a file"


def test_a_folder_that_is_emptied_meanwhile_is_filled_again(open_cache, folder):
    import shutil

    cache = open_cache()
    cache.put("a", image())
    shutil.rmtree(folder)
    assert cache.get("a") is None
    assert cache.size == 0
    cache.put("a", image())
    assert cache.get("a") == image()
