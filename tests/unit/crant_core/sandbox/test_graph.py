from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crant_core.sandbox.graph import Graph
from crant_core.sandbox.layout import encode_id

BORN = datetime(2025, 1, 1, tzinfo=UTC)
SUPERVOXEL, L2, ROOT = (encode_id(layer, (0, 0, 0), 1) for layer in (1, 2, 8))
STRANGER = encode_id(1, (0, 0, 0), 9)


@pytest.fixture
def graph() -> Graph:
    graph = Graph()
    graph.add_chain([SUPERVOXEL, L2, ROOT], BORN)
    return graph


@pytest.mark.parametrize(("stop_layer", "expected"), [(1, SUPERVOXEL), (2, L2), (3, ROOT), (8, ROOT)])
def test_the_ancestor_is_the_lowest_at_or_above_the_stop_layer(graph, stop_layer, expected):
    assert graph.roots([SUPERVOXEL], BORN, stop_layer) == [expected]


def test_ids_at_or_above_the_stop_layer_are_echoed_even_when_unknown(graph):
    assert graph.roots([ROOT + 1, ROOT], BORN) == [ROOT + 1, ROOT]


def test_unresolved_ids_are_0_unless_all_are(graph):
    assert graph.roots([SUPERVOXEL, STRANGER], BORN) == [ROOT, 0]
    assert graph.roots([STRANGER, 0], BORN) == [STRANGER, 0]
    assert graph.roots([], BORN) == []


def test_before_creation_nothing_resolves_or_is_latest(graph):
    before = BORN - timedelta(microseconds=1)
    assert graph.roots([SUPERVOXEL], before) == [SUPERVOXEL]
    assert not graph.is_latest(ROOT, before)


def test_roots_and_l2_nodes_are_latest_and_supervoxels_are_not(graph):
    assert [graph.is_latest(node, BORN) for node in (ROOT, L2, SUPERVOXEL, ROOT + 1, 0)] == [
        True,
        True,
        False,
        False,
        False,
    ]
