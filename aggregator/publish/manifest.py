"""The list of the files that we wrote: what may be removed, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from aggregator.errors import PublishError
from aggregator.models import Document

MANIFEST = ".aggregator-manifest.json"
_VERSION = 1


def read_manifest(output: Path) -> frozenset[str]:
    """The paths below the output that we wrote; none where there is no manifest, or where it is not ours.

    A path that leads out of the output is dropped: somebody else put it there.

    Raises:
        PublishError: the manifest is there and cannot be read.
    """
    try:
        body = (output / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise PublishError(f"cannot read {output / MANIFEST}: {error.strerror or error}") from error
    try:
        found = json.loads(body)
        paths = found["documents"] if found["version"] == _VERSION else []
        return frozenset(path for path in paths if _is_below(path))
    except (ValueError, TypeError, KeyError, RecursionError):
        return frozenset()  # not what we wrote: better an orphan than somebody else's file


def written_manifest(paths: Iterable[str]) -> Document:
    """The manifest that lists the paths, one a line, sorted."""
    body = json.dumps({"version": _VERSION, "documents": sorted(paths)}, ensure_ascii=False, indent=0) + "\n"
    return Document(MANIFEST, body.encode("utf-8", "surrogateescape"), "application/json")


def is_inside(output: Path, folder: Path) -> bool:
    """Whether a folder is really below the output, symbolic links followed."""
    root = os.path.realpath(output)
    return os.path.realpath(folder) == root or os.path.realpath(folder).startswith(root + os.sep)


def _is_below(path: object) -> bool:
    if not isinstance(path, str) or not path or path.startswith("/") or "\0" in path or path == MANIFEST:
        return False
    if len(path) <= 255 and path.isascii():  # most: a hundred thousand of them are read in half the time
        return "/../" not in f"/{path}/"
    try:
        longest = max(len(part.encode()) for part in path.split("/"))
    except UnicodeEncodeError:
        return False
    return "/../" not in f"/{path}/" and longest <= 255
