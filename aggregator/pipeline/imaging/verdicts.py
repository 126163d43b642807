"""What the answers to asking for images say of them and of their hosts, and which rule would help; pure decisions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from http import HTTPStatus as Status
from urllib.parse import urlsplit

from aggregator.errors import AskedToWait, FetchError, HttpStatus, NotAnImage, Refused, TooLarge
from aggregator.images.placeholders import is_placeholder
from aggregator.images.referers import BUILT_IN
from aggregator.ingest.feedurls import host_of
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
_PORTS = {"http": 80, "https": 443}


class Found(StrEnum):
    """What a reader finds where an image should be."""

    FINE = "fine"
    DEAD = "dead"  # it is not there, or nobody answers
    BLOCKED = "blocked"  # its host shows it to others
    PLACEHOLDER = "placeholder"  # something stands there in its place
    NO_IMAGE = "no image"  # a page, as a rule
    REFUSED = "refused"  # by ourselves: others may see it
    UNSTEADY = "unsteady"  # it failed, and was there when asked again, or our own proxy still has it
    INSECURE = "insecure"  # it comes over http, onto pages that come over https
    NOT_ASKED = "not asked"


BAD = frozenset({Found.DEAD, Found.BLOCKED, Found.PLACEHOLDER, Found.NO_IMAGE})
UNKNOWN = frozenset({Found.REFUSED, Found.NOT_ASKED})  # nothing is said of the image


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as it is published, the origin that it comes from, and where it was first met.

    `rules` are those that match it, by name and action, up to the one that published it.
    """

    url: str
    origin: str
    host: str  # of the origin: what rules go by
    action: str = "link"
    feed: str = ""
    post: str = ""
    rules: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at an image, and why; `helps`: whether our own proxy would get it all the same."""

    shown: Shown
    found: Found
    reason: str = ""
    helps: bool = False
    same: str = ""  # the hash of its bytes, where they arrived
    at: str = ""  # the place of the wrapper whose fault it is; nothing is said of the origin
    is_away: bool = False  # nobody answered, or only that the server is out of order, which may end
    is_kept: bool = False  # only our own proxy still has it

    @property
    def place(self) -> str:
        """Whom it is said of: scheme, host and port, each of which may work where others do not."""
        return self.at or place_of(self.shown.origin) or self.host

    @property
    def host(self) -> str:
        """The host of that."""
        return host_of(self.at) if self.at else self.shown.host

    @property
    def is_unseen(self) -> bool:
        """Whether no reader sees it; what our own proxy refuses, it refuses them."""
        return self.found in BAD or (self.found is Found.REFUSED and self.shown.action == "proxy")


@dataclass(frozen=True, slots=True)
class HostReport:
    """What was found at the images of one place, and what would help its host: the `action` of a rule, and the `hosts` it is for.

    A rule goes by the host, whatever the scheme and the port.
    """

    host: str
    place: str
    asked: int
    looked: tuple[Looked, ...]  # what is not fine
    action: str = ""
    glob: str = ""
    note: str = ""  # when to take the rule, and where it goes

    @property
    def rule(self) -> str:
        """The rule as a line of YAML for `images.rules`; empty where none would help."""
        note = f"  # {self.note}" if self.note else ""
        return f'- {{hosts: ["{self.glob}"], action: {self.action}}}{note}' if self.action else ""


def place_of(url: str) -> str:
    """The scheme, host and port of a URL, without a port that goes without saying; empty where there are none."""
    host = host_of(url)
    try:
        scheme, port = urlsplit(url).scheme, urlsplit(url).port
    except ValueError:
        return ""
    named = f"[{host}]" if ":" in host else host
    return f"{scheme}://{named}{f':{port}' if port not in {None, _PORTS.get(scheme)} else ''}" if host else ""


def of_error(error: FetchError) -> Found:
    """What an image is that could not be had."""
    match error:
        case AskedToWait() | HttpStatus(status=Status.TOO_MANY_REQUESTS):
            return Found.NOT_ASKED
        case HttpStatus(status=Status.SERVICE_UNAVAILABLE, retry_after=said) if said:
            return Found.NOT_ASKED
        case NotAnImage():
            return Found.NO_IMAGE
        case Refused() | TooLarge():
            return Found.REFUSED
        case HttpStatus(status=status) if status in _REFUSED:
            return Found.BLOCKED
    return Found.DEAD


def may_pass(error: FetchError) -> bool:
    """Whether an error may be another one, or none, when it is asked again."""
    if isinstance(error, HttpStatus):
        return error.status >= Status.INTERNAL_SERVER_ERROR and not error.retry_after
    return not error.is_answer


def is_wrappers(error: FetchError) -> bool:
    """Whether an error at a wrapped image is the wrapper's own, and says nothing of the origin."""
    if isinstance(error, HttpStatus):
        return error.status >= Status.INTERNAL_SERVER_ERROR or error.status == Status.TOO_MANY_REQUESTS
    return not isinstance(error, NotAnImage | TooLarge)


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
    """The hosts in the order of their names, each place of theirs with what is not fine, and the rule that would help."""
    hosts: dict[str, dict[str, list[Looked]]] = defaultdict(lambda: defaultdict(list))
    for one in looked:
        hosts[one.host][one.place].append(one)
    actions = {host: _action_of([action_for(group) for group in places.values()]) for host, places in hosts.items()}
    reports = []
    for host, places in sorted(hosts.items()):
        glob = _glob(host, actions)
        family = [
            one for other in hosts if fnmatchcase(other, glob) for group in hosts[other].values() for one in group
        ]
        note = _note(actions[host], family)
        for place, group in sorted(places.items()):
            asked = sum(one.found not in UNKNOWN for one in group)
            bad = tuple(one for one in group if one.found is not Found.FINE)
            reports.append(HostReport(host, place, asked, bad, actions[host], glob, note))
    return reports


