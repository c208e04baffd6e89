"""Trees through linked places, hand-made and against naive ways."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.l2.tree import spanning_tree, without


def tree(points, links, weight):
    places = np.asarray(points, dtype=np.float64)
    return spanning_tree(places, np.reshape(links, (-1, 2)).astype(np.int64), np.asarray(weight, dtype=np.float64))


def on_a_line(*xs: float) -> np.ndarray:
    return np.array([[x, 0, 0] for x in xs], dtype=np.float64)


def test_a_circle_loses_its_longest_link():
    parents, order = tree(on_a_line(0, 1, 3), [[0, 1], [1, 2], [0, 2]], [5, 1, 1])
    assert parents.tolist() == [-1, 0, 1]
    assert order.tolist() == [0, 1, 2]


def test_the_heaviest_place_is_the_root_and_nan_is_lightest():
    parents, order = tree(on_a_line(0, 1, 2), [[0, 1], [1, 2]], [np.nan, 3, 7])
    assert parents.tolist() == [1, 2, -1]
    assert order.tolist() == [2, 1, 0]


def test_of_equal_places_the_first_is_the_root():
    assert tree(on_a_line(0, 1, 2), [[0, 1], [1, 2]], [np.nan] * 3)[0].tolist() == [-1, 0, 1]
    assert tree(on_a_line(0, 1, 2), [[0, 1], [1, 2]], [1, 4, 4])[0].tolist() == [1, -1, 1]


def test_parts_that_no_link_joins_are_trees_of_their_own():
    parents, _ = tree(on_a_line(0, 1, 5, 6, 9), [[0, 1], [2, 3]], [1, 2, 9, 8, 0])
    assert parents.tolist() == [1, -1, -1, 2, -1]


def test_places_at_one_point_are_linked_all_the_same():
    assert tree(on_a_line(4, 4), [[0, 1]], [1, 0])[0].tolist() == [-1, 0]


def test_links_across_what_is_left_out_go_to_the_nearest_ancestor_that_stays():
    parents = np.array([-1, 0, 1, 2, 2, -1, 5])
    kept = np.array([True, False, False, True, True, False, True])
    found = without(parents, kept)
    assert found[kept].tolist() == [-1, 0, 0, -1]


@st.composite
def linked_places(draw):
    count = draw(st.integers(2, 14))
    points = draw(st.lists(st.tuples(*[st.integers(0, 40)] * 3), min_size=count, max_size=count))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    links = sorted(draw(st.sets(pairs, min_size=1, max_size=30)))
    weight = draw(st.lists(st.sampled_from([np.nan, 0.0, 1.0, 2.0]), min_size=count, max_size=count))
    return np.array(points, dtype=np.float64), np.array(links), np.array(weight)


@given(linked_places())
def test_it_is_the_shortest_forest_and_every_place_follows_its_parent(case):
    points, links, weight = case
    parents, order = tree(points, links, weight)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(points)))
    graph.add_weighted_edges_from((a, b, float(np.linalg.norm(points[a] - points[b]))) for a, b in links.tolist())
    shortest = nx.minimum_spanning_tree(graph)
    edges = {(min(a, b), max(a, b)) for a, b in enumerate(parents.tolist()) if b >= 0}
    assert edges <= set(map(tuple, links.tolist()))
    assert len(edges) == shortest.number_of_edges()
    length = sum(np.linalg.norm(points[a] - points[b]) for a, b in edges)
    assert length == pytest.approx(sum(data["weight"] for *_, data in shortest.edges(data=True)), abs=0.1)
    rank = np.argsort(order)
    assert all(rank[parent] < rank[place] for place, parent in enumerate(parents.tolist()) if parent >= 0)
    for part in nx.connected_components(graph):
        [root] = [place for place in part if parents[place] < 0]
        assert np.nan_to_num(weight[root], nan=-1) == max(np.nan_to_num(weight[list(part)], nan=-1))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.data())
def test_leaving_out_is_as_walking_up(seeds, data):
    parents = np.array([seed % place - (seed % 5 == 0) if place else -1 for place, seed in enumerate(seeds)])
    parents = np.maximum(parents, -1)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(seeds), max_size=len(seeds))))
    found = without(parents, kept)
    for place in range(len(seeds)):
        up = parents[place]
        while up >= 0 and not kept[up]:
            up = parents[up]
        assert found[place] == up
