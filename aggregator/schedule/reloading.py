"""The configuration of a daemon: noticing that it was saved, and taking only one that is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aggregator.config.models import Config
from aggregator.config.reading import Files, read_files
from aggregator.errors import ConfigError, Fault

# What cannot become another while a daemon runs: it holds the store's lock, and listens.
_FIXED = ("store", "serve.host", "serve.port", "serve.socket")

Signature = tuple[tuple[str, int, int, int], ...]


class Watched:
    """The files of a configuration, and why what stands in them now is not in force; for one thread at a time.

    `config` is the one to be in force, read once; raises ConfigError where there is none.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: tuple[str, ...] = ()  # as /status shows them: without the folders of this machine
        config, faults, self._files, self._signature = _read(Files(file))
        if config is None:
            raise ConfigError(faults)
        self.config = config

    def is_changed(self) -> bool:
        """Whether somebody saved, added or removed one of the files since they were last read."""
        return self._files.signature() != self._signature

    def read(self) -> tuple[Config | None, list[str]]:
        """The configuration as it is saved now, or None and what is wrong with it, a line each."""
        config, faults, self._files, self._signature = _read(self._files)
        said = [str(fault) for fault in faults]
        shown = [line.removeprefix(f"{fault.file.parent}/") for line, fault in zip(said, faults, strict=True)]
        if config is not None and (fixed := _changed_for_good(self.config, config)):
            shown = [f"{fixed} cannot change while the daemon runs: restart it"]
            said, config = [f"{self.file}: {shown[0]}"], None
        self.config = config or self.config
        self.faults = tuple(shown)
        return config, said

    def forget(self) -> None:
        """Counts as changed again: what was read last could not be put in force."""
        self._signature = None


def _read(files: Files) -> tuple[Config | None, list[Fault], Files, Signature | None]:
    """The configuration, what is wrong with it, its files, and their signature as it was before they were read.

    So what is saved meanwhile is read once more. Files that only the configuration names are known after it was read.
    """
    while True:
        before = files.signature()
        config, faults, found = read_files(files.file)
        patterns = found.patterns
        if config is None:  # one that cannot be read names no patterns: those it had still say where it may be mended
            patterns = tuple(dict.fromkeys((*files.patterns, *patterns)))
        if patterns == files.patterns:
            return config, faults, files, before
        files = Files(files.file, patterns)


def _changed_for_good(old: Config, new: Config) -> str:
    """The first key that differs and must not; empty where there is none."""
    for key in _FIXED:
        before: Any = old
        after: Any = new
        for part in key.split("."):
            before, after = getattr(before, part), getattr(after, part)
        if before != after:
            return key
    return ""
