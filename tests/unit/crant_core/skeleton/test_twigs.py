from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.skeleton import Skeleton, remove_soma_hairball, shave_skeleton
from crant_core.skeleton.tree import reroot
from crant_core.skeleton.twigs import depths, heights, with_ancestors

# A line of five nodes 1 µm apart along x, with a twig of 300 nm at the third and one of 2 µm (two nodes) at the fourth.
LINE = Skeleton(
    np.array(
        [
            [0.0, 0, 0],
            [1000, 0, 0],
            [2000, 0, 0],
            [3000, 0, 0],
            [2000, 300, 0],
            [4000, 0, 0],
            [3000, 1000, 0],
            [3000, 2000, 0],
        ]
    ),
    np.full(8, 400.0),
    np.array([-1, 0, 1, 2, 2, 3, 3, 6]),
)


def places(skeleton: Skeleton) -> set[tuple[float, ...]]:
    return {tuple(node) for node in skeleton.nodes.tolist()}


@st.composite
def trees(draw) -> Skeleton:
    count = draw(st.integers(1, 40))
    parents = np.array([draw(st.integers(-1 if node == 0 else 0, node - 1)) for node in range(count)])
    number = st.integers(0, 20).map(lambda value: value * 500.0)
    nodes = np.array([[draw(number) for _ in range(3)] for _ in range(count)])
    return Skeleton(nodes, np.array([draw(number) for _ in range(count)]), parents)


class TestShaving:
    def test_the_twig_shorter_than_a_radius_goes_and_nothing_else(self):
        assert places(LINE) - places(shave_skeleton(LINE)) == {(2000, 300, 0)}

    def test_a_minimal_length_takes_longer_twigs_but_the_longest_arm_of_each_branch_stays(self):
        shaved = shave_skeleton(LINE, min_length=10_000)
        assert places(LINE) - places(shaved) == {(2000, 300, 0), (4000, 0, 0)}

    def test_what_is_to_be_kept_stays(self):
        assert (2000, 300, 0) in places(shave_skeleton(LINE, keep=np.array([4])))

    def test_an_l2_skeleton_whose_edges_are_all_long_stays_whole(self):
        # crantpy's rule takes a seven-node skeleton with edges of 2 µm down to one node.
        coarse = Skeleton(LINE.nodes * 7, np.ones(8), LINE.parents)
        assert shave_skeleton(coarse).n_nodes == 8

    def test_equal_twigs_leave_one(self):
        fork = Skeleton(
            np.array([[0.0, 0, 0], [900, 0, 0], [1000, 10, 0], [1000, -10, 0]]),
            np.full(4, 500.0),
            np.array([-1, 0, 1, 1]),
        )
        assert shave_skeleton(fork).n_nodes == 3

    @given(trees(), st.floats(0, 1e5), st.floats(0, 50))
    def test_roots_and_the_longest_path_always_stay(self, tree, length, radii):
        shaved = shave_skeleton(tree, min_length=length, radii=radii)
        assert shaved.n_roots == tree.n_roots
        assert depths(shaved.nodes, shaved.parents).max() == pytest.approx(depths(tree.nodes, tree.parents).max())

    @given(trees(), st.data())
    def test_a_kept_node_always_stays(self, tree, data):
        node = data.draw(st.integers(0, tree.n_nodes - 1))
        shaved = shave_skeleton(tree, min_length=1e9, keep=np.array([node]))
        assert tuple(tree.nodes[node]) in places(shaved)


class TestHairball:
    def test_twigs_within_the_soma_go_and_ways_out_stay(self):
        nodes = np.array([[0.0, 0, 0], [1000, 0, 0], [0, 1000, 0], [0, 1500, 0], [3000, 0, 0], [9000, 0, 0]])
        skeleton = Skeleton(nodes, np.full(6, 1500.0), np.array([-1, 0, 0, 2, 1, 4]))
        assert places(remove_soma_hairball(skeleton, 0)) == places(skeleton) - {(0, 1000, 0), (0, 1500, 0)}

    def test_a_soma_that_is_a_leaf_stays(self):
        cleaned = remove_soma_hairball(LINE, 7, radius=1500)
        assert (3000, 2000, 0) in places(cleaned)

    def test_if_all_is_within_the_longest_way_stays(self):
        cleaned = remove_soma_hairball(LINE, 0, radius=1e6)
        assert cleaned.n_nodes == 6  # to (3000, 2000, 0): 5 µm; the others end after 4 and 2.3

    @given(trees(), st.data())
    def test_the_soma_always_stays(self, tree, data):
        soma = data.draw(st.integers(0, tree.n_nodes - 1))
        assert tuple(tree.nodes[soma]) in places(remove_soma_hairball(tree, soma, data.draw(st.floats(0, 1e5))))


class TestMeasures:
    def test_heights_and_depths_are_those_counted_by_hand(self):
        steps = np.array([0.0, 1000, 1000, 1000, 300, 1000, 1000, 1000])
        assert heights(steps, LINE.parents, np.ones(8, dtype=bool)).tolist() == [5000, 4000, 3000, 2000, 0, 0, 1000, 0]
        assert depths(LINE.nodes, LINE.parents).tolist() == [0, 1000, 2000, 3000, 2300, 4000, 4000, 5000]

    @given(trees(), st.data())
    def test_ancestors_are_those_found_by_walking_up(self, tree, data):
        chosen = np.array([data.draw(st.booleans()) for _ in range(tree.n_nodes)])
        expected = set()
        waiting = np.flatnonzero(chosen).tolist()
        while waiting:
            node = waiting.pop()
            expected.add(node)
            waiting += [int(tree.parents[node])] if tree.parents[node] >= 0 else []
        assert set(np.flatnonzero(with_ancestors(tree.parents, chosen)).tolist()) == expected


class TestRerooting:
    def test_the_way_to_the_old_root_turns_around(self):
        turned, now = reroot(LINE, 7)
        assert now[7] == 0
        assert turned.parents[0] == -1
        edges = {
            frozenset((tuple(turned.nodes[child]), tuple(turned.nodes[parent])))
            for child, parent in enumerate(turned.parents)
            if parent >= 0
        }
        before = {
            frozenset((tuple(LINE.nodes[child]), tuple(LINE.nodes[parent])))
            for child, parent in enumerate(LINE.parents)
            if parent >= 0
        }
        assert edges == before

    @given(trees(), st.data())
    def test_it_changes_no_edge_and_keeps_one_root_a_tree(self, tree, data):
        node = data.draw(st.integers(0, tree.n_nodes - 1))
        turned, now = reroot(tree, node)
        assert turned.parents[now[node]] == -1
        assert turned.n_roots == tree.n_roots
        edges = {
            frozenset((int(now[child]), int(now[parent]))) for child, parent in enumerate(tree.parents) if parent >= 0
        }
        assert {frozenset((child, int(parent))) for child, parent in enumerate(turned.parents) if parent >= 0} == edges
        assert np.array_equal(turned.nodes[now], tree.nodes)
