"""Skeletons of the service, neurons of navis, and numbers for tables: from plain data, without a server."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest

from crant_core.datasets import Dataset
from crant_core.errors import SkeletonError
from crant_core.morphology.made import Made, measured
from crant_core.morphology.service import made_of
from crant_core.morphology.treeneurons import empty_neuron, skeleton_of, tree_neuron
from crant_core.skeleton import Skeleton, trace
from crant_core.times import TimeBase
from tests.fixtures.shapes import fork

ROOT = (8 << 56) | 1
DATASET = Dataset(name="demo", datastack="crant_demo", server="http://nowhere.invalid", viewer_resolution=(8, 8, 42))
TIME = TimeBase("live", datetime(2026, 1, 15, 8, 10, tzinfo=UTC))
#: a chain 1 - 2 - 0 - 3 with edges in both directions
GIVEN = {
    "vertices": [[0, 0, 0], [-20, 0, 0], [-10, 0, 0], [10, 0, 0]],
    "edges": [[2, 1], [2, 0], [3, 0]],
    "radius": [5, 1, 2, 9],
    "compartment": [1, 0, 3, 2],
    "lvl2_ids": [(2 << 56) | 10, (2 << 56) | 11, (2 << 56) | 12, 2**62 + 1],
    "root": 0,
}


class TestService:
    def test_edges_of_any_direction_lead_away_from_the_root(self):
        made = made_of(ROOT, GIVEN)
        tree = made.skeleton
        assert tree.parents[0] == -1
        assert tree.nodes[0].tolist() == [0, 0, 0]
        at = tree.nodes[:, 0].tolist()
        links = {(at[node], at[parent] if parent >= 0 else None) for node, parent in enumerate(tree.parents.tolist())}
        assert links == {(0, None), (-10, 0), (-20, -10), (10, 0)}

    def test_radius_compartment_and_l2_ids_stay_with_their_nodes(self):
        made = made_of(ROOT, GIVEN)
        by_place = dict(zip(made.skeleton.nodes[:, 0].tolist(), range(4), strict=True))
        rows = [by_place[x] for x in (0, -20, -10, 10)]
        assert made.skeleton.radii[rows].tolist() == GIVEN["radius"]
        assert made.columns["compartment"][rows].tolist() == GIVEN["compartment"]
        assert made.columns["lvl2_ids"][rows].tolist() == GIVEN["lvl2_ids"]
        assert made.soma == by_place[0]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"vertices": []},
            {"radius": [1, 2]},
            {"radius": [1, 2, 3, math.nan]},
            {"edges": [[0, 9]]},
            {"root": 4},
            {"compartment": [1]},
            {"vertices": "none"},
        ],
    )
    def test_what_does_not_hold_together_is_an_error(self, wrong):
        with pytest.raises(SkeletonError):
            made_of(ROOT, GIVEN | wrong)

    def test_without_radii_there_is_no_skeleton(self):
        with pytest.raises(SkeletonError, match="radius"):
            made_of(ROOT, {key: value for key, value in GIVEN.items() if key != "radius"})


class TestTreeNeurons:
    def test_a_neuron_has_nodes_columns_soma_and_says_where_it_is_from(self):
        neuron = tree_neuron(made_of(ROOT, GIVEN), DATASET, TIME)
        assert (neuron.id, str(neuron.units), neuron.n_trees) == (ROOT, "1 nanometer", 1)
        assert neuron.nodes.node_id.tolist() == [0, 1, 2, 3]
        assert neuron.nodes.set_index("node_id").label[neuron.soma] == 1
        assert neuron.nodes.label.sum() == 1
        assert set(neuron.nodes.lvl2_ids) == set(GIVEN["lvl2_ids"])
        assert neuron.skeleton_method == "service"
        assert neuron.provenance["root_id"] == str(ROOT)
        assert neuron.provenance["timestamp"] == "2026-01-15T08:10:00+00:00"
        assert neuron.quality["n_nodes"] == 4

    def test_what_is_said_stays_with_copies(self):
        neuron = tree_neuron(made_of(ROOT, GIVEN), DATASET, TIME).copy()
        assert neuron.skeleton_method == "service"
        assert neuron.provenance["dataset"] == "demo"

    def test_a_neuron_becomes_arrays_again(self):
        tree = trace(fork(100, 3000)).skeleton
        again = skeleton_of(tree_neuron(Made(root=ROOT, skeleton=tree, method="wavefront"), DATASET, TIME))
        assert (again.nodes == tree.nodes).all()
        assert (again.radii == tree.radii).all()
        assert (again.parents == tree.parents).all()

    def test_thick_nodes_are_no_soma_and_none_is_none(self):
        tree = Skeleton(np.zeros((1, 3)), np.array([5000.0]), np.array([-1]))
        assert tree_neuron(Made(root=ROOT, skeleton=tree, method="wavefront"), DATASET, TIME).soma is None

    def test_an_empty_neuron_has_an_id_and_no_invented_place(self):
        neuron = empty_neuron(ROOT, "no mesh")
        assert (neuron.id, neuron.n_nodes, neuron.provenance["note"]) == (ROOT, 0, "no mesh")
        with pytest.raises(SkeletonError):
            skeleton_of(neuron)


def test_numbers_are_plain_named_with_their_units_and_json_has_them():
    found = trace(fork(100, 3000))
    numbers = measured(
        Made(
            root=ROOT, skeleton=found.skeleton, method="wavefront", quality=found.quality, cost={"n_faces": np.int64(7)}
        )
    )
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert (numbers["n_ends"], numbers["n_branches"], numbers["n_roots"], numbers["n_faces"]) == (3, 1, 1, 7)
    assert {"inside", "coverage", "moved", "dropped", "radius_nm", "soma_ratio", "n_pieces"} <= numbers.keys()
