"""What a nested matrix must get right: computed by hand, and against dictionaries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.matrices import (
    DirectedNestedMatrix,
    NestedMatrix,
    count_synapses,
    count_synapses_by_neuropil,
    merge,
)
from crant_core.mesh import Mesh
from tests.fixtures.matrices import BASE, Boxes, annotations, entries, naive_counts, naive_shares, synapses

# Five annotated neurons (5 without a type), 9 is not annotated. 2 stands before 1 in the annotations.
TYPES = {2: "ER", 1: "ER", 3: "EPG", 4: "KC", 5: None}
PAIRS = [(1, 3)] * 3 + [(1, 4)] + [(2, 3)] * 2 + [(3, 1)] * 4 + [(4, 5)] + [(9, 3)] * 5 + [(3, 9)]
SIZES = [1.0, 2.0, 3.0, 10.0, 0.5, 0.25, 1.0, 1.0, 1.0, 1.0, 7.0, 9.0, 9.0, 9.0, 9.0, 9.0, 2.0]
ORDER = ["3", "2", "1", "4", "5"]  # EPG, ER (as annotated), KC, none

COUNT = [
    [0, 0, 4, 0, 0],
    [2, 0, 0, 0, 0],
    [3, 0, 0, 1, 0],
    [0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0],
]
OUTGOING = [
    [0, 0, 1, 0, 0],
    [1, 0, 0, 0, 0],
    [3 / 4, 0, 0, 1 / 4, 0],
    [0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0],
]
INCOMING = [
    [0, 0, 1, 0, 0],
    [2 / 5, 0, 0, 0, 0],
    [3 / 5, 0, 0, 1, 0],
    [0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0],
]
COLUMN = [
    [0, 0, 4, 0, 0],
    [0.75, 0, 0, 0, 0],
    [6, 0, 0, 10, 0],
    [0, 0, 0, 0, 7],
    [0, 0, 0, 0, 0],
]
MODES: dict[str, list[list[float]]] = {
    "count": COUNT,
    "relative_outgoing": OUTGOING,
    "relative_incoming": INCOMING,
    "column": COLUMN,
}


def table() -> pd.DataFrame:
    return synapses(PAIRS, size=SIZES, id=np.arange(len(PAIRS)) + BASE)


def weight_column(mode: str) -> dict[str, str]:
    return {"weight_column": "size"} if mode == "column" else {}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_gives_the_matrix_computed_by_hand(mode):
    matrix = NestedMatrix.from_synapses(table(), annotations(TYPES), weight_mode=mode, **weight_column(mode))
    expected = pd.DataFrame(MODES[mode], ORDER, ORDER, dtype=float)
    pd.testing.assert_frame_equal(matrix.matrix, expected, rtol=1e-15)
    assert dict(matrix.type_boundaries) == {"EPG": (0, 1), "ER": (1, 3), "KC": (3, 4)}
    assert list(matrix.type_boundaries) == ["EPG", "ER", "KC"]
    assert dict(matrix.neuron_to_type) == {"3": "EPG", "2": "ER", "1": "ER", "4": "KC"}


def test_shares_of_the_source_are_what_one_gets_by_default():
    default = NestedMatrix.from_synapses(table(), annotations(TYPES))
    assert default.matrix.to_numpy().tolist() == OUTGOING


def test_the_scope_all_appends_neurons_without_annotation_and_counts_their_synapses():
    matrix = NestedMatrix.from_synapses(
        table(), annotations(TYPES), weight_mode="relative_incoming", annotation_scope="all"
    )
    assert matrix.ordered_neurons == (*ORDER, "9")
    # inputs of 3: 2 from 2, 3 from 1, 5 from 9
    assert matrix.matrix["3"].tolist() == [0, 0.2, 0.3, 0, 0, 0.5]
    assert matrix.matrix.loc["3", "9"] == 1
    outgoing = NestedMatrix.from_synapses(table(), annotations(TYPES), annotation_scope="all").matrix
    assert outgoing.loc["3"].tolist() == [0, 0, 0.8, 0, 0, 0.2]


def test_types_are_summed_and_averaged():
    matrix = NestedMatrix.from_synapses(table(), annotations(TYPES), weight_mode="count")
    assert matrix.sum_type_matrix.to_numpy().tolist() == [[0, 4, 0], [5, 0, 1], [0, 0, 0]]
    assert matrix.mean_type_matrix.to_numpy().tolist() == [[0, 2, 0], [2.5, 0, 0.5], [0, 0, 0]]
    assert matrix.get_relative_weights(by_type=True).to_numpy().tolist() == [[0, 1, 0], [5 / 6, 0, 1 / 6], [0, 0, 0]]


def test_an_order_of_types_moves_blocks_and_nothing_else():
    matrix = NestedMatrix.from_synapses(table(), annotations(TYPES), weight_mode="count", type_order=["KC", "ER"])
    assert matrix.ordered_neurons == ("4", "2", "1", "3", "5")
    assert entries(matrix.matrix) == entries(pd.DataFrame(COUNT, ORDER, ORDER))


def test_connectivity_keeps_an_annotated_neuron_whose_partners_are_not_annotated():
    edges = pd.DataFrame({"pre": [1, 9, 8], "post": [3, 9, 4], "weight": [2, 5, 1]})
    matrix = NestedMatrix.from_connectivity(edges, annotations(TYPES))
    assert matrix.ordered_neurons == ("3", "1", "4")
    assert entries(matrix.matrix) == {(1, 3): 2}
    everyone = NestedMatrix.from_connectivity(edges, annotations(TYPES), annotation_scope="all")
    assert everyone.ordered_neurons == ("3", "1", "4", "8", "9")
    assert entries(everyone.matrix) == {(1, 3): 2, (9, 9): 5, (8, 4): 1}


def test_the_example_of_the_documentation_works():
    adjacency = pd.DataFrame({1: [0, 10, 0], 2: [5, 0, 15], 3: [0, 20, 0]}, index=[1, 2, 3])
    known = pd.DataFrame({"root_id": [1, 2, 3], "cell_type": ["ER", "ER", "Pbt"]})
    matrix = NestedMatrix.from_connectivity(adjacency, known)
    assert matrix.matrix.loc["2", "3"] == 20
    assert matrix.sum_type_matrix.to_numpy().tolist() == [[15, 20], [15, 0]]


def test_large_ids_that_differ_in_the_last_digit_are_different_neurons():
    ids = [BASE + 2**33 + number for number in range(3)]
    assert len({float(one) for one in ids}) < 3
    matrix = NestedMatrix.from_synapses(
        synapses([(ids[0], ids[1]), (ids[1], ids[2])]), annotations({str(one): "A" for one in ids}), weight_mode="count"
    )
    assert matrix.ordered_neurons == tuple(map(str, ids))
    assert matrix.edges()["pre"].tolist() == ids[:2]


@pytest.mark.parametrize("scope", ["annotated_only", "all"])
def test_an_empty_table_gives_an_empty_matrix(scope):
    matrix = NestedMatrix.from_synapses(table().iloc[:0], annotations(TYPES), annotation_scope=scope)
    assert (matrix.shape, dict(matrix.type_boundaries)) == ((0, 0), {})
    nobody = NestedMatrix.from_synapses(table(), annotations({}), annotation_scope=scope)
    assert nobody.shape == ((0, 0) if scope == "annotated_only" else (6, 6))
    directed = DirectedNestedMatrix.from_synapses(table().iloc[:0], annotations(TYPES), source_types="ER")
    assert directed.matrix.shape == (0, 0)


def test_one_neuron_that_connects_to_itself():
    matrix = NestedMatrix.from_synapses(synapses([(7, 7)] * 3), annotations({7: "PFN?"}))
    assert matrix.matrix.to_numpy().tolist() == [[1]]
    assert matrix.mean_type_matrix.loc["PFN?", "PFN?"] == 1


def test_weights_that_cancel_leave_the_neurons():
    matrix = NestedMatrix.from_synapses(
        synapses([(1, 3), (1, 3)], size=[2, -2]), annotations(TYPES), weight_mode="column", weight_column="size"
    )
    assert matrix.matrix.to_numpy().tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"weight_mode": "column"}, "needs weight_column"),
        ({"weight_mode": "count", "weight_column": "size"}, "is not used by weight_mode='count'"),
        ({"weight_column": "size"}, "is not used"),
        ({"weight_mode": "column", "weight_column": "area"}, "no column 'area'"),
        ({"weight_mode": "sum"}, "weight_mode is 'sum'"),
        ({"annotation_scope": "some"}, "annotation_scope is 'some'"),
        ({"pre_col": "pre"}, "no column 'pre'"),
        ({"cell_type_column": "type"}, "no column 'type'"),
        ({"neuron_id_column": "id"}, "no column 'id'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, reason):
    for kind in (NestedMatrix, DirectedNestedMatrix):
        with pytest.raises(ValueError, match=reason):
            kind.from_synapses(table(), annotations(TYPES), **options)


# --- Rectangles -------------------------------------------------------------------------------------------------------


def rectangle(**options: Any) -> DirectedNestedMatrix:
    return DirectedNestedMatrix.from_synapses(table(), annotations(TYPES), **({"weight_mode": "count"} | options))


def test_an_axis_without_a_selector_has_all_neurons_of_its_side():
    matrix = rectangle()
    assert matrix.source_neurons == ("3", "2", "1", "4")
    assert matrix.target_neurons == ("3", "1", "4", "5")
    assert matrix.matrix.to_numpy().tolist() == [[0, 4, 0, 0], [2, 0, 0, 0], [3, 0, 1, 0], [0, 0, 0, 1]]
    assert dict(matrix.source_type_boundaries) == {"EPG": (0, 1), "ER": (1, 3), "KC": (3, 4)}
    assert dict(matrix.target_type_boundaries) == {"EPG": (0, 1), "ER": (1, 2), "KC": (2, 3)}


def test_an_axis_does_not_depend_on_what_is_selected_on_the_other():
    matrix = rectangle(source_types="KC")
    assert (matrix.source_neurons, matrix.target_neurons) == (("4",), ("3", "1", "4", "5"))
    assert matrix.matrix.to_numpy().tolist() == [[0, 0, 0, 1]]


def test_types_and_neurons_of_an_axis_are_united():
    matrix = rectangle(source_types=["KC"], source_neurons=[1, "4", 77], target_neurons=3, target_types=b"KC")
    assert (matrix.source_neurons, matrix.target_neurons) == (("1", "4"), ("3", "4"))
    assert matrix.matrix.to_numpy().tolist() == [[3, 1], [0, 0]]


def test_selecting_nothing_is_not_selecting_everything():
    assert rectangle(source_types=[]).matrix.shape == (0, 4)


def test_each_axis_may_have_its_own_order():
    matrix = rectangle(type_order=["KC", "ER"], target_type_order=["ER"])
    assert matrix.source_neurons == ("4", "2", "1", "3")
    assert matrix.target_neurons == ("1", "3", "4", "5")
    assert rectangle(source_type_order=["KC"]).target_neurons == ("3", "1", "4", "5")


def test_shares_are_of_what_is_selected_or_of_all():
    options = {"source_types": "ER", "target_types": "EPG", "weight_mode": "relative_outgoing"}
    assert rectangle(**options).matrix.to_numpy().tolist() == [[1], [1]]
    # 1 makes three of its four synapses onto 3
    assert rectangle(**options, normalization_scope="all").matrix.to_numpy().tolist() == [[1], [0.75]]


def test_incoming_shares_of_all_count_partners_that_are_not_selected():
    options = {"source_neurons": [1, 9], "target_neurons": 3, "weight_mode": "relative_incoming"}
    everything = {"normalization_scope": "all", "annotation_scope": "all"}
    assert rectangle(**options).matrix.to_numpy().tolist() == [[1]]
    assert rectangle(**options, normalization_scope="all").matrix.to_numpy().tolist() == [[0.6]]
    assert rectangle(**options, **everything).matrix.to_numpy().tolist() == [[0.3], [0.5]]


def test_the_scope_of_shares_changes_neither_counts_nor_sums():
    for mode in ("count", "column"):
        options = {"weight_mode": mode, **weight_column(mode), "source_types": "ER"}
        assert rectangle(**options).matrix.equals(rectangle(**options, normalization_scope="all").matrix)


def test_rectangles_of_connectivity_select_too():
    edges = pd.DataFrame({"source": [1, 2, 3], "target": [3, 3, 1], "n_syn": [3, 2, 4]})
    matrix = DirectedNestedMatrix.from_connectivity(edges, annotations(TYPES), source_types="ER", target_neurons=[3])
    assert matrix.matrix.equals(pd.DataFrame([[2.0], [3.0]], ["2", "1"], ["3"]))
    assert matrix.get_relative_weights(by_type=True).loc["ER", "EPG"] == 1


def test_an_adjacency_has_its_rows_as_sources_and_its_columns_as_targets():
    adjacency = pd.DataFrame([[0, 0]], index=[1], columns=[3, 4])
    matrix = DirectedNestedMatrix.from_connectivity(adjacency, annotations(TYPES))
    assert (matrix.source_neurons, matrix.target_neurons) == (("1",), ("3", "4"))


@pytest.mark.parametrize("side", ["source_types", "target_types"])
def test_a_type_that_nobody_has_is_refused_with_those_that_are_near(side):
    with pytest.raises(NoMatchesError, match=r"no neuron is annotated as 'EPGG'.*did you mean EPG"):
        rectangle(**{side: ["ER", "EPGG"]})
    with pytest.raises(InvalidInput, match="normalization_scope is 'none'"):
        rectangle(normalization_scope="none")


# --- Neuropils --------------------------------------------------------------------------------------------------------

BOXES = Boxes(
    left=((0, 0, 0), (10, 10, 10)), right=((8, 0, 0), (20, 10, 10)), nowhere=((900, 900, 900), (901, 901, 901))
)
X = {"left": 1.0, "both": 9.0, "right": 15.0, "other": 500.0}


def placed(rows: list[tuple[int, int, str]], scale: float = 1.0) -> pd.DataFrame:
    places = [[X[where] / scale, 5.0 / scale, 5.0 / scale] for *_, where in rows]
    return synapses([row[:2] for row in rows], ctr_pt_position=places)


ROWS = [(1, 3, "left"), (1, 3, "both"), (1, 4, "both"), (4, 5, "right"), (3, 1, "other"), (9, 3, "left")]


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
    with pytest.raises(ValueError, match="in rows 2"):
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


def test_counts_and_sums_of_weights_are_not_mixed_up():
    counts, sums = count_synapses(table()), count_synapses(table(), weight_column="size")
    [matrix] = NestedMatrix.from_counts(sums, annotations(TYPES), weight_mode="column").values()
    assert matrix.matrix.to_numpy().tolist() == COLUMN
    with pytest.raises(InvalidInput, match="these are counts"):
        NestedMatrix.from_counts(counts, annotations(TYPES), weight_mode="column")
    with pytest.raises(InvalidInput, match="these are sums of weights"):
        NestedMatrix.from_counts(sums, annotations(TYPES))


# --- The real engine --------------------------------------------------------------------------------------------------


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


# --- Against dictionaries ---------------------------------------------------------------------------------------------

NEURONS = st.integers(1, 8)
SYNAPSES = st.lists(
    st.tuples(NEURONS, NEURONS, st.integers(-3, 9), st.sampled_from(sorted(X)), st.integers(0, 40)), max_size=40
)
LABELS = st.sampled_from(["A", "B2", "B10", "PFN?", "7", None])
KNOWN = st.lists(st.tuples(NEURONS, LABELS), max_size=12)


def naive(rows: list[tuple[int, int, float]], mode: str) -> dict[tuple[int, int], float]:
    weighted = rows if mode == "column" else [(pre, post, 1.0) for pre, post, _ in rows]
    found = naive_counts(weighted)
    if mode.startswith("relative"):
        found = naive_shares(found, 0 if mode == "relative_outgoing" else 1)
    return {pair: weight for pair, weight in found.items() if weight}


def distinct(rows: list[tuple[int, int, int, str, int]]) -> list[tuple[int, int, int, str, int]]:
    return list({row[4]: row for row in reversed(rows)}.values())


@settings(max_examples=60)
@given(SYNAPSES, KNOWN, st.sampled_from(sorted(MODES)), st.booleans())
def test_every_mode_and_scope_agrees_with_dictionaries_in_every_neuropil(rows, known, mode, everyone):
    frame = synapses(
        [row[:2] for row in rows],
        size=[float(row[2]) for row in rows],
        ctr_pt_position=pd.Series([[X[row[3]], 5.0, 5.0] for row in rows], dtype=object),
        id=np.array([row[4] for row in rows], dtype=np.int64),
    )
    labels = pd.DataFrame(known, columns=["root_id", "cell_type"])
    options = {"weight_mode": mode, "annotation_scope": "all" if everyone else "annotated_only", **weight_column(mode)}
    kept = [row for row in distinct(rows) if everyone or {row[0], row[1]} <= {one for one, _ in known}]
    whole = NestedMatrix.from_synapses(frame, labels, **options)
    assert entries(whole.matrix) == pytest.approx(naive([row[:3] for row in kept], mode))
    assert set(whole.ordered_neurons) == {str(one) for row in kept for one in row[:2]}
    found = NestedMatrix.from_synapses_by_neuropil(frame, labels, membership=BOXES, **options)
    for name in ("left", "right", "other"):
        here = [row[:3] for row in kept if row[3] == name or (row[3] == "both" and name != "other")]
        assert entries(found[name].matrix if name in found else pd.DataFrame()) == pytest.approx(naive(here, mode))


@settings(max_examples=60)
@given(SYNAPSES, KNOWN, st.sampled_from(sorted(MODES)), st.tuples(st.sets(NEURONS), st.sets(NEURONS)), st.booleans())
def test_every_selection_agrees_with_dictionaries(rows, known, mode, chosen_on, first):
    sources, targets = chosen_on
    frame = synapses([row[:2] for row in rows], size=[float(row[2]) for row in rows])
    labels = pd.DataFrame(known, columns=["root_id", "cell_type"])
    found = DirectedNestedMatrix.from_synapses(
        frame,
        labels,
        source_neurons=sources,
        target_neurons=targets,
        weight_mode=mode,
        normalization_scope="all" if first else "selected",
        annotation_scope="all",
        **weight_column(mode),
    )
    chosen = [row[:3] for row in rows if row[0] in sources and row[1] in targets]
    everything = naive([row[:3] for row in rows], mode)
    expected = {(a, b): w for (a, b), w in everything.items() if a in sources and b in targets}
    assert entries(found.matrix) == pytest.approx(expected if first else naive(chosen, mode))
    assert set(found.source_neurons) == {str(row[0]) for row in rows if row[0] in sources}


@settings(max_examples=60)
@given(SYNAPSES, KNOWN)
def test_blocks_hold_their_types_and_types_add_up(rows, known):
    labels = pd.DataFrame(known, columns=["root_id", "cell_type"])
    matrix = NestedMatrix.from_synapses(
        synapses([row[:2] for row in rows]), labels, weight_mode="count", annotation_scope="all"
    )
    again = NestedMatrix(matrix.matrix, matrix.type_boundaries, matrix.ordered_neurons, matrix.neuron_to_type)
    assert again.matrix.equals(matrix.matrix)
    typed = [one for one in matrix.ordered_neurons if one in matrix.neuron_to_type]
    assert matrix.sum_type_matrix.to_numpy().sum() == matrix.matrix.loc[typed, typed].to_numpy().sum()
    for name, (start, stop) in matrix.type_boundaries.items():
        assert {matrix.neuron_to_type[one] for one in matrix.ordered_neurons[start:stop]} == {name}
