"""URLs as a feed gives them: made absolute, and made fit to be shown or published."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

# Query parameters whose value is a credential: whole names, or the last word of a compound one (`feed_token`).
_SECRET = re.compile(
    r"(?:.*[-_.])?(?:key|apikey|token|code|auth|authorization|password|passwd|pass|pwd|secret|sig|signature|sign"
    r"|session|sessionid|sid|credentials?|jwt)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_BROKEN = re.compile(r"[\t\r\n]+")
_SLASHES = re.compile(r"(https?:)/*(?=[^/])", re.IGNORECASE)


def is_web(url: str) -> bool:
    """Whether a URL is an absolute http or https one with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host of a URL, in lower case and without the root's dot; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def absolute(reference: str, *bases: str) -> str:
    """The reference made absolute against the nearest usable base (RFC 3986 §5), with `//host/x` read as https.

    The bases stand innermost first, and each is itself relative to the next. A reference that no base can make
    absolute comes back as it was.
    """
    reference = _BROKEN.sub("", reference).strip()
    if reference.startswith("//"):
        return "https:" + reference
    if _SCHEME.match(reference):
        return _SLASHES.sub(r"\1//", reference, count=1)
    base = ""
    for outer in reversed(bases):
        if outer:
            base = _join(base, outer.strip())
    return _join(base, reference) if is_web(base) else reference


def _join(base: str, reference: str) -> str:
    """RFC 3986's join, but for a reference that starts with the base's own host: somebody left the scheme out.

    A reference that cannot be read changes nothing.
    """
    if reference.startswith("//"):
        return "https:" + reference
    try:
        parts = urlsplit(base)
        if parts.netloc and f"{reference}/".startswith((f"{parts.netloc}/", f"www.{parts.netloc}/")):
            return f"{parts.scheme}://{reference}"
        return urljoin(base, reference)
    except ValueError:
        return base


def safe_url(url: str) -> str:
    """The URL for a message: without user and password, and with `***` for the value of every secret parameter.

    >>> safe_url("https://me:pw@example.com/feed?token=abc&page=2")
    'https://example.com/feed?token=***&page=2'
    """
    return _redacted(url, hide=True)


def public_url(url: str) -> str:
    """The URL as it may be published: without user and password, secret parameters and fragment."""
    return _redacted(url, hide=False).partition("#")[0]


def without_userinfo(url: str) -> str:
    """The URL without user and password, and without a fragment; otherwise as it was."""
    scheme, netloc, path, query, _ = urlsplit(url)
    return urlunsplit((scheme, netloc.rpartition("@")[2], path, query, ""))


def _redacted(url: str, *, hide: bool) -> str:
    """The URL with its userinfo gone and its secret parameters hidden or dropped; unreadable ones lose everything."""
    try:
        scheme, netloc, path, query, fragment = urlsplit(url)
    except ValueError:
        return "(an unreadable URL)" if hide else ""
    netloc = netloc.rpartition("@")[2]
    pairs = []
    for pair in re.split("([&;])", query):
        name, equals, _ = pair.partition("=")
        if equals and _SECRET.fullmatch(name):
            if hide:
                pairs.append(f"{name}=***")
        elif pair not in "&;" or pairs:
            pairs.append(pair)
    return urlunsplit((scheme, netloc, path, "".join(pairs).strip("&;"), fragment))
