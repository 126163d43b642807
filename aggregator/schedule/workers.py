"""Processes that read and render in parallel, started only when there is work for them."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from concurrent.futures import Executor
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aggregator.pipeline.pools import unblock

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor


class WorkerPool:
    """A pool of processes, one for each processor; called, it gives its executor, or None on a single processor.

    The processes are forked from this one with everything it has imported, which makes them ready in milliseconds; so
    the first call must come before any thread is started.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or len(os.sched_getaffinity(0))
        self._executor: ProcessPoolExecutor | None = None
        self._lifeline = -1

    def __call__(self, *modules: str) -> Executor | None:
        """The executor, started at its first use; None where a second process would only wait for this one.

        `modules` are imported before the fork, so that it is done once and not in each process.
        """
        if self._processes < 2:
            return None
        if self._executor is not None and _is_broken(self._executor):
            self._end(wait=False)
        if self._executor is None:
            import multiprocessing  # noqa: PLC0415 - for runs with enough to do
            from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

            for module in modules:
                importlib.import_module(module)

            ours, theirs = os.pipe()
            self._lifeline = theirs
            context = multiprocessing.get_context("fork")
            self._executor = ProcessPoolExecutor(self._processes, context, _die_with_parent, (ours, theirs))
            # It forks at its first task. A fork after threads were started may inherit a lock that one of them holds,
            # for ever: SQLite's, in one run of three.
            self._executor.submit(os.getpid).result()
        return self._executor

    def __enter__(self) -> Self:
        """The pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the processes; what they have not begun is not waited for when something went wrong."""
        if self._executor is not None:
            self._end(wait=not _is_broken(self._executor), cancel=error is not None)

    def _end(self, *, wait: bool = True, cancel: bool = False) -> None:
        assert self._executor is not None
        if _is_broken(self._executor):
            unblock(self._executor)
        self._executor.shutdown(wait=wait, cancel_futures=cancel)
        os.close(self._lifeline)
        self._executor = None


def _is_broken(executor: Executor) -> bool:
    """Whether one of its processes was killed."""
    return bool(getattr(executor, "_broken", False))


def _die_with_parent(lifeline: int, parents_end: int) -> None:
    """Ends this process when its parent is gone, however that died: the pipe to it then reads as closed.

    Left alone, the processes of a killed run would wait for work for ever, and hold the run's lock meanwhile.
    """
    os.close(parents_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it: this process ends with that

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
