"""Histories, common times, and the source they come from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core import (
    find_common_time,
    get_lineage_graph,
    is_latest_roots,
)
from crant_core.access import source_of
from crant_core.errors import (
    InvalidInput,
    NeverTogether,
    NotARoot,
)
from crant_core.sources.chunkedgraph_past import Past
from tests.contracts.identity.edits import FLYWIRE, NO_ROOT, breaking, outdated, toggle
from tests.fixtures import neurons


def test_the_history_of_a_neuron(dataset):
    graph = neurons.graph()
    [root] = neurons.live_roots()[:1]
    found = get_lineage_graph(root, dataset=dataset)
    assert set(found.edges) == set(graph.lineage([root]).links)
    for one, told in found.nodes(data=True):
        assert told["timestamp"] == pytest.approx(graph.created(one).timestamp(), abs=1e-6)
        made_by = graph.former(one)
        assert told.get("operation_id") == (made_by.id if made_by else None)


def test_a_history_whose_operations_the_server_keeps_to_itself(cave, dataset):
    """D20: the peer needs an operation of every predecessor, else KeyError."""
    old, new = neurons.roots_at(3)[4], neurons.live_roots()[4]
    nodes = [{"id": root, "timestamp": 1.7e9 + day} for day, root in enumerate((old, new))]
    breaking(cave, "lineage_graph", status=200, body={"nodes": nodes, "links": [{"source": old, "target": new}]})
    found = get_lineage_graph(new, dataset=dataset)
    assert set(found.edges) == {(old, new)}
    assert [set(told) for _, told in found.nodes(data=True)] == [{"timestamp"}] * 2


@pytest.mark.parametrize("function", [get_lineage_graph, find_common_time])
def test_what_never_was_a_root_has_no_history(cave, dataset, function):
    for wrong in (NO_ROOT, FLYWIRE, int(neurons.supervoxels()[0])):
        with pytest.raises(NotARoot, match=str(wrong)) as caught:
            function([neurons.live_roots()[0], wrong], dataset=dataset)
        assert caught.value.value == wrong


def test_a_common_time_is_one(dataset):
    """D20: at the time that is found, all of them hold."""
    roots = neurons.roots_at(3)
    found = find_common_time([str(root) for root in roots], dataset=dataset)
    assert found.tzinfo is UTC
    assert is_latest_roots(roots, timestamp=found, dataset=dataset).all()
    ends = [neurons.graph().superseded_at(root) or datetime.now(UTC) for root in roots]
    begin = max(neurons.graph().created(root) for root in roots)
    assert abs(found - (begin + (min(ends) - begin) / 2)) < timedelta(seconds=5)


def test_no_common_time(cave, dataset):
    """D20: the peer finds the very moment of the edit, at which they were not there together."""
    [old], parts, _ = toggle(cave, 0)
    with pytest.raises(NeverTogether, match="update_ids") as caught:
        find_common_time([old, parts[1], parts[0]], dataset=dataset)
    assert caught.value.value[0] == old
    assert caught.value.value[1] in parts
    with pytest.raises(InvalidInput, match="no ids"):
        find_common_time([], dataset=dataset)


def test_a_common_time_under_a_clock_that_is_ahead(cave, dataset):
    cave.control("POST", "clock", {"advance_seconds": 60})
    _, parts, at = toggle(cave, 0)
    assert find_common_time(parts, dataset=dataset) == at


def test_births_and_ends(cave, dataset):
    graph: Past = source_of(dataset).graph
    [old], parts, at = toggle(cave, 0)
    now = datetime.now(UTC)
    born = neurons.graph().created(old)
    asked = [parts[0], NO_ROOT, old, 0, old]
    assert graph.root_timestamps(asked) == [at, None, born, None, born]
    ended = graph.root_timestamps(asked, latest=True, timestamp=now)
    assert ended[1:] == [None, at, None, at]
    assert abs(ended[0] - now) < timedelta(milliseconds=1)
    assert graph.root_timestamps([NO_ROOT, 5]) == [None, None]


def test_existence(cave, dataset):
    asked = [*outdated(), *neurons.live_roots(), NO_ROOT, int(neurons.supervoxels()[0]), 0, 5]
    assert source_of(dataset).graph.exist(asked).tolist() == [True] * (len(asked) - 4) + [False] * 4
    assert source_of(dataset).graph.exist([]).tolist() == []


def test_features_and_leaves(cave, dataset):
    graph, root = source_of(dataset).graph, neurons.live_roots()[0]
    chunks = neurons.graph().l2_of(root)
    assert np.sort(graph.leaves(root, 2)).tolist() == chunks.tolist()
    assert graph.leaves(NO_ROOT).tolist() == []
    many = graph.leaves_many([root, NO_ROOT, 0, root], 2)
    assert [len(ids) for ids in many.values()] == [len(chunks), 0, 0]
    found = graph.l2_data([*chunks[:3].tolist(), NO_ROOT], ["size_nm3"])
    assert list(found) == [*chunks[:3].tolist(), NO_ROOT]
    assert all(found[int(one)]["size_nm3"] > 0 for one in chunks[:3])
    assert found[NO_ROOT] == {}
