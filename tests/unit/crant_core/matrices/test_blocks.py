"""What matrices show, keep and refuse, once they are made."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from crant_core.errors import InvalidInput, NoMatchesError, TooDense
from crant_core.matrices import All, DirectedNestedMatrix, NestedMatrix, NeuropilCollection
from crant_core.matrices.blocks import DENSE_CELLS
from tests.fixtures.matrices import BASE

IDS = [str(BASE + number) for number in (3, 1, 2, 9)]
CELLS = np.array([[0.0, 2, 0, 1], [4, 0, 0, 0], [1, 1, 2, 0], [0, 0, 7, 0]])
BOUNDARIES = {"A": (0, 2), "PFN?": (2, 3)}
TYPES = {IDS[0]: "A", IDS[1]: "A", IDS[2]: "PFN?"}


def nested() -> NestedMatrix:
    return NestedMatrix(pd.DataFrame(CELLS, IDS, IDS), BOUNDARIES, IDS, TYPES)


def directed() -> DirectedNestedMatrix:
    cells = pd.DataFrame(CELLS[:3, 1:], [1, 2, 3], ["x", "y", "z"])
    return DirectedNestedMatrix(cells, [1, 2, 3], ["x", "y", "z"], {"A": (0, 2), "B": (2, 3)}, {"C": (0, 2)})


def same(one, other) -> bool:
    return (
        type(one) is type(other)
        and one.matrix.equals(other.matrix)
        and one._rows == other._rows
        and (one._columns == other._columns)
    )


_SELECTORS = "source_types target_types source_neurons target_neurons"
_ORDERS = "type_order source_type_order target_type_order annotation_scope"
_WEIGHTS = "pre_col post_col weight_mode weight_column"
_PLACES = "synapses_df neuron_annotations neuropil_names coordinates position_column"
_COLUMNS = "cell_type_column neuron_id_column"
_PLOT = (
    "output_path level figsize show_neuron_labels vmin_percentile vmax_percentile min_neurons_for_plot linewidth_scale"
)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (NestedMatrix, "matrix type_boundaries ordered_neurons neuron_to_type"),
        (
            NestedMatrix.from_connectivity,
            f"connections_df neuron_annotations {_COLUMNS} type_order annotation_scope",
        ),
        (
            NestedMatrix.from_synapses,
            f"synapses_df neuron_annotations {_WEIGHTS} {_COLUMNS} type_order annotation_scope",
        ),
        (
            NestedMatrix.from_synapses_by_neuropil,
            f"{_PLACES} {_WEIGHTS} {_COLUMNS} type_order annotation_scope include_other voxel_offset",
        ),
        (NestedMatrix.get_relative_weights, "self by_type"),
        (NestedMatrix.plot, f"self {_PLOT}"),
        (
            DirectedNestedMatrix,
            "matrix source_neurons target_neurons source_type_boundaries target_type_boundaries "
            "source_neuron_to_type target_neuron_to_type",
        ),
        (
            DirectedNestedMatrix.from_connectivity,
            f"connections_df neuron_annotations {_SELECTORS} {_COLUMNS} {_ORDERS}",
        ),
        (
            DirectedNestedMatrix.from_synapses,
            f"synapses_df neuron_annotations {_SELECTORS} {_WEIGHTS} normalization_scope {_COLUMNS} {_ORDERS}",
        ),
        (
            DirectedNestedMatrix.from_synapses_by_neuropil,
            f"{_PLACES} {_SELECTORS} {_WEIGHTS} normalization_scope {_COLUMNS} {_ORDERS} include_other voxel_offset",
        ),
        (DirectedNestedMatrix.plot, f"self {_PLOT}"),
        (NeuropilCollection.plot, "self name kwargs"),
    ],
)
def test_arguments_have_the_documented_names_and_order(function, names):
    parameters = inspect.signature(function).parameters.values()
    assert [one.name for one in parameters if one.kind is not inspect.Parameter.KEYWORD_ONLY] == names.split()


def test_arguments_have_the_documented_defaults():
    made = inspect.signature(DirectedNestedMatrix.from_synapses_by_neuropil).parameters
    defaults = {name: one.default for name, one in made.items() if one.default not in {None, inspect.Parameter.empty}}
    assert defaults == {
        "coordinates": "nm",
        "position_column": "ctr_pt_position",
        "pre_col": "pre_pt_root_id",
        "post_col": "post_pt_root_id",
        "weight_mode": "relative_outgoing",
        "normalization_scope": "selected",
        "cell_type_column": "cell_type",
        "neuron_id_column": "root_id",
        "annotation_scope": "annotated_only",
        "include_other": True,
    }


def test_a_matrix_shows_what_it_was_made_of():
    matrix = nested()
    assert matrix.matrix.equals(pd.DataFrame(CELLS, IDS, IDS))
    assert (matrix.ordered_neurons, dict(matrix.type_boundaries)) == (tuple(IDS), BOUNDARIES)
    assert dict(matrix.neuron_to_type) == TYPES
    assert repr(matrix) == "<NestedMatrix: 4 × 4 neurons, 7 connections>"


def test_ids_become_strings_exactly():
    ids = [int(label) for label in IDS]
    cells = pd.DataFrame(CELLS, ids, np.array(ids, dtype=np.uint64))
    matrix = NestedMatrix(cells, BOUNDARIES, np.array(ids), {int(neuron): name for neuron, name in TYPES.items()})
    assert same(matrix, nested())


def test_a_sparse_matrix_will_do():
    entries = csr_array(CELLS)
    matrix = NestedMatrix(entries, BOUNDARIES, IDS, TYPES)
    entries.data[:] = 99
    assert same(matrix, nested())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"matrix": pd.DataFrame(CELLS[:3], IDS[:3], IDS)}, "the matrix is 3 × 4, the axes are 4 × 4"),
        ({"matrix": pd.DataFrame(CELLS, IDS, IDS[::-1])}, "at place 0 the columns of the matrix .*another order"),
        ({"matrix": csr_array(CELLS[:3])}, "the matrix is 3 × 4, the axes are 4 × 4"),
        ({"matrix": pd.DataFrame(CELLS * np.nan, IDS, IDS)}, "not finite"),
        ({"type_boundaries": {"A": (0, 2), "PFN?": (3, 4)}}, "boundaries of type 'PFN.'"),
        ({"type_boundaries": {"A": (0, 2)}}, "disagree"),
        ({"ordered_neurons": [IDS[0]] * 4}, "occurs twice"),
        ({"neuron_to_type": TYPES | {IDS[3]: "B"}}, "disagree"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(changes, reason):
    parts = {"matrix": pd.DataFrame(CELLS, IDS, IDS), "type_boundaries": BOUNDARIES, "ordered_neurons": IDS}
    with pytest.raises(InvalidInput, match=reason):
        NestedMatrix(**(parts | {"neuron_to_type": TYPES} | changes))


def test_types_are_summed_and_averaged_with_their_zeros():
    matrix = nested()
    assert matrix.sum_type_matrix.equals(pd.DataFrame([[6.0, 0.0], [2.0, 2.0]], ["A", "PFN?"], ["A", "PFN?"]))
    assert matrix.mean_type_matrix.equals(pd.DataFrame([[1.5, 0.0], [1.0, 2.0]], ["A", "PFN?"], ["A", "PFN?"]))
    assert directed().sum_type_matrix.equals(pd.DataFrame([[2.0], [3.0]], ["A", "B"], ["C"]))
    assert directed().mean_type_matrix.equals(pd.DataFrame([[0.5], [1.5]], ["A", "B"], ["C"]))


def test_relative_weights_are_shares_of_a_row():
    matrix = nested()
    rows = matrix.get_relative_weights().to_numpy()
    assert rows.tolist() == [[0, 2 / 3, 0, 1 / 3], [1, 0, 0, 0], [0.25, 0.25, 0.5, 0], [0, 0, 1, 0]]
    assert matrix.get_relative_weights(by_type=True).to_numpy().tolist() == [[1, 0], [0.5, 0.5]]
    assert directed().get_relative_weights().loc["2"].tolist() == [0, 0, 0]


def test_nothing_that_is_shown_can_change_the_matrix():
    matrix = nested()
    for table in (matrix.matrix, matrix.sum_type_matrix, matrix.mean_type_matrix):
        with pytest.raises(ValueError, match="read-only"):
            table.iloc[0, 0] = 9.0
    shown = matrix.matrix
    shown["more"] = 1.0
    with pytest.raises(TypeError):
        matrix.type_boundaries["B"] = (0, 1)
    with pytest.raises(TypeError):
        matrix.neuron_to_type["1"] = "B"
    with pytest.raises(AttributeError):
        matrix.matrix = shown
    with pytest.raises(ValueError, match="read-only"):
        matrix.sparse.data[0] = 9.0
    assert same(matrix, nested())


def test_copies_can_be_edited():
    table = nested().matrix.copy()
    table.iloc[0, 0] = 9.0
    frame = nested().to_frame()
    frame.iloc[0, 0] = 9.0
    assert table.equals(frame)


def test_zeros_are_not_connections():
    assert nested().sparse.nnz == 7
    assert len(nested().edges()) == 7


def test_edges_have_exact_ids_or_names():
    edges = nested().edges()
    assert edges.dtypes.tolist() == [np.int64, np.int64, np.float64]
    assert [edges[name][0] for name in edges] == [BASE + 3, BASE + 1, 2.0]
    assert directed().edges()["post"].tolist() == ["x", "z", "x", "y"]


def test_a_large_matrix_becomes_dense_only_if_one_says_so():
    size = 8_001
    ids = [str(number) for number in range(size)]
    matrix = NestedMatrix(csr_array((size, size)), {"A": (0, size)}, ids, dict.fromkeys(ids, "A"))
    assert size * size > DENSE_CELLS
    for dense in (lambda: matrix.matrix, matrix.to_frame, matrix.plot):
        with pytest.raises(TooDense, match=r"8,001 × 8,001 cells.*use \.sparse, \.edges\(\).*max_cells=None.*0\.5 GB"):
            dense()
    with pytest.raises(TooDense, match=r"8,001 × 8,001 cells.*use \.relative_sparse"):
        matrix.get_relative_weights()
    assert matrix.relative_sparse.shape == (size, size)
    assert matrix.sum_type_matrix.to_numpy().tolist() == [[0]]
    assert matrix.get_relative_weights(by_type=True).shape == (1, 1)
    assert nested().to_frame(max_cells=None).equals(nested().matrix)
    with pytest.raises(TooDense):
        nested().to_frame(max_cells=15)


@pytest.mark.parametrize("make", [nested, directed])
def test_a_matrix_survives_pickling(make):
    again = pickle.loads(pickle.dumps(make()))  # noqa: S301 - our own
    assert same(again, make())
    with pytest.raises(ValueError, match="read-only"):
        again.sparse.data[0] = 1


@pytest.mark.parametrize("make", [nested, directed])
def test_a_matrix_survives_a_file(tmp_path, make):
    path = make().to_parquet(tmp_path / "new" / "matrix.parquet")
    again = type(make()).from_parquet(path)
    assert same(again, make())
    assert list(again.sum_type_matrix.columns) == list(make().sum_type_matrix.columns)


def test_any_reader_understands_the_file(tmp_path):
    table = pd.read_parquet(nested().to_parquet(tmp_path / "matrix.parquet"))
    assert table.equals(nested().edges())


def test_empty_matrices_survive_a_file_and_have_no_types(tmp_path):
    empty = NestedMatrix(pd.DataFrame(), {}, [], {})
    assert same(NestedMatrix.from_parquet(empty.to_parquet(tmp_path / "empty.parquet")), empty)
    assert empty.sum_type_matrix.shape == empty.get_relative_weights().shape == (0, 0)
    assert len(empty.edges()) == 0
    with pytest.raises(NoMatchesError, match="no neurons"):
        empty.plot()


def test_files_of_something_else_are_refused(tmp_path):
    pd.DataFrame({"pre": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InvalidInput, match="not a nested_matrix file"):
        NestedMatrix.from_parquet(tmp_path / "other.parquet")
    with pytest.raises(InvalidInput, match="use DirectedNestedMatrix"):
        NestedMatrix.from_parquet(directed().to_parquet(tmp_path / "directed.parquet"))


def test_files_of_a_later_version_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("crant_core.matrices.parquet.VERSION", 2)
    path = nested().to_parquet(tmp_path / "later.parquet")
    monkeypatch.undo()
    with pytest.raises(InvalidInput, match="of version 2"):
        NestedMatrix.from_parquet(path)


def test_a_collection_is_a_mapping_with_attributes(tmp_path):
    collection = NeuropilCollection({"gall_left": nested(), "other": directed()}, open_neuropils=["gall_left"])
    assert collection.gall_left is collection["gall_left"]
    assert "gall_left" in dir(collection)
    with pytest.raises(AttributeError, match="no neuropil 'bulb'; it has: gall_left, other"):
        _ = collection.bulb
    for again in (
        pickle.loads(pickle.dumps(collection)),  # noqa: S301 - our own
        NeuropilCollection.from_parquet(collection.to_parquet(tmp_path / "all.parquet")),
    ):
        assert list(again) == ["gall_left", "other"]
        assert all(same(again[name], collection[name]) for name in collection)
        assert again.open_neuropils == ("gall_left",)
    assert set(pd.read_parquet(tmp_path / "all.parquet")["neuropil"]) == {"gall_left", "other"}


def test_an_empty_collection_survives_a_file(tmp_path):
    assert NeuropilCollection.from_parquet(NeuropilCollection().to_parquet(tmp_path / "none.parquet")) == {}


def test_all_but_some_neuropils_are_chosen():
    names = ["a", "b", "c"]
    assert All.of(names) == names
    assert All.minus("a").of(names) == ["b", "c"]
    assert All.minus("a", "b").of(names) == All.minus(["b"]).minus("a").of(names) == ["c"]
    with pytest.raises(NoMatchesError, match=r"no neuropil 'd'.*a, b, c"):
        All.minus("d").of(names)
