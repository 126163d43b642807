"""From what a request names to a document of ours: nothing that was not published has a name."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from aggregator.config.models import Config
from aggregator.models import Feed

PRIVATE = "private/"
PAGE = "index.html"

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_SLASH = re.compile(rb"%2f", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class View:
    """What a configuration says about the place where documents are served."""

    config: Config
    output: Path
    base_url: str
    prefix: str  # by `prefix_of`
    hub: str  # empty: none
    is_own_hub: bool
    private: tuple[str, ...]  # the directories of private feeds: `private/TOKEN/SLUG`


def view_of(config: Config, private: Collection[Feed]) -> View:
    """What there is to serve under a configuration, whose private feeds these are."""
    base_url, hub = config.site.base_url, config.websub.hub
    return View(
        config=config,
        output=config.output,
        base_url=base_url,
        prefix=prefix_of(base_url),
        hub=f"{base_url}websub" if hub == "builtin" else hub or "",
        is_own_hub=hub == "builtin",
        private=tuple(feed.directory for feed in private),
    )


def prefix_of(base_url: str) -> str:
    """The path of `base_url`, which begins and ends with a slash, in characters, as `decoded` gives those of requests."""
    return unquote(urlsplit(base_url).path)


def decoded(raw: bytes) -> str | None:
    """The path of a request in characters; None where it is one that nobody sends who means well.

    >>> decoded(b"/category/%E6%96%B0/rss.xml"), decoded(b"/%2e%2e/etc/passwd"), decoded(b"/a%zz")
    ('/category/新/rss.xml', None, None)
    """
    if not raw.startswith(b"/") or _BAD_ESCAPE.search(raw) or _SLASH.search(raw):
        return None
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None
    if _UNSAFE.search(path) or not {".", ".."}.isdisjoint(path.split("/")):
        return None
    return path


def within(path: str, prefix: str) -> str:
    """A path without the path of `base_url` before it, if that is there: a proxy may have taken it away, or not."""
    return path[len(prefix) - 1 :] if len(prefix) > 1 and path.startswith(prefix) else path


@dataclass(frozen=True, slots=True)
class Found:
    """A document's path below the output, or where it lies instead: the directory that was named without its slash."""

    path: str = ""
    directory: str | None = None


def find(path: str, view: View, listed: Collection[str]) -> Found | None:
    """What a decoded path names among the published documents; None: nothing.

    It may stand below the path of `base_url` or not; where both would be something, it is what stands below.
    """
    for name in dict.fromkeys((within(path, view.prefix)[1:], path[1:])):
        if name.startswith(PRIVATE) and not _is_known(name, view.private):
            continue
        document = f"{name}{PAGE}" if not name or name.endswith("/") else name
        if document in listed:
            return Found(path=document)
        if name and f"{name}/{PAGE}" in listed:
            return Found(directory=f"{name}/")
    return Found(directory="") if path == view.prefix[:-1] else None  # the path of `base_url` without its slash


def _is_known(name: str, private: Collection[str]) -> bool:
    """Whether a name lies in a private feed's directory; how long that takes says nothing about the tokens."""
    asked = "/".join(name.split("/", 3)[:3]).encode()
    known = False
    for directory in private:
        known |= compare_digest(directory.encode(), asked)
    return known
