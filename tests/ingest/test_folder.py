"""Scanning a folder and reading its files, never anything outside of it (HOSTILE rows M5 and M6)."""

import os
import threading
import time

import pytest

from aggregator.errors import IngestError
from aggregator.ingest import folder
from aggregator.ingest.folder import FileStat, read, scan, shown

LIMIT = 1000


@pytest.fixture
def posts(tmp_path):
    root = tmp_path / "posts"
    for name in ("b.md", "a/c.md", "a/d.html", "a/b/e.markdown", "x.txt"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return root


def names(found):
    return [file.path for file in found.files]


def test_a_scan_finds_matching_files_sorted_with_size_and_time(posts):
    os.utime(posts / "b.md", ns=(1, 1_600_000_000_123_456_789))
    found = scan(posts)
    assert names(found) == ["a/c.md", "b.md"]
    assert found.files[1] == FileStat("b.md", 4, 1_600_000_000_123_456_789)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("**/*.{md,markdown}", ["a/b/e.markdown", "a/c.md", "b.md"]),
        (["**/*.md", "**/*.html"], ["a/c.md", "a/d.html", "b.md"]),
        ("*.md", ["b.md"]),
        ("./*.md", ["b.md"]),
        ("a/**/*", ["a/b/e.markdown", "a/c.md", "a/d.html"]),
        ("a/*", ["a/c.md", "a/d.html"]),
        ("**/[!b].{md,h???}", ["a/c.md", "a/d.html"]),
        ("**", ["a/b/e.markdown", "a/c.md", "a/d.html", "b.md", "x.txt"]),
        ("a.b.md", []),
    ],
)
def test_patterns_are_held_against_the_path_below_the_folder(posts, glob, expected):
    assert names(scan(posts, glob)) == expected


def test_hidden_files_and_folders_are_no_part_of_a_source(posts):
    (posts / ".git").mkdir()
    (posts / ".git" / "x.md").touch()
    (posts / "._b.md").touch()
    assert names(scan(posts)) == ["a/c.md", "b.md"]


def test_m5_a_directory_named_like_a_post_is_no_file_and_what_it_holds_is_found(posts):
    (posts / "dir.md").mkdir()
    (posts / "dir.md" / "y.md").touch()
    found = scan(posts)
    assert names(found) == ["a/c.md", "b.md", "dir.md/y.md"]
    assert found.warnings == ()


def test_m5_a_pipe_named_like_a_post_is_skipped_by_name(posts):
    os.mkfifo(posts / "pipe.md")
    assert scan(posts).warnings == ("pipe.md: skipped, it is no regular file",)
    with pytest.raises(IngestError, match=r"pipe\.md: not read, it is no regular file"):
        read(posts, "pipe.md", LIMIT)


