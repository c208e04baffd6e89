from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph

T0 = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MS = timedelta(milliseconds=1)
ROOT = 8 << 56
A, B, C = (int(layout.encode(1, [x, 0, 0], 1)) for x in (0, 1, 2))


@pytest.fixture
def graph():
    """Roots 1, 2 and 3 = a, b and c; day 1: 1 + 2 = 4; day 2: 4 + 3 = 5; day 3: 5 = 6 (a) and 7 (b, c)."""
    found = ChunkedGraph.ingest(np.array([A, B, C], dtype=np.uint64), np.empty((0, 2), int), np.empty(0, bool), T0)
    found.merge([(A, B)], T0 + DAY, 1)
    found.merge([(B, C)], T0 + 2 * DAY, 1)
    found.cut([(A, B)], T0 + 3 * DAY, 2)
    return found


def roots(*numbers: int):
    return {ROOT + number for number in numbers}


def links(*pairs: tuple[int, int]):
    return {(ROOT + old, ROOT + new) for old, new in pairs}


def test_the_whole_lineage(graph):
    found = graph.lineage([ROOT + 5])
    assert set(found.roots) == roots(1, 2, 3, 4, 5, 6, 7)
    assert set(found.links) == links((1, 4), (2, 4), (4, 5), (3, 5), (5, 6), (5, 7))


def test_lineage_does_not_turn_round(graph):
    assert set(graph.lineage([ROOT + 6]).roots) == roots(1, 2, 3, 4, 5, 6)  # not 7, the sibling
    assert set(graph.lineage([ROOT + 1]).roots) == roots(1, 4, 5, 6, 7)


def test_limits_include_the_first_roots_beyond(graph):
    found = graph.lineage([ROOT + 5], past=T0 + 2 * DAY, future=T0 + 2 * DAY)
    assert set(found.roots) == roots(3, 4, 5, 6, 7)
    found = graph.lineage([ROOT + 5], past=T0 + 2 * DAY + MS, future=T0 + 2 * DAY - MS)
    assert set(found.roots) == roots(5)


def test_a_root_from_before_the_future_limit_shows_its_heirs(graph):
    assert set(graph.lineage([ROOT + 4], past=T0 + 9 * DAY, future=T0 + DAY).links) == links((4, 5))


def test_former_and_next(graph):
    assert graph.former(ROOT + 1) is None
    assert graph.former(ROOT + 4).id == 1
    assert graph.next(ROOT + 4).id == 2
    assert graph.next(ROOT + 7) is None


def test_an_unknown_root_has_no_lineage(graph):
    with pytest.raises(KeyError):
        graph.lineage([ROOT + 99])


def test_delta_roots_are_inclusive_at_both_ends(graph):
    old, new = graph.delta_roots(T0 + DAY, T0 + 2 * DAY)
    assert set(old) == roots(1, 2, 3, 4)
    assert set(new) == roots(4, 5)
    assert graph.delta_roots(T0 + DAY + MS, T0 + 2 * DAY - MS) == ([], [])


def test_delta_roots_lists_a_split_root_once_per_heir(graph):
    assert graph.delta_roots(T0 + 3 * DAY, T0 + 9 * DAY) == ([ROOT + 5, ROOT + 5], [ROOT + 6, ROOT + 7])


def test_two_neurons_cut_in_one_operation_keep_their_own_descent():
    supervoxels = np.array([int(layout.encode(1, [x, 0, 0], 1)) for x in range(4)], dtype=np.uint64)
    found = ChunkedGraph.ingest(supervoxels, np.array([(0, 1), (2, 3)]), np.ones(2, bool), T0)
    one, two, three, four = supervoxels.tolist()
    done = found.cut([(one, two), (three, four)], T0 + DAY, 1)
    assert (set(done.old_roots), set(done.new_roots)) == (roots(1, 2), roots(3, 4, 5, 6))
    assert set(found.lineage([ROOT + 1]).roots) == roots(1, 3, 4)


def test_changes_are_when_something_was_written_about_a_node(graph):
    assert graph.changes(ROOT + 4) == [T0 + DAY, T0 + 2 * DAY]
    assert graph.changes(A) == [T0, T0 + DAY, T0 + 3 * DAY]  # its L2 id was replaced twice
    assert graph.changes(ROOT + 99) == []
