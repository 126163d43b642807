"""What a configuration names that is not there on this machine: no fault of the file's, but nothing will come of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aggregator.config.document import Key, YamlDocument, dotted
from aggregator.errors import Fault

_FILES = frozenset({"access_key_file", "ca_bundle", "cookies_file", "headers_file", "password_file", "query_file"})


def find_missing(document: YamlDocument) -> list[Fault]:
    """Every folder and file that the sources and the RSSHub instances name and that is not there, or cannot be read."""
    listed = document.data.get("sources") if isinstance(document.data, dict) else None
    found: list[Fault] = []
    for index, source in enumerate(listed if isinstance(listed, list) else []):
        key: Key = ("sources", index, "path" if isinstance(source, dict) and "path" in source else "url")
        if problem := _not_there(source, document, key):
            found.append(Fault(*document.place(key), dotted(key), problem))
        found.extend(_files(source, document, ("sources", index)))
    if isinstance(document.data, dict):
        found.extend(_files(document.data.get("rsshub"), document, ("rsshub",)))
    return found


def _not_there(source: Any, document: YamlDocument, key: Key) -> str:
    """What a source names that is not there; empty where all is well, or where it is no path."""
    value = source.get(key[-1]) if isinstance(source, dict) else None
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(value, str) or not value or "://" in value or kind in {"rsshub", "page", "json"}:
        return ""
    path = _path(document.place(key)[0].parent, value)
    if path is None:
        return ""  # a fault
    if kind == "front-matter" and not _is(Path.is_dir, path):
        return f"there is no folder {path}"
    if kind == "front-matter":
        return "" if os.access(path, os.R_OK | os.X_OK) else f"the folder {path} cannot be read by this user"
    if _is(Path.is_file, path):
        return "" if os.access(path, os.R_OK) else f"the file {path} cannot be read by this user"
    # What looks like an URL may hold a token, and is not repeated.
    what = "no such file" if re.search(r"[?@]", value) else f"no file {path}"
    return f"there is {what}; does its URL lack the https://?"


def _files(value: Any, document: YamlDocument, key: Key) -> Iterator[Fault]:
    """The files of credentials and certificates below a key; no value is shown, because some take them for the secret."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _files(item, document, (*key, index))
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        inner = (*key, name)
        if name not in _FILES:
            yield from _files(item, document, inner)
        elif isinstance(item, str) and item:
            place = document.place(inner)
            folder = place[0].parent.absolute()
            path = _path(folder, item)
            if path is None:
                continue  # a fault
            if not _is(Path.is_file, path):
                yield Fault(*place, dotted(inner), f"there is no such file; paths here are relative to {folder}")
            elif not os.access(path, os.R_OK):
                yield Fault(*place, dotted(inner), "the file cannot be read by this user")


def _path(folder: Path, written: str) -> Path | None:
    """The path that is written; None for one that starts with the home folder of nobody."""
    try:
        return folder / Path(written).expanduser()
    except RuntimeError:
        return None


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    """Whether the path leads to such a thing; one that nothing can have, because it is too long, does not."""
    try:
        return kind(path)
    except OSError:
        return False
