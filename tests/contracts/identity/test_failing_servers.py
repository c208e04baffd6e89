"""The identity functions when servers fail."""

from __future__ import annotations

import pytest

from crant_core import (
    roots_to_supervoxels,
    update_ids,
)
from crant_core.errors import (
    SourceError,
    SourceUnavailable,
)
from tests.contracts.identity.edits import breaking, requests_made, toggle
from tests.fixtures import neurons

STEPS = ["is_latest_roots", "lineage_graph", "leaves_many", "roots_binary"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_refusal_keeps_its_status_and_request_id(cave, dataset, step, status):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, step, status=status, headers={"X-Request-ID": "r-17"})
    with pytest.raises(SourceError, match="request id r-17") as caught:
        update_ids([old, *neurons.live_roots()], dataset=dataset)
    assert caught.value.value == status
    assert caught.value.retryable is (status >= 500)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["truncated_gzip", "reset"])
def test_half_an_answer_is_no_answer(cave, dataset, step, kind):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, step, kind=kind)
    with pytest.raises(SourceUnavailable):
        update_ids([old], dataset=dataset)


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("is_latest_roots", {"is_latest": [True]}),
        ("is_latest_roots", {}),
        ("lineage_graph", {"nodes": [], "links": []}),
        ("lineage_graph", {}),
        ("leaves_many", {}),
        ("leaves_many", []),
        ("roots_binary", ""),
        ("roots_binary", "12345678"),
    ],
)
def test_an_answer_about_some_of_the_ids_is_refused(cave, dataset, step, body):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, step, status=200, body=body)
    with pytest.raises(SourceError):
        update_ids([old, *neurons.roots_at(3)], dataset=dataset)


def test_a_lineage_without_one_of_the_roots_is_refused(cave, dataset):
    """Else an existing root would be told to be none."""
    one, other = neurons.roots_at(3)[3:]
    nodes = [{"id": one, "timestamp": 1.7e9}]
    breaking(cave, "lineage_graph", status=200, body={"nodes": nodes, "links": []})
    with pytest.raises(SourceError, match="answered for 1 of 2 ids"):
        update_ids([one, other], dataset=dataset)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_empty_lists_of_what_is_in_roots_are_refused(cave, dataset, share):
    old = [root for neuron in range(5) for root in toggle(cave, neuron)[0]]
    body = {str(root): [] if number < share * 5 else [1] for number, root in enumerate(old)}
    breaking(cave, "leaves_many", status=200, body=body)
    with pytest.raises(SourceError, match="lists nothing in"):
        update_ids(old, dataset=dataset)
    with pytest.raises(SourceError, match="lists nothing in"):
        roots_to_supervoxels(old, dataset=dataset)
    cave.control("DELETE", "fault")
    assert all(len(ids) for ids in roots_to_supervoxels(old, dataset=dataset).values())


def test_a_server_that_fails_for_another_reason_than_unknown_ids_is_believed(cave, dataset):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, "lineage_graph", status=500)
    with pytest.raises(SourceUnavailable):
        update_ids([old], dataset=dataset)
    made = requests_made(cave)
    assert (made["lineage_graph_multiple"], made["valid_nodes"]) == (1, 1)
