"""Decoded storage chunks: kept for the process, and loaded a few at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

KEPT_BYTES = 256 * 2**20  #: of decoded chunks, per process
_BAR_DELAY = 2.0  # seconds before a progress bar is worth showing

Block = NDArray[np.uint64]
Result = TypeVar("Result")


class ChunkCache:
    """Decoded chunks by key, the least recently used forgotten first; threads that want the same one load it once.

    Parameters
    ----------
    limit : int
        Bytes kept.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.limit = limit
        self.size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Block] = OrderedDict()
        self._coming: dict[Hashable, Future[Block]] = {}

    def get(self, key: Hashable, load: Callable[[], Block]) -> Block:
        """Return a chunk, read-only; who asks while another thread loads it shares the outcome."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            coming = self._coming.get(key)
            if coming is None:
                mine = self._coming[key] = Future()
        return coming.result() if coming is not None else self._loaded(key, load, mine)

    def _loaded(self, key: Hashable, load: Callable[[], Block], mine: Future[Block]) -> Block:
        try:
            block = load()
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            mine.set_exception(error)
            raise
        block.flags.writeable = False
        with self._lock:
            self._keep(key, block)
            del self._coming[key]
        mine.set_result(block)
        return block

    def _keep(self, key: Hashable, block: Block) -> None:
        self._kept[key] = block
        self.size += block.nbytes
        while self.size > self.limit:
            _, oldest = self._kept.popitem(last=False)
            self.size -= oldest.nbytes

    def clear(self) -> None:
        """Forget all chunks."""
        with self._lock:
            self._kept.clear()
            self.size = 0


def in_threads(function: Callable[[int], Result], count: int, threads: int, progress: bool) -> list[Result]:
    """Call a function with 0 … count-1; the first failure ends it."""
    from tqdm import tqdm

    pool = ThreadPoolExecutor(max(1, min(threads, count)), thread_name_prefix="chunks")
    try:
        futures = [pool.submit(function, number) for number in range(count)]
        with tqdm(total=count, desc="chunks", disable=not progress, delay=_BAR_DELAY, leave=False) as bar:
            for future in as_completed(futures):
                future.result()
                bar.update()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def grouped(chunks: NDArray[np.int64], which: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return the distinct chunks, (k, 3), of some of the rows of `chunks`, and for each of them those rows' numbers."""
    if not len(which):
        return chunks[:0], []
    distinct, inverse, counts = np.unique(chunks[which], axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    return distinct, np.split(which[order], np.cumsum(counts)[:-1])
