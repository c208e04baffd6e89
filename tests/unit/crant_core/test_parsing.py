from __future__ import annotations

import navis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.errors import InvalidId, InvalidInput
from crant_core.ids import MAX_ID
from crant_core.parsing import ids_or_none, parse_root_ids, parse_timestamp, root_ids_of

BIG = 576460752303423487  # as a float, it ends in 8
ID = st.integers(1, MAX_ID)


class Criteria:
    """What NeuronCriteria is to these functions."""

    def __init__(self, roots) -> None:
        self._roots = roots

    def get_roots(self):
        return self._roots


def neurons(ids):
    made = [
        navis.TreeNeuron(pd.DataFrame({"node_id": [1], "parent_id": [-1], "x": 0.0, "y": 0.0, "z": 0.0})) for _ in ids
    ]
    for neuron, id_ in zip(made, ids, strict=True):
        neuron.id = id_
    return made


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "strings": lambda ids: [f" {id_} " for id_ in ids],
    "keys": lambda ids: dict.fromkeys(ids).keys(),
    "int64": lambda ids: np.array(ids, dtype=np.int64),
    "uint64": lambda ids: np.array(ids, dtype=np.uint64),
    "objects": lambda ids: np.array(ids, dtype=object),
    "array of strings": lambda ids: np.array([str(id_) for id_ in ids]),
    "list of np.int64": lambda ids: list(np.array(ids, dtype=np.int64)),
    "list of np.uint64": lambda ids: list(np.array(ids, dtype=np.uint64)),
    "list of 0-d arrays": lambda ids: [np.array(id_) for id_ in ids],
    "list of arrays": lambda ids: [np.array([id_]) for id_ in ids],
    "list of lists": lambda ids: [[id_] for id_ in ids],
    "column vector": lambda ids: np.array(ids, dtype=np.int64).reshape(-1, 1),
    "Series": lambda ids: pd.Series(ids, dtype=np.int64, index=range(7, 7 + len(ids))),
    "Series of uint64": lambda ids: pd.Series(ids, dtype=np.uint64),
    "Series of Int64": lambda ids: pd.Series(ids, dtype="Int64"),
    "Series of strings": lambda ids: pd.Series([str(id_) for id_ in ids], dtype="string"),
    "Index": lambda ids: pd.Index(ids, dtype=np.int64),
    "DataFrame": lambda ids: pd.DataFrame({"x": 0.5, "root_id": pd.Series(ids, dtype=np.int64)}),
    "criteria": lambda ids: Criteria(np.array(ids, dtype=np.int64)),
    "list with criteria": lambda ids: [Criteria(np.array(ids, dtype=np.int64))],
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS.keys())
@given(st.lists(ID, max_size=4, unique=True))
def test_every_id_in_every_container_comes_back_exactly_and_in_order(container, ids):
    # D7: np.int64, lists of them, Series and NeuronLists were refused.
    assert root_ids_of(container(ids)).tolist() == ids
    assert parse_root_ids(container(ids)) == [str(id_) for id_ in ids]
    assert ids_or_none(container(ids)) == ids


@given(ID)
def test_every_scalar_comes_back_exactly(value):
    for written in (value, str(value), np.int64(value), np.uint64(value), np.array(value)):
        assert parse_root_ids(written) == [str(value)]


def test_repetitions_are_kept():
    assert parse_root_ids([BIG, 1, BIG]) == [str(BIG), "1", str(BIG)]


def test_neurons_of_navis_count_by_their_ids():
    # D7
    one, two = neurons([BIG, str(BIG + 2)])
    assert parse_root_ids(one) == [str(BIG)]
    assert parse_root_ids([one, two]) == [str(BIG), str(BIG + 2)]
    assert parse_root_ids(navis.NeuronList([one, two])) == [str(BIG), str(BIG + 2)]


FLOATS = {
    "float": 5.0,
    "numpy": np.float64(5),
    "single": np.float32(5),
    "list": [1, 5.0],
    "array": np.array([5.0]),
    "Series": pd.Series([5.0]),
    "Series with a gap": pd.Series([5, None]),
    "Float64": pd.Series([5.0], dtype="Float64"),
    "objects": np.array([5, 5.0], dtype=object),
    "DataFrame": pd.DataFrame({"root_id": [5.0]}),
    "nested": [[5], [5.0]],
    "criteria": Criteria(np.array([5.0])),
    "as text": "5.0",
    "with exponent": "5e17",
}


@pytest.mark.parametrize("given_", FLOATS.values(), ids=FLOATS.keys())
def test_floats_are_never_ids(given_):
    for read in (parse_root_ids, root_ids_of, ids_or_none):
        with pytest.raises(InvalidId):
            read(given_)


@given(st.floats())
def test_no_float_at_all_is_an_id(value):
    for read in (parse_root_ids, root_ids_of):
        for given_ in (value, [value], np.array([value]), pd.Series([1, value], dtype=object)):
            with pytest.raises(InvalidId):
                read(given_)


@pytest.mark.parametrize(
    "value",
    [
        None, pd.NA, pd.NaT, np.nan, "", "neuron", True, 0, -1, 2**63, b"5", 5j, np.array([2**63], dtype=np.uint64),
        np.array([-1]), [True], np.array([True]), {"a": 1}, [None], pd.Series([5, None], dtype="Int64"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_id_is_named(value):
    with pytest.raises(InvalidId) as caught:
        parse_root_ids(value)
    assert caught.value.hint


def test_zero_passes_where_it_is_let():
    assert root_ids_of([0, "0", np.int64(0), 5], zero=True).tolist() == [0, 0, 0, 5]
    assert root_ids_of(np.array([0, 5], dtype=np.uint64), zero=True).tolist() == [0, 5]
    for value in (-1, False, 0.0, np.array([-1])):
        with pytest.raises(InvalidId):
            root_ids_of(value, zero=True)


def test_missing_ids_have_their_places():
    given_ = [BIG, None, np.nan, pd.NA, "", str(BIG), 0, pd.NaT]
    assert ids_or_none(given_) == [BIG, None, None, None, None, BIG, 0, None]
    assert ids_or_none(pd.Series([BIG, None], dtype="Int64")) == [BIG, None]
    assert ids_or_none(np.array([BIG, None], dtype=object)) == [BIG, None]


def test_a_table_without_root_ids_is_named_with_its_columns():
    with pytest.raises(InvalidInput, match="supervoxel_id"):
        parse_root_ids(pd.DataFrame({"supervoxel_id": [5]}))


def test_a_hundred_thousand_ids_at_once():
    ids = np.arange(BIG, BIG + 100_000)
    assert (root_ids_of(ids) == ids).all()
    assert len(parse_root_ids(ids)) == 100_000


def test_parse_timestamp_is_text_and_floats_are_seconds():
    # D18: a float was taken for nanoseconds, 1.5e9 became "1".
    assert (
        parse_timestamp(1.5e9) == parse_timestamp(np.float64(1.5e9)) == parse_timestamp(1_500_000_000) == "1500000000"
    )
    assert parse_timestamp("2021-11-15") == parse_timestamp("20211115") == parse_timestamp("1636934400") == "1636934400"
