"""What is answered with an image in hand, or without one; the conditions are those of documents."""

from __future__ import annotations

from email.utils import formatdate

from aggregator.models import Document
from aggregator.serve.answer import ALWAYS, Answer, Headers, plain
from aggregator.serve.conditions import NOT_MODIFIED, PRECONDITION_FAILED, UNSATISFIABLE, Ask, outcome
from aggregator.serve.replies import no_part, part

# As long as we show it ourselves before we ask again; not `immutable`, because the origin may change it.
_HELD = b"public, max-age=%d, stale-if-error=31536000"
_DAY_S, _MINUTE_S = 86_400, 60
_FAILURE_HOLDS_S = 60  # a reader that asks again gets what is then known
_BEHIND_S = 2  # that `Date` may be late: no Last-Modified may be later (RFC 9110 §8.8.2.1)
_CROSS: Headers = (
    (b"cross-origin-resource-policy", b"cross-origin"),  # pages that isolate themselves show it, too
    (b"access-control-allow-origin", b"*"),
)
# Opened by itself, an image is a page of ours: nothing in it may run, whatever it is.
_SANDBOX: Headers = ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"),)


class Shown:
    """An image in memory, with all that is said of it; `holds_until` is in seconds since 1970."""

    __slots__ = ("_about", "_answers", "_held_s", "_varies", "body", "etag", "holds_until", "media_type", "modified")

    def __init__(
        self, body: bytes, media_type: str, *, name: str, modified: float, holds_until: float, varies: bool
    ) -> None:
        self.body, self.media_type = body, media_type.encode()
        self.holds_until = holds_until
        self.etag = Document("", body, "").etag.encode()
        self.modified = int(modified) - _BEHIND_S
        self._varies: Headers = ((b"vary", b"Accept"),) if varies else ()
        self._about: Headers = (
            (b"last-modified", formatdate(self.modified, usegmt=True).encode()),
            (b"accept-ranges", b"bytes"),
            (b"content-disposition", f'inline; filename="{name}"'.encode()),
            *_SANDBOX,
            *ALWAYS,
        )
        self._held_s = 0
        self._answers: dict[int, Answer] = {}  # that say `_held_s`

    def reply(self, ask: Ask, now: float) -> Answer:
        """What a GET or HEAD is answered; two that differ in nothing but the connection get the same object for a while."""
        held_s = _rounded(self.holds_until - now)
        if held_s != self._held_s:
            self._held_s, self._answers = held_s, {}
        status = outcome(ask, len(self.body), self.etag, self.modified)
        if isinstance(status, tuple):
            return part(self.body, status, self.media_type, (*self._kept(), *self._about))
        made = self._answers.get(status)
        if made is None:
            made = self._answers[status] = self._made(status)
        return made

    def _made(self, status: int) -> Answer:
        if status == NOT_MODIFIED:
            return Answer(status, self._kept())
        if status == UNSATISFIABLE:
            return no_part(self.body, (*self._varies, *_CROSS))
        if status == PRECONDITION_FAILED:
            return plain(status, ((b"etag", self.etag), *self._varies, *_CROSS))
        length = (b"content-length", b"%d" % len(self.body))
        return Answer(status, ((b"content-type", self.media_type), length, *self._kept(), *self._about), self.body)

    def _kept(self) -> Headers:
        return ((b"etag", self.etag), (b"cache-control", _HELD % self._held_s), *self._varies, *_CROSS)


def unsigned() -> Answer:
    """403: it is not we who made that address."""
    return plain(403, _CROSS, "This server shows only images of its own feeds, by the addresses in them.")


def looped() -> Answer:
    """508: it is we who ask, and would wait for ourselves."""
    return plain(508, _CROSS, "This server does not show its own images through itself.")


def failed(status: int, text: str, left_s: float) -> Answer:
    """What is wrong with the image, for so many more seconds."""
    held_s = max(min(int(left_s), _FAILURE_HOLDS_S), 1)
    headers: Headers = ((b"retry-after", b"%d" % max(int(left_s), 1)),) if status == 503 else ()
    return plain(status, (*headers, *_CROSS), text, held=b"public, max-age=%d" % held_s)


def _rounded(left_s: float) -> int:
    """Seconds that are left, to the day or to the minute, so that an answer can be given again."""
    step = _DAY_S if left_s > _DAY_S else _MINUTE_S if left_s > _MINUTE_S else 1
    return max(round(left_s / step) * step, 1)
