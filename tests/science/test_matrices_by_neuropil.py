"""A matrix of each neuropil, computed by hand, with boxes for neuropils and with real meshes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from crant_core.matrices import DirectedNestedMatrix, NestedMatrix, count_synapses_by_neuropil, merge
from crant_core.mesh import Mesh
from tests.fixtures.five_neurons import BOXES, ROWS, TYPES, placed
from tests.fixtures.matrices import Boxes, annotations, entries, synapses


def test_a_matrix_for_each_neuropil_that_has_synapses():
    found = NestedMatrix.from_synapses_by_neuropil(
        placed(ROWS), annotations(TYPES), weight_mode="count", membership=BOXES
    )
    assert list(found) == ["left", "right", "other"]
    assert found.left.ordered_neurons == ("3", "1", "4")
    assert entries(found.left.matrix) == {(1, 3): 2, (1, 4): 1}
    assert found.right.ordered_neurons == ("3", "1", "4", "5")
    assert entries(found.right.matrix) == {(1, 3): 1, (1, 4): 1, (4, 5): 1}
    assert entries(found.other.matrix) == {(3, 1): 1}


def test_shares_are_shares_within_the_neuropil():
    found = NestedMatrix.from_synapses_by_neuropil(placed(ROWS), annotations(TYPES), membership=BOXES)
    assert entries(found.left.matrix) == {(1, 3): pytest.approx(2 / 3), (1, 4): pytest.approx(1 / 3)}
    assert entries(found.right.matrix) == {(1, 3): 0.5, (1, 4): 0.5, (4, 5): 1}


def test_the_scope_all_keeps_unknown_neurons_where_they_have_synapses():
    found = NestedMatrix.from_synapses_by_neuropil(
        placed(ROWS), annotations(TYPES), weight_mode="count", annotation_scope="all", membership=BOXES
    )
    assert found.left.ordered_neurons == ("3", "1", "4", "9")
    assert found.right.ordered_neurons == ("3", "1", "4", "5")


def test_the_rest_and_neuropils_that_are_not_named_can_be_left_out():
    options = {"weight_mode": "count", "membership": BOXES}
    found = NestedMatrix.from_synapses_by_neuropil(placed(ROWS), annotations(TYPES), include_other=False, **options)
    assert list(found) == ["left", "right"]
    some = NestedMatrix.from_synapses_by_neuropil(placed(ROWS), annotations(TYPES), ["right"], **options)
    assert list(some) == ["right", "other"]
    assert entries(some.right.matrix) == entries(found.right.matrix)
    assert entries(some.other.matrix) == {(1, 3): 1, (3, 1): 1}  # what is only in `left` is in none of these


def test_pixels_become_nm():
    boxes = Boxes(here=((8 * 11, 8 * 20, 42 * 30), (8 * 11, 8 * 20, 42 * 30)))
    table = synapses([(1, 3)], where=[[10, 20, 31]])
    found = NestedMatrix.from_synapses_by_neuropil(
        table,
        annotations(TYPES),
        coordinates="pixels",
        position_column="where",
        voxel_offset=(1, 0, -1),
        membership=boxes,
    )
    assert list(found) == ["here"]


def test_rectangles_by_neuropil_leave_out_neuropils_without_selected_synapses():
    found = DirectedNestedMatrix.from_synapses_by_neuropil(
        placed(ROWS),
        annotations(TYPES),
        source_types="ER",
        target_types="EPG",
        normalization_scope="all",
        membership=BOXES,
    )
    assert list(found) == ["left", "right"]
    assert found.left.matrix.to_numpy() == pytest.approx(2 / 3)
    assert found.right.matrix.to_numpy().tolist() == [[0.5]]


@pytest.mark.parametrize("kind", [NestedMatrix, DirectedNestedMatrix])
def test_names_units_and_positions_that_are_wrong_are_refused(kind):
    make = kind.from_synapses_by_neuropil
    with pytest.raises(ValueError, match=r"'lefd'.*did you mean left"):
        make(placed(ROWS), annotations(TYPES), ["lefd"], membership=BOXES)
    with pytest.raises(ValueError, match="coordinates is 'um'"):
        make(placed(ROWS), annotations(TYPES), coordinates="um", membership=BOXES)
    with pytest.raises(ValueError, match="'no_such_neuropil'"):
        make(placed(ROWS), annotations(TYPES), ["no_such_neuropil"])
    missing = placed(ROWS)
    missing.at[2, "ctr_pt_position"] = [np.nan, 1, 1]
    with pytest.raises(ValueError, match="in row 2"):
        make(missing, annotations(TYPES), membership=BOXES)


def test_positions_of_synapses_that_do_not_count_may_be_missing():
    rows = placed(ROWS)
    rows.at[5, "ctr_pt_position"] = None  # 9 is not annotated
    assert list(NestedMatrix.from_synapses_by_neuropil(rows, annotations(TYPES), membership=BOXES)) == [
        *("left", "right", "other")
    ]


def test_an_empty_table_has_no_neuropils():
    assert NestedMatrix.from_synapses_by_neuropil(placed(ROWS).iloc[:0], annotations(TYPES), membership=BOXES) == {}


def test_counts_of_the_parts_of_a_table_give_the_matrices_of_the_whole():
    whole = placed(ROWS)
    parts = [count_synapses_by_neuropil(whole.iloc[rows], BOXES) for rows in (slice(0, 2), slice(2, 2), slice(2, 6))]
    for mode in ("count", "relative_outgoing", "relative_incoming"):
        for scope in ("annotated_only", "all"):
            options = {"weight_mode": mode, "annotation_scope": scope}
            merged = NestedMatrix.from_counts(merge(parts), annotations(TYPES), **options)
            at_once = NestedMatrix.from_synapses_by_neuropil(whole, annotations(TYPES), membership=BOXES, **options)
            assert list(merged) == list(at_once)
            for name in merged:
                pd.testing.assert_frame_equal(merged[name].matrix, at_once[name].matrix, rtol=0, atol=0)
    directed = DirectedNestedMatrix.from_counts(merge(parts), annotations(TYPES), source_types="ER")
    assert list(directed) == ["left", "right"]


def cube(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    squares = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in squares for face in ((a, b, c), (a, c, d))]
    return Mesh(np.array(low) + corners * (np.array(high) - np.array(low)), np.array(faces, dtype=np.int64))


def real() -> Any:
    from crant_core.neuropils import prepare

    return prepare({name: cube(*map(tuple, box)) for name, box in zip(BOXES.names, BOXES.corners, strict=True)})


def test_the_engine_of_neuropils_gives_what_boxes_give():
    options = {"weight_mode": "count", "annotation_scope": "all"}
    expected = NestedMatrix.from_synapses_by_neuropil(placed(ROWS), annotations(TYPES), membership=BOXES, **options)
    found = NestedMatrix.from_synapses_by_neuropil(placed(ROWS), annotations(TYPES), membership=real(), **options)
    assert list(found) == list(expected)
    assert all(found[name].matrix.equals(expected[name].matrix) for name in expected)
    assert found.open_neuropils == ()


def test_positions_in_the_wrong_unit_are_warned_about():
    from crant_core.neuropils import WrongUnitWarning, prepare

    membership = prepare({"gall": cube((500e3, 500e3, 500e3), (520e3, 520e3, 520e3))})
    table = synapses([(1, 3)] * 50, ctr_pt_position=[[510.0, 510.0, 510.0]] * 50)
    with pytest.warns(WrongUnitWarning, match="they would fit if they were µm"):
        found = NestedMatrix.from_synapses_by_neuropil(table, annotations(TYPES), membership=membership)
    assert list(found) == ["other"]


def test_a_neuropil_that_does_not_close_is_flagged():
    from crant_core.neuropils import prepare

    box = cube((0, 0, 0), (10, 10, 10))
    open_ = Mesh(box.vertices, box.faces[:-2])
    found = NestedMatrix.from_synapses_by_neuropil(
        placed(ROWS),
        annotations(TYPES),
        ["left"],
        membership=prepare({"left": open_, "right": cube((8, 0, 0), (20, 10, 10))}),
    )
    assert found.open_neuropils == ("left",)
    assert found.left.ordered_neurons == ("3", "1", "4")
