"""What is published instead of an image's origin: the first rule that matches it and can do its job."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import NamedTuple

from aggregator.images.proxies import MAX_DEPTH
from aggregator.images.templates import Template

Way = Callable[[str], str | None]
_HOST = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#:]+)", re.IGNORECASE)


class Published(NamedTuple):
    """What becomes of an image: its URL, None where it is not to be shown; its origin; and the rule that did it.

    Without a rule that matches it is linked to, and `rule` is empty.
    """

    url: str | None
    origin: str
    rule: str = ""
    action: str = "link"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the globs that an image must match, and what happens to it."""

    name: str
    action: str  # link | wrap | proxy | mirror | drop
    hosts: tuple[str, ...] = ("*",)
    sources: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    template: Template | None = None
    _hosts: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _sources: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _feeds: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        hosts = tuple(glob.lower() for glob in self.hosts)
        for name, globs in (("_hosts", hosts), ("_sources", self.sources), ("_feeds", self.feeds)):
            object.__setattr__(self, name, _any_of(globs))

    def is_for(self, host: str, source: str, feed: str) -> bool:
        """Whether it is for images of this host, in posts of this source, in this feed."""
        return (
            (self._hosts is None or self._hosts.match(host) is not None)
            and (self._sources is None or self._sources.match(source) is not None)
            and (self._feeds is None or self._feeds.match(feed) is not None)
        )


class Policy:
    """The rules, and how each thing that they can say is done.

    `ways` give the URL that an action publishes for an origin, or None where it cannot: `proxy` and `mirror`. `own` take off
    what we ourselves once put in front, or somebody who would like us to think so: `read` makes of what was behind it an
    origin as any other, or None of what no post may show. What begins with one of `ours` is published by ourselves
    already, and stays as it is.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        ways: Mapping[str, Way],
        own: Sequence[Way] = (),
        read: Way = lambda url: url,
        ours: Sequence[str] = (),
    ) -> None:
        self._rules, self._ways, self._read = tuple(rules), ways, read
        self._own = (*own, *(rule.template.unwrap for rule in rules if rule.template is not None))
        self._ours = tuple(ours)

    def publish(self, url: str, *, source: str, feed: str = "") -> Published:
        """What is published for the image at a URL of a post; `feed` is the slug, empty on a post's own page."""
        origin = self._origin(url)
        if origin is None:
            return Published(url, url)
        for rule in self.matching(origin, source, feed):
            if rule.action == "drop":
                return Published(None, origin, rule.name, rule.action)
            made = self._made(rule, origin)
            if made is not None:
                return Published(made, origin, rule.name, rule.action)
        return Published(origin, origin)

    def origin(self, url: str) -> str:
        """The URL without what we ourselves put in front of it, now or formerly; as it was where nothing to show is behind."""
        return self._origin(url) or url

    def _origin(self, url: str) -> str | None:
        """The same, but None for what stays as it was, whatever the rules say: nobody should be led where it leads.

        As with the proxies of others, a URL with more than `MAX_DEPTH` around it stays whole.
        """
        origin = url
        for _ in range(MAX_DEPTH + 1):
            taken_off = next(
                (found for way in self._own if (found := way(origin)) is not None and found != origin), None
            )
            if taken_off is None:
                break
            origin = taken_off
        else:
            return None
        read = origin if origin == url else self._read(origin)
        return None if read is None or read.startswith(self._ours) else read

    def matching(self, origin: str, source: str, feed: str) -> Iterator[Rule]:
        """The rules that are for an image, in order."""
        found = _HOST.match(origin)
        if found is not None:
            host = found[1].lower().rstrip(".")
            yield from (rule for rule in self._rules if rule.is_for(host, source, feed))

    def met(self, made: Published, source: str, feed: str) -> list[Rule]:
        """The rules that are for an image, up to the one that published it: those before could not do their job."""
        found: list[Rule] = []
        for rule in self.matching(made.origin, source, feed):
            found.append(rule)
            if rule.name == made.rule:
                break
        return found

    def wants_mirror(self, url: str, *, source: str, feeds: Collection[str]) -> bool:
        """Whether a copy of an image would be published in any of these feeds, of which an empty one is the post's own page."""
        origin = self._origin(url)
        return origin is not None and any(self._comes_to_mirror(origin, source, feed) for feed in feeds)

    def _comes_to_mirror(self, origin: str, source: str, feed: str) -> bool:
        for rule in self.matching(origin, source, feed):
            if rule.action == "mirror":
                return True
            if rule.action == "drop" or self._made(rule, origin) is not None:
                return False
        return False

    def _made(self, rule: Rule, origin: str) -> str | None:
        if rule.action == "link":
            return origin
        if rule.template is not None:
            return rule.template.wrap(origin)
        way = self._ways.get(rule.action)
        return None if way is None else way(origin)


def _any_of(globs: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern for any of the globs; None for what everything matches."""
    if not globs or "*" in globs:
        return None
    return re.compile("|".join(translate(glob) for glob in globs))
