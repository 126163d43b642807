"""One version of a document in memory, and what it is under each content coding."""

from __future__ import annotations

from email.utils import formatdate

from aggregator.models import Document
from aggregator.pipeline.published import Read, Stamp, format_of
from aggregator.serve.answer import Answer
from aggregator.serve.coding import compressed
from aggregator.serve.negotiate import IDENTITY

LEAST_CODED = 256  # bytes; less is not worth a coding


class Variant:
    """The bytes of a version under one coding, with the strong validator of just these bytes (RFC 9110 §8.8.3)."""

    __slots__ = ("answers", "body", "coding", "etag")

    def __init__(self, coding: str, body: bytes) -> None:
        self.coding = coding
        self.body = body
        self.etag = Document("", body, "").etag.encode()
        self.answers: dict[int, tuple[int, Answer]] = {}  # the last one of each status, and what it was made for


class Version:
    """What a document was when it was read. Only the event loop's thread changes it.

    A coding that made the bytes no fewer is remembered as None, and not tried again.
    """

    __slots__ = ("is_settled", "last_modified", "media_type", "modified", "path", "sources", "stamp", "variants")

    def __init__(self, read: Read, *, is_settled: bool = True) -> None:
        self.path = read.document.path
        self.media_type = read.document.media_type.encode()
        self.stamp: Stamp = read.stamp
        self.modified = read.stamp[2] // 1_000_000_000  # whole seconds since 1970, as HTTP has them
        self.last_modified = formatdate(self.modified, usegmt=True).encode()
        self.is_settled = is_settled  # whether a later version is sure to have another stamp
        self.sources: frozenset[str] | None = None  # whose posts it holds; None: not known, or it is no feed
        self.variants: dict[str, Variant | None] = {IDENTITY: Variant(IDENTITY, read.document.body)}

    @property
    def body(self) -> bytes:
        """The document itself."""
        plain = self.variants[IDENTITY]
        assert plain is not None
        return plain.body

    @property
    def format(self) -> str:
        """`rss`, `atom` or `json`; empty where it is no feed."""
        return format_of(self.path)

    @property
    def size(self) -> int:
        """The bytes it takes in memory, all codings together."""
        return sum(len(variant.body) for variant in self.variants.values() if variant is not None)

    def variant(self, codings: tuple[str, ...]) -> Variant | None:
        """The best of the codings, or None where it has to be made first."""
        for coding in codings:
            if coding not in self.variants:
                return None
            if (found := self.variants[coding]) is not None:
                return found
        return self.variants[IDENTITY]

    def missing(self, codings: tuple[str, ...]) -> str | None:
        """The coding to make before `variant` can tell; None: none."""
        for coding in codings:
            if coding not in self.variants:
                return coding
            if self.variants[coding] is not None:
                return None
        return None


def coded(body: bytes, coding: str) -> Variant | None:
    """A document under a coding, always the same bytes; None where there would not be fewer of them."""
    if len(body) < LEAST_CODED:
        return None
    made = compressed(body, coding)
    return Variant(coding, made) if len(made) < len(body) else None
