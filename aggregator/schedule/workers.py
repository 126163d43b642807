"""Processes that read and render in parallel, started only when there is work for them."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aggregator.pipeline.pools import unblock

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor


_PRELOADED = ["aggregator.pipeline.digesting", "aggregator.pipeline.reading", "aggregator.pipeline.rendering"]


class WorkerPool:
    """A pool of processes, one for each processor; called, it gives its executor, or None on a single processor.

    The processes of a run are forked from it with everything it has imported, which makes them ready in milliseconds; so
    the first call must come before any thread is started. A daemon has threads: its processes are forked from a server of
    `multiprocessing`'s (`has_threads`), which takes a second the first time.
    """

    def __init__(self, processes: int | None = None, *, has_threads: bool = False) -> None:
        self._processes = processes or len(os.sched_getaffinity(0))
        self._has_threads = has_threads
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._lifeline = -1

    def __call__(self, *modules: str) -> Executor | None:
        """The executor, started at its first use; None where a second process would only wait for this one.

        `modules` are imported before the fork, so that it is done once and not in each process.
        """
        if self._processes < 2:
            return None
        with self._lock:
            if self._executor is not None and _is_broken(self._executor):
                self._end(wait=False)
            if self._executor is None:
                self._executor = self._served() if self._has_threads else self._forked(modules)
            return self._executor

    def rest(self) -> None:
        """Ends the processes, whose memory goes back to the system; the next call starts others. Nobody may be using them."""
        with self._lock:
            if self._executor is not None:
                self._end()

    def _forked(self, modules: Sequence[str]) -> ProcessPoolExecutor:
        import multiprocessing  # noqa: PLC0415 - for runs with enough to do
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

        for module in modules:
            importlib.import_module(module)
        ours, self._lifeline = os.pipe()
        context = multiprocessing.get_context("fork")
        executor = ProcessPoolExecutor(self._processes, context, _die_with_parent, (ours, self._lifeline))
        # It forks at its first task. A fork after threads were started may inherit a lock that one of them holds,
        # for ever: SQLite's, in one run of three.
        executor.submit(os.getpid).result()
        return executor

    def _served(self) -> ProcessPoolExecutor:
        import multiprocessing  # noqa: PLC0415
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        return ProcessPoolExecutor(self._processes, context, _die_with_server)

    def __enter__(self) -> Self:
        """The pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the processes; what they have not begun is not waited for when something went wrong."""
        with self._lock:
            if self._executor is not None:
                self._end(wait=not _is_broken(self._executor), cancel=error is not None)

    def _end(self, *, wait: bool = True, cancel: bool = False) -> None:
        assert self._executor is not None
        if _is_broken(self._executor):
            unblock(self._executor)
        self._executor.shutdown(wait=wait, cancel_futures=cancel)
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        self._executor = None


def _is_broken(executor: Executor) -> bool:
    """Whether one of its processes was killed."""
    return bool(getattr(executor, "_broken", False))


def _die_with_parent(lifeline: int, parents_end: int) -> None:
    """Ends this process when its parent is gone, however that died: the pipe to it then reads as closed.

    Left alone, the processes of a killed run would wait for work for ever, and hold the run's lock meanwhile.
    """
    os.close(parents_end)
    _end_after(lambda: os.read(lifeline, 1))


def _die_with_server() -> None:
    """Likewise for a process that was not forked from its parent: `multiprocessing` keeps such a pipe by itself."""
    import multiprocessing  # noqa: PLC0415

    parent = multiprocessing.parent_process()
    assert parent is not None
    _end_after(parent.join)


def _end_after(wait: Callable[[], object]) -> None:
    """Ends this process once `wait` returns; Ctrl-C is for the one who started it, and it ends with that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
