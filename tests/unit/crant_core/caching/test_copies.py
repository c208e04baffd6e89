from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

from crant_core.caching.copies import snapshot


def table() -> pd.DataFrame:
    made = pd.DataFrame({"id": [1, 2], "position": [[1, 2, 3], [4, 5, 6]], "name": ["a", None]})
    made.attrs["timestamp"] = "then"
    return made


@pytest.mark.parametrize(
    "wrap", [lambda t: t, lambda t: {"t": t}, lambda t: [t], lambda t: (1, t)], ids=["table", "dict", "list", "tuple"]
)
def test_nothing_done_to_a_copy_shows_in_the_original(wrap):
    # D2: a remembered table was changed by whoever got it. pandas' own deep copy shares the lists in cells.
    original = table()
    copied = snapshot(wrap(original))
    while not isinstance(copied, pd.DataFrame):
        copied = next(iter(copied.values())) if isinstance(copied, dict) else copied[-1]
    copied.loc[0, "id"] = 99
    copied.loc[0, "position"].append(99)
    copied.attrs["timestamp"] = "now"
    pd.testing.assert_frame_equal(original, table())
    assert original.attrs == {"timestamp": "then"}


def test_a_copy_is_equal():
    pd.testing.assert_frame_equal(snapshot(table()), table())
    series = pd.Series([[1], [2]], name="lists", index=[5, 6])
    copied = snapshot(series)
    pd.testing.assert_series_equal(copied, series)
    copied[5].append(9)
    assert series[5] == [1]


def test_arrays_and_containers_are_copied():
    original = {"a": np.arange(3), "b": [{1}]}
    copied = snapshot(original)
    copied["a"][0] = 9
    copied["b"][0].add(9)
    assert original["a"].tolist() == [0, 1, 2]
    assert original["b"] == [{1}]


def test_what_cannot_be_copied_is_handed_on():
    lock = threading.Lock()
    assert snapshot(lock) is lock
    assert snapshot([lock, [1]]) == [lock, [1]]


def test_columns_of_the_same_name_are_copied_each():
    original = pd.DataFrame([[[1], [2]]], columns=["a", "a"])
    snapshot(original).iloc[0, 1].append(9)
    assert original.iloc[0].tolist() == [[1], [2]]
