from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph

T0 = datetime(2024, 1, 1, tzinfo=UTC)
T1 = datetime(2024, 2, 1, 12, 0, 0, 123000, tzinfo=UTC)
MS = timedelta(milliseconds=1)
ROOT = 8 << 56


def node(layer, x, segment):
    return int(layout.encode(layer, [x, 0, 0], segment))


A, B, C, D, LONE = (node(1, x, 1) for x in (0, 1, 4, 5, 8))


@pytest.fixture
def graph():
    """a-b-c-d along x with a lone supervoxel beside it; at T1 c-d is cut."""
    supervoxels = np.array([A, B, C, D, LONE], dtype=np.uint64)
    edges = np.array([(0, 1), (1, 2), (2, 3), (3, 4)])
    found = ChunkedGraph.ingest(supervoxels, edges, np.array([True, True, True, False]), T0)
    found.cut([(C, D)], T1, 1)
    return found


def test_roots_before_at_and_after_an_edit(graph):
    assert graph.roots([A, D], T1 - MS).tolist() == [ROOT + 1, ROOT + 1]
    assert graph.roots([A, D], T1).tolist() == [ROOT + 3, ROOT + 4]  # inclusive
    assert graph.roots([A, D], T1 + MS).tolist() == [ROOT + 3, ROOT + 4]


def test_times_are_truncated_to_milliseconds(graph):
    almost = T1 - timedelta(microseconds=1)
    assert graph.roots([A], almost).tolist() == [ROOT + 1]
    assert graph.roots([A], T1 + timedelta(microseconds=999)).tolist() == [ROOT + 3]


def test_a_root_superseded_at_t_is_still_latest_at_t(graph):
    old, new = ROOT + 1, ROOT + 3
    assert graph.is_latest([old, new], T1 - MS).tolist() == [True, False]
    assert graph.is_latest([old, new], T1).tolist() == [True, False]
    assert graph.is_latest([old, new], T1 + MS).tolist() == [False, True]


def test_is_latest_of_what_is_no_root(graph):
    ids = [0, A, 12345, ROOT + 99, node(2, 0, 1), node(2, 4, 1), node(2, 4, 2), node(3, 0, 1)]
    assert graph.is_latest(ids, T1 + MS).tolist() == [False, False, False, False, True, False, True, True]


def test_is_latest_of_nothing_is_nothing(graph):
    assert graph.is_latest([], T1).tolist() == []


def test_where_some_ids_resolve_the_others_give_0(graph):
    unknown = node(1, 20, 1)
    assert graph.roots([A, unknown, 0, ROOT + 77], T1).tolist() == [ROOT + 3, 0, 0, ROOT + 77]


def test_where_no_id_resolves_all_come_back(graph):
    unknown = node(1, 20, 1)
    assert graph.roots([unknown, 0], T1).tolist() == [unknown, 0]
    assert graph.roots([unknown, ROOT + 3], T1).tolist() == [unknown, ROOT + 3]
    assert graph.roots([A, B], T0 - MS).tolist() == [A, B]


def test_stop_layer_gives_the_lowest_ancestor_at_or_above_it(graph):
    before = T1 - MS
    assert graph.roots([A, C, LONE], before, 2).tolist() == [node(2, 0, 1), node(2, 4, 1), node(2, 8, 1)]
    assert graph.roots([A, C, LONE], before, 3).tolist() == [node(3, 0, 1), node(3, 2, 1), ROOT + 2]
    assert graph.roots([A, C, LONE], T1, 3).tolist() == [node(3, 0, 1), node(4, 1, 2), ROOT + 2]
    assert graph.roots([A, node(4, 0, 1)], before, 1).tolist() == [A, node(4, 0, 1)]


def test_leaves_of_a_layer_leave_out_what_skips_it(graph):
    new = ROOT + 3
    assert graph.leaves(new).tolist() == [A, B, C]
    assert graph.leaves(new, 2).tolist() == [node(2, 0, 1), node(2, 1, 1), node(2, 4, 2)]
    assert graph.leaves(new, 3).tolist() == [node(3, 0, 1)]
    assert graph.leaves(new, 8).tolist() == [new]
    assert graph.leaves(A).tolist() == [A]
    assert graph.leaves(A, 2).tolist() == []


