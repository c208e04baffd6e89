from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidId, InvalidInput
from crant_core.matrices.connectivity import read_connectivity
from tests.fixtures.matrices import BASE

EDGES = [("1", "2", 5.0), ("2", "1", 3.0), ("1", "3", 1.0)]


def cells(table: pd.DataFrame) -> set[tuple[str, str, float]]:
    read = read_connectivity(table)
    entries = read.weights.tocoo()
    return {(read.labels[i], read.labels[j], v) for i, j, v in zip(entries.row, entries.col, entries.data, strict=True)}


@pytest.mark.parametrize(
    "names",
    [
        ("type.from", "type.to", "weight"),
        ("pre", "post", "weight"),
        ("source", "target", "weight"),
        ("source", "target", "n_syn"),
    ],
)
def test_every_list_of_edges_is_read(names):
    table = pd.DataFrame(EDGES, columns=list(names)).astype({names[0]: int, names[1]: object})
    assert cells(table.assign(more="x")) == set(EDGES)


def test_edges_without_weights_weigh_one():
    assert cells(pd.DataFrame({"pre": [1, 2], "post": [2, 1]})) == {("1", "2", 1), ("2", "1", 1)}


def test_an_adjacency_may_be_rectangular_and_its_gaps_are_no_connections():
    table = pd.DataFrame([[5.0, np.nan], [0.0, 2.0]], index=[1, 2], columns=[2, BASE + 1])
    read = read_connectivity(table)
    assert read.labels == ["1", "2", str(BASE + 1)]
    assert cells(table) == {("1", "2", 5.0), ("2", str(BASE + 1), 2.0)}
    assert read.on_rows.tolist() == [True, True, False]
    assert read.on_columns.tolist() == [False, True, True]


def test_neurons_may_have_names():
    assert cells(pd.DataFrame([[0, 1], [2, 0]], index=["a", "b"], columns=["a", "b"])) == {("a", "b", 1), ("b", "a", 2)}


def test_empty_tables_have_no_neurons():
    for table in (pd.DataFrame(), pd.DataFrame({"pre": [], "post": [], "weight": []}, dtype=object)):
        assert read_connectivity(table).labels == []


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pd.DataFrame({"pre": [1], "post": [2], "source": [1], "target": [2]}), "several formats: pre/post and source"),
        (pd.DataFrame({"source": [1], "target": [2], "weight": [1], "n_syn": [1]}), "both weight and n_syn"),
        (pd.DataFrame({"pre": [1, 3, 1], "post": [2, 3, "2"]}), r"pair \('1', '2'\) occurs twice, in row 2"),
        (pd.DataFrame({"pre": [1], "post": [2], "weight": ["x"]}), "'weight' is not of numbers"),
        (pd.DataFrame({"pre": [1, 1], "post": [2, 3], "weight": [1, np.nan]}), "not finite numbers, in row 1"),
        (pd.DataFrame({"from": [1], "to": [2]}), "neither a matrix of neurons nor a list of edges: from, to"),
        (pd.DataFrame([[1, 2]], index=[1], columns=[2, "2"]), "2 occurs twice in the columns"),
        (pd.DataFrame([[1], [1]], index=[1, 1], columns=[2]), "1 occurs twice in the index"),
        (pd.DataFrame([["x"]], index=[1], columns=[2]), "no numbers"),
        (pd.DataFrame([[np.inf]], index=[1], columns=[2]), "infinite, in row 1"),
    ],
)
def test_what_fits_no_format_is_refused(table, reason):
    with pytest.raises(InvalidInput, match=reason):
        read_connectivity(table)


@pytest.mark.parametrize("ids", [[1.0, 2.0], [None, 1], ["", 1], [True, 1]])
def test_ids_that_are_floats_or_missing_are_refused(ids):
    with pytest.raises(InvalidId):
        read_connectivity(pd.DataFrame({"pre": ids, "post": [1, 2]}))
