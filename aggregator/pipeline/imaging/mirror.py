"""Our own copies of the images that posts show, so that they outlive their origins.

    posts that changed ─look→ images wanted ─fetch→ files below `media/` ─remember→ their feeds are stale ─make room→ files gone

A file is in its place before the store says so, and the store no longer says so before it goes: whoever is killed in between
leaves what the next one completes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from aggregator.config.models import Config
from aggregator.errors import AggregatorError
from aggregator.ingest.feedurls import host_of, safe_url
from aggregator.ingest.gate import Gate
from aggregator.models import Post
from aggregator.pipeline.imagerules import image_rules, is_proxied, signing_key
from aggregator.pipeline.images import images_of, policy_of
from aggregator.pipeline.imaging.copies import Copies
from aggregator.pipeline.imaging.copying import Copying, Fetches, Outcome, Room
from aggregator.pipeline.manners import Manners, PoliteGate
from aggregator.pipeline.membership import OWN_PAGE, feeds_of
from aggregator.pipeline.results import MirrorResult
from aggregator.store.codec import digest
from aggregator.store.media import Copy, File, Wanted
from aggregator.store.sources import storable
from aggregator.store.store import Store

_POSTS = 200  # looked at together
_IMAGES = 2_048  # of which is decided together in which order they are asked for …
_IN_A_POST = 500  # images of one post; what is beyond is not copied
_PER_HOST = 128  # … and of one host: what it can give in a minute
_REST = timedelta(minutes=5)  # after something went wrong
_NAMED = 20  # failures in one go that are named; `check --images` tells of all
_FULL_FOR = timedelta(hours=1)  # before it is tried again whether there is room
_STANDING = "media folder"  # the setting that says what the folder looked like when it was last left

Origins = Callable[[Post], Iterable[str]]


class Mirror:
    """Keeps the copies that a configuration wants; one thread at a time.

    `origins` gives the images of a post that a copy may be published of, and `rules` names what decides that. `fetcher`
    makes what fetches them at a gate. `on_change` is called whenever feeds have become stale.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        origins: Origins,
        rules: str,
        fetcher: Callable[[PoliteGate], Fetches],
        gate: Gate,
        clock: Callable[[], datetime],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._config, self._store, self._origins, self._rules = config, store, origins, rules
        self.gate = gate
        self._fetcher, self._clock, self._on_change = fetcher, clock, on_change
        self._copies = Copies(config.output)
        self._rests_until: datetime | None = None
        self._full_until: datetime | None = None
        self._warned = ""
        self._is_first = True

    def run(self, within_s: float, ending: threading.Event | None = None) -> MirrorResult:
        """Does what there is to do, as far as it comes within so many seconds, and what is on its way then arrives.

        Whatever goes wrong is in the result: what is published does not depend on it.
        """
        result = MirrorResult()
        if _is_to_come(self._rests_until, self._clock(), _REST):
            return result
        try:
            self._run(within_s, ending or threading.Event(), result)
        except Exception as error:  # noqa: BLE001 - said, and tried again later
            is_expected = isinstance(error, AggregatorError)
            text = str(error) if is_expected else f"unexpected {type(error).__name__}: {error}"
            result.warnings.append(f"images could not be mirrored: {text}")
            self._rests_until = self._clock() + _REST
        return result

    def _run(self, within_s: float, ending: threading.Event, result: MirrorResult) -> None:
        until = time.monotonic() + within_s
        if self._is_first:
            self._remove_leaving()
        has_moved = self._take_stock()
        has_news = self._look(until - within_s / 2, ending)  # there may be so many that nothing would ever be fetched
        self._fetch(until, ending, result)
        if not ending.is_set() and (self._is_first or has_moved or has_news or result.copied):
            self._make_room(result)
            self._note_standing()
            self._is_first = False

    # -- what posts show ----------------------------------------------------------------------------------------------

    def _look(self, until: float, ending: threading.Event) -> bool:
        """Notes what posts show that changed since it was last noted; whether there were any."""
        found = False
        while time.monotonic() < until and not ending.is_set():
            with self._store.read() as tx:
                batch = tx.media.unseen(self._rules, _POSTS)
            if not batch.ids:
                break
            shown = {post.id: self._wanted(post) for post in batch.posts}
            with self._store.write() as tx:
                tx.media.refer(self._rules, batch, shown)
            found = True
        return found

    def _wanted(self, post: Post) -> list[Wanted]:
        origins = (one for one in dict.fromkeys(self._origins(post)) if one == storable(one))
        wanted = (Wanted(origin, host, post.published) for origin in origins if (host := host_of(origin)))
        return list(islice(wanted, _IN_A_POST))

    # -- fetching -----------------------------------------------------------------------------------------------------

    def _fetch(self, until: float, ending: threading.Event, result: MirrorResult) -> None:
        """Fetches what is due, a choice of images at a time."""
        now = self._clock()
        if _is_to_come(self._full_until, now, _FULL_FOR):
            return
        with self._store.read() as tx:
            due = tx.media.due(now, _IMAGES, _PER_HOST)
            if not due:
                return
            manners = Manners(tx.hosts.waits(now))
            room = Room(
                self._config.images.mirror_bytes - tx.media.size() + sum(size for _, size in tx.media.unshown())
            )
        self._copies.clean_up()
        fetcher = self._fetcher(PoliteGate(self.gate, lambda host: manners.check(host, self._clock())))
        copying = Copying(
            fetcher,
            self._copies,
            room,
            gate=self.gate,
            per_host=self._config.fetch.per_host,
            manners=manners,
            clock=self._clock,
        )
        try:
            while due and time.monotonic() < until and not room.closed and not ending.is_set():
                before = result.copied + result.failed
                for batch in copying.run(due, until, ending):
                    self._remember(batch, result)
                if result.copied + result.failed == before:
                    break  # the same would be due again
                with self._store.read() as tx:
                    due = tx.media.due(self._clock(), _IMAGES, _PER_HOST)
        finally:
            fetcher.close()
        if manners.new_waits:
            with self._store.write() as tx:
                tx.hosts.wait(manners.new_waits)
        if room.closed:
            self._full_until = self._clock() + _FULL_FOR
        if room.warning and room.warning != self._warned:
            result.warnings.append(f"some images are not mirrored: {room.warning}")
        self._warned = room.warning

    def _remember(self, batch: Sequence[Outcome], result: MirrorResult) -> None:
        """Remembers what became of images, and has the feeds rendered anew that show those which have a copy now."""
        copies = [one for one in batch if isinstance(one, Copy)]
        missed = [one for one in batch if not isinstance(one, Copy)]
        with self._store.write() as tx:
            tx.media.copied(copies, self._clock())
            tx.media.missed(missed)
            is_shown = tx.posts.show_anew(tx.media.shown_by([one.id for one in copies]))
        result.copied += len(copies)
        failed = [one for one in missed if one.failures]  # the others are only put off
        named = max(_NAMED - result.failed, 0)
        result.warnings += [f"image {safe_url(one.origin)}: {one.error}" for one in failed[:named]]
        result.failed += len(missed)
        if is_shown:
            self._on_change()

    # -- files --------------------------------------------------------------------------------------------------------

    def _take_stock(self) -> bool:
        """Makes the store agree with the folder, where names in it changed since it was last left; whether any did.

        Copies that somebody removed are fetched again, and their posts shown without them. Files of ours that the store does
        not know, because it is another one now, count as copies that no post shows: they take room, and may make some.
        """
        standing = self._copies.standing()
        with self._store.read() as tx:
            if tx.settings.get(_STANDING) == standing:
                return False
            files = tx.media.files()
        lost, strays = self._copies.compare(files)
        if strays:
            with self._store.write() as tx:
                tx.media.take_up(strays)
        if lost:
            with self._store.write() as tx:
                is_shown = tx.posts.show_anew(tx.media.lost(lost))
            if is_shown:
                self._on_change()
        return True

    def _note_standing(self) -> None:
        standing = self._copies.standing()
        with self._store.write() as tx:
            tx.settings.put(_STANDING, standing)

    def _make_room(self, result: MirrorResult) -> None:
        """Removes copies that no live post shows, the oldest first, as far as all together are too large."""
        with self._store.read() as tx:
            too_much = tx.media.size() - self._config.images.mirror_bytes
        if too_much <= 0:
            return
        going: list[File] = []
        with self._store.write() as tx:
            if tx.media.unseen(self._rules, 1).ids:
                return  # what came meanwhile may show them
            for file, size in tx.media.unshown():
                if too_much <= 0:
                    break
                going.append(file)
                too_much -= size
            tx.media.let_go(going)
        self._remove_leaving()
        result.removed += len(going)
        if going:
            self._full_until = None

    def _remove_leaving(self) -> None:
        """Removes the files that are to go, but those that have become copies again."""
        with self._store.read() as tx:
            leaving = tx.media.leaving()
            held = tx.media.held(leaving)
        if leaving:
            self._copies.remove(file for file in leaving if file not in held)
            with self._store.write() as tx:
                tx.media.left()


