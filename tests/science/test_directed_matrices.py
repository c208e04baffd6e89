"""What a matrix with other neurons on each axis must get right, computed by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.matrices import DirectedNestedMatrix
from tests.fixtures.five_neurons import TYPES, table, weight_column
from tests.fixtures.matrices import annotations


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
