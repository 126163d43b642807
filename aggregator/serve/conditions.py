"""What a request demands of the version it gets: preconditions (RFC 9110 §13) and ranges (§14), as pure functions."""

from __future__ import annotations

import calendar
import re
from email.utils import parsedate_tz
from typing import NamedTuple

_TAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')  # §8.8.3
_RANGE = re.compile(rb"\s*(?:(\d+)\s*-\s*(\d+)?|-\s*(\d+))\s*")
_GMT = re.compile(rb"[A-Za-z]{3,9},? .*(?: GMT|:\d\d \d{4})\s*")  # of the three forms of §5.6.7, the last has no zone
_DIGITS = 19  # of a number in a range: more than any size has

OK, PARTIAL, NOT_MODIFIED, PRECONDITION_FAILED, UNSATISFIABLE = 200, 206, 304, 412, 416


class Ask(NamedTuple):
    """A GET or HEAD of a document, as far as its headers decide about the answer; None: the header is not there."""

    is_head: bool = False
    accept: bytes | None = None
    accept_encoding: bytes | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None
    if_modified_since: bytes | None = None
    if_unmodified_since: bytes | None = None
    range: bytes | None = None
    if_range: bytes | None = None
    a_im: bytes | None = None


# The fields of `Ask` by the name of their header.
FIELDS = {
    b"accept": "accept",
    b"accept-encoding": "accept_encoding",
    b"if-match": "if_match",
    b"if-none-match": "if_none_match",
    b"if-modified-since": "if_modified_since",
    b"if-unmodified-since": "if_unmodified_since",
    b"range": "range",
    b"if-range": "if_range",
    b"a-im": "a_im",
}


def asked(method: bytes, headers: list[tuple[bytes, bytes]]) -> Ask:
    """What a request asks; a header that stands there more than once is one list (§5.3)."""
    found: dict[str, bytes] = {}
    for name, value in headers:
        field = FIELDS.get(name)
        if field is not None:
            found[field] = f"{found[field].decode('latin-1')}, ".encode("latin-1") + value if field in found else value
    return Ask(is_head=method == b"HEAD", **found)


def precondition(ask: Ask, etag: bytes, modified: int | None) -> int:
    """200, 304 or 412, in the order of §13.2.2; `modified` is None where no date can be told yet."""
    if ask.if_match is not None:
        if not _matches(ask.if_match, etag, weakly=False):
            return PRECONDITION_FAILED
    elif ask.if_unmodified_since is not None and modified is not None:
        since = http_date(ask.if_unmodified_since)
        if since is not None and modified > since:
            return PRECONDITION_FAILED
    if ask.if_none_match is not None:
        return NOT_MODIFIED if _matches(ask.if_none_match, etag, weakly=True) else OK
    if ask.if_modified_since is not None and modified is not None:
        since = http_date(ask.if_modified_since)
        if since is not None and modified <= since:
            return NOT_MODIFIED
    return OK


def outcome(ask: Ask, size: int, etag: bytes, modified: int | None) -> int | tuple[int, int]:
    """What becomes of a GET or HEAD of so many bytes: 200, 304, 412, 416, or the range that is sent (206)."""
    status = precondition(ask, etag, modified)
    if status == OK and ask.range is not None:
        wanted = chosen_range(ask, size, etag, modified)
        return OK if wanted is None else wanted
    return status


def tags(header: bytes) -> list[bytes]:
    """The entity tags in a list, as they were written; what is not quoted is none."""
    return _TAG.findall(header)


def _matches(header: bytes, etag: bytes, *, weakly: bool) -> bool:
    if header == etag or header.strip() == b"*":
        return True
    return any(tag == etag or (weakly and tag == b"W/" + etag) for tag in tags(header))


def chosen_range(ask: Ask, size: int, etag: bytes, modified: int | None) -> tuple[int, int] | int | None:
    """The first byte that is wanted and the one after the last; None: all of them; 416: there are none such (§14.2).

    Several ranges in one request are answered with the whole, which §14.2 allows, and which costs an attacker more
    than us. A unit that is not ours is ignored; what is not a range behind `bytes=` is refused.
    """
    header = ask.range
    if header is None or ask.is_head:  # §14.2: other methods know no ranges
        return None
    if ask.if_range is not None and not _is_same(ask.if_range, etag, modified):
        return None
    unit, equals, rest = header.partition(b"=")
    if not equals or unit.strip().lower() != b"bytes" or b"," in rest:
        return None
    match = _RANGE.fullmatch(rest)
    if match is None or any(len(group or b"") > _DIGITS for group in match.groups()):
        return UNSATISFIABLE
    first, last, length = (None if group is None else int(group) for group in match.groups())
    if first is None:
        start, end = max(size - (length or 0), 0), size
    else:
        start, end = first, size if last is None else min(last + 1, size)
    return (start, end) if start < end else UNSATISFIABLE


def _is_same(header: bytes, etag: bytes, modified: int | None) -> bool:
    """Whether an If-Range names this very version (§13.1.5): strong comparison, and a date to the second."""
    value = header.strip()
    if value.startswith((b'"', b"W/")):
        return value == etag
    return modified is not None and http_date(value) == modified


def http_date(value: bytes) -> int | None:
    """The seconds since 1970 of a date in any of the three forms of §5.6.7, or None where it is none.

    >>> http_date(b"Sun, 06 Nov 1994 08:49:37 GMT"), http_date(b"Sun Nov  6 08:49:37 1994"), http_date(b"yesterday")
    (784111777, 784111777, None)
    """
    if not _GMT.fullmatch(value):
        return None
    try:
        parts = parsedate_tz(value.decode("latin-1"))  # by its own names of months: strptime's depend on the locale
        return None if parts is None else calendar.timegm(parts[:9])
    except (ValueError, OverflowError, IndexError):
        return None
