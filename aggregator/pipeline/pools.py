"""Pools of processes of which one was killed."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor
from contextlib import suppress


def unblock(executor: Executor) -> None:
    """Lets a broken pool end, which an older Python does not do by itself (gh-94777); for one thread at a time.

    The thread that feeds it may be writing into a pipe that nobody reads any more, and everybody waits for that thread.
    Debian 12 has 3.11.2. Newer ones close the pipe's end themselves. Here something else takes its place, because that thread
    closes it when it ends, which may be now, and what is closed by two has the second fail.
    """
    reader = getattr(getattr(executor, "_call_queue", None), "_reader", None)
    if reader is None or sys.version_info >= (3, 11, 5):
        return
    with suppress(OSError), open(os.devnull, "rb") as nothing:  # noqa: PTH123 - it is no path
        os.dup2(nothing.fileno(), reader.fileno(), inheritable=False)
