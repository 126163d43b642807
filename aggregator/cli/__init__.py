"""The `aggregator` command."""

from aggregator.cli.commands import main

__all__ = ["main"]
