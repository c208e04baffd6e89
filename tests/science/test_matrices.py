"""What a nested matrix must get right, computed by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from crant_core.errors import InvalidInput
from crant_core.matrices import DirectedNestedMatrix, NestedMatrix, count_synapses
from tests.fixtures.five_neurons import TYPES, table, weight_column
from tests.fixtures.matrices import BASE, annotations, entries, synapses

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


def test_counts_and_sums_of_weights_are_not_mixed_up():
    counts, sums = count_synapses(table()), count_synapses(table(), weight_column="size")
    [matrix] = NestedMatrix.from_counts(sums, annotations(TYPES), weight_mode="column").values()
    assert matrix.matrix.to_numpy().tolist() == COLUMN
    with pytest.raises(InvalidInput, match="these are counts"):
        NestedMatrix.from_counts(counts, annotations(TYPES), weight_mode="column")
    with pytest.raises(InvalidInput, match="these are sums of weights"):
        NestedMatrix.from_counts(sums, annotations(TYPES))
