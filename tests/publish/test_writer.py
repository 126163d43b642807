import errno
import json
import multiprocessing
import os
import resource
import signal
import stat
import sys

import pytest

from aggregator.errors import PublishError
from aggregator.models import Document
from aggregator.publish import writer as module
from aggregator.publish.manifest import MANIFEST
from aggregator.publish.writer import WriteError, Writer, Written


def document(path="all/rss.xml", body=b"<rss/>"):
    return Document(path, body, "application/rss+xml")


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def output(tmp_path):
    return tmp_path / "feeds"


@pytest.fixture
def writer(output):
    return Writer(output)


def test_a_document_is_written_where_it_belongs(writer, output):
    assert writer.write([document("category/新媒体/rss.xml")]) == Written(("category/新媒体/rss.xml",), ())
    assert (output / "category/新媒体/rss.xml").read_bytes() == b"<rss/>"
    assert files(output) == ["category/新媒体/rss.xml"]


def test_a_document_is_readable_by_a_web_server(writer, output):
    before = os.umask(0o022)
    try:
        writer.write([document()])
    finally:
        os.umask(before)
    assert stat.S_IMODE((output / "all/rss.xml").stat().st_mode) == 0o644


def test_an_unchanged_document_is_not_touched(writer, output):
    writer.write([document()])
    os.utime(output / "all/rss.xml", (1, 1))
    inode = (output / "all/rss.xml").stat().st_ino
    assert writer.write([document()]) == Written((), ("all/rss.xml",))
    assert ((output / "all/rss.xml").stat().st_mtime, (output / "all/rss.xml").stat().st_ino) == (1, inode)


@pytest.mark.parametrize("body", [b"<rss>", b"", b"longer than before"])
def test_a_changed_document_is_replaced_as_a_whole(writer, output, body):
    writer.write([document()])
    with (output / "all/rss.xml").open("rb") as reader:
        assert writer.write([document(body=body)]).written == ("all/rss.xml",)
        assert reader.read() == b"<rss/>"  # whoever has it open reads on in the old one
    assert (output / "all/rss.xml").read_bytes() == body


def test_many_documents_are_written_in_batches(writer, output, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    documents = [document(f"f{number}/rss.xml") for number in range(10)]
    assert len(writer.write(iter(documents)).written) == 10
    assert len(files(output)) == 10


def test_r1_a_full_disk_leaves_the_old_document_and_no_temporary_file(writer, output, monkeypatch):
    writer.write([document(), document("b/rss.xml")])

    def full(handle, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", full)
        with pytest.raises(WriteError, match=r"all/rss\.xml: No space left on device") as caught:
            writer.write([document(body=b"new"), document("b/rss.xml")])
    assert caught.value.failed.keys() == {"all/rss.xml"}
    assert caught.value.done == Written((), ("b/rss.xml",))
    assert (output / "all/rss.xml").read_bytes() == b"<rss/>"
    assert files(output) == ["all/rss.xml", "b/rss.xml"]
    assert writer.write([document(body=b"new")]).written == ("all/rss.xml",)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_r1_a_failure_at_any_step_leaves_the_old_document(writer, output, monkeypatch, call):
    writer.write([document()])

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os if call == "fsync" else module.Path, call, broken)
    with pytest.raises(WriteError, match="Input/output error"):
        writer.write([document(body=b"new")])
    assert (output / "all/rss.xml").read_bytes() == b"<rss/>"
    assert files(output) == ["all/rss.xml"]


def write_beyond_quota(output, answers):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        Writer(output).write([document(body=b"x" * 100_000), document("b/rss.xml", b"small")])
    except WriteError as error:
        answers.put((str(error), error.done.written))


def test_r1_a_quota_that_cuts_a_document_short_leaves_the_old_one(writer, output):
    writer.write([document()])
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=write_beyond_quota, args=(output, answers))
    process.start()
    process.join()
    message, written = answers.get()
    assert "all/rss.xml: File too large" in message
    assert written == ("b/rss.xml",)
    assert files(output) == ["all/rss.xml", "b/rss.xml"]
    assert (output / "all/rss.xml").read_bytes() == b"<rss/>"


def test_r1_one_bad_document_does_not_hold_up_the_others(writer, output):
    output.mkdir()
    (output / "taken").write_bytes(b"a file where a folder should be")
    (output / "folder/rss.xml").mkdir(parents=True)
    long = f"{'a' * 300}/rss.xml"
    with pytest.raises(WriteError) as caught:
        writer.write([document("taken/rss.xml"), document("folder/rss.xml"), document(long), document("fine/rss.xml")])
    assert caught.value.failed.keys() == {"taken/rss.xml", "folder/rss.xml", long}
    assert caught.value.done.written == ("fine/rss.xml",)
    assert "File name too long" in caught.value.failed[long]
    assert files(output) == ["fine/rss.xml", "taken"]


@pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root writes into any folder")
def test_r1_a_read_only_output_is_refused_with_the_reason(writer, output, monkeypatch):
    output.mkdir()
    if os.geteuid() != 0:
        output.chmod(0o555)
    else:  # root writes into any folder; a folder of the kernel's that nobody can write into stands for it
        monkeypatch.setattr(writer, "output", module.Path("/proc/self"))
    with pytest.raises(PublishError, match=r"rss\.xml: "):
        writer.write([document()])
    output.chmod(0o755)


@pytest.mark.parametrize("path", ["../rss.xml", "/tmp/rss.xml", "a/../../rss.xml", "", "a\0b"])
def test_a_document_never_leaves_the_output(writer, output, tmp_path, path):
    with pytest.raises(WriteError, match="out of the output"):
        writer.write([document(path)])
    assert files(tmp_path) == []


