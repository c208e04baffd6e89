from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.errors import SkeletonError
from crant_core.skeleton.tree import Skeleton, in_order


def skeleton(parents: list[int], nodes: list[list[float]] | None = None) -> Skeleton:
    count = len(parents)
    positions = np.array(nodes, dtype=float) if nodes else np.arange(3.0 * count).reshape(count, 3)
    return Skeleton(positions, np.ones(count), np.array(parents, dtype=np.int64))


@pytest.mark.parametrize(
    ("parents", "roots", "branches", "ends"),
    [
        ([-1], 1, 0, 1),
        ([-1, 0], 1, 0, 2),
        ([-1, 0, 1, 1], 1, 1, 3),
        ([-1, 0, 0], 1, 0, 2),  # rooted in the middle of a line
        ([-1, 0, 0, 0], 1, 1, 3),  # rooted at the branch
        ([-1, 0, -1, 2, 3, 3], 2, 1, 5),
    ],
)
def test_counts_do_not_depend_on_where_the_root_is(parents, roots, branches, ends):
    tree = skeleton(parents)
    assert (tree.n_nodes, tree.n_roots, tree.n_branches, tree.n_ends) == (len(parents), roots, branches, ends)


def test_cable_length_adds_all_edges():
    tree = skeleton([-1, 0, 1, -1], [[0, 0, 0], [3, 4, 0], [3, 4, 12], [99, 99, 99]])
    assert tree.cable_length == 17


@pytest.mark.parametrize(
    ("nodes", "radii", "parents", "reason"),
    [
        (np.empty((0, 3)), np.empty(0), np.empty(0, dtype=int), "at least one"),
        (np.zeros((2, 3)), np.zeros(1), np.array([-1, 0]), "belong together"),
        (np.zeros((2, 2)), np.zeros(2), np.array([-1, 0]), "belong together"),
        (np.full((1, 3), np.nan), np.zeros(1), np.array([-1]), "finite"),
        (np.zeros((1, 3)), np.array([np.inf]), np.array([-1]), "finite"),
        (np.zeros((1, 3)), np.array([-1.0]), np.array([-1]), "negative"),
        (np.zeros((2, 3)), np.zeros(2), np.array([1, -1]), "precedes"),
        (np.zeros((1, 3)), np.zeros(1), np.array([0]), "precedes"),
        (np.zeros((1, 3)), np.zeros(1), np.array([-2]), "precedes"),
    ],
)
def test_an_invalid_skeleton_cannot_exist(nodes, radii, parents, reason):
    with pytest.raises(SkeletonError, match=reason):
        Skeleton(nodes, radii, parents)


@pytest.mark.parametrize("parents", [[0], [1, 0], [-1, 2, 3, 1]])
def test_cycles_are_refused(parents):
    with pytest.raises(SkeletonError, match="cycle"):
        in_order(np.zeros((len(parents), 3)), np.zeros(len(parents)), np.array(parents))


@pytest.mark.parametrize("parents", [[-1, 2], [-2]])
def test_parents_that_do_not_exist_are_refused(parents):
    with pytest.raises(SkeletonError, match="does not exist"):
        in_order(np.zeros((len(parents), 3)), np.zeros(len(parents)), np.array(parents))


@given(st.data())
def test_sorting_keeps_every_edge(data):
    count = data.draw(st.integers(1, 40))
    tidy = [data.draw(st.integers(-1, index - 1)) for index in range(count)]
    names = data.draw(st.permutations(range(count)))
    parents = np.empty(count, dtype=np.int64)
    for index, parent in enumerate(tidy):
        parents[names[index]] = -1 if parent < 0 else names[parent]
    nodes = np.repeat(np.arange(count, dtype=float)[:, None], 3, axis=1)  # a node's position is its old name
    tree = in_order(nodes, np.ones(count), parents)
    old_name = tree.nodes[:, 0].astype(int)
    edges = {(old_name[child], old_name[parent]) for child, parent in enumerate(tree.parents) if parent >= 0}
    assert edges == {(child, parent) for child, parent in enumerate(parents.tolist()) if parent >= 0}
    assert sorted(old_name) == list(range(count))
