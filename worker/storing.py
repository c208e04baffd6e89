"""Puts files of items into the store while the next items are worked on: a disk or a bucket takes its time.

What an item became of is known when its files are safe, and only then is it recorded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from types import TracebackType
from typing import Self

from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.repository.recording import Outcome, StoredFile
from crant_core.jobs.tracing import span
from crant_core.kinds.base import File

_THREADS = 4
_MOST_BYTES = 64 << 20  #: on their way at a time; a file that is larger goes alone


def store_file(store: ArtifactStore, file: File) -> StoredFile:
    """Put one file into the store.

    Raises
    ------
    StoreUnavailable
    """
    with span("store", file=file.name, bytes=len(file.data)):
        sha256 = store.put(file.data)
    return StoredFile(
        name=file.name, media_type=file.media_type, size=len(file.data), sha256=sha256, meta=dict(file.meta)
    )


class Storing:
    """Stores the files of one unit's items, a few items at a time; leaving it waits for all that began."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self._going: deque[tuple[Future[Outcome], int]] = deque()
        self._bytes = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for those that began; the others nobody will hear of, if there was an error."""
        self._pool.shutdown(cancel_futures=error is not None)

    def later(self, files: Iterable[File], store: Callable[[], Outcome]) -> Future[Outcome]:
        """Let a thread store these files by calling `store`; waits while too much is on its way.

        Files that are made one after the other, as they are stored, are the item's work: that is done here and now.
        """
        if not isinstance(files, Sequence) or not files:
            return ended(store())
        size = sum(len(file.data) for file in files)
        while self._going and self._bytes + size > _MOST_BYTES:
            self._forget_first()
        future = self._pool.submit(copy_context().run, store)
        self._going.append((future, size))
        self._bytes += size
        return future

    def _forget_first(self) -> None:
        future, size = self._going.popleft()
        wait([future])
        self._bytes -= size


def ended(outcome: Outcome) -> Future[Outcome]:
    """Return what is known at once as something that may come later."""
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future
