"""The documents that lie in the output now, as those who deliver them see them: by their URL, with their ETags."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import unquote

from aggregator.errors import PublishError
from aggregator.models import Document
from aggregator.pipeline.published import (
    Stamp,
    document_stamp,
    format_of,
    listed_documents,
    manifest_stamp,
    read_document,
)


def is_document(path: str) -> bool:
    """Whether a path is that of a feed in one of its formats, and not of a page."""
    return bool(format_of(path))


class Published:
    """The documents in a folder; whoever wrote them, and whenever, what is told of them is what is there."""

    def __init__(self, output: Path, base_url: str) -> None:
        self.output, self.base_url = output, base_url
        self._lock = threading.Lock()
        self._listed: tuple[Stamp | None, frozenset[str]] = (None, frozenset())
        self._etags: dict[str, tuple[Stamp, str]] = {}

    def path_of(self, url: str) -> str | None:
        """The path of the document that a URL names, however it is escaped; None where it names none of ours."""
        base = unquote(self.base_url)
        try:
            whole = unquote(url, errors="strict")
        except UnicodeDecodeError:
            return None
        if not whole.startswith(base) or "?" in url or "#" in url:
            return None
        path = whole.removeprefix(base)
        return path if is_document(path) and path in self._manifest() else None

    def etag(self, path: str) -> str | None:
        """The ETag of a document that is ours, read only where the file is another than before; None where it is gone."""
        with self._lock:
            known = self._etags.get(path)
        if known is not None and known[0] == document_stamp(self.output, path):
            return known[1]
        found = read_document(self.output, path)
        if found is None:
            return None
        with self._lock:
            self._etags[path] = (found.stamp, found.document.etag)
        return found.document.etag

    def read(self, path: str) -> Document | None:
        """A document that is ours, whole; None where it is gone."""
        found = read_document(self.output, path)
        return found.document if found else None

    def keep(self, paths: set[str]) -> None:
        """Forgets what is known of all other documents."""
        with self._lock:
            self._etags = {path: known for path, known in self._etags.items() if path in paths}

    def _manifest(self) -> frozenset[str]:
        stamp = manifest_stamp(self.output)
        with self._lock:
            known, paths = self._listed
        if stamp is None or stamp != known:
            try:
                paths = listed_documents(self.output)
            except PublishError:
                return frozenset()
            with self._lock:
                self._listed = (stamp, paths)
        return paths
