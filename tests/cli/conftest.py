"""The command, run in this process."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from aggregator.cli import main

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def aggregator(monkeypatch, capfd) -> Callable[..., Said]:
    """Runs the command; gives its exit code and what it printed."""

    def run(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["aggregator", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        # FORCE_COLOR and the like, which CI sets for pytest, colour the command's help and faults, too.
        return Said(int(ended.value.code or 0), _COLOUR.sub("", said.out), _COLOUR.sub("", said.err))

    return run


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here has to outlive a power cut, and waiting for the disk is most of the time that publishing takes."""
    monkeypatch.setattr("os.fsync", lambda _: None)
