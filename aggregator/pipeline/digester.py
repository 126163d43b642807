"""Who digests answers: worker processes while they live, one by itself after one was killed, this process on a single CPU."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor

from aggregator.errors import IngestError
from aggregator.pipeline.digesting import Gathered, Task, digest_answer, digest_in_worker
from aggregator.pipeline.pools import unblock
from aggregator.store.store import Store

_ROOM = 96  # answers that are being digested, or were and are not written yet: posts take more memory than bodies


class Digester:
    """Digests answers for many threads, so many at a time; whoever has written one makes room for another.

    A process that is killed (out of memory, as a rule) takes all that was in work with it, and does not say whose fault it was.
    Each of them is then digested once more, one at a time, by a process of its own: only what kills that one too has failed.
    """

    def __init__(self, store: Store, executor: Executor | None) -> None:
        self._store, self._executor = store, executor
        self._room = threading.Semaphore(_ROOM)
        self._alone = threading.Lock()
        self._single: ProcessPoolExecutor | None = None
        self._broken = False
        self._closed = False

    def digest(self, task: Task) -> Gathered:
        """What is new in an answer, as soon as there is room for it; raises IngestError."""
        self._room.acquire()
        try:
            return self._digested(task)
        except BaseException:
            self._room.release()
            raise

    def make_room(self) -> None:
        """Notes that what an answer gave is needed no more."""
        self._room.release()

    def close(self) -> None:
        """Ends the process that works by itself, if there is one, and sends away whoever waits for room."""
        self._closed = True
        self._room.release()  # one goes, and makes room for the next
        if self._single is not None:
            self._single.shutdown(wait=False, cancel_futures=True)

    def _digested(self, task: Task) -> Gathered:
        if self._closed:
            raise IngestError("nobody wants it any more")
        executor = self._executor
        if executor is None:
            return digest_answer(self._store, task)
        if not self._broken:
            try:
                return executor.submit(digest_in_worker, self._store.url, task).result()
            except BrokenExecutor:
                with self._alone:  # all that were in work hear of it at once
                    if not self._broken:
                        unblock(executor)
                        self._broken = True
        return self._digested_alone(task)

    def _digested_alone(self, task: Task) -> Gathered:
        with self._alone:
            if self._single is None:
                # Not forked: there are threads, and the child of one would inherit what the others hold.
                self._single = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            try:
                return self._single.submit(digest_in_worker, self._store.url, task).result()
            except BrokenExecutor as error:
                unblock(self._single)
                self._single = None
                raise IngestError("the process that read it was killed, perhaps for want of memory") from error
