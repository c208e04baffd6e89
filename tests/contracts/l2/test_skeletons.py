"""Skeletons of L2 chunks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import navis
import numpy as np
import pytest

from crant_core.datasets import Dataset
from crant_core.errors import InvalidParameters, SkeletonError
from crant_core.l2 import get_l2_graph, get_l2_info, get_l2_skeleton
from tests.contracts.l2.asking import UNKNOWN, asked, chunks
from tests.fixtures.neurons import live_roots
from tests.fixtures.toys import Toy, row, supervoxel


class TestSkeletons:
    def test_it_is_in_nm_numbered_from_0_with_parents_first_and_no_soma(self, dataset):
        found = get_l2_skeleton(live_roots()[0], dataset=dataset)
        nodes = found.nodes
        assert (found.id, str(found.units)) == (live_roots()[0], "1 nanometer")
        assert nodes.node_id.tolist() == list(range(len(chunks(found.id))))
        assert (nodes.parent_id < nodes.node_id).all()
        assert found.soma is None
        assert found._l2_chunks_missing == 0

    def test_l2_ids_keep_all_their_digits(self, dataset):
        nodes = get_l2_skeleton(live_roots()[0], l2_node_ids=True, dataset=dataset).nodes
        assert sorted(nodes.node_id.tolist()) == chunks(live_roots()[0])
        assert set(nodes.parent_id) - {-1} <= set(nodes.node_id)

    def test_the_same_call_gives_the_same_skeleton(self, dataset):
        one, other = (get_l2_skeleton(live_roots()[1], dataset=dataset).nodes for _ in range(2))
        assert one.equals(other)

    def test_what_is_given_goes_to_the_neuron(self, dataset):
        found = get_l2_skeleton(live_roots()[0], name="mine", dataset=dataset)
        assert (found.name, found.id) == ("mine", live_roots()[0])

    @pytest.mark.parametrize("wrong", [{"bogus": 5}, {"units": "8 nm"}, {"id": 5}, {"max_threads": 0}])
    def test_what_it_does_not_know_is_refused(self, dataset, wrong):
        with pytest.raises(InvalidParameters):
            get_l2_skeleton(live_roots()[0], dataset=dataset, **wrong)

    @pytest.mark.parametrize("option", ["attach_synapses", "reroot_at_soma"])
    def test_what_cannot_be_done_is_an_error_before_anything_is_asked(self, dataset, ours, monkeypatch, option):
        def nothing(name: str) -> Any:
            raise AttributeError(name)

        monkeypatch.setattr("crant_core.__getattr__", nothing)
        with pytest.raises(InvalidParameters, match=option):
            get_l2_skeleton(live_roots()[0], dataset=dataset, **{option: True})
        assert not asked(ours)

    def test_what_can_is_done_to_all_but_empty_neurons(self, dataset, monkeypatch):
        seen = []

        def step(neurons: navis.NeuronList, *, dataset: Dataset) -> navis.NeuronList:
            seen.append((neurons.id.tolist(), dataset.name))
            return navis.NeuronList([neuron.copy() for neuron in neurons])

        monkeypatch.setattr("crant_core.__getattr__", lambda name: step)
        wanted = [live_roots()[0], UNKNOWN, live_roots()[1]]
        found = get_l2_skeleton(wanted, True, True, False, False, True, True, dataset=dataset)
        assert found.id.tolist() == wanted
        assert seen == [(live_roots()[:2], dataset.name)] * 2


def root_of(toy: Toy) -> int:
    [root] = toy.graph.roots(np.array([supervoxel(0, 1)], dtype=np.uint64), datetime.now(UTC))
    return int(root)


class TestToys:
    """Graphs that people can count in; the L2 cache knows nothing of them."""

    def test_a_neuron_of_one_chunk_is_a_graph_of_one_node_and_no_skeleton(self, toy: Toy):
        toy.graph = row([3])
        root = root_of(toy)
        found = get_l2_graph(root, dataset=toy.dataset)
        assert (len(found.nodes), len(found.edges)) == (1, 0)
        assert get_l2_info(root, dataset=toy.dataset).l2_chunks.tolist() == [1]
        with pytest.raises(SkeletonError, match="one L2 chunk"):
            get_l2_skeleton(root, refine=False, dataset=toy.dataset)
        assert len(get_l2_skeleton(root, omit_failures=True, dataset=toy.dataset)) == 0

    def test_chunks_in_a_row_are_a_line_of_their_middles(self, toy: Toy):
        toy.graph = row([1, 2, 1, 1])
        root = root_of(toy)
        found = get_l2_skeleton(root, refine=False, dataset=toy.dataset)
        assert found.nodes.parent_id.tolist() == [-1, 0, 1, 2]
        assert np.diff(found.nodes.x).tolist() == [8192] * 3
        assert found.cable_length == 3 * 8192
