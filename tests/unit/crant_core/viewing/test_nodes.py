from __future__ import annotations

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidInput
from crant_core.viewing import map_position_to_node


@pytest.fixture
def neuron() -> navis.TreeNeuron:
    nodes = [(10, -1, 0, 0, 0), (20, 10, 100, 0, 0), (35, 20, 100, 300, 0)]
    table = pd.DataFrame(nodes, columns=["node_id", "parent_id", "x", "y", "z"]).assign(radius=0)
    return navis.TreeNeuron(table, id=7)


def test_one_position(neuron):
    assert map_position_to_node(neuron, [90, 10, 0]) == 20
    assert type(map_position_to_node(neuron, (90, 10, 0))) is int


def test_its_distance_is_euclidean(neuron):
    node, distance = map_position_to_node(neuron, np.array([103, 304, 0]), return_distance=True)
    assert (node, distance) == (35, 5.0)
    assert type(distance) is float


def test_many_positions_in_their_order(neuron):
    nodes, distances = map_position_to_node(neuron, [[100, 290, 0], [1, 0, 0], [100, 290, 0]], return_distance=True)
    assert nodes.tolist() == [35, 10, 35]
    assert nodes.dtype == np.int64
    assert distances.tolist() == [10, 1, 10]


def test_one_row_stays_a_row(neuron):
    assert map_position_to_node(neuron, [[0, 0, 0]]).tolist() == [10]


def test_no_positions_are_no_nodes(neuron):
    nodes, distances = map_position_to_node(neuron, [], return_distance=True)
    assert (nodes.shape, nodes.dtype, distances.shape) == ((0,), np.int64, (0,))


def test_a_list_of_one_neuron_will_do(neuron):
    assert map_position_to_node(navis.NeuronList([neuron]), [0, 0, 0]) == 10


def test_every_node_of_a_real_neuron_is_its_own_nearest():
    real = navis.example_neurons(1, kind="skeleton")
    places = real.nodes[["x", "y", "z"]].to_numpy()
    nodes, distances = map_position_to_node(real, places, return_distance=True)
    assert distances.max() == 0
    found = real.nodes.set_index("node_id").loc[nodes, ["x", "y", "z"]].to_numpy()
    assert (found == places).all()


def test_the_neuron_is_not_changed(neuron):
    before = neuron.nodes.copy()
    map_position_to_node(neuron, [1, 2, 3])
    pd.testing.assert_frame_equal(neuron.nodes, before)


@pytest.mark.parametrize("wrong", [[1, 2], [1, 2, np.nan], "abc", 5, [[1, 2, 3, 4]], np.zeros((2, 2, 3))])
def test_what_is_no_position_is_refused(neuron, wrong):
    with pytest.raises(InvalidInput, match="no positions"):
        map_position_to_node(neuron, wrong)


def test_a_neuron_without_nodes_is_refused():
    with pytest.raises(InvalidInput, match="neuron 9 has no nodes"):
        map_position_to_node(navis.TreeNeuron(None, id=9), [0, 0, 0])


@pytest.mark.parametrize("wrong", [5, None, navis.NeuronList([])])
def test_what_is_no_skeleton_is_refused(wrong):
    with pytest.raises(InvalidInput, match="is no skeleton"):
        map_position_to_node(wrong, [0, 0, 0])
