"""How the refresh of one source and the regenerating of one feed went."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime

from aggregator.pipeline.matching import Changes


def counted(number: int, what: str) -> str:
    """A number of things in words.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


# Gives an executor of processes, or None where work is better done here; they import these modules before they start.
Workers = Callable[..., Executor | None]


@dataclass(slots=True)
class SourceResult:
    """Counts of posts, and what had to be said on the way."""

    name: str
    new: int = 0
    changed: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    lenient: int = 0  # files that only the lenient reader could read
    feeds: int | None = None  # of a subscription list that was read
    how: str = ""  # not-modified | same-body | parsed | files | waiting | left the configuration
    until: datetime | None = None  # how long it waits, because its host wants that
    error: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def in_words(self) -> str:
        """The result in plain words, for tables and for the store."""
        if self.error:
            return "failed"
        if self.how == "left the configuration":
            return f"{self.how}: {self.withdrawn} withdrawn"
        if self.until is not None:
            return f"asked to wait until {self.until:%Y-%m-%d %H:%M} UTC"
        if self.feeds is not None:
            return counted(self.feeds, "feed")
        counts = [f"{count} {name}" for name in ("new", "changed", "withdrawn") if (count := getattr(self, name))]
        return ", ".join(counts) or ("not modified" if self.how == "not-modified" else "nothing new")

    @property
    def is_news(self) -> bool:
        """Whether the store holds something else than before."""
        return bool(self.new or self.changed or self.withdrawn)

    @property
    def outcome(self) -> str:
        """What the refresh counts as: `new`, `unchanged`, `not-modified`, `waiting` or `failed`."""
        if self.error:
            return "failed"
        if self.is_news:
            return "new"
        return self.how if self.how in {"waiting", "not-modified"} else "unchanged"

    def add(self, changes: Changes) -> None:
        """Counts what was found."""
        self.new += changes.new
        self.changed += changes.changed
        self.unchanged += changes.unchanged
        self.warnings.extend(changes.warnings)


@dataclass(frozen=True, slots=True)
class FeedResult:
    """A feed that was rendered: how many posts its categories hold, and which documents changed on disk."""

    slug: str  # empty: what is no feed's: the front page, the list of feeds, the pages of posts
    posts: int = 0
    updated: int | None = None  # newest change among its posts, in whole seconds since 1970
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    error: str = ""


@dataclass(slots=True)
class MirrorResult:
    """How mirroring images went: those copied, those that failed, copies removed, and what had to be said."""

    copied: int = 0
    failed: int = 0
    removed: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def in_words(self) -> str:
        """The result in plain words; empty where nothing was done."""
        said = [(self.copied, "mirrored"), (self.failed, "could not be had"), (self.removed, "removed")]
        counts = [f"{count} {what}" for count, what in said if count]
        return f"images: {', '.join(counts)}" if counts else ""


@dataclass(frozen=True, slots=True)
class Queue:
    """How much a daemon has to do: sources that were due when it last looked, and how many of them it is asking."""

    due: int = 0
    asking: int = 0
