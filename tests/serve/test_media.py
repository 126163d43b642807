"""Copies of images over HTTP: what is ours by its name, for ever, and nothing else."""

from __future__ import annotations

import hashlib

import pytest

from aggregator.pipeline.imaging.copies import Copies, file_of
from aggregator.serve.media import routes

BODY = bytes(range(256)) * 4000  # a megabyte, in several pieces
FILE = file_of(BODY, "webp")
URL = f"/{FILE.path}"
ETAG = f'"{FILE.hash}"'


@pytest.fixture
def media(place, serve):
    Copies(place.output).put(FILE, BODY)
    with serve(routes=routes(place.daemon)) as site:
        yield site


def test_a_copy_is_served_as_what_it_is_for_ever(media):
    answer = media.get(URL)
    assert (answer.status, answer.body) == (200, BODY)
    assert hashlib.blake2b(answer.body, digest_size=16).hexdigest() == answer.headers["etag"].strip('"')
    assert (
        answer.headers.items()
        >= {
            "content-type": "image/webp",
            "content-length": str(len(BODY)),
            "cache-control": "public, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
            "cross-origin-resource-policy": "cross-origin",
            "access-control-allow-origin": "*",
            "accept-ranges": "bytes",
        }.items()
    )
    head = media.get(URL, method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(BODY)))


def test_who_has_it_gets_nothing_and_who_wants_a_part_gets_that(media):
    same = media.get(URL, If_None_Match=f'"other", W/{ETAG}')
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", ETAG)
    assert "content-type" not in same.headers
    part = media.get(URL, Range="bytes=300000-699999")
    assert (part.status, part.body) == (206, BODY[300_000:700_000])
    assert part.headers["content-range"] == f"bytes 300000-699999/{len(BODY)}"
    assert part.headers["content-length"] == "400000"
    assert media.get(URL, Range="bytes=-5", If_Range=ETAG).body == BODY[-5:]
    assert media.get(URL, Range="bytes=-5", If_Range='"other"').status == 200
    beyond = media.get(URL, Range=f"bytes={len(BODY)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(BODY)}")
    assert media.get(URL, If_Match='"other"').status == 412


NOT_OURS = [
    f"/media/{FILE.hash[:2]}/{FILE.hash}.png",  # not as which it was kept
    f"/media/{FILE.hash[:2]}/{FILE.hash}",
    f"/media/{FILE.hash[:2]}/{FILE.hash.upper()}.webp",
    f"/media/00/{FILE.hash}.webp",
    f"/media/{FILE.hash[:2]}/",
    "/media/",
    f"/media/../media/{FILE.hash[:2]}/{FILE.hash}.webp",
    f"/media/%2e%2e/{FILE.hash}.webp",
    f"/media/{FILE.hash[:2]}%2f{FILE.hash}.webp",
    f"/media/{FILE.hash[:2]}/notes.txt",
    f"/media/{FILE.hash[:2]}/.{FILE.hash}.webp.7.tmp",
    f"/media/aa/{'a' * 32}.svg",
    f"/media/aa/{'a' * 32}.html",
    f"/media/bb/{'b' * 32}.png",  # a link to somewhere else
    f"/media/dd/{'d' * 32}.png",  # in a folder that is one
    f"/media/ee/{'e' * 32}.png",  # a folder
]


def test_what_is_no_copy_of_ours_is_not_there_whatever_lies_there(media, tmp_path):
    folder = media.place.output / "media"
    names = ["notes.txt", f"{FILE.hash}.txt", f".{FILE.hash}.webp.7.tmp"]
    for name in (*(f"{FILE.hash[:2]}/{name}" for name in names), f"aa/{'a' * 32}.svg", f"aa/{'a' * 32}.html"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not ours")
    secret = tmp_path / "secret" / f"{'d' * 32}.png"
    secret.parent.mkdir()
    secret.write_bytes(b"not ours")
    (folder / "bb").mkdir()
    (folder / "bb" / f"{'b' * 32}.png").symlink_to(secret)
    (folder / "dd").symlink_to(secret.parent)
    (folder / "ee" / f"{'e' * 32}.png").mkdir(parents=True)
    for target in NOT_OURS:
        answer = media.get(target)
        assert (answer.status, b"ours" in answer.body) in {(400, False), (404, False)}, target
        assert answer.headers["cache-control"] == "no-store"


def test_nothing_but_reading_can_be_done_with_a_copy(media):
    assert media.get(URL, method="DELETE").status == 405
    assert media.get(f"{URL}?x=1").status == 200
