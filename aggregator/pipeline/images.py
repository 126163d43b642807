"""What becomes of the images of posts: which proxies are taken off, and what is published in their place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aggregator.config.images import ImageRule, Images
from aggregator.images.places import image_urls, with_images
from aggregator.images.policy import Policy, Published, Rule
from aggregator.images.prefixes import without_prefix
from aggregator.images.proxies import BUILT_IN, Proxy, ProxyTable
from aggregator.images.rewrite import leads_to_image
from aggregator.images.signing import DIRECTORY, Signer
from aggregator.images.templates import Template
from aggregator.images.trackers import Trackers, signs_out
from aggregator.ingest.feedurls import host_of
from aggregator.models import Enclosure, Feed, Media, Mirrored, Post
from aggregator.normalize.urls import outside, resolve
from aggregator.pipeline.imagerules import ImageRules
from aggregator.store.media import DIRECTORY as COPIED
from aggregator.store.store import Transaction

Mirror = Callable[[str], Mirrored | None]


@lru_cache(maxsize=4)
def proxy_table(images: Images) -> ProxyTable:
    """The proxies to unwrap: the configured ones first, then the built-in ones, or none at all."""
    if not images.unwrap:
        return ProxyTable(())
    return ProxyTable((*(Proxy(**row.model_dump()) for row in images.proxies), *BUILT_IN))


def policy_of(said: ImageRules, mirrored: Mirror) -> Policy:
    """The rules in force; `mirrored` knows our own copies of images."""

    def copied(origin: str) -> str | None:
        copy = mirrored(origin)
        return said.base_url + copy.path if copy else None

    ways: dict[str, Callable[[str], str | None]] = {"mirror": copied}
    if said.key:
        signer = Signer(said.key)
        ways["proxy"] = partial(_proxied, signer, said.base_url)
    prefixes = (f"{said.base_url}{DIRECTORY}/", *said.images.former_prefixes)
    return Policy(
        _rules(said.images.rules),
        ways=ways,
        own=[partial(without_prefix, prefix=prefix) for prefix in prefixes],
        read=_reader(said.images),
        ours=[f"{said.base_url}{directory}/" for directory in (DIRECTORY, COPIED)],
    )


def mirror_of(said: ImageRules, tx: Transaction | None) -> Mirror:
    """What knows our own copies; one whose file somebody removed is none, until it is fetched again."""
    if tx is None:
        return lambda _: None

    @cache
    def mirrored(origin: str) -> Mirrored | None:
        found = tx.media.find(origin)
        is_there = found is not None and os.path.isfile(f"{said.output}/{found.path}")  # noqa: PTH113 - for every image
        return found if is_there else None

    return mirrored


class PostImages:
    """Puts into posts what is published of their images."""

    def __init__(self, said: ImageRules, tx: Transaction) -> None:
        self._change_nothing = said.change_nothing
        self._mirrored = mirror_of(said, tx)
        self._policy = policy_of(said, self._mirrored)

    def published(self, posts: Sequence[Post], feed: Feed | None = None) -> list[Post]:
        """The posts as a feed publishes them, or as their own pages do."""
        if self._change_nothing:
            return list(posts)
        return [self._post(post, feed.slug if feed else "") for post in posts]

    def _post(self, post: Post, feed: str) -> Post:
        publish = partial(self._policy.publish, source=post.source, feed=feed)

        def shown(url: str) -> str | None:
            return publish(url).url

        files = (self._file(one, publish) if _is_image(one) else one for one in post.enclosures)
        media = (self._file(one, publish) if _is_picture(one) else one for one in post.media)
        return replace(
            post,
            content=with_images(post.content, shown),
            summary=with_images(post.summary, shown),
            image=shown(post.image) if post.image else None,
            enclosures=tuple(one for one in files if one is not None),
            media=tuple(one for one in media if one is not None),
        )

    def _file(self, file: Any, publish: Callable[[str], Published]) -> Any:
        """An enclosure or a medium where it is published, with what is known of our copy; None: not at all."""
        made = publish(file.url)
        if made.url is None:
            return None
        copy = self._mirrored(made.origin) if made.action == "mirror" else None
        if copy is None:
            return replace(file, url=made.url)
        if isinstance(file, Enclosure):
            return replace(file, url=made.url, type=copy.type, length=copy.bytes)
        is_plain = file.kind == "thumbnail"
        return replace(file, url=made.url, type="" if is_plain else copy.type, width=copy.width, height=copy.height)


def images_of(post: Post) -> Iterator[str]:
    """The URL of every image of a post, as it is stored, as often as it stands there."""
    if post.image:
        yield post.image
    yield from image_urls(post.content)
    yield from image_urls(post.summary)
    yield from (one.url for one in post.enclosures if _is_image(one))
    yield from (one.url for one in post.media if _is_picture(one))


def _is_image(file: Enclosure) -> bool:
    return file.type.startswith("image/") or (not file.type and leads_to_image(file.url))


def _is_picture(medium: Media) -> bool:
    return medium.kind == "thumbnail" or medium.medium == "image" or medium.type.startswith("image/")


class Way(NamedTuple):
    """The way of an image's URL: the origin, the proxies that were taken off, and what is published by which rule."""

    url: str
    unwrapped: tuple[str, ...]  # the names of proxies, outermost first
    is_ours: bool  # whether something that we put in front was taken off, too
    passed: tuple[Rule, ...]  # rules that match and could not do their job
    made: Published


