"""Our own copies of images: fetched once, kept as long as a post shows them, within a budget."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from builders import NOON, a_post, an_entry
from pictures import SVG, path_of, picture
from planet import Planet
from webfeed import Reply, Web

from aggregator.models import Mirrored, State
from aggregator.pipeline.imaging.copies import Copies, file_of
from aggregator.pipeline.imaging.fetching import ImageFetcher
from aggregator.pipeline.imaging.mirror import Mirror, MirrorResult
from aggregator.pipeline.manners import gate_of
from aggregator.store.media import File
from aggregator.store.store import Store

CAT, DOG, EMU = picture("PNG"), picture("JPEG", (40, 10)), picture("WEBP", (8, 8))


def in_content(post) -> list[str]:
    return re.findall(r'src="([^"]+)"', post.content)


@dataclass
class Farm:
    """A store with posts, a web with images, and a mirror between them; its clock is turned by the test."""

    planet: Planet
    web: Web
    now: object = NOON
    told: list[None] = field(default_factory=list)
    mirror: Mirror | None = None

    def start(self, **images) -> Mirror:
        """A mirror as a process makes it when it starts."""
        if images:
            self.planet.settings["images"] = images
        config = self.planet.config
        self.mirror = Mirror(
            config,
            self.planet.store,
            origins=in_content,
            rules="rules",
            fetcher=lambda gate: ImageFetcher(config, gate=gate),
            gate=gate_of(config),
            clock=lambda: self.now,
            on_change=lambda: self.told.append(None),
        )
        return self.mirror

    def run(self, within_s: float = 20, **options) -> MirrorResult:
        return (self.mirror or self.start()).run(within_s, **options)

    def serve(self, host: int, path: str, body: bytes | Reply) -> str:
        reply = body if isinstance(body, Reply) else Reply(200, body, {"Content-Type": "image/png"})
        return self.web.put(host, path, reply)

    def post(self, *urls: str, **fields):
        """Stores a live post that shows these images."""
        post = a_post("a", content="".join(f'<img src="{url}">' for url in urls), **fields)
        self.put(post)
        return post

    def put(self, post) -> None:
        with self.planet.store.write() as tx:
            tx.posts.put([an_entry(post)], tx.posts.known_by_id([post.id]), NOON)

    def withdraw(self, post) -> None:
        with self.planet.store.write() as tx:
            tx.posts.withdraw([post.id], NOON)

    def find(self, url: str) -> Mirrored | None:
        with self.planet.store.read() as tx:
            return tx.media.find(url)

    def changed(self) -> int:
        with self.planet.store.read() as tx:
            return tx.feeds.categories()["a"].changed

    def error(self, url: str) -> tuple[int, str, timedelta | None]:
        """How often fetching it failed, why, and when it is asked for again."""
        from sqlalchemy import select

        from aggregator.store.schema import media
        from aggregator.store.sources import moment

        columns = (media.c.failures, media.c.error, media.c.not_before)
        with self.planet.store.read() as tx:
            failures, error, later = tx.media._connection.execute(select(*columns).where(media.c.origin == url)).one()
        return failures, error, moment(later) - self.now

    def files(self) -> dict[str, bytes]:
        found = (self.planet.output / "media").rglob("*")
        return {str(one.relative_to(self.planet.output)): one.read_bytes() for one in found if one.is_file()}


@pytest.fixture
def store(sqlite: Store) -> Store:
    """Of one kind: what the store does is tested on both beside it, and what an engine does with it, too."""
    return sqlite


@pytest.fixture
def farm(planet: Planet, web: Web) -> Farm:
    return Farm(planet, web)


def test_an_image_is_fetched_once_and_kept_under_the_hash_of_its_bytes(farm):
    url = farm.serve(2, "/cat.jpg", CAT)  # its server calls it what it is not
    farm.post(url, url)
    farm.post(url)
    before = farm.changed()
    result = farm.run()
    assert (result.copied, result.failed, result.warnings) == (1, 0, [])
    assert result.in_words == "images: 1 mirrored"
    assert farm.files() == {path_of(CAT, "png"): CAT}
    assert farm.find(url) == Mirrored(path_of(CAT, "png"), "image/png", len(CAT), 30, 20)
    assert farm.changed() > before
    assert farm.told
    changed = farm.changed()
    assert farm.run() == farm.start().run(20) == MirrorResult()
    assert farm.changed() == changed
    assert len(farm.web.asks(2)) == 1


def test_a_copy_outlives_its_origin(farm):
    url = farm.serve(2, "/cat.png", CAT)
    farm.post(url)
    farm.run()
    farm.serve(2, "/cat.png", Reply(404))
    farm.post(url)
    farm.now += timedelta(days=400)
    assert farm.start().run(20) == MirrorResult()
    assert farm.find(url) is not None


def test_two_origins_with_the_same_bytes_share_a_file(farm):
    urls = [farm.serve(host, "/cat.png", CAT) for host in (2, 3)]
    farm.post(*urls)
    assert farm.run().copied == 2
    assert farm.files() == {path_of(CAT, "png"): CAT}
    assert farm.find(urls[0]) == farm.find(urls[1]) is not None


def test_a_copy_that_several_write_at_once_is_written_by_each(farm, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: time.sleep(0.01))
    copies, file, ready = Copies(farm.planet.output), file_of(CAT, "png"), threading.Barrier(8)

    def put(_):
        ready.wait(5)
        copies.put(file, CAT)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put, range(8))) == [None] * 8
    assert farm.files() == {path_of(CAT, "png"): CAT}


def test_only_what_changed_is_looked_at_and_what_is_not_live_wants_nothing(farm):
    cat, dog = farm.serve(2, "/cat.png", CAT), farm.serve(2, "/dog.png", DOG)
    farm.post(cat)
    held = farm.post(dog, state=State.HELD)
    assert farm.run().copied == 1
    with farm.planet.store.write() as tx:
        assert held.id not in tx.media.shown_by([])
        tx.posts.release(held.published + timedelta(days=1))
    assert farm.run().copied == 1
    assert len(farm.web.asks(2)) == 2


@pytest.mark.parametrize(
    ("reply", "days"),
    [
        (Reply(404), 7),
        (Reply(403), 7),
        (Reply(200, b"<html>no</html>"), 7),
        (Reply(200, SVG), 30),
        (Reply(200, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(4000)), 7),  # too large
        (Reply(302, b"", {"Location": "ftp://elsewhere.example/cat.png"}), 7),
    ],
    ids=["gone", "forbidden", "html", "svg", "large", "elsewhere"],
)
def test_what_will_not_get_better_is_not_asked_for_soon(farm, reply, days):
    url = farm.serve(2, "/cat.png", reply)
    farm.post(url)
    farm.start(max_bytes=2000)
    assert farm.run().in_words == "images: 1 could not be had"
    failures, error, again = farm.error(url)
    assert (failures, again) == (1, timedelta(days=days))
    assert error
    assert farm.find(url) is None
    assert farm.files() == {}
    asked = len(farm.web.asks(2))
    farm.now += again - timedelta(hours=1)
    farm.run()
    assert len(farm.web.asks(2)) == asked
    farm.now += timedelta(hours=2)
    farm.run()
    assert farm.error(url)[2] == timedelta(days=30)


def test_what_may_get_better_is_asked_for_later_and_later(farm):
    url = farm.serve(2, "/cat.png", Reply(500))
    farm.post(url)
    farm.run()
    assert farm.error(url)[:2] == (1, "answered 500 Internal Server Error")
    assert timedelta(hours=1) <= farm.error(url)[2] <= timedelta(hours=2)
    for _ in range(10):
        farm.now += timedelta(days=1)
        farm.run()
    assert farm.error(url)[::2] == (11, timedelta(days=30))  # it is given up, almost
    farm.now += timedelta(days=30)
    farm.serve(2, "/cat.png", CAT)
    assert farm.run().copied == 1


def test_a_host_that_says_when_is_asked_then_and_by_nobody_before(farm):
    busy = farm.serve(2, "/cat.png", Reply(503, b"", {"Retry-After": "7200"}))
    others = [farm.serve(2, f"/{number}.png", CAT) for number in range(5)]
    away = farm.serve(3, "/away.png", Reply(302, b"", {"Location": others[0]}))
    farm.post(busy, published=NOON + timedelta(days=3))
    farm.post(*others, away)
    farm.run()
    assert len(farm.web.asks(2)) == 1
    for url in (busy, *others, away):
        assert farm.error(url)[0] == 0
        assert farm.error(url)[2] == timedelta(seconds=7200)
    with farm.planet.store.read() as tx:
        assert tx.hosts.waits(farm.now) == {"127.0.0.2": farm.now + timedelta(seconds=7200)}
    farm.start()
    farm.now += timedelta(hours=1)
    farm.post(farm.serve(2, "/new.png", DOG))
    farm.run()
    assert len(farm.web.asks(2)) == 1
    farm.serve(2, "/cat.png", CAT)
    farm.now += timedelta(hours=1, seconds=1)
    assert farm.run().copied == 8


def test_a_host_that_does_not_answer_holds_up_nothing_else(farm, monkeypatch):
    urls = [f"http://127.0.0.9:1/{number}.png" for number in range(10)]
    farm.post(farm.serve(2, "/cat.png", CAT), *urls)
    result = farm.run()
    assert (result.copied, result.failed) == (1, 10)
    failed = [farm.error(url) for url in urls]
    assert sorted(failures for failures, *_ in failed) == [0] * 7 + [1] * 3
    assert all(again >= timedelta(hours=1) for *_, again in failed)


def test_a_copy_that_somebody_removed_is_fetched_again_and_other_files_are_left_alone(farm):
    cat, dog = farm.serve(2, "/cat.png", CAT), farm.serve(2, "/dog.png", DOG)
    farm.post(cat, dog)
    farm.run()
    (farm.planet.output / path_of(CAT, "png")).unlink()
    mine = farm.planet.output / "media" / path_of(CAT, "png")[6:8] / "notes.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    left = farm.planet.output / "media" / path_of(DOG, "jpg")[6:8] / f".{path_of(DOG, 'jpg')[9:]}.4711.tmp"
    left.write_bytes(b"half")
    before = farm.changed()
    assert farm.start().run(20).copied == 1
    assert farm.changed() > before
    assert farm.files() == {
        path_of(CAT, "png"): CAT,
        path_of(DOG, "jpg"): DOG,
        str(mine.relative_to(farm.planet.output)): b"mine",
    }
    (farm.planet.output / path_of(CAT, "png")).unlink()
    farm.serve(2, "/cat.png", Reply(404))
    assert farm.run().failed == 1
    assert farm.find(cat) is None
    assert farm.find(dog) is not None


def test_over_the_budget_what_no_post_shows_goes_and_the_oldest_first(farm):
    sizes = [picture("PNG", (64, number)) for number in (1, 2, 3, 4)]
    urls = [farm.serve(2, f"/{number}.png", body) for number, body in enumerate(sizes)]
    posts = []
    for url in urls[:3]:
        posts.append(farm.post(url))
        farm.run()
        farm.now += timedelta(minutes=1)
    for post in posts[:2]:
        farm.withdraw(post)
    farm.run()
    assert len(farm.files()) == 3  # within the budget, what nobody shows is kept
    farm.start(mirror_bytes=sum(map(len, sizes[1:4])))
    farm.post(urls[3])
    assert farm.run().in_words == "images: 1 mirrored, 1 removed"
    assert sorted(farm.files().values()) == sorted(sizes[1:4])
    assert farm.find(urls[0]) is None
    farm.start(mirror_bytes=1)
    assert farm.run().removed == 1
    assert sorted(farm.files().values()) == sorted(sizes[2:4])  # what is shown stays


def test_without_room_new_images_are_left_out_and_it_is_said_once(farm):
    farm.start(mirror_bytes=len(CAT) + len(EMU))
    farm.post(farm.serve(2, "/cat.png", CAT))
    farm.run()
    dog, emu = farm.serve(2, "/dog.png", DOG), farm.serve(2, "/emu.png", EMU)
    farm.post(dog, emu)
    result = farm.run()
    assert result.copied == 1  # what fits, fits
    assert result.warnings == ["some images are not mirrored: there is no room for more within `images.mirror_bytes`"]
    assert farm.error(dog)[0] == 0
    farm.now += timedelta(days=1, hours=1)
    asked = len(farm.web.asks(2))
    assert farm.run().warnings == []
    assert farm.find(dog) is None
    assert len(farm.web.asks(2)) == asked  # it is full to the brim, so nothing is asked for


def test_copies_that_a_lost_store_knew_are_found_again_and_the_oldest_make_room(farm):
    for number, (name, body) in enumerate({"cat": CAT, "dog": DOG, "emu": EMU}.items()):
        farm.post(farm.serve(2, f"/{name}.png", body))
        farm.run()
        file = farm.planet.output / path_of(body, {"cat": "png", "dog": "jpg", "emu": "webp"}[name])
        os.utime(file, (number, number))
    assert len(farm.files()) == 3
    farm.planet.lose_store()
    new = picture("PNG", (64, 64))
    cat, other = farm.serve(2, "/cat.png", CAT), farm.serve(2, "/new.png", new)
    farm.post(cat, other)
    farm.start(mirror_bytes=len(CAT) + len(EMU) + len(new))
    assert farm.run().in_words == "images: 2 mirrored, 1 removed"
    assert sorted(farm.files().values()) == sorted([CAT, EMU, new])  # the oldest is shown, the next one is not
    assert farm.find(cat) is not None
    (farm.planet.output / path_of(DOG, "jpg")).parent.mkdir(exist_ok=True)
    (farm.planet.output / path_of(DOG, "jpg")).write_bytes(DOG)  # put back, in the middle of a process
    os.utime(farm.planet.output / path_of(DOG, "jpg"), (1, 1))
    assert farm.run().removed == 1
    assert sum(map(len, farm.files().values())) <= farm.planet.config.images.mirror_bytes


def test_an_hour_without_room_that_began_while_the_clock_was_ahead_is_over(farm):
    farm.start(mirror_bytes=len(DOG))
    post = farm.post(farm.serve(2, "/dog.png", DOG))
    farm.run()
    farm.post(farm.serve(2, "/cat.png", CAT))
    farm.now += timedelta(days=3650)
    assert farm.run().warnings
    farm.now -= timedelta(days=3650)
    farm.withdraw(post)
    assert farm.run().copied == 1


def test_an_output_that_cannot_be_written_is_said_and_tried_again_later(farm):
    url = farm.serve(2, "/cat.png", CAT)
    farm.post(url)
    farm.planet.output.mkdir()
    (farm.planet.output / "media").write_text("in the way")
    (warning,) = farm.run().warnings
    assert "some images are not mirrored: cannot write" in warning
    (farm.planet.output / "media").unlink()
    assert farm.run() == MirrorResult()
    farm.now += timedelta(hours=1)
    assert farm.run().copied == 1


def test_what_is_not_there_in_time_comes_the_next_time(farm):
    farm.planet.settings["fetch"] = {"min_gap_s": 0.3}
    urls = [farm.serve(2, f"/{number}.png", picture("PNG", (9, number))) for number in range(1, 5)]
    farm.post(*urls)
    first = farm.run(0.4).copied
    assert 1 <= first < 4
    assert first + farm.run().copied == 4
    assert len(farm.web.asks(2)) == 4


def test_who_has_to_end_waits_for_no_image(farm):
    ending, begun, done = threading.Event(), threading.Event(), threading.Event()

    def slow(_):
        begun.set()
        done.wait(5)
        return Reply(200, CAT)

    farm.post(farm.web.put(2, "/cat.png", slow))
    result = []
    thread = threading.Thread(target=lambda: result.append(farm.run(ending=ending)))
    thread.start()
    assert begun.wait(5)
    ending.set()
    thread.join(2)
    done.set()
    assert result == [MirrorResult()]


def killed_at(monkeypatch, name: str) -> None:
    """The process dies when it comes to this: what it was to do is not done, nor is anything after it."""

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(name, die)


@pytest.mark.parametrize(
    "moment",
    [
        "aggregator.store.media.Media.refer",
        "aggregator.pipeline.imaging.copies.Copies.put",
        "aggregator.store.media.Media.copied",
        "aggregator.store.posts.Posts.show_anew",
        "aggregator.pipeline.imaging.mirror.Mirror._note_standing",
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_that_is_killed_while_it_copies_is_completed_by_the_next(farm, moment):
    url = farm.serve(2, "/cat.png", CAT)
    farm.post(url)
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, moment)
        with contextlib.suppress(KeyboardInterrupt):
            farm.run()
    before = farm.changed()
    is_known = farm.find(url) is not None
    farm.start().run(20)
    assert farm.find(url) is not None
    assert farm.files() == {path_of(CAT, "png"): CAT}
    assert is_known or farm.changed() > before


@pytest.mark.parametrize(
    "moment", ["aggregator.pipeline.imaging.copies.Copies.remove", "aggregator.store.media.Media.left"]
)
def test_a_run_that_is_killed_while_it_removes_is_completed_by_the_next(farm, moment):
    cat, dog = farm.serve(2, "/cat.png", CAT), farm.serve(2, "/dog.png", DOG)
    post, other = farm.post(cat), farm.post(dog)
    farm.run()
    farm.withdraw(post)
    farm.withdraw(other)
    farm.start(mirror_bytes=1)
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, moment)
        with pytest.raises(KeyboardInterrupt):
            farm.run()
    assert farm.find(cat) is farm.find(dog) is None
    farm.put(post)  # it comes back, and its image is a copy again before the files are gone
    farm.start(mirror_bytes=10_000).run(20)
    assert farm.files() == {path_of(CAT, "png"): CAT}
    assert farm.find(cat) is not None


def test_a_post_that_comes_while_room_is_made_keeps_its_image(farm):
    cat = farm.serve(2, "/cat.png", CAT)
    post = farm.post(cat)
    farm.run()
    farm.withdraw(post)
    farm.start(mirror_bytes=1)
    fetch = farm.mirror._fetch
    farm.mirror._fetch = lambda *arguments: (fetch(*arguments), farm.post(cat))
    assert farm.run().removed == 0
    assert farm.find(cat) is not None


def test_a_link_in_the_output_leads_nobody_to_other_files(farm, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (farm.planet.output / "media").mkdir(parents=True)
    file = File(path_of(CAT, "png")[9:41], "png")
    (farm.planet.output / "media" / file.hash[:2]).symlink_to(elsewhere)
    kept = elsewhere / f"{file.hash}.png"
    kept.write_bytes(b"somebody's")
    half = elsewhere / f".{file.hash}.png.1.tmp"
    half.write_bytes(b"somebody's")
    copies = Copies(farm.planet.output)
    assert copies.compare({file}) == (set(), [])
    assert copies.compare(set()) == (set(), [])
    copies.remove([file])
    copies.clean_up()
    assert kept.exists()
    assert half.exists()
    farm.post(farm.serve(2, "/cat.png", CAT))
    assert farm.run().copied == 0
    assert kept.read_bytes() == b"somebody's"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.pipeline.imaging.copying._LOOK_UP_S", 0.02)
