"""Rows as servers type them, and as people get them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidInput
from crant_core.synapses.cortical import merged
from crant_core.synapses.listing import _lists, completed, with_lists
from crant_core.synapses.rows import joined, positions, synapse_table

LARGE = 2**62 + 1


def served(ids: list[int], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": pd.array(ids, dtype="Int64"), **columns})


def test_ids_are_int64_and_0_where_nothing_was_looked_up():
    found = joined([served([1, 2], pre_pt_root_id=pd.array([LARGE, pd.NA], dtype="Int64"))], ["id"])
    assert found["pre_pt_root_id"].tolist() == [LARGE, 0]
    assert found.dtypes.astype(str).tolist() == ["int64", "int64"]


def test_what_may_be_missing_stays_what_it_is():
    found = joined(
        [
            served(
                [1, 2],
                superceded_id=pd.array([pd.NA, pd.NA], dtype="Int64"),
                score=pd.array([0.5, pd.NA], dtype="Float32"),
                valid=pd.array([True, False], dtype="boolean"),
                tag=pd.array(["a", None], dtype="string"),
                size=pd.array([3, 4], dtype="Int32"),
            )
        ],
        ["id"],
    )
    assert [str(dtype) for dtype in found.dtypes] == ["int64", "Int64", "Float32", "bool", "string", "int64"]


def test_a_row_that_both_sides_have_is_there_once_in_order():
    found = joined([served([5, 1]), served([3, 5])], ["id"])
    assert found["id"].tolist() == [1, 3, 5]


def test_nothing_has_types():
    found = joined([], ["id", "pre_pt_root_id", "ctr_pt_position", "created"])
    assert found.columns.tolist()[2:5] == ["ctr_pt_position_x", "ctr_pt_position_y", "ctr_pt_position_z"]
    assert "object" not in found.dtypes.astype(str).tolist()


def test_positions_in_pixels_are_rounded_down_and_in_nm_exact():
    places = np.array([[15.0, 16.0, 83.9], [-1.0, 0.0, 84.0]])
    assert _lists(places, (8, 8, 42)) == [[1, 2, 1], [-1, 0, 2]]
    assert _lists(np.floor(places), None) == [[15, 16, 83], [-1, 0, 84]]
    assert all(isinstance(one, int) for one in _lists(np.floor(places), None)[0])
    assert _lists(places, None) == [[15.0, 16.0, 83.9], [-1.0, 0.0, 84.0]]
    assert _lists(np.array([[1.0, 2.0, 3.0], [np.nan] * 3]), None) == [[1.0, 2.0, 3.0], None]


def test_live_rows_have_the_columns_of_versions():
    axes = {f"{side}_position_{axis}": [8, 16] for side in ("pre_pt", "post_pt", "ctr_pt") for axis in "xyz"}
    ends = {"pre_pt_root_id": [3, 4], "post_pt_root_id": [5, 6]}
    rows = joined([served([1, 2], **ends, size=[7, 8], score=[1, 2], **axes)], [])
    found = with_lists(completed(rows), (8.0, 8.0, 42.0))
    assert found.columns.tolist() == [
        *("pre_pt_root_id", "post_pt_root_id", "id", "created", "superceded_id", "valid", "size"),
        *("pre_pt_position", "post_pt_position", "ctr_pt_position", "score"),
    ]
    assert found["valid"].tolist() == [True, True]
    assert found["ctr_pt_position"].tolist() == [[1, 1, 0], [2, 2, 0]]


def test_positions_are_matrices():
    rows = served([1], p_position_x=[1], p_position_y=pd.array([pd.NA], dtype="Int32"), p_position_z=[3])
    assert np.array_equal(positions(rows, "p_position"), [[1, np.nan, 3]], equal_nan=True)


def test_a_reference_row_is_merged_on_what_it_is_about_and_ids_stay_exact():
    # D13 of cortical-tools: the peer merges on the row's own id
    rows = pd.DataFrame({"id": [7, 8, 9], "pre_pt_root_id": [1, 1, 1]})
    further = pd.DataFrame({"id": [8, 9, 10], "target_id": [9, 7, 7], "root_id": [LARGE, LARGE, 5], "good": [True] * 3})
    found = merged(rows, further, "_tags")
    assert found.columns.tolist() == ["id", "pre_pt_root_id", "id_tags", "root_id", "good"]
    assert found["id"].tolist() == [7, 7, 8, 9]
    assert found["id_tags"].tolist() == [9, 10, pd.NA, 8]
    assert found["root_id"].tolist() == [LARGE, 5, pd.NA, LARGE]
    assert (str(found["id"].dtype), str(found["root_id"].dtype), str(found["good"].dtype)) == (
        "int64",
        "Int64",
        "boolean",
    )


def described(**info: Any) -> Any:
    client = SimpleNamespace(info=SimpleNamespace(get_datastack_info=lambda: info))
    dataset = SimpleNamespace(name="d", server="http://s", synapse_table=None)
    return SimpleNamespace(dataset=dataset, client=lambda: client)


def test_a_datasets_synapse_table_is_its_own_or_that_of_caves_description():
    assert synapse_table(described(synapse_table="synapses_x")) == "synapses_x"
    source = described(synapse_table="synapses_x")
    source.dataset.synapse_table = "mine"
    assert synapse_table(source) == "mine"
    with pytest.raises(InvalidInput, match="d has no synapse table"):
        synapse_table(described(synapse_table=None))
