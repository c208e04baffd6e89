from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.graph.operations import EditRefused, Status

T0 = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MS = timedelta(milliseconds=1)
ROOT = 8 << 56


def node(layer, x, segment):
    return int(layout.encode(layer, [x, 0, 0], segment))


def ingest(supervoxels, edges, active=None):
    on = np.ones(len(edges), dtype=bool) if active is None else np.array(active)
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return ChunkedGraph.ingest(np.array(supervoxels, dtype=np.uint64), ends, on, T0)


A, B, C, D, E = (node(1, x, 1) for x in (0, 1, 4, 5, 8))


@pytest.fixture
def chain():
    """a-b-c-d, e alone."""
    return ingest([A, B, C, D, E], [(0, 1), (1, 2), (2, 3)])


def test_a_cut_renames_what_it_touches_and_keeps_the_rest(chain):
    done = chain.cut([(C, D)], T0 + DAY, 7)
    assert (done.old_roots, done.new_roots) == ((ROOT + 1,), (ROOT + 3, ROOT + 4))
    assert chain.children(ROOT + 3).tolist() == [node(5, 0, 2)]
    assert chain.children(node(5, 0, 2)).tolist() == [node(4, 0, 1), node(4, 1, 2)]  # the first is as before
    assert chain.children(node(4, 1, 2)).tolist() == [node(2, 4, 2)]  # c is alone now, so layer 3 is skipped
    assert chain.children(ROOT + 4).tolist() == [node(2, 5, 2)]


def test_old_nodes_keep_their_children(chain):
    before = {n: chain.children(n).tolist() for n in chain.tree.base.nodes.tolist()}
    chain.cut([(C, D)], T0 + DAY, 7)
    assert {n: chain.children(n).tolist() for n in before} == before
    assert chain.leaves(ROOT + 1).tolist() == [A, B, C, D]


def test_a_merge_makes_an_edge_between_any_two_neurons(chain):
    done = chain.merge([(B, E)], T0 + DAY, 1)  # chunks 1 and 8: an edge of layer 5
    assert (done.old_roots, done.new_roots, done.edges) == ((ROOT + 1, ROOT + 2), (ROOT + 3,), ((B, E),))
    assert chain.l2_of(ROOT + 3).tolist() == [
        node(2, 0, 1),
        node(2, 1, 2),
        node(2, 4, 1),
        node(2, 5, 1),
        node(2, 8, 2),
    ]
    assert chain.children(ROOT + 3).tolist() == [node(6, 0, 1)]
    assert chain.children(node(6, 0, 1)).tolist() == [node(5, 0, 2), node(5, 1, 1)]
    assert chain.children(node(5, 1, 1)).tolist() == [node(2, 8, 2)]
    assert chain.children(node(5, 0, 2)).tolist() == [node(4, 0, 2), node(4, 1, 1)]
    assert [node(2, 1, 2), node(2, 8, 2)] in chain.lvl2_graph(ROOT + 3).tolist()


def test_a_merge_uses_the_edge_that_is_there():
    found = ingest([A, B], [(0, 1)], [False])
    found.merge([(B, A)], T0 + DAY, 1)
    assert found.edges.is_active(A, B)
    assert found.edges_of(ROOT + 3).tolist() == [[A, B]]


def test_an_l2_node_falls_apart_into_one_per_component():
    one, two, three = (node(1, 3, segment) for segment in (1, 2, 3))
    found = ingest([one, two, three], [(0, 1), (1, 2)])
    done = found.cut([(two, three)], T0 + DAY, 1)
    assert found.children(node(2, 3, 2)).tolist() == [one, two]
    assert found.children(node(2, 3, 3)).tolist() == [three]
    assert done.new_roots == (ROOT + 2, ROOT + 3)


def test_l2_nodes_of_a_chunk_joined_by_an_edge_become_one():
    one, two = node(1, 3, 1), node(1, 3, 2)
    found = ingest([one, two], [])
    found.merge([(one, two)], T0 + DAY, 1)
    assert found.children(node(2, 3, 3)).tolist() == [one, two]
    assert found.children(ROOT + 3).tolist() == [node(2, 3, 3)]


def test_a_cut_of_a_loop_leaves_one_new_root():
    one, two, three = (node(1, x, 1) for x in (0, 1, 2))
    found = ingest([one, two, three], [(0, 1), (1, 2), (0, 2)])
    assert found.cut([(one, two)], T0 + DAY, 1).new_roots == (ROOT + 2,)
    assert found.leaves(ROOT + 2).tolist() == [one, two, three]


def test_a_split_finds_the_smallest_cut():
    # two triangles joined by one edge; every other cut between the far corners costs two
    supervoxels = [node(1, x, 1) for x in range(6)]
    found = ingest(supervoxels, [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)])
    done = found.split([supervoxels[0]], [supervoxels[5]], T0 + DAY, 1)
    assert done.edges == ((supervoxels[2], supervoxels[3]),)
    assert [found.leaves(root).tolist() for root in done.new_roots] == [supervoxels[:3], supervoxels[3:]]


