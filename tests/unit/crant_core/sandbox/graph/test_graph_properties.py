from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.graph.nodes import covering
from crant_core.sandbox.graph.operations import EditRefused, to_ms
from crant_core.sandbox.graph.tree import NOW

T0 = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHUNKS = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (5, 0, 0), (0, 9, 0), (0, 9, 1), (23, 39, 19)]


@st.composite
def edited_graphs(draw):
    """A small graph, the edges that are active in it, and what the roots were after each edit."""
    where = draw(st.lists(st.integers(0, len(CHUNKS) - 1), min_size=2, max_size=12))
    supervoxels = [int(layout.encode(1, CHUNKS[chunk], number)) for number, chunk in enumerate(where, 1)]
    pair = st.tuples(*[st.integers(0, len(where) - 1)] * 2).filter(lambda ends: ends[0] != ends[1])
    edges = draw(st.lists(st.tuples(pair, st.booleans()), max_size=14, unique_by=lambda edge: frozenset(edge[0])))
    ends = np.array([edge for edge, _ in edges], dtype=np.int64).reshape(-1, 2)
    graph = ChunkedGraph.ingest(
        np.array(supervoxels, dtype=np.uint64), ends, np.array([on for _, on in edges], bool), T0
    )
    active = {frozenset((supervoxels[one], supervoxels[other])) for (one, other), on in edges if on}
    seen = [(T0, graph.roots(supervoxels, T0).tolist())]
    for number, (kind, (one, other)) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from("mcs"), pair), max_size=8)), 1
    ):
        at = T0 + number * HOUR
        edit(graph, active, kind, (supervoxels[one], supervoxels[other]), at)
        seen.append((at, graph.roots(supervoxels, at).tolist()))
    return graph, supervoxels, active, seen


def edit(graph, active, kind, ends, at):
    try:
        if kind == "m":
            done = graph.merge([ends], at, 1)
        elif kind == "c":
            done = graph.cut([ends], at, 1)
        else:
            done = graph.split([ends[0]], [ends[1]], at, 1)
    except EditRefused:
        return
    change = active.add if kind == "m" else active.remove
    for edge in done.edges:
        change(frozenset(edge))


def shape(graph, node):
    """A node's subtree without the segment numbers of what is above supervoxels."""
    if node >> 56 == 1:
        return node
    below = frozenset(shape(graph, child) for child in graph.children(node).tolist())
    return int(layout.chunk_id_of(node)), below


@settings(max_examples=150, deadline=None)
@given(edited_graphs())
def test_roots_are_the_connected_components_of_active_edges(world):
    graph, supervoxels, active, _ = world
    components = nx.Graph()
    components.add_nodes_from(supervoxels)
    components.add_edges_from(map(tuple, active))
    roots = set(graph.roots(supervoxels, T0 + 99 * HOUR).tolist())
    found = {frozenset(graph.leaves(root).tolist()) for root in roots}
    assert found == set(map(frozenset, nx.connected_components(components)))


@settings(max_examples=150, deadline=None)
@given(edited_graphs())
def test_an_edited_hierarchy_is_that_of_a_graph_ingested_with_these_edges(world):
    graph, supervoxels, active, _ = world
    rank = {supervoxel: index for index, supervoxel in enumerate(supervoxels)}
    edges = np.array([[rank[end] for end in edge] for edge in active], dtype=np.int64).reshape(-1, 2)
    fresh = ChunkedGraph.ingest(np.array(supervoxels, dtype=np.uint64), edges, np.ones(len(edges), bool), T0)
    shapes = [
        {shape(found, root) for root in found.roots(supervoxels, T0 + 99 * HOUR).tolist()} for found in (graph, fresh)
    ]
    assert shapes[0] == shapes[1]


@settings(max_examples=100, deadline=None)
@given(edited_graphs())
def test_the_past_never_changes(world):
    graph, supervoxels, _, seen = world
    for at, roots in seen:
        assert graph.roots(supervoxels, at).tolist() == roots
        assert graph.roots(np.tile(np.array(supervoxels, dtype=np.uint64), 9), at).tolist() == roots * 9
        for supervoxel, root in zip(supervoxels, roots, strict=True):
            assert supervoxel in graph.leaves(root)
            assert graph.is_latest([root], at + HOUR / 2).all()


@settings(max_examples=100, deadline=None)
@given(edited_graphs())
def test_every_node_is_in_a_root_and_has_the_parent_that_has_it(world):
    graph, _, _, _ = world
    nodes = [*graph.tree.base.nodes.tolist(), *graph.edited_nodes().tolist()]
    assert len(set(nodes)) == len(nodes)
    assert graph.exists(nodes).all()
    tops = graph.roots(nodes, T0 + 99 * HOUR)
    assert (layout.layer_of(tops) == layout.N_LAYERS).all()
    for node in nodes:
        at = graph.created(node)
        for child in graph.children(node).tolist():
            assert graph.tree.parent(child, to_ms(at)) == node
            assert (layout.chunk_of(child) >> max(0, (node >> 56) - max(2, child >> 56)) == layout.chunk_of(node)).all()


@settings(max_examples=100, deadline=None)
@given(edited_graphs())
def test_each_successful_edit_ends_its_old_roots_and_links_them_to_its_new_ones(world):
    graph, _, _, _ = world
    for operation in filter(lambda operation: operation.succeeded, graph.operations):
        assert not set(operation.old_roots) & set(operation.new_roots)
        assert {graph.superseded_at(root) for root in operation.old_roots} == {operation.timestamp}
        before = {leaf for root in operation.old_roots for leaf in graph.leaves(root).tolist()}
        after = [leaf for root in operation.new_roots for leaf in graph.leaves(root).tolist()]
        assert sorted(after) == sorted(before)
        assert {old for root in operation.new_roots for old in graph.family.former[root]} == set(operation.old_roots)


@settings(max_examples=100, deadline=None)
@given(edited_graphs(), st.randoms(use_true_random=False))
def test_covering_nodes_hold_exactly_what_they_cover(world, random):
    graph, supervoxels, _, _ = world
    l2 = np.unique(graph.roots(supervoxels, T0 + 99 * HOUR, 2)).tolist()
    chosen = np.array(random.sample(l2, random.randint(1, len(l2))), dtype=np.uint64)
    cover = covering(graph.tree, chosen, NOW).tolist()
    assert sorted(leaf for node in cover for leaf in graph.leaves(node, 2).tolist()) == sorted(chosen.tolist())
    assert len(cover) <= len(chosen)


def test_covering_goes_up_through_skipped_layers():
    ends = [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    supervoxels = layout.encode(1, ends, 1)
    graph = ChunkedGraph.ingest(supervoxels, np.array([(0, 1), (1, 2)]), np.ones(2, bool), T0)
    (root,) = set(graph.roots(supervoxels, T0).tolist())
    l2 = graph.l2_of(root)
    layer_3 = int(layout.encode(3, [0, 0, 0], 1))
    assert covering(graph.tree, l2, NOW).tolist() == [root]
    assert covering(graph.tree, l2[:2], NOW).tolist() == [layer_3]
    assert covering(graph.tree, np.array([layer_3, l2[0], root], dtype=np.uint64), NOW).tolist() == [root]
