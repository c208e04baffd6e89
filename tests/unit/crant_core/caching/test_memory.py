from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from crant_core.caching import Cache, clear_global_cache, get_global_cache, memory


def test_threads_that_ask_for_the_same_get_one_and_the_same():
    # P10: eight threads made eight clients.
    cache, made, together = Cache(), [], threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait()
        return cache.get_or_make("key", lambda: made.append(1) or object())

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert len(made) == 1
    assert len(set(map(id, found))) == 1


def test_threads_that_ask_for_different_things_do_not_wait_for_each_other():
    cache, together = Cache(), threading.Barrier(2, timeout=10)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda key: cache.get_or_make(key, lambda: together.wait() >= 0), "ab")) == [True] * 2


def test_an_error_is_not_remembered():
    cache = Cache()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("key", lambda: 1 // 0)
    assert cache.get_or_make("key", lambda: 2) == 2


def test_what_is_too_old_is_made_anew(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(memory, "monotonic", lambda: now[0])
    cache = Cache()
    cache._entries["key"] = memory._Entry("old", made=0.0)
    now[0] = 59.0
    assert cache.get_or_make("key", lambda: "new", max_age=60) == "old"
    now[0] = 60.0
    assert cache.entry("key") is not None
    assert cache.get_or_make("key", lambda: "new", max_age=60) == "new"


def test_what_is_not_valid_or_not_wanted_is_made_anew():
    cache = Cache()
    cache["key"] = 1
    assert cache.get_or_make("key", lambda: 2, is_valid=lambda value: value > 1) == 2
    assert cache.get_or_make("key", lambda: 3, clear=True) == 3
    assert cache["key"] == 3


def test_what_was_begun_before_a_clear_is_not_kept():
    cache = Cache()

    def make() -> str:
        cache.clear()
        return "of before"

    assert cache.get_or_make("key", make) == "of before"
    assert "key" not in cache


def test_what_was_asked_for_longest_ago_goes_first():
    cache = Cache(most=2)
    cache["a"], cache["b"] = 1, 2
    assert cache.entry("a") is not None
    cache["c"] = 3
    assert set(cache) == {"a", "c"}
    del cache["a"]
    assert len(cache) == 1


def test_a_named_cache_is_one_for_the_process_and_can_be_cleared_by_name():
    assert get_global_cache("test_memory") is get_global_cache("test_memory")
    get_global_cache("test_memory")["key"] = 1
    clear_global_cache("test_memory")
    clear_global_cache("nobody uses this")
    assert not get_global_cache("test_memory")