def test_a_split_keeps_all_sources_from_all_sinks(chain):
    done = chain.split([A, B], [C, D], T0 + DAY, 1)
    assert done.edges == ((B, C),)


def test_a_preview_changes_nothing(chain):
    parts, illegal = chain.preview_split([D], [A])
    assert [D in parts[0], A in parts[1], illegal] == [True, True, False]
    assert not chain.operations
    assert chain.roots([A, D], T0 + DAY).tolist() == [ROOT + 1] * 2


def test_a_split_that_tears_one_side_apart_is_illegal(chain):
    parts, illegal = chain.preview_split([A, D], [B, C])
    assert illegal
    assert sorted(np.concatenate(parts).tolist()) == [A, B, C, D]
    with pytest.raises(EditRefused, match="same side"):
        chain.split([A, D], [B, C], T0 + DAY, 1)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda g, at: g.merge([(A, B)], at, 1), "different objects"),
        (lambda g, at: g.merge([(A, node(1, 20, 1))], at, 1), "no supervoxel"),
        (lambda g, at: g.merge([], at, 1), "No supervoxels"),
        (lambda g, at: g.cut([(A, C)], at, 1), "no edge between"),
        (lambda g, at: g.cut([], at, 1), "No edges"),
        (lambda g, at: g.split([A], [E], at, 1), "same object"),
        (lambda g, at: g.split([A], [A], at, 1), "both, sink and source"),
        (lambda g, at: g.split([A], [], at, 1), "needs a source and a sink"),
        (lambda g, at: g.split([ROOT + 1], [A], at, 1), "no supervoxel"),
    ],
)
def test_a_failed_operation_stays_in_the_log_and_changes_nothing(chain, edit, message):
    with pytest.raises(EditRefused, match=message):
        edit(chain, T0 + DAY)
    (failed,) = chain.operations
    assert (failed.id, failed.status, failed.new_roots) == (1, Status.EXCEPTION, ())
    assert message in failed.exception
    assert chain.roots([A], T0 + 2 * DAY).tolist() == [ROOT + 1]
    assert len(chain.edited_nodes()) == 0


def test_time_must_go_on(chain):
    for at in (T0 - DAY, T0, T0 + timedelta(microseconds=999)):
        with pytest.raises(EditRefused, match="not after"):
            chain.cut([(C, D)], at, 1)
    chain.cut([(C, D)], T0 + MS, 1)
    with pytest.raises(EditRefused, match="not after"):
        chain.cut([(A, B)], T0 + MS, 1)
    assert [operation.id for operation in chain.operations] == [1]


def test_undo_and_redo(chain):
    chain.cut([(C, D)], T0 + DAY, 1)
    back = chain.undo(1, T0 + 2 * DAY, 2)
    assert (back.kind, back.undoes, len(back.new_roots)) == ("merge", 1, 1)
    again = chain.redo(1, T0 + 3 * DAY, 2)
    assert (again.kind, again.redoes, len(again.new_roots)) == ("split", 1, 2)
    with pytest.raises(EditRefused, match="no effect"):
        chain.redo(1, T0 + 4 * DAY, 2)
    with pytest.raises(EditRefused, match="does not exist"):
        chain.undo(99, T0 + 5 * DAY, 2)


def test_a_copy_is_independent_and_shares_what_was_ingested(chain):
    chain.cut([(C, D)], T0 + DAY, 1)
    twin = chain.copy()
    assert twin.tree.base is chain.tree.base
    twin.merge([(D, E)], T0 + 2 * DAY, 1)
    twin.cut([(A, B)], T0 + 3 * DAY, 1)
    assert len(chain.operations) == 1
    assert chain.edges.is_active(A, B)
    assert chain.edges.is_active(D, E) is None
    assert chain.roots([A, D], T0 + 9 * DAY).tolist() == [ROOT + 3, ROOT + 4]
    assert chain.superseded_at(ROOT + 4) is None
    assert twin.superseded_at(ROOT + 4) == T0 + 2 * DAY


def test_the_same_edits_give_the_same_ids(chain):
    twin = chain.copy()
    for found in (chain, twin):
        found.merge([(D, E)], T0 + DAY, 1)
        found.cut([(B, C)], T0 + 2 * DAY, 1)
    assert chain.operations == twin.operations
    np.testing.assert_array_equal(chain.edited_nodes(), twin.edited_nodes())


def test_the_log_says_who_did_what_where(chain):
    done = chain.merge([(D, E)], T0 + DAY, 3, ([(1.0, 2.0, 3.0)], [(4.0, 5.0, 6.0)]))
    assert (done.source_ids, done.sink_ids, done.user) == ((D,), (E,), 3)
    assert (done.source_coords, done.sink_coords) == (((1.0, 2.0, 3.0),), ((4.0, 5.0, 6.0),))
    assert done.timestamp == T0 + DAY
