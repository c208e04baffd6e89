"""Synapses on skeletons, against a search through all nodes."""

from __future__ import annotations

from typing import Any

import navis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.errors import InvalidInput, WrongType
from crant_core.synapses.attaching import _skeletons, connectors

A, B, C = 2**62 + 1, 2**62 + 2, 2**62 + 3
COLUMNS = ["connector_id", "x", "y", "z", "type", "partner_id", "node_id", "synapse_id"]


def line(root: int, points: Any, first: int = 100, **options: Any) -> navis.TreeNeuron:
    """A skeleton from point to point, its nodes numbered from `first`."""
    places = np.array(points, dtype=float).reshape(-1, 3)
    number = np.arange(first, first + len(places))
    table = {"node_id": number, "parent_id": [-1, *number[:-1]], "radius": 1.0}
    nodes = pd.DataFrame(table | {axis: places[:, column] for column, axis in enumerate("xyz")})
    return navis.TreeNeuron(nodes, id=root, **({"units": "1 nm"} | options))


def table(synapses: list[tuple[int, int, int, Any, Any]]) -> pd.DataFrame:
    """Rows of id, pre, post and both positions."""
    columns: dict[str, Any] = {
        name: np.array([row[number] for row in synapses], dtype=np.int64)
        for number, name in enumerate(("id", "pre_pt_root_id", "post_pt_root_id"))
    }
    for number, side in ((3, "pre"), (4, "post")):
        places = np.array([row[number] for row in synapses], dtype=float).reshape(-1, 3)
        columns |= {f"{side}_pt_position_{axis}": places[:, column] for column, axis in enumerate("xyz")}
    return pd.DataFrame(columns)


def test_a_synapse_between_two_of_the_neurons_is_on_both_each_with_its_own_side():
    one, other = line(A, [[0, 0, 0], [100, 0, 0]]), line(B, [[0, 50, 0], [100, 50, 0]], first=7)
    rows = table([(9, A, B, [90.5, 1, 0], [95, 49, 0]), (4, C, A, [0, 9, 9], [3, 3, 0])])
    first, second = connectors([one, other], np.array([A, B]), rows, (0, 1), 10_000)
    assert first.columns.tolist() == COLUMNS
    assert first.to_numpy().tolist() == [
        [0, 3.0, 3.0, 0.0, "post", C, 100, 4],
        [1, 90.5, 1.0, 0.0, "pre", B, 101, 9],
    ]
    assert second.to_numpy().tolist() == [[0, 95.0, 49.0, 0.0, "post", A, 8, 9]]


def test_an_autapse_is_on_its_neuron_twice():
    rows = table([(9, A, A, [1, 0, 0], [99, 0, 0])])
    (found,) = connectors([line(A, [[0, 0, 0], [100, 0, 0]])], np.array([A]), rows, (0, 1), np.inf)
    assert found[["type", "node_id", "synapse_id"]].to_numpy().tolist() == [["pre", 100, 9], ["post", 101, 9]]


@pytest.mark.parametrize(("limit", "left"), [(5.0, [1]), (np.nextafter(5.0, 0), []), (np.inf, [1, 2])])
def test_what_is_exactly_as_far_as_allowed_stays(limit, left):
    rows = table([(1, A, B, [3, 4, 0], [0, 0, 0]), (2, A, B, [0, 0, 900], [0, 0, 0]), (3, A, B, [np.nan] * 3, [0] * 3)])
    (found,) = connectors([line(A, [[0, 0, 0]])], np.array([A]), rows, (0, 1), limit)
    assert found["synapse_id"].tolist() == left


def test_a_skeleton_that_most_synapses_are_far_from_is_told(caplog):
    near, far = [[0, 0, 0]] * 2, [[1e6, 0, 0]] * 2
    for synapses, is_told in (([near, far], False), ([near, far, far], True)):
        caplog.clear()
        rows = table([(number, A, C, *at) for number, at in enumerate(synapses, 1)])
        connectors([line(A, [[0, 0, 0]])], np.array([A]), rows, (0,), 10_000)
        assert (f"2 of 3 synapses of {A} are further than 10000 nm" in caplog.text) is is_told