def test_missing_documents_are_named(writer):
    writer.write([document()])
    assert writer.missing(["all/rss.xml", "all/atom.xml", "none/rss.xml"]) == {"all/atom.xml", "none/rss.xml"}


def test_the_manifest_is_written_only_when_it_changes(writer, output):
    output.mkdir()
    writer.register(["all/rss.xml"])
    os.utime(output / MANIFEST, (1, 1))
    Writer(output).register(["all/rss.xml"])
    writer.register([])
    assert (output / MANIFEST).stat().st_mtime == 1
    writer.register(["新/rss.xml"])
    assert json.loads((output / MANIFEST).read_text())["documents"] == ["all/rss.xml", "新/rss.xml"]


def test_r8_only_what_we_wrote_is_removed(writer, output):
    paths = {"all/rss.xml", "old/rss.xml", "category/a/b/rss.xml", "category/c/rss.xml"}
    writer.register(paths)
    writer.write(document(path) for path in sorted(paths))
    (output / "old/notes.txt").write_text("mine")
    (output / "CNAME").write_text("mine too")
    removed = Writer(output).remove_stale({"all/rss.xml"})
    assert removed == ("category/a/b/rss.xml", "category/c/rss.xml", "old/rss.xml")
    assert files(output) == [MANIFEST, "CNAME", "all/rss.xml", "old/notes.txt"]
    assert not (output / "category").exists()
    assert json.loads((output / MANIFEST).read_text())["documents"] == ["all/rss.xml"]


def test_r8_removing_everything_leaves_the_output_itself(writer, output):
    writer.register(["all/rss.xml"])
    writer.write([document()])
    writer.remove_stale(set())
    assert files(output) == [MANIFEST]


def test_r8_a_manifest_that_leads_out_of_the_output_removes_nothing_there(output, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "rss.xml").write_text("not ours")
    output.mkdir()
    (output / "link").symlink_to(outside)
    paths = [
        "../outside/rss.xml",
        str(outside / "rss.xml"),
        "link/rss.xml",
        "x/../../outside/rss.xml",
        "",
        7,
        None,
        MANIFEST,
    ]
    (output / MANIFEST).write_text(json.dumps({"version": 1, "documents": paths}))
    assert Writer(output).remove_stale(set()) == ()
    assert (outside / "rss.xml").read_text() == "not ours"
    assert (output / MANIFEST).exists()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"version": 1}', b'{"version": 2, "documents": ["all/rss.xml"]}', b"\xff"]
)
def test_a_manifest_that_is_not_ours_removes_nothing(output, writer, body):
    writer.write([document()])
    (output / MANIFEST).write_bytes(body)
    assert Writer(output).remove_stale(set()) == ()
    Writer(output).register(["all/rss.xml"])
    assert json.loads((output / MANIFEST).read_text())["documents"] == ["all/rss.xml"]


def test_what_could_not_be_removed_stays_in_the_manifest(writer, output, monkeypatch):
    writer.register(["a/rss.xml", "b/rss.xml"])
    writer.write([document("a/rss.xml"), document("b/rss.xml")])
    remove = module.Path.unlink

    def refused(path, **options):
        if path.parent.name == "a" and not path.name.endswith(".tmp"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        remove(path, **options)

    monkeypatch.setattr(module.Path, "unlink", refused)
    with pytest.raises(PublishError, match=r"a/rss\.xml: Permission denied"):
        writer.remove_stale(set())
    assert json.loads((output / MANIFEST).read_text())["documents"] == ["a/rss.xml"]


def test_cleaning_up_removes_only_our_temporary_files(writer, output):
    writer.register(["all/rss.xml"])
    writer.write([document()])
    ours = ["all/.rss.xml.123.tmp", f"{MANIFEST.join(('.', '.9.tmp'))}"]
    theirs = ["all/.vimrc.1.tmp", "all/rss.xml.1.tmp", "all/.rss.xml.tmp", "other/.rss.xml.1.tmp"]
    (output / "other").mkdir()
    for name in ours + theirs:
        (output / name).write_text("x")
    assert sorted(Writer(output).clean_up()) == sorted(ours)
    assert set(theirs) <= set(files(output))


def test_cleaning_up_before_anything_was_written_is_fine(writer):
    assert writer.clean_up() == ()
    assert writer.remove_stale(set()) == ()


def endlessly(output, started):
    writer = Writer(output)
    number = 0
    while True:
        number += 1
        body = bytes([65 + number % 26]) * 50_000
        writer.register([f"f{number % 7}/rss.xml"])
        writer.write([document(f"f{feed}/rss.xml", body) for feed in range(7) if f"f{feed}/rss.xml" in writer._known()])
        started.set()


def test_r2_a_kill_at_any_instant_leaves_whole_documents_that_the_manifest_knows(output):
    context = multiprocessing.get_context("fork")
    for attempt in range(12):
        started = context.Event()
        process = context.Process(target=endlessly, args=(output, started))
        process.start()
        started.wait(10)
        process.join(0.003 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        process.close()
        writer = Writer(output)
        writer.clean_up()
        known = writer._known()
        for path in files(output):
            assert path == MANIFEST or path in known
            body = (output / path).read_bytes()
            assert path == MANIFEST or (len(body) == 50_000 and len(set(body)) == 1)


def write_share(output, share):
    Writer(output).write([document(f"f{number}/rss.xml", bytes([share])) for number in range(share, 40, 4)])


def test_processes_write_different_documents_at_the_same_time(output):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_share, args=(output, share)) for share in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(files(output)) == 40
