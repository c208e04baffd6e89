from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core import registry
from crant_core.caching.keys import Uncacheable, arguments, call_key, fingerprint
from crant_core.datasets import get_dataset

BIG = 576460752303423487

DIFFERENT = [
    1,
    True,
    1.0,
    "1",
    [1],
    (1,),
    {1},
    {"1": 1},
    None,
    BIG,
    BIG + 1,
    np.array([1]),
    np.array([1], dtype=np.uint8),
    np.array([[1]]),
    np.array([BIG]),
    np.array([BIG + 1]),
    np.array(["1"]),
    np.array([None, 1]),
    np.datetime64(1, "ns"),
    np.datetime64(1, "s"),
    np.timedelta64(1, "ns"),
    pd.Timestamp(1),
    pd.Timestamp(2),
    pd.Series([1]),
    pd.Series([1], index=[5]),
    pd.Index([1]),
    pd.Series([BIG, None], dtype="Int64"),  # to_numpy() makes floats of them, which are equal
    pd.Series([BIG + 1, None], dtype="Int64"),
    pd.DataFrame({"a": pd.array([BIG, None], dtype="Int64")}),
    pd.DataFrame({"a": pd.array([BIG + 1, None], dtype="Int64")}),
    pd.DataFrame({"a": [1]}),
    pd.DataFrame({"b": [1]}),
]


def test_different_values_are_different():
    for one, other in combinations(DIFFERENT, 2):
        assert fingerprint(one) != fingerprint(other), (one, other)


@pytest.mark.parametrize("value", DIFFERENT, ids=str)
def test_equal_values_are_equal(value):
    again = value.copy() if hasattr(value, "copy") else value
    assert fingerprint(value) == fingerprint(again)
    assert hash(fingerprint(value)) == hash(fingerprint(again))


def test_numpys_numbers_are_numbers_and_order_counts_only_where_there_is_one():
    assert fingerprint(np.int64(5)) == fingerprint(5)
    assert fingerprint([1, 2]) != fingerprint([2, 1])
    assert fingerprint({1, 2}) == fingerprint({2, 1})
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


@given(st.lists(st.integers(0, 2**63 - 1), max_size=5), st.lists(st.integers(0, 2**63 - 1), max_size=5))
def test_arrays_of_ids_are_equal_only_if_all_ids_are(one, other):
    keys = [fingerprint(np.array(ids, dtype=np.int64)) for ids in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize("value", [bytearray(b"x"), [bytearray(b"x")], type("Criteria", (), {"get_roots": list})()])
def test_what_has_no_lasting_value_is_refused(value):
    with pytest.raises(Uncacheable):
        fingerprint(value)


def example(x, timestamp=None, dataset=None, progress=True):
    """What keys are made for."""


def key_of(*args: object, **kwargs):
    return call_key(arguments(example, args, kwargs))


def test_every_way_to_write_a_call_has_one_key():
    assert key_of(1) == key_of(x=1) == key_of(1, None) == key_of(1, progress=False) == key_of(1, dataset="latest")
    assert key_of(1, dataset="crantb") == key_of(1, dataset=get_dataset("latest"))


@pytest.mark.parametrize("other", [{"x": 2}, {"timestamp": 5}, {"dataset": "sandbox"}])
def test_every_argument_that_matters_makes_another_key(other):
    # D8: the key was the id alone, so answers of two datasets and of two times were mixed.
    assert key_of(**({"x": 1} | other)) != key_of(1)


def test_another_default_dataset_makes_another_key_whether_or_not_there_is_a_parameter_for_it(monkeypatch):
    # D1
    monkeypatch.setattr(registry, "_default", None)

    def without(x):
        """Use the default dataset inside."""

    before = key_of(1), call_key(arguments(without, [1], {}))
    registry.set_default_dataset("sandbox")
    after = key_of(1), call_key(arguments(without, [1], {}))
    assert before[0] != after[0]
    assert before[1] != after[1]
