from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pandas as pd
import pytest

from crant_core import registry
from crant_core.caching import cached_result, clear_global_cache, get_global_cache, memory
from crant_core.errors import InvalidInput

_names = count()


@pytest.fixture
def name() -> str:
    return f"test_results_{next(_names)}"


def test_the_documented_examples(name):
    calls = []

    @cached_result(name)
    def square(x):
        calls.append(x)
        return x**2

    assert [square(3), square(x=3), square(4)] == [9, 9, 16]
    assert calls == [3, 4]
    square.clear_cache()
    assert square(3) == 9
    assert calls == [3, 4, 3]


def test_a_key_of_ones_own(name):
    calls = []

    @cached_result(name, key_fn=lambda x: f"key_{x % 10}")
    def square(x):
        calls.append(x)
        return x**2

    assert [square(1), square(11), square(2)] == [1, 1, 4]
    assert calls == [1, 2]


def test_a_key_that_is_none_is_an_error_and_one_that_cannot_be_compared_is_not_remembered(name):
    nothing = cached_result(name, key_fn=lambda x: None)(lambda x: x)
    with pytest.raises(InvalidInput, match="key_fn"):
        nothing(1)
    calls = []
    unlasting = cached_result(name, key_fn=lambda x: bytearray())(calls.append)
    unlasting(1)
    unlasting(1)
    assert calls == [1, 1]


def test_what_need_not_be_remembered_is_not(name):
    calls = []

    @cached_result(name, should_cache_fn=lambda result, *args: result > 10)
    def square(x):
        calls.append(x)
        return x**2

    assert [square(x=3), square(3), square(5), square(x=5)] == [9, 9, 25, 25]
    assert calls == [3, 3, 5]


def test_what_is_no_longer_valid_is_asked_anew_unless_that_is_unwanted(name):
    calls = []

    @cached_result(name, validate_cache_fn=lambda result, *args: False)
    def square(x):
        calls.append(x)
        return x**2

    assert [square(3), square(3)] == [9, 9]
    assert calls == [3, 3]
    assert square(3, check_stale=False) == 9
    assert calls == [3, 3]


def test_what_is_too_old_is_asked_anew(name, monkeypatch):
    answers = count()
    ask = cached_result(name, max_age=60)(lambda: next(answers))
    assert [ask(), ask()] == [0, 0]
    later = memory.monotonic() + 61
    monkeypatch.setattr(memory, "monotonic", lambda: later)
    assert ask(check_stale=False) == 0
    assert ask() == 1


def test_clear_cache_asks_anew_and_functions_with_such_a_parameter_get_it(name):
    answers = count()
    assert [f() for f in [cached_result(name)(lambda: next(answers))] * 2] == [0, 0]
    seen = []

    @cached_result(name)
    def ask(clear_cache=False):
        seen.append(clear_cache)

    ask(clear_cache=True)
    ask(clear_cache=True)
    assert seen == [True, True]


def test_nobody_can_change_what_others_get(name):
    # D2
    ask = cached_result(name)(lambda: pd.DataFrame({"id": [1], "list": [[1]]}))
    first = ask()
    first.loc[0, "id"] = 9
    first.loc[0, "list"].append(9)
    second = ask()
    second.loc[0, "list"].append(9)
    assert ask().to_dict("list") == {"id": [1], "list": [[1]]}


def test_threads_that_ask_the_same_call_once(name):
    # P10
    calls, together = [], threading.Barrier(8)
    ask = cached_result(name)(lambda x: calls.append(x) or [x])

    def together_ask(_: int) -> list[int]:
        together.wait()
        return ask(5)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(together_ask, range(8))) == [[5]] * 8
    assert calls == [5]


@pytest.mark.parametrize("key_fn", [None, lambda dataset=None: "always"])
def test_the_default_dataset_counts_as_it_is_at_the_call(name, key_fn, monkeypatch):
    # D1
    monkeypatch.setattr(registry, "_default", None)
    ask = cached_result(name, key_fn=key_fn)(lambda dataset=None: dataset or registry.default_dataset())
    assert ask() == "latest"
    registry.set_default_dataset("sandbox")
    assert ask() == "sandbox"
    registry.set_default_dataset("latest")
    assert ask() == "latest"


def test_functions_that_share_a_cache_do_not_share_answers(name):
    assert cached_result(name)(lambda x: "a")(1) == "a"
    assert cached_result(name)(lambda x: "b")(1) == "b"
    assert len(get_global_cache(name)) == 2
    clear_global_cache(name)
    assert not get_global_cache(name)
