from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crant_core.sources.chunks import ChunkCache, grouped, in_threads


def block(value: int = 1) -> np.ndarray:
    return np.full(8, value, dtype=np.uint64)  # 64 bytes


def never() -> np.ndarray:
    raise AssertionError("it was loaded again")


class TestCache:
    def test_what_was_loaded_is_kept_and_read_only(self):
        cache = ChunkCache()
        cache.get("a", block)
        assert cache.get("a", never).tolist() == [1] * 8
        with pytest.raises(ValueError, match="read-only"):
            cache.get("a", never)[0] = 5

    def test_the_least_recently_used_goes_first_and_the_limit_holds(self):
        cache = ChunkCache(limit=3 * 64)
        for key in "abc":
            cache.get(key, block)
        cache.get("a", never)
        cache.get("d", block)
        assert cache.size == 3 * 64
        for key in "acd":
            cache.get(key, never)
        with pytest.raises(AssertionError):
            cache.get("b", never)

    def test_a_chunk_larger_than_the_limit_is_handed_out_but_not_kept(self):
        cache = ChunkCache(limit=10)
        assert cache.get("a", block).tolist() == [1] * 8
        assert cache.size == 0

    def test_threads_that_want_the_same_load_it_once(self):
        cache, loads, start = ChunkCache(), [], threading.Barrier(8)
        loading = threading.Event()

        def load() -> np.ndarray:
            loads.append(1)
            loading.wait(1)
            return block()

        def ask(number: int) -> list[int]:
            start.wait()
            if number == 0:
                loading.set()
            return cache.get("a", load).tolist()

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [[1] * 8] * 8
        assert len(loads) == 1

    def test_a_failure_is_everybodys_but_not_remembered(self):
        cache = ChunkCache()

        def fail() -> np.ndarray:
            raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            cache.get("a", fail)
        assert cache.get("a", block).tolist() == [1] * 8

    def test_cleared_it_is_empty(self):
        cache = ChunkCache()
        cache.get("a", block)
        cache.clear()
        assert cache.size == 0
        assert cache.get("a", lambda: block(2)).tolist() == [2] * 8


class TestThreads:
    def test_answers_come_in_order(self):
        assert in_threads(lambda number: number * number, 50, 8, progress=False) == [n * n for n in range(50)]
        assert in_threads(lambda number: number, 0, 8, progress=False) == []

    def test_the_first_failure_ends_it(self):
        done = []

        def work(number: int) -> None:
            done.append(number)
            time.sleep(0.001)
            if number == 3:
                raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            in_threads(work, 10_000, 1, progress=False)
        assert len(done) < 10_000

    def test_no_more_than_asked_for_run_at_a_time(self):
        running, most, lock = [], [0], threading.Lock()

        def work(number: int) -> None:
            with lock:
                running.append(number)
                most[0] = max(most[0], len(running))
            with lock:
                running.remove(number)

        in_threads(work, 200, 3, progress=False)
        assert 1 <= most[0] <= 3

    @pytest.mark.parametrize("progress", [True, False])
    def test_a_bar_is_for_long_calls_only(self, monkeypatch, progress):
        import tqdm

        asked = {}

        def recorded(*args: object, **kwargs):
            asked.update(kwargs)
            return real(*args, **(kwargs | {"disable": True}))

        real = tqdm.tqdm
        monkeypatch.setattr(tqdm, "tqdm", recorded)
        in_threads(lambda number: number, 3, 1, progress=progress)
        assert (asked["delay"], asked["disable"]) == (2, not progress)


class TestGroups:
    def test_rows_are_grouped_by_chunk(self):
        chunks = np.array([[1, 0, 0], [0, 0, 5], [1, 0, 0], [9, 9, 9], [0, 0, 5]])
        distinct, members = grouped(chunks, np.array([0, 1, 2, 4]))
        assert distinct.tolist() == [[0, 0, 5], [1, 0, 0]]
        assert [part.tolist() for part in members] == [[1, 4], [0, 2]]

    def test_none_are_none(self):
        distinct, members = grouped(np.zeros((2, 3), dtype=np.int64), np.array([], dtype=np.int64))
        assert (distinct.shape, members) == ((0, 3), [])
