"""What a server has to know of the published documents: which files they are, what they are served as, whose posts they hold."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.config.models import Config
from aggregator.errors import PublishError
from aggregator.models import Document, Feed
from aggregator.pipeline.regenerate import Regenerator
from aggregator.publish.manifest import MANIFEST, is_inside, read_manifest
from aggregator.publish.site import NAMES, TYPES, encoded
from aggregator.store.store import Store

Stamp = tuple[int, int, int]  # inode, size and mtime in ns: another file has another, because documents are renamed

# What the system says of a name behind which there is no file, or something else than one (a link, a socket).
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})
_OTHERS = {
    ".html": "text/html; charset=utf-8",
    ".opml": "text/x-opml; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_MEDIA_TYPES = {NAMES[name]: f"{TYPES[name]}; charset=utf-8" for name in NAMES}


@dataclass(frozen=True, slots=True)
class Read:
    """A document as it was on the disk, whole, with the stamp of the file it was read from."""

    document: Document
    stamp: Stamp


def listed_documents(output: Path) -> frozenset[str]:
    """The paths of all that we published below the output; raises PublishError where that cannot be read."""
    return read_manifest(output)


def manifest_stamp(output: Path) -> Stamp | None:
    """Changes whenever a document is published for the first time or for the last; None: nothing ever was."""
    return document_stamp(output, MANIFEST)


def document_stamp(output: Path, path: str) -> Stamp | None:
    """The stamp of the file that has a document's name now; None where there is none."""
    try:
        found = os.stat(f"{output}/{path}")  # noqa: PTH116 - asked at every request, and a third of Path's time
    except (OSError, ValueError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def read_document(output: Path, path: str) -> Read | None:
    """A document from one open file, so that it is one version whatever is renamed meanwhile; None where there is none.

    What a symbolic link in the output leads to is nobody's document: the writer does not write there either.

    Raises:
        PublishError: it cannot be read, which does not mean that it is gone: a reader who is told so may forget the feed.
    """
    file = output / path
    try:
        if not is_inside(output, file.parent):
            return None
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                return None
            with open(handle, "rb", closefd=False) as opened:
                body = opened.read()
        finally:
            os.close(handle)
    except ValueError:  # a NUL in the name
        return None
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise PublishError(f"cannot read {file}: {error.strerror or error}") from error
    return Read(Document(path, body, media_type(path)), (found.st_ino, len(body), found.st_mtime_ns))


def media_type(path: str) -> str:
    """What a document is served as, by its name."""
    name = path.rpartition("/")[2]
    suffix = name[name.rfind(".") :] if "." in name else ""
    return _MEDIA_TYPES.get(name) or _OTHERS.get(suffix, "application/octet-stream")


def format_of(path: str) -> str:
    """Which format a document is in, `rss`, `atom` or `json`; empty where it is no feed's."""
    name = path.rpartition("/")[2]
    return next((one for one, own in NAMES.items() if own == name), "")


def url_path(path: str) -> str:
    """A document's path as it stands in a URL."""
    return encoded(path)


def published_feeds(config: Config, store: Store) -> list[Feed]:
    """Every feed there is now, private ones among them."""
    return Regenerator(config, store, lambda *_: None).feeds()


def private_feeds(config: Config, store: Store) -> list[Feed]:
    """The feeds whose directory holds a secret; the store is asked only where there are any."""
    if not any(feed.private for feed in config.feeds):
        return []
    return [feed for feed in published_feeds(config, store) if feed.private]


def sources_of(store: Store, feeds: Sequence[Feed]) -> frozenset[str]:
    """The names of the sources whose posts the feeds hold."""
    with store.read() as tx:
        return frozenset().union(*(tx.feeds.sources(feed.categories, feed.limit) for feed in feeds))