def _is_to_come(moment: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Whether a moment is to be waited for; one that is further away was named while the clock was wrong."""
    return moment is not None and now < moment <= now + longest


def make_mirror(
    config: Config,
    store: Store,
    *,
    gate: Gate,
    clock: Callable[[], datetime],
    on_change: Callable[[], None] = lambda: None,
) -> Mirror:
    """The mirror of a configuration; images are asked for at the gate at which sources are."""
    if is_proxied(config.images):  # without a key, rules before those of the mirror would seem to pass images on
        signing_key(config, store)
    with store.read() as tx:
        policy = policy_of(image_rules(config, tx), lambda _: None)
    # Without a rule for some feeds an image is in one what it is in all of them.
    asks_feeds = any(rule.feeds for rule in config.images.rules)
    feeds_of_post = feeds_of(config) if asks_feeds else lambda _: {OWN_PAGE}

    def origins(post: Post) -> Iterator[str]:
        feeds = feeds_of_post(post)
        return (
            policy.origin(url) for url in images_of(post) if policy.wants_mirror(url, source=post.source, feeds=feeds)
        )

    def fetcher(gate: PoliteGate) -> Fetches:
        from aggregator.pipeline.imaging.fetching import ImageFetcher  # noqa: PLC0415 - for runs that fetch an image

        return ImageFetcher(config, gate=gate)

    decides = config.images.model_dump_json(include={"rules", "unwrap", "proxies", "former_prefixes"})
    if asks_feeds:
        decides += config.model_dump_json(
            include={"feeds": {"__all__": {"slug", "categories"}}, "by_category": {"enabled", "depth"}}
        )
    rules = digest(decides, config.site.base_url)
    return Mirror(
        config, store, origins=origins, rules=rules, fetcher=fetcher, gate=gate, clock=clock, on_change=on_change
    )
