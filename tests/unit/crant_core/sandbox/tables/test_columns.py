from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.sandbox.tables.columns import grouped, nullable


def test_the_coordinates_of_a_position_are_one_column_to_users():
    assert grouped(["id", "pt_position_x", "pt_position_y", "pt_position_z", "flag_x"]) == {
        "id": ("id",),
        "pt_position": ("pt_position_x", "pt_position_y", "pt_position_z"),
        "flag_x": ("flag_x",),
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([2**53 + 1], dtype=np.uint64), "Int64"),
        (np.array([1], dtype=np.int64), "Int64"),
        (np.array([1], dtype=np.int32), "Int32"),
        (np.array([1.5]), "Float32"),
        (np.array([True]), "boolean"),
        (np.array(["a", None], dtype=object), "string"),
        (pd.array([1], dtype="UInt64"), "Int64"),
        (pd.array([1], dtype="Int32"), "Int32"),
        (pd.to_datetime(["2026-01-01"], utc=True), "datetime64[ns, UTC]"),
    ],
)
def test_types_are_the_server_s(values, expected):
    assert str(nullable(pd.Series(values)).dtype) == expected


def test_ids_stay_exact():
    assert nullable(pd.Series([2**53 + 1, 2**62 + 1], dtype=np.uint64)).tolist() == [2**53 + 1, 2**62 + 1]
