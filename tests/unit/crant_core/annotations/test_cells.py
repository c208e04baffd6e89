"""What is made of cells, however they come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.annotations.cells import COLUMNS, FIELDS, number_of, typed
from crant_core.errors import InvalidInput

ROOT = 576460752303423489


def read(column: str, *cells: object, strict: bool = True) -> list[object]:
    return typed({column: cells}, len(cells), "here", strict=strict)[column].tolist()


def test_there_are_30_columns_and_25_of_them_can_be_searched():
    assert (len(COLUMNS), len(FIELDS)) == (30, 25)
    missing = {"root_id_processed", "supervoxel_id", "position", "nucleus_position", "root_position"}
    assert set(COLUMNS) - set(FIELDS) == missing


def test_ids_are_text_whatever_they_came_as():
    cells = read("root_id", str(ROOT), f" {ROOT} ", ROOT, np.int64(ROOT), np.uint64(ROOT), None, "", "  ", pd.NA)
    assert cells == [str(ROOT)] * 5 + [None] * 4


@pytest.mark.parametrize("lost", [float(ROOT), np.float64(ROOT), True])
def test_an_id_that_was_a_float_is_refused_however_lenient(lost):
    with pytest.raises(InvalidInput, match="floats lose digits"):
        read("root_id", lost, strict=False)


@pytest.mark.parametrize("text", ["5.764607523034235e+17", "576460752303423489.0", "5E17", "1."])
def test_text_that_looks_like_a_float_is_no_id(text):
    with pytest.raises(InvalidInput, match="row 1, supervoxel_id"):
        read("supervoxel_id", "72058693549555712", text)
    assert read("supervoxel_id", text, strict=False) == [None]


def test_positions_are_read_exactly():
    # crantpy drops every part that is not all digits
    cells = read(
        "position", "1, 2, 3", "-5,12.5,-0.5", "[7 8 9]", "(1;2;3)", [4, 5, 6], np.array([7.0, 8.0, 9.9]), None
    )
    assert cells == [[1, 2, 3], [-5, 12, -1], [7, 8, 9], [1, 2, 3], [4, 5, 6], [7, 8, 9], None]


@pytest.mark.parametrize("text", ["1, 2", "1, 2, 3, 4", "here", "1, two, 3", "nan, 1, 2", "inf 1 2", "1,,2"])
def test_what_is_no_position_is_reported(text):
    with pytest.raises(InvalidInput, match="position"):
        read("position", text)
    table = typed({"position": ["1, 2, 3", text]}, 2, "here", strict=False)
    assert table["position"].tolist() == [[1, 2, 3], None]
    assert table.attrs["unreadable"] == [(1, "position", text)]


def test_lists_are_lists_of_text():
    cells = read("region", ["AL", "MB"], "AL; MB", "['AL', 'MB']", "LH", None, "", [], np.array(["AL"]), ["AL", None])
    assert cells == [["AL", "MB"], ["AL", "MB"], ["AL", "MB"], ["LH"], [], [], [], ["AL"], ["AL"]]


def test_proofread_is_true_false_or_nothing():
    cells = read("proofread", True, "False", "t", 0, np.bool_(True), None, "")
    assert cells == [True, False, True, False, True, None, None]
    assert all(cell is None or type(cell) is bool for cell in cells)
    with pytest.raises(InvalidInput, match="proofread"):
        read("proofread", "perhaps")


def test_everything_else_is_text():
    cells = read("annotator_notes", "left ", 5, ["a@b", "c@d"], {"text": "long", "links": []}, None, "", np.nan)
    assert cells == ["left ", "5", "a@b, c@d", "long", None, None, None]


def test_columns_that_are_missing_are_empty_and_others_are_left_out():
    table = typed({"root_id": [ROOT, None], "glial": ["x", "y"]}, 2, "here", strict=True)
    assert list(table.columns) == list(COLUMNS)
    assert table["region"].tolist() == [[], []]
    assert table["region"][0] is not table["region"][1]
    assert table["cell_type"].tolist() == [None, None]


@pytest.mark.parametrize(
    ("cell", "number"),
    [(str(ROOT), ROOT), ("0", 0), (None, 0), ("see notes", 0), ("-5", 0), (str(2**63), 0), ("²", 0), (ROOT, 0)],
)
def test_the_number_that_a_cell_names(cell, number):
    assert number_of(cell) == number
