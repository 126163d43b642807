"""Files of sources that the command writes: their names, what stands in them, and that none is ever overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aggregator.config.reading import read_config
from aggregator.errors import AggregatorError, ConfigError

FOLDER = "sources.d"
_LONGEST = 60  # characters of a name that is made from a title


@dataclass(frozen=True, slots=True)
class Entry:
    """One source as it is written: its keys in their order, and a line that says what it is."""

    keys: dict[str, Any]
    comment: str


def slug(text: str) -> str:
    """The text as a name may be: lower-case ASCII letters, digits and hyphens; empty where it has none of them.

    >>> slug("Planet  Debian!"), slug("知乎日报")
    ('planet-debian', '')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST].strip("-")


def name_for(title: str, url: str) -> str:
    """A name from a title in Latin script, else from the host: `planet-debian`, `zhihu-com`."""
    letters = [sign for sign in title if sign.isalnum()]
    is_latin = len(letters) >= 3 and sum(sign.isascii() for sign in letters) * 2 > len(letters)
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return (slug(title) if is_latin and len(title) <= _LONGEST else "") or slug(host) or "source"


def unique(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


def file_for(config: Path, name: str) -> Path:
    """Where the file of a name lies, beside the configuration."""
    return config.parent / FOLDER / f"{name}.yaml"


def as_yaml(entries: Sequence[Entry]) -> str:
    """The sources as a list in YAML, each below its comment; what `$` would mean in the configuration is escaped."""
    import yaml  # noqa: PLC0415

    parts = []
    for entry in entries:
        dumped = yaml.safe_dump([_escaped(entry.keys)], allow_unicode=True, sort_keys=False, width=10_000)
        parts.append(f"# {entry.comment}\n{dumped}")
    return "\n".join(parts)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return value.replace("$", "$$") if isinstance(value, str) else value


def write_new(file: Path, text: str, *, private: bool) -> None:
    """Writes a file that is not there yet, for its owner alone where it is private; raises AggregatorError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    except FileExistsError as error:
        raise AggregatorError(f"{error.filename} is there already; nothing was written") from None
    except OSError as error:
        raise AggregatorError(f"{file} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        file.unlink()  # half a file would be half a configuration
        raise AggregatorError(f"{file} cannot be written: {error.strerror}") from error


def is_taken_in(config: Path, file: Path, names: Collection[str]) -> bool:
    """Whether the configuration holds the sources of a file just written; one that breaks it is taken away again."""
    try:
        known = {source.name for source in read_config(config).sources}
    except ConfigError:
        file.unlink()
        raise
    return known.issuperset(names)