@pytest.mark.parametrize("unknown", [0, 5, ROOT + 99, node(1, 20, 1), node(2, 0, 9)])
def test_unknown_nodes_are_empty(graph, unknown):
    assert graph.leaves(unknown).tolist() == []
    assert graph.children(unknown).tolist() == []
    assert graph.lvl2_graph(unknown).shape == (0, 2)
    assert graph.exists([unknown]).tolist() == [False]


def test_leaves_in_bounds_are_those_whose_chunk_the_box_touches(graph):
    x, y, z = layout.VOXEL_OFFSET
    width = layout.CHUNK_SIZE[0]

    def leaves(low, high, stop_layer=1):
        return graph.leaves(ROOT + 1, stop_layer, [[x + low, x + high], [y, y + 1], [z, z + 1]]).tolist()

    assert leaves(0, 1) == [A]
    assert leaves(width - 1, width) == [A]
    assert leaves(width - 1, width + 1) == [A, B]
    assert leaves(4 * width, 6 * width) == [C, D]
    assert leaves(4 * width, 6 * width, 3) == [node(3, 2, 1)]
    assert leaves(2 * width, 3 * width) == []


def test_lvl2_graph_is_that_of_the_nodes_own_time(graph):
    a, b, c, d = (node(2, x, 1) for x in (0, 1, 4, 5))
    assert graph.lvl2_graph(ROOT + 1).tolist() == [[a, b], [b, c], [c, d]]
    assert graph.lvl2_graph(ROOT + 3).tolist() == [[a, b], [b, node(2, 4, 2)]]
    assert graph.lvl2_graph(ROOT + 4).tolist() == []


def test_lvl2_graph_in_bounds(graph):
    (x, y, z), width = layout.VOXEL_OFFSET, layout.CHUNK_SIZE[0]
    box = [[x, x + 2 * width], [y, y + 1], [z, z + 1]]
    assert graph.lvl2_graph(ROOT + 1, box).tolist() == [[node(2, 0, 1), node(2, 1, 1)]]


def test_created_and_superseded(graph):
    assert graph.created(ROOT + 1) == graph.created(A) == T0
    assert graph.created(ROOT + 3) == graph.created(node(2, 4, 2)) == T1
    assert graph.superseded_at(ROOT + 1) == T1
    assert graph.superseded_at(ROOT + 3) is None
    with pytest.raises(KeyError):
        graph.created(ROOT + 99)


def test_few_and_many_ids_are_answered_alike(graph):
    ids = np.array([A, B, C, D, LONE, 0, 5, node(1, 20, 1), ROOT + 1, ROOT + 9, node(2, 4, 1)], dtype=np.uint64)
    many = np.tile(ids, 20)
    for at in (T0 - MS, T0, T1 - MS, T1, T1 + MS):
        for stop_layer in range(1, 9):
            few = graph.roots(ids, at, stop_layer)
            np.testing.assert_array_equal(graph.roots(many, at, stop_layer), np.tile(few, 20))
        np.testing.assert_array_equal(graph.is_latest(many, at), np.tile(graph.is_latest(ids, at), 20))


def test_l2_ids_of_a_chunk_include_replaced_ones(graph):
    chunk = node(2, 4, 0)
    assert graph.l2_in_chunk(chunk, T1 - MS).tolist() == [node(2, 4, 1)]
    assert graph.l2_in_chunk(chunk, T1).tolist() == [node(2, 4, 1), node(2, 4, 2)]


def test_ids_that_differ_in_their_last_bit_are_told_apart():
    close = [(1 << 56) + 1, (1 << 56) + 2]  # equal as floats
    found = ChunkedGraph.ingest(np.array(close, dtype=np.uint64), np.empty((0, 2), int), np.empty(0, bool), T0)
    assert found.roots(close, T0).tolist() == [ROOT + 1, ROOT + 2]
    assert found.leaves(ROOT + 2).tolist() == close[1:]
