from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.errors import InvalidId, InvalidInput
from crant_core.matrices.annotations import arrange, read_annotations
from crant_core.matrices.axes import checked_axis
from crant_core.matrices.ordering import EB_COLUMNS, eb_rank, sorted_types
from tests.fixtures.matrices import BASE, annotations


def placed(table: pd.DataFrame, neurons: list[str], type_order=None) -> list[str]:
    known = read_annotations(table, "cell_type", "root_id")
    _, axis = arrange(neurons, known, type_order).select(np.ones(len(neurons), dtype=bool))
    return list(axis.neurons)


def test_types_are_sorted_by_letters_then_number_then_label():
    types = ["PFN?", "ER10", "ER2", "er3", "ER2a", "PFN2", "EPG/PEG", "KC", "10", "9", "ER"]
    assert sorted_types(types) == ["9", "10", "EPG/PEG", "ER2", "ER2a", "er3", "ER10", "ER", "KC", "PFN2", "PFN?"]


def test_an_order_names_whole_labels_or_the_letters_in_front():
    types = ["ER10", "ER2", "KC", "PFN?", "PFN1", "EPG/PEG"]
    assert sorted_types(types, ["PFN", "KC"]) == ["PFN1", "PFN?", "KC", "EPG/PEG", "ER2", "ER10"]
    assert sorted_types(types, ["ER10", "KC", "ER"])[:3] == ["ER10", "KC", "ER2"]
    assert sorted_types(types, ("EPG/PEG", "EPG/PEG", "PFN?"))[:2] == ["EPG/PEG", "PFN?"]


def test_a_whole_label_counts_more_than_letters_that_come_earlier():
    assert sorted_types(["ER1", "ER2", "KC"], ["ER", "KC", "ER1"]) == ["ER2", "KC", "ER1"]


def test_an_order_is_read_like_annotations():
    assert sorted_types(["5", "12", "A"], [12, " A ", 5.0]) == ["12", "A", "5"]
    assert sorted_types(["B", "A"], []) == ["A", "B"]


@pytest.mark.parametrize("order", ["ER", b"ER", [None], ["ER", " "]])
def test_an_order_that_is_none_is_refused(order):
    with pytest.raises(InvalidInput, match="type_order"):
        sorted_types(["ER"], order)


@given(st.lists(st.text(min_size=1), unique=True), st.lists(st.text("ABab1", min_size=1)))
def test_sorting_types_loses_none_and_does_not_depend_on_their_order(types, order):
    found = sorted_types(types, order)
    assert sorted(found) == sorted(types)
    assert sorted_types(types[::-1], order) == found


def test_columns_of_the_ellipsoid_body_alternate_between_sides():
    assert " ".join(EB_COLUMNS) == "R1 L8 R2 L7 R3 L6 R4 L5 R5 L4 R6 L3 R7 L2 R8 L1"
    assert [eb_rank("EPG_R1"), eb_rank("EPG-L8 "), eb_rank(None, "x L1")] == [0, 1, 15]
    assert {eb_rank(), eb_rank("EPG"), eb_rank("R9"), eb_rank("R1_b"), eb_rank(float("nan"), "EPG_L")} == {16}


def test_epg_neurons_stand_in_the_order_of_their_columns_and_others_as_annotated():
    table = pd.DataFrame(
        {
            "root_id": [1, 2, 3, 4, 5, 6, 7],
            "cell_type": ["EPG/PEG", "EPG/PEG", "EPG/PEG", "EPG/PEG", "ER", "ER", "EPG/PEG"],
            "cell_instance": ["EPG_L1", None, "EPG_R2", "none", "ER_R2", "ER_R1", "PEG_R2"],
            "cell_subtype": ["EPG_R1", "EPG_L8", "EPG_R1", "none", None, None, None],
        }
    )
    # 2 by its subtype L8; 3 and 7 share R2 and stay as annotated; 1 by its instance L1, not its subtype; 4 has none
    assert placed(table, list("7654321")) == ["2", "3", "7", "1", "4", "5", "6"]


def test_epg_neurons_without_columns_of_labels_stand_as_annotated():
    assert placed(annotations({3: "EPG/PEG", 1: "EPG/PEG"}), ["1", "3"]) == ["3", "1"]


def test_of_several_rows_the_first_gives_the_place_and_the_first_with_a_type_the_type():
    table = pd.DataFrame(
        {"root_id": [1, 2, 1, 3, 1, 2], "cell_type": [None, "A", "A", "A", "B", "B"], "cell_instance": [None] * 6}
    )
    known = read_annotations(table, "cell_type", "root_id")
    assert known.types == {"1": "A", "2": "A", "3": "A"}
    assert placed(table, ["3", "2", "1"]) == ["1", "2", "3"]


