"""What is refused, with which words, and what is only said in the log."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

import crant_core as cp
from crant_core.errors import InvalidInput, WrongType
from crant_core.matrices import All, DirectedNestedMatrix, NestedMatrix, NeuropilCollection, count_synapses, read_counts
from crant_core.matrices.annotations import read_annotations
from crant_core.matrices.parquet import load_counts
from tests.fixtures.five_neurons import BOXES, TYPES, placed, table
from tests.fixtures.matrices import annotations, synapses


def small() -> NestedMatrix:
    return NestedMatrix(pd.DataFrame([[0.0, 1], [2, 0]], [1, 2], [1, 2]), {"A": (0, 2)}, [1, 2], {1: "A", 2: "A"})


def rectangle(**options: Any) -> DirectedNestedMatrix:
    return DirectedNestedMatrix.from_synapses(table(), annotations(TYPES), **({"weight_mode": "count"} | options))


@pytest.mark.parametrize("wrong", [[1], None, {"pre": [1]}, np.zeros((2, 2))])
def test_what_is_no_table_is_refused_by_every_constructor(wrong):
    known = annotations(TYPES)
    for make in (NestedMatrix, DirectedNestedMatrix):
        for attempt in (make.from_connectivity, make.from_synapses):
            with pytest.raises(WrongType, match=r"give a pandas\.DataFrame"):
                attempt(wrong, known)
        with pytest.raises(WrongType, match="table of synapses is a"):
            make.from_synapses_by_neuropil(wrong, known, membership=BOXES)
        with pytest.raises(WrongType, match="table of annotations is a"):
            make.from_synapses(table(), wrong)
    with pytest.raises(WrongType):
        count_synapses(wrong)


def test_a_matrix_that_is_none_is_refused():
    with pytest.raises(WrongType, match="the matrix is a list"):
        NestedMatrix([[0, 1], [1, 0]], {}, [1, 2], {})


def test_a_matrix_of_another_shape_is_refused_for_its_shape():
    with pytest.raises(InvalidInput, match="the matrix is 2 × 3, the axes are 2 × 2"):
        NestedMatrix(pd.DataFrame(np.zeros((2, 3)), [1, 2], [1, 2, 3]), {}, [1, 2], {})


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([2, 1], "at place 0 the columns of the matrix says 2, and the axis says 1 .the same neurons in another order"),
        ([1, 3], "at place 1 the columns of the matrix says 3, and the axis says 2 .other neurons"),
    ],
)
def test_labels_that_differ_are_named(labels, reason):
    with pytest.raises(InvalidInput, match=reason):
        NestedMatrix(pd.DataFrame(np.zeros((2, 2)), [1, 2], labels), {}, [1, 2], {})


def test_one_row_is_a_row():
    with pytest.raises(InvalidInput, match=r"in row 1$"):
        NestedMatrix.from_synapses(
            synapses([(1, 2), (1, 3)], w=[1.0, np.nan]), annotations(TYPES), weight_mode="column", weight_column="w"
        )


@pytest.mark.parametrize("content", [b"no table\n", b"", b"PAR1 and no more PAR1"])
@pytest.mark.parametrize("read", [NestedMatrix.from_parquet, NeuropilCollection.from_parquet, read_counts])
def test_a_file_that_is_no_parquet_is_named(read, content, tmp_path):
    (tmp_path / "text.parquet").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"text.parquet is no Parquet file"):
        read(tmp_path / "text.parquet")
    with pytest.raises(InvalidInput, match="no Parquet file"):
        load_counts(content)


def test_a_collection_of_other_things_is_not_written(tmp_path):
    with pytest.raises(WrongType, match="'cube' is a int and no matrix"):
        NeuropilCollection({"ball": small(), "cube": 5}).to_parquet(tmp_path / "new.parquet")
    assert not (tmp_path / "new.parquet").exists()


def test_a_copy_of_a_collection_is_a_collection():
    given = NeuropilCollection({"ball": small()}, open_neuropils=["ball"])
    for made in (given.copy(), copy.copy(given), copy.deepcopy(given)):
        assert isinstance(made, NeuropilCollection)
        assert (made.open_neuropils, list(made)) == (("ball",), ["ball"])
    given.copy().clear()
    assert list(given) == ["ball"]


def test_all_is_where_the_other_names_are():
    assert cp.All is All


def test_shares_are_sparse_too():
    assert small().relative_sparse.toarray().tolist() == small().get_relative_weights().to_numpy().tolist()


class TestSelections:
    def test_neurons_that_do_not_occur_are_logged(self, caplog):
        assert rectangle(source_neurons=[123]).shape == (0, 4)
        assert "source_neurons that do not occur are left out: 123" in caplog.text
        assert "no neuron is left on the rows of the matrix: it is 0 × 4" in caplog.text
        caplog.clear()
        assert rectangle(target_neurons=[3, *range(100, 110)]).target_neurons == ("3",)
        assert [record.message for record in caplog.records] == [
            "target_neurons that do not occur are left out: 100, 101, 102, 103, 104, … (10 in all)"
        ]

    def test_an_empty_selection_is_logged(self, caplog):
        assert rectangle(source_types=[]).shape == (0, 4)
        assert "no neuron is left on the rows" in caplog.text
        options = {"weight_mode": "count", "membership": BOXES, "target_types": []}
        assert not DirectedNestedMatrix.from_synapses_by_neuropil(placed([]), annotations(TYPES), **options)
        assert "the collection is empty" in caplog.text

    def test_an_order_of_types_that_nobody_has_is_logged(self, caplog):
        rectangle(type_order=["KC", "er", "ER", "EPGG", "kc9"], target_type_order=["nobody"])
        messages = [record.message for record in caplog.records]
        assert messages == [
            f"type_order names types that no neuron is annotated with: {names}" for names in ("er, EPGG, kc9", "nobody")
        ]

    def test_what_finds_everything_says_nothing(self, caplog):
        rectangle(source_types=["ER"], target_neurons=[3], type_order=["KC", "E", "ER", "EPG"][::2])
        assert caplog.records == []


def test_the_strings_nan_and_none_are_types_and_missing_values_are_none():
    table = annotations({1: "nan", 2: "None", 3: None, 4: np.nan, 5: pd.NA, 6: " ", 7: pd.NaT})
    assert read_annotations(table, "cell_type", "root_id").types == {"1": "nan", "2": "None"}
