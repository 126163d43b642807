"""Asking for the images of recent posts as their readers do, politely, to learn which of them nobody sees."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from aggregator.config.models import Config
from aggregator.errors import FetchError, HttpStatus, NotAnImage, Refused, TooLarge
from aggregator.images.signing import DIRECTORY as PROXIED
from aggregator.ingest.feedurls import host_of, safe_url
from aggregator.ingest.wire import Resolve
from aggregator.pipeline.imagerules import image_rules
from aggregator.pipeline.images import images_of, mirror_of, policy_of
from aggregator.pipeline.imaging.cache import is_kept
from aggregator.pipeline.imaging.fetching import ImageFetcher, Picture, picture_of
from aggregator.pipeline.imaging.verdicts import (
    Found,
    Looked,
    Shown,
    is_wrappers,
    may_pass,
    of_error,
    place_of,
    repeated,
    why_placeholder,
)
from aggregator.pipeline.manners import Manners, PoliteGate, gate_of
from aggregator.pipeline.published import published_feeds
from aggregator.store.media import DIRECTORY as COPIED
from aggregator.store.store import Store

NEWEST = 20  # posts of each feed
MOST = 200  # images of one host
_THREADS = 32  # each with a host of its own, and most of them wait for it
_SILENT = 2  # images at which a host says nothing, after which it is asked for no more


def shown_images(config: Config, store: Store, only: Collection[str] = ()) -> list[Shown]:
    """The images that the newest posts of each feed show, each once, as they are published; `only` names feeds by slug."""
    found: dict[str, Shown] = {}
    feeds = [feed for feed in published_feeds(config, store) if not only or feed.slug in only]
    with store.read() as tx:
        said = image_rules(config, tx)
        policy = policy_of(said, mirror_of(said, tx))
        for feed in feeds:
            for post in tx.feeds.select(feed.categories, min(NEWEST, feed.limit or NEWEST)).posts:
                for url in images_of(post):
                    made = policy.publish(url, source=post.source, feed=feed.slug)
                    if made.url is not None and made.url not in found and not made.url.startswith("data:"):
                        origin, where = made.origin, post.link or post.guid
                        rules = tuple((rule.name, rule.action) for rule in policy.met(made, post.source, feed.slug))
                        found[made.url] = Shown(made.url, origin, host_of(origin), made.action, feed.slug, where, rules)
    return list(found.values())


def check_images(
    config: Config,
    shown: Sequence[Shown],
    now: datetime,
    *,
    waits: Mapping[str, datetime],
    resolve: Resolve = socket.getaddrinfo,
) -> Iterator[Looked]:
    """What is found at each image; many hosts at a time, and each politely, at most `MOST` of one, scheme and port.

    Hosts among `waits` asked to be left alone until then, and are.
    """
    queues = defaultdict(list)
    for one in shown:
        queues[place_of(asked_url(config, one))].append(one)
    manners = Manners(dict(waits))
    gate = PoliteGate(gate_of(config), lambda host: manners.check(host, now))
    if not queues:
        return
    with closing(ImageFetcher(config, gate=gate, resolve=resolve)) as fetcher:
        pool = ThreadPoolExecutor(min(_THREADS, len(queues)))
        try:
            work = (_Place(config, fetcher, manners, now, queue) for queue in queues.values())
            for looked in pool.map(_Place.look, work):
                yield from looked
        finally:
            pool.shutdown(cancel_futures=True)


def asked_url(config: Config, shown: Shown) -> str:
    """The URL that is asked for: of what is published by our own proxy, the origin; empty for a copy, which is a file."""
    place = config.site.base_url
    if shown.url.startswith(f"{place}{COPIED}/"):
        return ""
    return shown.origin if shown.url.startswith(f"{place}{PROXIED}/") else shown.url


def busiest(config: Config, shown: Sequence[Shown]) -> tuple[str, int]:
    """The host that is asked for most images, and for how many; nobody where all are files of our own."""
    hosts: Counter[str] = Counter()
    for place, images in Counter(place_of(asked_url(config, one)) for one in shown).items():
        if place:
            hosts[host_of(place)] += min(images, MOST)
    return next(iter(hosts.most_common(1)), ("", 0))


class _Place:
    """The images that one host is asked for by one scheme at one port, one after the other."""

    def __init__(
        self, config: Config, fetcher: ImageFetcher, manners: Manners, now: datetime, shown: Sequence[Shown]
    ) -> None:
        self._config, self._fetcher, self._manners, self._now, self._shown = config, fetcher, manners, now, shown
        self._silent = 0
        self._has_answered = False

    def look(self) -> list[Looked]:
        """What is found at each of them."""
        looked = [self._one(one) for one in self._shown[:MOST]]
        looked += (Looked(one, Found.NOT_ASKED, f"more than {MOST} of one host") for one in self._shown[MOST:])
        same = repeated(looked)
        return [self._repeated(one) if one.found is Found.FINE and one.same in same else one for one in looked]

    def _one(self, shown: Shown) -> Looked:
        url = asked_url(self._config, shown)
        if not url:
            return self._copy(shown)
        if self._silent >= _SILENT and not self._has_answered:
            at = place_of(url) if shown.action == "wrap" else ""
            return Looked(shown, Found.NOT_ASKED, "its host answers nobody", at=at)
        is_proxied = url != shown.url
        try:
            return self._seen(shown, self._get(url, as_proxy=is_proxied), is_proxied=is_proxied)
        except FetchError as error:
            return self._failed(shown, url, error, is_proxied=is_proxied)

    def _failed(self, shown: Shown, url: str, error: FetchError, *, is_proxied: bool) -> Looked:
        """What an image is that could not be had."""
        found, reason, is_wrapped = of_error(error), self._why(error), shown.action == "wrap"
        if isinstance(error, TooLarge) and not is_proxied:
            return Looked(shown, Found.FINE, reason)
        at = place_of(url) if is_wrapped and is_wrappers(error) else ""
        if may_pass(error) and self._has_answered:
            with suppress(FetchError):
                self._get(url, as_proxy=is_proxied)
                return Looked(shown, Found.UNSTEADY, reason, at=at)
        if is_proxied and found is not Found.NOT_ASKED:
            if is_kept(self._config.images.proxy.cache, shown.origin.partition("#")[0]):
                return Looked(shown, Found.UNSTEADY, f"only our cache still has it: {reason}", is_kept=True)
        elif not at and (found in {Found.BLOCKED, Found.NO_IMAGE} or (found is Found.DEAD and is_wrapped)):
            return Looked(shown, found, reason, helps=self._is_there(shown))
        return Looked(shown, found, reason, at=at, is_away=may_pass(error))

    def _why(self, error: FetchError) -> str:
        """An error in words; what it says of leave is for sources, and images need another."""
        reason = str(error)
        if not isinstance(error, Refused) or "allow_private" not in reason:
            return reason
        return f"{reason.partition('; ')[0]}; for images only `fetch.allow_private` counts"

    def _seen(self, shown: Shown, picture: Picture, *, is_proxied: bool) -> Looked:
        """What a picture that arrived is."""
        why = why_placeholder(picture, shown.origin, self._config.images.placeholders)
        if why:
            return Looked(shown, Found.PLACEHOLDER, why, helps=not is_proxied and self._is_there(shown))
        same = picture.hash
        if shown.url.startswith("http:") and self._config.site.base_url.startswith("https:"):
            return Looked(shown, Found.INSECURE, "http, and our pages are https", same=same)
        return Looked(shown, Found.FINE, same=same)

    def _repeated(self, looked: Looked) -> Looked:
        reason = "the same picture at several addresses"
        helps = looked.shown.action in {"link", "wrap"} and self._is_there(looked.shown, but=looked.same)
        return replace(looked, found=Found.PLACEHOLDER, reason=reason, helps=helps)

    def _is_there(self, shown: Shown, *, but: str = "") -> bool:
        """Whether our own proxy would get the image, because it asks its origin with the Referer that its host wants."""
        try:
            picture = self._get(shown.origin, as_proxy=True)
        except FetchError:
            return False
        return picture.hash != but and not why_placeholder(picture, shown.origin, self._config.images.placeholders)

    def _get(self, url: str, *, as_proxy: bool) -> Picture:
        """What a host answers, of which it is remembered whether it answers, and what it asks of us."""
        try:
            picture = self._fetcher.fetch(url) if as_proxy else self._fetcher.fetch_without_referer(url)
        except FetchError as error:
            if isinstance(error, HttpStatus):
                self._manners.heed(error, self._now)
            if error.is_answer:
                self._has_answered = True
            else:
                self._silent += 1
            raise
        self._has_answered = True
        return picture

    def _copy(self, shown: Shown) -> Looked:
        """What is in the file of a copy of our own."""
        try:
            body = Path(self._config.output, shown.url.removeprefix(self._config.site.base_url)).read_bytes()
            picture_of(body, safe_url(shown.url))
        except OSError as error:
            return Looked(shown, Found.DEAD, f"our copy cannot be read: {error.strerror}")
        except NotAnImage as error:
            return Looked(shown, Found.NO_IMAGE, f"our copy is {error}")
        return Looked(shown, Found.FINE)