def test_the_column_label_is_that_of_the_row_with_the_type():
    table = pd.DataFrame(
        {"root_id": [1, 1, 2], "cell_type": [None, "EPG/PEG", "EPG/PEG"], "cell_instance": ["R1", "L1", "R8"]}
    )
    assert placed(table, ["1", "2"]) == ["2", "1"]


def test_neurons_without_a_type_follow_then_those_without_annotation_both_by_id():
    table = annotations({30: None, 4: "B", 9: float("nan"), 2: "A", 8: "  "})
    assert placed(table, ["100", "30", "7", "4", "9", "2", "8"]) == ["2", "4", "8", "9", "30", "7", "100"]


def test_types_that_are_numbers_are_labels_even_beside_missing_ones():
    table = annotations({1: 10, 2: 9, 3: None, 4: 9})
    assert table["cell_type"].dtype == float
    known = read_annotations(table, "cell_type", "root_id")
    assert known.types == {"1": "10", "2": "9", "4": "9"}
    assert placed(table, list("1234")) == ["2", "4", "1", "3"]


def test_ids_are_read_exactly_as_integers_or_strings():
    big = BASE + 1
    for ids in ([big, big + 1], [str(big), f" {big + 1} "], pd.array([big, big + 1], dtype="Int64")):
        known = read_annotations(pd.DataFrame({"root_id": ids, "cell_type": ["A", "B"]}), "cell_type", "root_id")
        assert known.types == {str(big): "A", str(big + 1): "B"}


def test_rows_without_a_neuron_annotate_nothing():
    table = pd.DataFrame({"root_id": pd.array([5, None], dtype="Int64"), "cell_type": ["A", "B"]})
    assert read_annotations(table, "cell_type", "root_id").place == {"5": 0}


def test_ids_that_are_floats_are_refused():
    table = pd.DataFrame({"root_id": [float(BASE), None], "cell_type": ["A", "B"]})
    with pytest.raises(InvalidId, match="floats lose digits"):
        read_annotations(table, "cell_type", "root_id")


@pytest.mark.parametrize(("kind", "ids"), [("type", "root_id"), ("cell_type", "id")])
def test_a_missing_column_of_annotations_is_named(kind, ids):
    with pytest.raises(InvalidInput, match=r"annotations has no column .*it has: root_id, cell_type"):
        read_annotations(annotations({1: "A"}), kind, ids)


@pytest.mark.parametrize(
    ("boundaries", "types", "reason"),
    [
        ({"A": (1, 2), "B": (2, 3)}, None, "boundaries of type 'A' are 1 and 2"),
        ({"A": (0, 1), "B": (2, 3)}, None, "boundaries of type 'B'"),
        ({"A": (0, 2), "B": (1, 3)}, None, "boundaries of type 'B'"),
        ({"A": (0, 4)}, None, "boundaries of type 'A'"),
        ({"A": (0, 0)}, None, "boundaries of type 'A'"),
        ({"A": (0, 1), None: (1, 2)}, None, "None is no type"),
        ({"A": (0, 1)}, {"x": "A", "y": "A"}, "disagree about neuron y"),
        ({"A": (0, 2)}, {"x": "A"}, "disagree about neuron y"),
        ({"A": (0, 1)}, {"y": "A"}, "neuron x stands in the block of type 'A', but its type is None"),
        ({"A": (0, 1), "B": (1, 2)}, {"x": "B", "y": "A"}, "its type is 'B'"),
        (None, {"x": "A", "z": "A"}, "do not stand beside each other"),
        (None, {"y": "A"}, "disagree about neuron x"),
        ({}, {"x": "A"}, "disagree about neuron x"),
    ],
)
def test_an_axis_that_contradicts_itself_is_refused(boundaries, types, reason):
    with pytest.raises(InvalidInput, match=reason):
        checked_axis(["x", "y", "z"], boundaries, types)


def test_an_axis_follows_from_boundaries_or_types():
    by_types = checked_axis(["x", "y", 7], None, {"x": "A", "y": "B", 7: None, "elsewhere": "C"})
    by_boundaries = checked_axis(["x", "y", "7"], {"B": (1, 2), "A": (0, 1)}, None)
    assert by_types == by_boundaries
    assert list(by_boundaries.boundaries) == ["A", "B"]
    assert by_types.types() == {"x": "A", "y": "B"}
    assert checked_axis([1, 2], None, None).boundaries == {}


def test_a_neuron_occurs_once_on_an_axis():
    with pytest.raises(InvalidInput, match="neuron 1 occurs twice"):
        checked_axis([1, 2, "1"], None, None)
