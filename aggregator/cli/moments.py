"""The moment that a command works in."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import typer


def present() -> datetime:
    """The moment by the clock, in whole seconds: for what goes on for as long as it takes."""
    return datetime.now(UTC).replace(microsecond=0)


def now() -> datetime:
    """The moment, in whole seconds; `SOURCE_DATE_EPOCH` (reproducible-builds.org) sets it, in seconds since 1970."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return present()
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter("is no number of seconds since 1970", param_hint="SOURCE_DATE_EPOCH") from None
