"""The one decision about a document: what is answered to a request, whichever way it came in."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.pipeline.published import url_path
from aggregator.serve.answer import ALWAYS, Answer, Headers, plain, policy
from aggregator.serve.conditions import (
    NOT_MODIFIED,
    PARTIAL,
    PRECONDITION_FAILED,
    UNSATISFIABLE,
    Ask,
    outcome,
)
from aggregator.serve.targets import PRIVATE, View
from aggregator.serve.versions import Variant, Version

# A date tells versions apart only when its second is over (RFC 9110 §8.8.2.2), with one more for a clock that is wrong.
YOUNG_S = 2
IM_USED = 226
METHODS = b"GET, HEAD, OPTIONS"
_HOLD_S = 86_400  # how long a cache may go on with what it has while we do not answer (RFC 5861)
_CORS: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Link, Last-Modified, Content-Range, IM, Delta-Base"),
)
_HIDDEN: Headers = ((b"x-robots-tag", b"noindex, nofollow"),)


def reply(ask: Ask, version: Version, variant: Variant, view: View, *, max_age: int, now: float) -> Answer:
    """What a GET or HEAD of a document is answered.

    Two requests that differ in nothing but the connection get the same object as long as `max_age` stays.
    """
    is_old = now - version.modified >= YOUNG_S
    modified = version.modified if is_old else None
    status = outcome(ask, len(variant.body), variant.etag, modified)
    if isinstance(status, tuple):
        described = _described(version, variant, view, max_age=max_age, is_old=is_old)
        return part(variant.body, status, version.media_type, described)
    if status == UNSATISFIABLE:
        return no_part(variant.body, ((b"vary", b"Accept-Encoding"), *_about(version, view)))
    key = max_age if is_old else -max_age
    kept = variant.answers.get(status)
    if kept is not None and kept[0] == key:
        return kept[1]
    if status == PRECONDITION_FAILED:
        made = plain(status, ((b"etag", variant.etag), (b"vary", b"Accept-Encoding"), *_about(version, view)))
    else:
        made = _whole(status, version, variant, view, max_age=max_age, is_old=is_old)
    variant.answers[status] = (key, made)
    return made


def new_items(version: Version, variant: Variant, view: View, base: bytes, body: bytes) -> Answer:
    """226 IM Used: only what a former version did not hold (RFC 3229 §10.4.1), coded as the whole would be.

    `no-store` is for caches that do not know this status; those that do go by `im` (RFC 3229 §10.8).
    """
    coding: Headers = ((b"content-encoding", variant.coding.encode()),) if variant.coding else ()
    headers = (
        (b"content-type", version.media_type),
        (b"content-length", b"%d" % len(body)),
        *coding,
        (b"im", b"feed"),
        (b"delta-base", base),
        (b"etag", variant.etag),
        (b"cache-control", b"no-store, im"),
        (b"vary", b"Accept-Encoding, A-IM, If-None-Match"),
        *_about(version, view),
        *ALWAYS,
    )
    return Answer(IM_USED, headers, body)


def part(body: bytes, wanted: tuple[int, int], media_type: bytes, described: Headers) -> Answer:
    """206 with some of the bytes, from the first to before the last; `described` are the headers of all of them.

    They are a view and no copy, which each of many who do not read would hold: 40 of a 19 MB image took 724 MB.
    """
    start, end = wanted
    headers = (
        (b"content-type", media_type),
        (b"content-length", b"%d" % (end - start)),
        (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, len(body))),
        *described,
    )
    return Answer(PARTIAL, headers, memoryview(body)[start:end])


def no_part(body: bytes, about: Headers) -> Answer:
    """416: there are no such bytes, but so many."""
    return plain(UNSATISFIABLE, ((b"content-range", b"bytes */%d" % len(body)), *about))


def moved(directory: str, view: View) -> Answer:
    """To a directory, by its path alone: a Host header is believed by nobody, and whoever asked knows the host."""
    answer = plain(301, ((b"location", url_path(view.prefix + directory).encode()),), "It is a folder.")
    return _without(answer, b"cache-control")


def options() -> Answer:
    """What may be asked of a document, for people and for browsers that ask on behalf of a page elsewhere (CORS)."""
    headers = (
        (b"allow", METHODS),
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"GET, HEAD"),
        (b"access-control-allow-headers", b"A-IM, If-Match, If-None-Match, If-Modified-Since, If-Range, Range"),
        (b"access-control-max-age", b"86400"),
        *ALWAYS,
    )
    return Answer(204, headers)


def _whole(status: int, version: Version, variant: Variant, view: View, *, max_age: int, is_old: bool) -> Answer:
    """200 with all of it, or 304 with what §15.4.5 wants and nothing that describes a body."""
    if status == NOT_MODIFIED:
        return Answer(status, (*_validity(version, variant, max_age=max_age), *_about(version, view)))
    headers = (
        (b"content-type", version.media_type),
        (b"content-length", b"%d" % len(variant.body)),
        *_described(version, variant, view, max_age=max_age, is_old=is_old),
    )
    return Answer(status, headers, variant.body)


def _described(version: Version, variant: Variant, view: View, *, max_age: int, is_old: bool) -> Headers:
    """The headers of an answer with bytes of a version in it."""
    coding: Headers = ((b"content-encoding", variant.coding.encode()),) if variant.coding else ()
    date: Headers = ((b"last-modified", version.last_modified),) if is_old else ()
    return (
        *coding,
        *_validity(version, variant, max_age=max_age),
        *date,
        (b"accept-ranges", b"bytes"),
        *_about(version, view),
        *ALWAYS,
    )


def _validity(version: Version, variant: Variant, *, max_age: int) -> Headers:
    whose = b"private" if version.path.startswith(PRIVATE) else b"public"
    held = b"%b, max-age=%d, stale-while-revalidate=%d, stale-if-error=%d" % (whose, max_age, max_age, _HOLD_S)
    return ((b"etag", variant.etag), (b"cache-control", held), (b"vary", b"Accept-Encoding"))


def _about(version: Version, view: View) -> Headers:
    """Where a feed belongs and who tells of its news (WebSub §4), and who may read it."""
    is_private = version.path.startswith(PRIVATE)
    found: list[tuple[bytes, bytes]] = []
    if version.format:
        links = [f'<{view.base_url}{url_path(version.path)}>; rel="self"']
        if view.hub and (view.is_own_hub or not is_private):  # somebody else's hub is not told of a secret address
            links.append(f'<{view.hub}>; rel="hub"')
        found.append((b"link", ", ".join(links).encode("latin-1", "replace")))
    found.extend(policy(version.media_type) or _CORS)  # scripts of other sites may read feeds, and no pages
    return (*found, *(_HIDDEN if is_private else ()))


def _without(answer: Answer, name: bytes) -> Answer:
    kept: Sequence[tuple[bytes, bytes]] = [header for header in answer.headers if header[0] != name]
    return Answer(answer.status, tuple(kept), answer.body)
