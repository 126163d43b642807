"""The options that several commands take."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_CONFIG = "config/aggregator.yaml"

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="AGGREGATOR_CONFIG", help="The configuration file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")]
LogOption = Annotated[
    Literal["text", "json"], typer.Option("--log-format", help="How warnings and errors are written to stderr.")
]


def command(config: Path, *words: str) -> str:
    """A command as somebody would type it into a shell, with the configuration where it is not the default one.

    >>> command(Path("a b.yaml"), "run", "--source", "x")
    "aggregator run --source x -c 'a b.yaml'"
    """
    where = () if str(config) == DEFAULT_CONFIG else ("-c", str(config))
    return shlex.join(("aggregator", *words, *where))
