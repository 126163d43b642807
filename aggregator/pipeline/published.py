"""The documents that lie in the output now, as those who deliver them see them: by their URL, with their ETags."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import unquote

from aggregator.errors import PublishError
from aggregator.models import Document
from aggregator.publish.manifest import MANIFEST, read_manifest
from aggregator.publish.site import NAMES, TYPES

_TYPE_OF = {name: f"{TYPES[kind]}; charset=utf-8" for kind, name in NAMES.items()}
_Stat = tuple[int, int, int]


def is_document(path: str) -> bool:
    """Whether a path is that of a feed in one of its formats, and not of a page."""
    return path.rpartition("/")[2] in _TYPE_OF


class Published:
    """The documents in a folder; whoever wrote them, and whenever, what is told of them is what is there."""

    def __init__(self, output: Path, base_url: str) -> None:
        self.output, self.base_url = output, base_url
        self._lock = threading.Lock()
        self._listed: tuple[_Stat | None, frozenset[str]] = (None, frozenset())
        self._etags: dict[str, tuple[_Stat, str]] = {}

    def path_of(self, url: str) -> str | None:
        """The path of the document that a URL names, however it is escaped; None where it names none of ours."""
        if not url.startswith(self.base_url) or "?" in url or "#" in url:
            return None
        try:
            path = unquote(url.removeprefix(self.base_url), errors="strict")
        except UnicodeDecodeError:
            return None
        return path if is_document(path) and path in self._manifest() else None

    def etag(self, path: str) -> str | None:
        """The ETag of a document that is ours, read only where the file is another than before; None where it is gone."""
        stat = _stat(self.output / path)
        with self._lock:
            known = self._etags.get(path)
        if known is not None and known[0] == stat:
            return known[1]
        document = self.read(path)
        if document is None or stat is None:
            return None
        with self._lock:
            self._etags[path] = (stat, document.etag)
        return document.etag

    def read(self, path: str) -> Document | None:
        """A document that is ours, whole; None where it is gone."""
        try:
            body = (self.output / path).read_bytes()
        except OSError:
            return None
        return Document(path, body, _TYPE_OF[path.rpartition("/")[2]])

    def keep(self, paths: set[str]) -> None:
        """Forgets what is known of all other documents."""
        with self._lock:
            self._etags = {path: known for path, known in self._etags.items() if path in paths}

    def _manifest(self) -> frozenset[str]:
        stat = _stat(self.output / MANIFEST)
        with self._lock:
            known, paths = self._listed
        if stat is None or stat != known:
            try:
                paths = read_manifest(self.output)
            except PublishError:
                return frozenset()
            with self._lock:
                self._listed = (stat, paths)
        return paths


def _stat(file: Path) -> _Stat | None:
    """What tells two versions of a file apart: each is a file of its own, renamed into place."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
