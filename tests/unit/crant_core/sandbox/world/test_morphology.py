from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.sandbox.world.morphology import Morphology, pieces, sorted_tree
from crant_core.sandbox.world.partners import make_partners, refine


def straight(count: int, step: float = 100.0) -> Morphology:
    """A straight neurite along x."""
    nodes = np.zeros((count, 3))
    nodes[:, 0] = np.arange(count) * step
    return Morphology(nodes, np.full(count, 50.0), np.arange(count) - 1)


@st.composite
def forests(draw: st.DrawFn) -> np.ndarray:
    """Parents of a forest in any order."""
    count = draw(st.integers(1, 30))
    parents = np.array([draw(st.integers(-1, node - 1)) for node in range(count)])
    place = np.array(draw(st.permutations(range(count))))
    shuffled = np.full(count, -1)
    shuffled[place] = np.where(parents < 0, -1, place[parents])
    return shuffled


@given(forests())
def test_sorting_puts_parents_first_and_changes_no_edge(parents):
    nodes = np.arange(3.0 * len(parents)).reshape(-1, 3)
    tree = sorted_tree(nodes, nodes[:, 0], parents)
    assert (tree.parents < np.arange(len(parents))).all()
    before = {(tuple(nodes[child]), tuple(nodes[parent])) for child, parent in enumerate(parents) if parent >= 0}
    after = {(tuple(tree.nodes[child]), tuple(tree.nodes[parent])) for child, parent in tree.edges}
    assert before == after
    assert (tree.radii == tree.nodes[:, 0]).all()


def test_subtrees_are_counted():
    assert straight(4).subtree_sizes().tolist() == [4, 3, 2, 1]


def test_a_tree_is_cut_into_equal_pieces_each_of_which_hangs_by_one_edge():
    tree = straight(12)
    part = pieces(tree, 4)
    assert np.bincount(part).tolist() == [3, 3, 3, 3]
    child, parent = tree.edges.T
    assert (part[child] != part[parent]).sum() == 3


def test_refining_adds_nodes_on_the_line_and_keeps_the_old_ones():
    finer, place = refine(straight(3, step=250.0), 100.0)
    assert np.array_equal(finer.nodes[place], straight(3, step=250.0).nodes)
    lengths = np.linalg.norm(finer.nodes[finer.edges[:, 0]] - finer.nodes[finer.edges[:, 1]], axis=1)
    assert lengths.max() <= 100
    assert lengths.sum() == pytest.approx(500)


def test_a_partner_is_one_tree_with_a_node_opposite_each_of_its_sites():
    random = np.random.default_rng(0)
    sites, outward = random.uniform(0, 50_000, (300, 3)), np.tile([0.0, 0.0, 1.0], (300, 1))
    partners = make_partners(sites, outward, 4, random)
    for site, (partner, node) in enumerate(zip(partners.of_site, partners.node_of_site, strict=True)):
        distance = np.linalg.norm(partners.trees[partner].nodes[node] - sites[site])
        assert distance == pytest.approx(250)
    assert [(tree.parents < 0).sum() for tree in partners.trees] == [1, 1, 1, 1]