def test_sides_that_are_not_asked_for_are_not_needed():
    rows = table([(1, A, B, [1, 0, 0], [0, 0, 0]), (2, B, A, [0, 0, 0], [2, 0, 0])])
    rows = rows.drop(columns=[name for name in rows if name.startswith("post_pt_position")])
    (found,) = connectors([line(A, [[0, 0, 0]])], np.array([A]), rows, (0,), np.inf)
    assert found[["type", "synapse_id"]].to_numpy().tolist() == [["pre", 1]]


def test_a_neuron_without_synapses_gets_a_typed_empty_table():
    (found,) = connectors([line(A, [[0, 0, 0]])], np.array([A]), table([]), (0, 1), 10_000)
    assert found.columns.tolist() == COLUMNS
    assert [str(dtype) for dtype in found.dtypes] == ["int64", *["float64"] * 3, "category", *["int64"] * 3]


coordinates = st.tuples(*[st.integers(-30, 30)] * 3)
synapse = st.tuples(st.sampled_from([A, B, C]), st.sampled_from([A, B, C]), coordinates, coordinates)


@settings(max_examples=80, deadline=None)
@given(
    nodes=st.tuples(*[st.lists(coordinates, min_size=1, max_size=8)] * 2),
    synapses=st.lists(synapse, max_size=12),
    limit=st.floats(0, 80),
)
def test_connectors_are_those_of_a_search_through_all_nodes(nodes, synapses, limit):
    skeletons = [line(root, points) for root, points in zip((A, B), nodes, strict=True)]
    rows = table([(number, *row) for number, row in enumerate(synapses)])
    found = connectors(skeletons, np.array([A, B]), rows, (0, 1), limit)
    for root, points, attached in zip((A, B), nodes, found, strict=True):
        expected = []
        for number, (pre, post, pre_at, post_at) in enumerate(synapses):
            for kind, own, partner, place in (("pre", pre, post, pre_at), ("post", post, pre, post_at)):
                distance = min(np.linalg.norm(np.subtract(point, place)) for point in points)
                if own == root and distance <= limit:
                    expected.append((number, kind, partner, *place, distance))
        assert attached["connector_id"].tolist() == list(range(len(expected)))
        columns = attached[["synapse_id", "type", "partner_id", "x", "y", "z"]]
        assert [tuple(row) for row in columns.to_numpy()] == [row[:-1] for row in expected]
        at = np.array(points, dtype=float)[attached["node_id"].to_numpy() - 100]
        distances = np.linalg.norm(at - attached[["x", "y", "z"]].to_numpy(), axis=1)
        assert distances == pytest.approx([row[-1] for row in expected])


@pytest.mark.parametrize("wrong", [None, 5, "a", [1], pd.DataFrame()])
def test_what_is_no_skeleton_is_a_type_error(wrong):
    with pytest.raises(WrongType, match="is no skeleton"):
        _skeletons(wrong)
    with pytest.raises(TypeError):
        _skeletons(wrong)


def test_a_list_with_a_mesh_in_it_is_a_type_error():
    mesh = navis.MeshNeuron((np.eye(3), np.array([[0, 1, 2]])), id=A)
    with pytest.raises(TypeError, match="MeshNeuron"):
        _skeletons(navis.NeuronList([line(A, [[0, 0, 0]]), mesh]))


def test_skeletons_that_are_not_in_nm_are_refused():
    assert len(_skeletons(line(A, [[0, 0, 0]], units="1 nm"))) == 1
    assert len(_skeletons(line(A, [[0, 0, 0]], units=None))) == 1
    with pytest.raises(InvalidInput, match="not nm"):
        _skeletons(line(A, [[0, 0, 0]], units="1 um"))
    with pytest.raises(InvalidInput, match="not nm"):
        _skeletons(line(A, [[0, 0, 0]], units="8 nm"))