def test_m6_links_out_of_the_folder_are_named_and_not_followed(posts, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.md").write_text("secret")
    (tmp_path / "posts-too").mkdir()  # its path begins like that of the folder
    (tmp_path / "posts-too" / "s.md").touch()
    (posts / "out.md").symlink_to(tmp_path / "secret" / "s.md")
    (posts / "up.md").symlink_to("../posts-too/s.md")
    (posts / "outdir").symlink_to(tmp_path / "secret")
    (posts / "gone.md").symlink_to(posts / "nowhere.md")
    (posts / "ignored.txt").symlink_to(tmp_path / "secret" / "s.md")
    found = scan(posts)
    assert names(found) == ["a/c.md", "b.md"]
    assert [warning.partition(":")[0] for warning in found.warnings] == ["gone.md", "out.md", "outdir", "up.md"]
    for path in ("out.md", "up.md", "outdir/s.md"):
        with pytest.raises(IngestError, match="a link out of the folder"):
            read(posts, path, LIMIT)


def test_m6_a_link_to_a_file_inside_is_a_file_and_a_folder_is_entered_once(posts):
    (posts / "latest.md").symlink_to("a/c.md")
    (posts / "again").symlink_to("a")
    (posts / "a" / "circle").symlink_to(posts)
    (posts / "self.md").symlink_to("self.md")
    found = scan(posts)
    assert names(found) == ["a/c.md", "b.md", "latest.md"]
    assert [warning.partition(":")[0] for warning in found.warnings] == ["self.md"]
    assert read(posts, "latest.md", LIMIT) == b"a/c.md"


def test_m6_the_folder_itself_may_be_a_link(posts, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(posts)
    assert names(scan(link)) == ["a/c.md", "b.md"]
    assert read(link, "b.md", LIMIT) == b"b.md"


@pytest.mark.parametrize("path", ["../secret.md", "a/../../secret.md", "/etc/passwd", "b.md\0", ".."])
def test_m6_a_path_that_leads_out_is_refused(posts, path):
    (posts.parent / "secret.md").write_text("secret")
    with pytest.raises(IngestError, match="no path below the folder"):
        read(posts, path, LIMIT)


def test_m6_a_folder_swapped_for_a_link_after_the_scan_is_noticed(posts, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c.md").write_text("secret")
    assert "a/c.md" in names(scan(posts))
    (posts / "a").rename(tmp_path / "old")
    (posts / "a").symlink_to(outside)
    with pytest.raises(IngestError, match=r"a/c\.md: not read, it is a link out of the folder"):
        read(posts, "a/c.md", LIMIT)


def test_m6_where_the_system_does_not_say_what_was_opened_the_path_decides(posts, tmp_path, monkeypatch):
    def unknown(path):
        raise FileNotFoundError(path)

    (tmp_path / "s.md").write_text("secret")
    (posts / "out.md").symlink_to(tmp_path / "s.md")
    monkeypatch.setattr(folder.os, "readlink", unknown)
    monkeypatch.setattr(
        folder.os.path,
        "realpath",
        lambda path: {str(posts / "out.md"): str(tmp_path / "s.md")}.get(str(path), str(path)),
    )
    assert read(posts, "b.md", LIMIT) == b"b.md"
    with pytest.raises(IngestError, match="a link out of the folder"):
        read(posts, "out.md", LIMIT)


@pytest.mark.parametrize(
    "name", ["new\nline.md", "quo'te\".md", "😡.md", "e\u0301.md", "é.md", "空 格.md", "%2e%2e.md", "-rf.md"]
)
def test_m6_any_name_is_found_and_opened_as_it_is_spelled(tmp_path, name):
    (tmp_path / name).write_text("x")
    assert names(scan(tmp_path)) == [name]
    assert read(tmp_path, name, LIMIT) == b"x"


def test_m6_a_name_that_is_no_utf_8_is_skipped_and_can_be_shown(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("x")
    (warning,) = scan(tmp_path).warnings
    warning.encode()
    assert warning.endswith("skipped, its name is not UTF-8")


def test_a_path_is_shown_on_one_line():
    assert shown("a\n\x1b[31m\u202e.md") == "a\\n\\x1b[31m\\u202e.md"
    assert shown("中 é.md") == "中 é.md"


def test_m5_a_file_that_is_too_large_is_named(posts):
    (posts / "big.md").write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(IngestError, match=r"big\.md: not read, 1001 bytes are more than 1000"):
        read(posts, "big.md", LIMIT)
    (posts / "big.md").write_bytes(b"x" * LIMIT)
    assert len(read(posts, "big.md", LIMIT)) == LIMIT


@pytest.mark.parametrize(("grown", "expected"), [(4, 6), (LIMIT, None)])
def test_m5_a_file_that_grows_while_it_is_read_is_read_to_its_end_or_refused(posts, monkeypatch, grown, expected):
    (posts / "b.md").write_bytes(b"xx")
    real = os.fstat

    def grow(handle):
        status = real(handle)
        with (posts / "b.md").open("ab") as file:
            file.write(b"y" * grown)
        return status

    monkeypatch.setattr(folder.os, "fstat", grow)
    if expected is None:
        with pytest.raises(IngestError, match="has more than 1000 bytes"):
            read(posts, "b.md", LIMIT)
    else:
        assert len(read(posts, "b.md", LIMIT)) == expected


def test_m5_a_file_that_vanished_is_named(posts):
    with pytest.raises(IngestError, match=r"gone\.md: not read, no such file"):
        read(posts, "gone.md", LIMIT)


def test_m5_what_may_not_be_read_is_named_and_the_rest_goes_on(posts, monkeypatch):
    real_scandir, real_open = os.scandir, os.open

    def scandir(path):
        if path.endswith("/a/"):
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    def refuse(path, flags):
        if path.endswith("b.md"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags)

    monkeypatch.setattr(folder.os, "scandir", scandir)
    found = scan(posts)
    assert names(found) == ["b.md"]
    assert found.warnings == ("a/: skipped, permission denied",)
    monkeypatch.setattr(folder.os, "open", refuse)
    with pytest.raises(IngestError, match=r"b\.md: not read, permission denied"):
        read(posts, "b.md", LIMIT)


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(IngestError, match=r"cannot read the folder .*nowhere: no such file"):
        scan(tmp_path / "nowhere")


def test_m5_files_that_come_and_go_during_a_scan_do_no_harm(tmp_path):
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            for number in range(50):
                (tmp_path / f"{number}.md").touch()
            for number in range(50):
                (tmp_path / f"{number}.md").unlink()

    (tmp_path / "stays.md").touch()
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        assert all("stays.md" in names(scan(tmp_path)) for _ in range(100))
    finally:
        stop.set()
        thread.join()


def test_m6_thousands_of_files_are_scanned_in_a_blink(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number}.md").touch()
    began = time.perf_counter()
    found = scan(tmp_path)
    assert len(found.files) == 2000
    assert time.perf_counter() - began < 0.5  # 0.01 s where nothing else runs