def ways_of(
    said: ImageRules, tx: Transaction | None, urls: Sequence[str], *, source: str = "", feed: str = ""
) -> list[Way]:
    """The way of each URL, as it stands in a post of a source, to what a feed publishes, or a post's own page."""
    policy = policy_of(said, mirror_of(said, tx))
    ways = []
    for url in urls:
        found = proxy_table(said.images).unwrap(url)
        made = policy.publish(found.origin, source=source, feed=feed)
        passed = tuple(rule for rule in policy.met(made, source, feed) if rule.name != made.rule)
        ways.append(Way(url, found.rules, made.origin != found.origin, passed, made))
    return ways


@lru_cache(maxsize=4)
def _rules(rules: Sequence[ImageRule]) -> tuple[Rule, ...]:
    return tuple(_rule(f"images.rules[{number}]", rule) for number, rule in enumerate(rules))


def _rule(name: str, rule: ImageRule) -> Rule:
    template = None
    if rule.wrap is not None:
        key, salt = (secret.get_secret_value() if secret else "" for secret in (rule.key, rule.salt))
        template = Template(rule.wrap, key=key, salt=salt)
    return Rule(name, rule.action or "wrap", rule.hosts, rule.sources, rule.feeds, template)


def _reader(images: Images) -> Callable[[str], str | None]:
    """What makes an origin of a URL that stood behind something of ours: nobody cleaned it, as posts are cleaned."""
    table, trackers, resolved = proxy_table(images), Trackers(images.trackers), outside(resolve)

    def read(url: str) -> str | None:
        absolute = resolved(url)
        if absolute is None:
            return None
        origin = table.unwrap(absolute).origin
        return None if trackers.count(origin) or signs_out(origin) else origin

    return read


def _proxied(signer: Signer, base_url: str, origin: str) -> str | None:
    """The URL of an image at our own proxy; None for one with credentials, which are given to nobody, and for our own images.

    Our own are known in every spelling of their host: a proxy that asks itself would wait for itself.
    """
    bare, mark, fragment = origin.partition("#")
    parts, ours = urlsplit(bare), urlsplit(base_url)
    is_ours = host_of(bare) == host_of(base_url) and parts.path.startswith(f"{ours.path}{DIRECTORY}/")
    if "@" in parts.netloc or is_ours:
        return None
    return base_url + signer.path(bare) + mark + fragment
