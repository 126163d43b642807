"""The configuration of a daemon: noticing that it was saved, and taking only one that is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aggregator.config.models import Config
from aggregator.config.reading import Files, read_files

# What cannot become another while a daemon runs: it holds the store's lock, and listens.
_FIXED = ("store", "serve.host", "serve.port", "serve.socket")


class Watched:
    """The files of a configuration, and why what stands in them now is not in force; for one thread at a time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: tuple[str, ...] = ()  # as /status shows them: without the folders of this machine
        self._in_force, _, self._files = read_files(file)
        self._signature = self._files.signature()

    def is_changed(self) -> bool:
        """Whether somebody saved, added or removed one of the files since they were last read."""
        return self._files.signature() != self._signature

    def read(self) -> tuple[Config | None, list[str]]:
        """The configuration as it is saved now, or None and what is wrong with it, a line each."""
        before = self._files.signature()  # taken first: what is saved meanwhile is read once more
        config, faults, files = read_files(self.file)
        said = [str(fault) for fault in faults]
        shown = [line.removeprefix(f"{fault.file.parent}/") for line, fault in zip(said, faults, strict=True)]
        if config is not None and (fixed := _changed_for_good(self._in_force, config)):
            shown = [f"{fixed} cannot change while the daemon runs: restart it"]
            said, config = [f"{self.file}: {shown[0]}"], None
        patterns = files.patterns
        if config is None:  # one that cannot be read names no patterns: those it had still say where it may be mended
            patterns = tuple(dict.fromkeys((*self._files.patterns, *files.patterns)))
        else:
            self._in_force = config
        is_same = patterns == self._files.patterns
        self._files = Files(self.file, patterns)
        self._signature = before if is_same else self._files.signature()
        self.faults = tuple(shown)
        return config, said


def _changed_for_good(old: Config | None, new: Config) -> str:
    """The first key that differs and must not; empty where there is none."""
    for key in _FIXED if old else ():
        before: Any = old
        after: Any = new
        for part in key.split("."):
            before, after = getattr(before, part), getattr(after, part)
        if before != after:
            return key
    return ""
