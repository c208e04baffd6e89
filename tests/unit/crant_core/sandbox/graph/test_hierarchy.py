from datetime import UTC, datetime

import numpy as np
import pytest

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph

T0 = datetime(2024, 1, 1, tzinfo=UTC)
ROOT = 8 << 56


def node(layer, x, segment):
    return int(layout.encode(layer, [x, 0, 0], segment))


def graph(supervoxels, edges=(), active=None):
    ends = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    on = np.ones(len(ends), dtype=bool) if active is None else np.array(active, dtype=bool)
    return ChunkedGraph.ingest(np.array(supervoxels, dtype=np.uint64), ends, on, T0)


def children(found, layer, x, segment):
    return found.children(node(layer, x, segment)).tolist()


def test_a_lone_supervoxel_gets_an_l2_node_and_a_root_and_nothing_between():
    found = graph([node(1, 7, 1)])
    assert children(found, 8, 0, 1) == [node(2, 7, 1)]
    assert children(found, 2, 7, 1) == [node(1, 7, 1)]
    assert found.tree.base.nodes.tolist() == [node(1, 7, 1), node(2, 7, 1), ROOT + 1]


def test_neighbouring_chunks_join_at_layer_3_and_skip_to_the_root():
    found = graph([node(1, 0, 1), node(1, 1, 1)], [(0, 1)])
    assert children(found, 8, 0, 1) == [node(3, 0, 1)]
    assert children(found, 3, 0, 1) == [node(2, 0, 1), node(2, 1, 1)]


def test_a_single_node_gets_a_parent_only_where_an_edge_of_that_layer_leaves_it():
    # chunks 0 and 4 are first in one chunk at layer 5, so their edge is of layer 4: layer 3 is skipped, layer 4 is not
    found = graph([node(1, 0, 1), node(1, 4, 1)], [(0, 1)])
    assert children(found, 8, 0, 1) == [node(5, 0, 1)]
    assert children(found, 5, 0, 1) == [node(4, 0, 1), node(4, 1, 1)]
    assert children(found, 4, 0, 1) == [node(2, 0, 1)]
    assert children(found, 4, 1, 1) == [node(2, 4, 1)]


def test_a_chain_across_a_layer_3_border():
    found = graph([node(1, 0, 1), node(1, 1, 1), node(1, 2, 1)], [(0, 1), (1, 2)])
    assert children(found, 8, 0, 1) == [node(4, 0, 1)]
    assert children(found, 4, 0, 1) == [node(3, 0, 1), node(3, 1, 1)]
    assert children(found, 3, 0, 1) == [node(2, 0, 1), node(2, 1, 1)]
    assert children(found, 3, 1, 1) == [node(2, 2, 1)]


def test_inactive_edges_neither_join_nor_raise_nodes():
    found = graph([node(1, 0, 1), node(1, 4, 1)], [(0, 1)], [False])
    assert children(found, 8, 0, 1) == [node(2, 0, 1)]
    assert children(found, 8, 0, 2) == [node(2, 4, 1)]


def test_supervoxels_of_a_chunk_are_one_l2_node_only_if_edges_join_them():
    found = graph([node(1, 0, 1), node(1, 0, 2), node(1, 0, 3)], [(0, 2)])
    assert children(found, 2, 0, 1) == [node(1, 0, 1), node(1, 0, 3)]
    assert children(found, 2, 0, 2) == [node(1, 0, 2)]


def test_pieces_joined_through_another_chunk_stay_two_l2_nodes():
    found = graph([node(1, 0, 1), node(1, 0, 2), node(1, 1, 1)], [(0, 2), (1, 2)])
    assert children(found, 3, 0, 1) == [node(2, 0, 1), node(2, 0, 2), node(2, 1, 1)]


def test_segments_are_counted_per_chunk_by_the_smallest_supervoxel_whatever_the_order_given():
    supervoxels = [node(1, 1, 2), node(1, 0, 1), node(1, 1, 1), node(1, 0, 2)]
    found = graph(supervoxels, [(0, 1)])  # joins 1#2 and 0#1
    roots = found.roots(supervoxels, T0).tolist()
    assert roots == [ROOT + 1, ROOT + 1, ROOT + 3, ROOT + 2]


def test_the_top_of_the_volume_is_one_chunk():
    found = graph([node(1, 0, 1), int(layout.encode(1, [0, 39, 0], 1))], [(0, 1)])
    assert [layout.layer_of(child) for child in found.children(ROOT + 1)] == [7, 7]  # 39 = 0b100111: edge of layer 7


def test_an_edge_given_twice_is_active_if_one_of_the_two_is():
    found = graph([node(1, 0, 1), node(1, 1, 1)], [(0, 1), (1, 0)], [False, True])
    assert found.roots([node(1, 0, 1)], T0) == found.roots([node(1, 1, 1)], T0)


@pytest.mark.parametrize(
    ("supervoxels", "edges", "message"),
    [
        ([node(2, 0, 1)], [], "layer 1"),
        ([node(1, 0, 1), node(1, 0, 1)], [], "unique"),
        ([node(1, 0, 1)], [(0, 0)], "join two supervoxels"),
    ],
)
def test_ingest_refuses_what_is_no_graph_of_supervoxels(supervoxels, edges, message):
    with pytest.raises(ValueError, match=message):
        graph(supervoxels, edges)


def test_an_empty_graph_answers():
    found = graph([])
    assert found.roots([node(1, 0, 1)], T0).tolist() == [node(1, 0, 1)]
    assert not found.exists([node(1, 0, 1)]).any()
    assert found.leaves(ROOT + 1).tolist() == []
