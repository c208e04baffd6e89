"""Matrices as objects of other libraries, and what these write and read back: every id, type and weight."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse

from crant_core.errors import NotInstalled
from crant_core.matrices import DirectedNestedMatrix, NestedMatrix
from tests.fixtures.matrices import BASE, annotations, synapses

IDS = [str(BASE + number) for number in (3, 1, 2, 9)]
CELLS = np.array([[0.0, 2, 0, 1], [4, 0, 0, 0], [1, 1, 2, 0], [0, 0, 7, 0]])
TYPES = {IDS[0]: "A", IDS[1]: "A", IDS[2]: "PFN?"}


def nested() -> NestedMatrix:
    return NestedMatrix(pd.DataFrame(CELLS, IDS, IDS), {"A": (0, 2), "PFN?": (2, 3)}, IDS, TYPES)


def directed() -> DirectedNestedMatrix:
    cells = pd.DataFrame(CELLS[:3, 1:], IDS[:3], ["x", "y", "z"])
    return DirectedNestedMatrix(cells, IDS[:3], ["x", "y", "z"], {"A": (0, 2), "B": (2, 3)}, {"C": (0, 2)})


def read_back(matrix: NestedMatrix | DirectedNestedMatrix, folder: Path) -> Any:
    from anndata import read_h5ad

    matrix.to_anndata().write_h5ad(folder / "matrix.h5ad")
    return read_h5ad(folder / "matrix.h5ad")


def test_a_graph_has_neurons_with_types_and_weighted_edges():
    graph = nested().to_networkx()
    assert dict(graph.nodes(data=True)) == {**{neuron: {"type": kind} for neuron, kind in TYPES.items()}, IDS[3]: {}}
    assert graph.number_of_edges() == 7
    assert graph[IDS[3]][IDS[2]] == {"weight": 7.0}
    assert set(directed().to_networkx()) == {*IDS[:3], "x", "y", "z"}


def test_a_graph_can_be_written_with_untyped_neurons(tmp_path):
    import networkx as nx

    nx.write_graphml(nested().to_networkx(), tmp_path / "graph.graphml")
    again = nx.read_graphml(tmp_path / "graph.graphml")
    assert dict(again.nodes(data=True)) == dict(nested().to_networkx().nodes(data=True))
    assert list(again.edges(data=True)) == list(nested().to_networkx().edges(data=True))


def test_anndata_has_sources_as_obs_targets_as_var_and_sparse_weights():
    found = directed().to_anndata()
    assert issparse(found.X)
    assert np.array_equal(found.X.toarray(), CELLS[:3, 1:])
    assert (found.obs_names.tolist(), found.var_names.tolist()) == (IDS[:3], ["x", "y", "z"])
    assert found.obs["type"].tolist() == ["A", "A", "B"]
    assert found.var["type"].isna().tolist() == [False, False, True]
    assert len(found.layers) == 0


def test_types_in_anndata_keep_their_order():
    types = {BASE + 1: "PFN10", BASE + 2: "EPG", BASE + 3: "PFN2"}
    rows = synapses([(BASE + 1, BASE + 2), (BASE + 2, BASE + 3), (BASE + 3, BASE + 1)])
    matrix = NestedMatrix.from_synapses(rows, annotations(types), weight_mode="count", type_order=["PFN", "EPG"])
    assert matrix.to_anndata().obs["type"].cat.categories.tolist() == ["PFN2", "PFN10", "EPG"]


def test_ids_from_a_file_of_anndata_are_strings_with_every_digit(tmp_path):
    found = read_back(nested(), tmp_path)
    for names in (found.obs_names, found.var_names):
        assert names.tolist() == IDS
        assert {type(name) for name in names} == {str}
        assert [int(name) - BASE for name in names] == [3, 1, 2, 9]
    assert not any(
        pd.api.types.is_float_dtype(column) for table in (found.obs, found.var) for _, column in table.items()
    )


def test_a_file_of_anndata_gives_back_weights_and_types(tmp_path):
    found = read_back(nested(), tmp_path)
    assert issparse(found.X)
    assert np.array_equal(found.X.toarray(), CELLS)
    assert found.obs["type"].dropna().to_dict() == found.var["type"].dropna().to_dict() == TYPES
    again = NestedMatrix.from_connectivity(found.to_df(), found.obs.rename_axis("root_id").reset_index(), "type")
    assert again.matrix.equals(nested().matrix)


def test_a_matrix_without_types_survives_a_file_of_anndata(tmp_path):
    untyped = NestedMatrix(pd.DataFrame(CELLS, IDS, IDS), {}, IDS, {})
    found = read_back(untyped, tmp_path)
    assert found.obs_names.tolist() == IDS
    assert found.obs["type"].isna().all()


def test_what_is_done_to_anndata_leaves_the_matrix_as_it_is():
    matrix = nested()
    matrix.to_anndata().X.data[:] = 0
    assert np.array_equal(matrix.matrix.to_numpy(), CELLS)


def test_without_anndata_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(NotInstalled, match="pip install anndata"):
        nested().to_anndata()
