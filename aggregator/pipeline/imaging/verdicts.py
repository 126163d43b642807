"""What the answers to asking for images say of them and of their hosts, and which rule would help; pure decisions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from http import HTTPStatus as Status

from aggregator.errors import AskedToWait, FetchError, HttpStatus, NotAnImage, Refused, TooLarge
from aggregator.images.placeholders import is_placeholder
from aggregator.images.referers import BUILT_IN
from aggregator.pipeline.imaging.fetching import Picture

_TINY_PIXELS = 2  # on each side
_TINY_BYTES = 100  # where the header says no size: the least picture worth showing is larger
_SAME = 3  # addresses at which a host has the same picture, from which on it stands for those that are not there
_GONE = frozenset({Status.NOT_FOUND, Status.GONE})
_REFUSED = frozenset(
    {
        *(
            Status.BAD_REQUEST,
            Status.UNAUTHORIZED,
            Status.PAYMENT_REQUIRED,
            Status.FORBIDDEN,
            Status.METHOD_NOT_ALLOWED,
        ),
        *(Status.NOT_ACCEPTABLE, Status.IM_A_TEAPOT, Status.UNAVAILABLE_FOR_LEGAL_REASONS),
    }
)
_NUMBER = re.compile(r"\d+")


class Found(StrEnum):
    """What a reader finds where an image should be."""

    FINE = "fine"
    DEAD = "dead"  # it is not there, or nobody answers
    BLOCKED = "blocked"  # its host shows it to others
    PLACEHOLDER = "placeholder"  # something stands there in its place
    NO_IMAGE = "no image"  # a page, as a rule
    UNSTEADY = "unsteady"  # it failed, and was there when asked again
    INSECURE = "insecure"  # it comes over http, onto pages that come over https
    NOT_ASKED = "not asked"


BAD = frozenset({Found.DEAD, Found.BLOCKED, Found.PLACEHOLDER, Found.NO_IMAGE})


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as it is published, the origin and the rule that it comes from, and where it was first met."""

    url: str
    origin: str
    host: str  # of the origin: what rules go by
    action: str = "link"
    feed: str = ""
    post: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at an image, and why; `helps`: whether our own proxy would get it all the same."""

    shown: Shown
    found: Found
    reason: str = ""
    helps: bool = False
    same: str = ""  # the hash of its bytes, where they arrived


@dataclass(frozen=True, slots=True)
class HostReport:
    """What was found at the images of one host, and what would help: the `action` of a rule, and the `hosts` it is for."""

    host: str
    asked: int
    looked: tuple[Looked, ...]  # what is not fine
    action: str = ""
    glob: str = ""

    @property
    def rule(self) -> str:
        """The rule as a line of YAML for `images.rules`; empty where none would help."""
        return f'- {{hosts: ["{self.glob}"], action: {self.action}}}' if self.action else ""


def of_error(error: FetchError) -> Found:
    """What an image is that could not be had."""
    match error:
        case AskedToWait() | HttpStatus(status=Status.TOO_MANY_REQUESTS):
            return Found.NOT_ASKED
        case HttpStatus(status=Status.SERVICE_UNAVAILABLE, retry_after=said) if said:
            return Found.NOT_ASKED
        case NotAnImage():
            return Found.NO_IMAGE
        case HttpStatus(status=status) if status in _REFUSED:
            return Found.BLOCKED
    return Found.DEAD


def may_pass(error: FetchError) -> bool:
    """Whether an error may be another one, or none, when it is asked again."""
    if isinstance(error, HttpStatus):
        return error.status >= Status.INTERNAL_SERVER_ERROR and not error.retry_after
    return not is_answer(error)


def is_answer(error: FetchError) -> bool:
    """Whether the host did answer, whatever it said, or was not asked."""
    return isinstance(error, HttpStatus | NotAnImage | TooLarge | Refused | AskedToWait)


def why_placeholder(picture: Picture, url: str, more: Sequence[str] = ()) -> str:
    """Why a picture is none that anybody wants to see; empty for one that is."""
    if is_placeholder(url, more):
        return "a known placeholder"
    if picture.width is not None and picture.height is not None:
        is_tiny = max(picture.width, picture.height) <= _TINY_PIXELS
        return f"{picture.width}×{picture.height} pixels" if is_tiny else ""
    return f"{len(picture.body)} bytes" if len(picture.body) < _TINY_BYTES else ""


def repeated(looked: Iterable[Looked]) -> set[str]:
    """The hashes of pictures that a host has at so many addresses that each of them stands for another."""
    places = defaultdict(set)
    for one in looked:
        if one.same:
            places[one.same, one.shown.host].add(one.shown.origin.partition("?")[0])
    return {same for (same, _), paths in places.items() if len(paths) >= _SAME}


def by_host(looked: Iterable[Looked]) -> list[HostReport]:
    """The hosts in the order of their names, each with what is not fine, and with the rule that would help."""
    groups: dict[str, list[Looked]] = defaultdict(list)
    for one in looked:
        groups[one.shown.host].append(one)
    actions = {host: action_for(group) for host, group in groups.items()}
    return [
        HostReport(
            host,
            sum(one.found is not Found.NOT_ASKED for one in groups[host]),
            tuple(one for one in groups[host] if one.found is not Found.FINE),
            actions[host],
            _glob(host, actions),
        )
        for host in sorted(groups)
    ]


def action_for(looked: Sequence[Looked]) -> str:
    """The action of a rule that would help the images of a host; empty where none would, or none is needed.

    Our proxy for what it gets and readers do not; nothing in the place of images that all are gone; copies where some are
    still there, as long as they are.
    """
    asked = [one for one in looked if one.found is not Found.NOT_ASKED]
    counts = Counter(one.found for one in asked)
    bad = sum(counts[found] for found in BAD)
    if any(one.helps for one in asked):
        action = "proxy"
    elif asked and bad == len(asked):
        action = "drop"
    elif counts[Found.DEAD] or counts[Found.UNSTEADY]:
        action = "mirror"
    else:
        action = "proxy" if counts[Found.INSECURE] else ""
    is_there_already = all(one.shown.action == action for one in asked)
    return "" if is_there_already else action


def _glob(host: str, actions: dict[str, str]) -> str:
    """The glob for a host in a rule: with all that have the same trouble for the same reason, where that is known."""
    known = next((row.host for row in BUILT_IN if fnmatchcase(host, row.host)), None)
    if known is None:
        label, dot, rest = host.partition(".")
        if rest and not rest.rpartition(".")[2].isdigit():  # no address
            known = _NUMBER.sub("*", label) + dot + rest
    if known is None:
        return host
    family = {other: action for other, action in actions.items() if fnmatchcase(other, known)}
    return known if len(set(family.values())) == 1 and (len(family) > 1 or "*." in known) else host