def action_for(looked: Sequence[Looked]) -> str:
    """The action of a rule that would help the images of a place; empty where none would, or none is needed.

    Our proxy for what it gets and readers do not; nothing in the place of images that all are gone; copies where some are
    still there, as long as they are.
    """
    asked = [one for one in looked if one.found not in UNKNOWN and not one.at]
    counts = Counter(one.found for one in asked if not one.is_kept)
    bad = sum(counts[found] for found in BAD)
    if any(one.helps for one in asked):
        action = "proxy"
    elif asked and bad == len(asked) and all(one.found is not Found.REFUSED for one in looked):  # others may see those
        action = "drop"
    elif (counts[Found.DEAD] and bad < counts.total()) or counts[Found.UNSTEADY]:
        action = "mirror"
    else:
        action = "proxy" if counts[Found.INSECURE] else ""
    is_there_already = all(action in {one.shown.action, *(does for _, does in one.shown.rules)} for one in asked)
    return "" if is_there_already else action


def _action_of(actions: Sequence[str]) -> str:
    """The action for a host by those for its places: nothing is dropped as long as one of them is to be kept."""
    return next((one for one in ("proxy", "mirror") if one in actions), "drop" if set(actions) == {"drop"} else "")


def _note(action: str, looked: Sequence[Looked]) -> str:
    """When to take a rule, and above which other, because the first that matches wins."""
    said = ["if it stays away"] if action == "drop" and any(one.is_away for one in looked) else []
    above = [one.shown.rules[0][0] for one in looked if one.shown.rules and not one.at]
    if above:
        first = min(above, key=lambda name: (len(name), name))
        said.append(f"above {first}, which it would replace")
    return "; ".join(said)


def _glob(host: str, actions: dict[str, str]) -> str:
    """The glob for a host in a rule: with all that are known to want the same Referer, unless some are better left alone."""
    known = next((row.host for row in BUILT_IN if fnmatchcase(host, row.host)), host)
    family = {action for other, action in actions.items() if fnmatchcase(other, known)}
    return known if family == {"proxy"} else host
