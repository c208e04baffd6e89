from __future__ import annotations

import logging

import navis
import numpy as np
import pandas as pd
import pytest

import crant_core
from crant_core.errors import InvalidInput, InvalidParameters, SkeletonError, WrongType
from crant_core.morphology import neuron_of, remove_soma_hairball, shave_skeleton, skeleton_and_ids, skeleton_of
from crant_core.skeleton import Skeleton, twigs
from tests.unit.crant_core.skeleton.test_twigs import LINE

ROOT = (8 << 56) | 1
SHORT_TWIG = 4  # the node of LINE that shaving takes


def neuron(soma: int | None = None) -> navis.TreeNeuron:
    """Return LINE with other ids, in another order."""
    found = neuron_of(LINE, ROOT, soma=soma)
    table = found.nodes.copy()
    table["node_id"] += 100
    table["parent_id"] = np.where(table.parent_id < 0, -1, table.parent_id + 100)
    moved = navis.TreeNeuron(table.iloc[::-1], id=ROOT, units="1 nm")
    moved.soma = None if soma is None else soma + 100
    return moved


def ids(found: navis.TreeNeuron) -> set[int]:
    return set(found.nodes.node_id)


def test_conversions_are_each_others_inverse():
    found = skeleton_of(neuron_of(LINE, ROOT, soma=3))
    assert (found.nodes == LINE.nodes).all()
    assert (found.parents == LINE.parents).all()
    assert (neuron_of(LINE, ROOT, soma=3).id, neuron_of(LINE, ROOT, soma=3).soma) == (ROOT, 3)
    tree, names = skeleton_and_ids(neuron())
    assert (tree.nodes == LINE.nodes[names - 100]).all()


def test_a_neuron_is_shaved_as_its_arrays_are_and_nodes_keep_their_ids():
    given = neuron()
    found = shave_skeleton(given)
    assert isinstance(found, navis.TreeNeuron)
    assert ids(given) - ids(found) == {SHORT_TWIG + 100}
    assert found.n_nodes == twigs.shave_skeleton(LINE).n_nodes
    assert (found.id, found.soma, str(found.units)) == (ROOT, None, "1 nanometer")


def test_the_soma_and_what_is_named_stay():
    assert SHORT_TWIG + 100 in ids(shave_skeleton(neuron(soma=SHORT_TWIG)))
    assert SHORT_TWIG + 100 in ids(shave_skeleton(neuron(), keep=[SHORT_TWIG + 100]))


def test_connectors_on_nodes_that_stay_stay():
    given = neuron()
    rows = {"connector_id": [0, 1], "node_id": [100, 104], "type": ["pre"] * 2, **{axis: [0.0, 0.0] for axis in "xyz"}}
    given.connectors = pd.DataFrame(rows)
    assert shave_skeleton(given).connectors.connector_id.tolist() == [0]


def test_lists_give_lists_and_arrays_arrays():
    for form in (navis.NeuronList, list):
        found = shave_skeleton(form([neuron(), neuron()]))
        assert isinstance(found, navis.NeuronList)
        assert [one.n_nodes for one in found] == [7, 7]
    assert isinstance(crant_core.shave_skeleton(LINE), Skeleton)
    assert isinstance(crant_core.remove_soma_hairball(LINE, 0), Skeleton)


def test_a_hairball_goes_and_the_soma_and_the_ways_out_stay():
    found, expected = (
        remove_soma_hairball(neuron(soma=0), radius=2500),
        twigs.outside_hairball(LINE, 0, 2500),
    )
    assert ids(found) == set((np.flatnonzero(expected) + 100).tolist()) < ids(neuron())
    assert found.soma == 100
    assert ids(remove_soma_hairball(neuron(), 100, 2500)) == ids(found)


def test_without_a_soma_there_is_no_hairball(caplog):
    with caplog.at_level(logging.WARNING):
        assert remove_soma_hairball(neuron()).n_nodes == LINE.n_nodes
    assert str(ROOT) in caplog.text


def test_what_cannot_be_done_is_refused():
    bare = neuron()
    bare.nodes["radius"] = np.nan
    for function in (shave_skeleton, remove_soma_hairball):
        with pytest.raises(WrongType):
            function(5)
    with pytest.raises(SkeletonError, match="finite"):
        shave_skeleton(bare)
    with pytest.raises(InvalidInput, match="no node 5"):
        remove_soma_hairball(neuron(), 5)
    with pytest.raises(InvalidInput, match="soma's node"):
        remove_soma_hairball(LINE)
    with pytest.raises(InvalidInput, match="no node 5"):
        shave_skeleton(neuron(), keep=[5])


@pytest.mark.parametrize("wrong", ["a", np.nan, -1, None, True])
def test_lengths_that_are_none_are_refused_and_not_taken_for_nothing(wrong):
    for skeleton in (neuron(soma=2), LINE):
        for refused in (
            lambda skeleton=skeleton: shave_skeleton(skeleton, min_length=wrong),
            lambda skeleton=skeleton: shave_skeleton(skeleton, radii=wrong),
            lambda skeleton=skeleton: remove_soma_hairball(skeleton, 2, radius=wrong if wrong is not None else "b"),
        ):
            with pytest.raises(InvalidParameters, match="a finite number, 0 or more"):
                refused()


@pytest.mark.parametrize("node", [-1, LINE.n_nodes, 0.5, "x"])
def test_a_skeleton_says_which_node_it_does_not_have(node):
    with pytest.raises(InvalidInput, match="has no node"):
        shave_skeleton(LINE, keep=[0, node])


def test_a_neuron_without_a_table_of_nodes_is_named():
    for function in (shave_skeleton, remove_soma_hairball, skeleton_of):
        with pytest.raises((InvalidInput, SkeletonError), match="nodes"):
            function(navis.TreeNeuron(None))
