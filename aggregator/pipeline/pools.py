"""Pools of processes of which one was killed."""

from __future__ import annotations

import sys
from concurrent.futures import Executor
from contextlib import suppress


def unblock(executor: Executor) -> None:
    """Lets a broken pool end, which an older Python does not do by itself (gh-94777); for one thread at a time.

    The thread that feeds it may be writing into a pipe that nobody reads any more, and everybody waits for that thread.
    Debian 12 has 3.11.2. Newer ones close the pipe themselves, and it must not be closed twice: its number may be taken.
    """
    reader = getattr(getattr(executor, "_call_queue", None), "_reader", None)
    if reader is not None and sys.version_info < (3, 11, 5) and not reader.closed:
        with suppress(OSError):
            reader.close()
