"""Bulk calls that were interrupted go on where they stopped, and say how far they are."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from crant_core.dataset_client import DatasetClient
from crant_core.errors import CrantError
from crant_core.registry import register
from tests.fixtures.neurons import live_roots, roots_at
from tests.fixtures.sandbox import Sandbox, run_sandbox


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    with run_sandbox() as running:
        yield running


@pytest.fixture
def client(ours: Sandbox) -> Iterator[DatasetClient]:
    yield DatasetClient.of(register(ours.dataset, ours.token))
    ours.control("DELETE", "fault")


def asked(sandbox: Sandbox, word: str) -> int:
    found = sum(word in entry["path"] for entry in sandbox.control("GET", "log")["entries"])
    sandbox.control("DELETE", "log")
    return found


class TestMeshes:
    def test_what_came_before_a_failure_is_not_fetched_again(self, client, ours):
        roots, into = live_roots(), {}
        ours.control("POST", "fault", {"pattern": f"/manifest/{roots[3]}", "status": 404})
        with pytest.raises(CrantError):
            client.mesh.get_meshes(roots, into=into, progress=False)
        ours.control("DELETE", "fault")
        first = dict(into)
        assert roots[3] not in first
        asked(ours, "manifest")
        found = client.mesh.get_meshes(roots, into=into, progress=False)
        assert list(found) == roots
        assert all(found[root] is mesh for root, mesh in first.items())
        assert asked(ours, "/manifest/") == len(roots) - len(first)
        assert client.mesh.get_meshes(roots, into=into, progress=False) == found
        assert asked(ours, "/manifest/") == 0

    @pytest.mark.parametrize("options", [{}, {"deduplicate_chunk_boundaries": False}], ids=str)
    def test_a_function_is_told_how_many_there_are(self, client, options):
        told = []
        client.mesh.get_meshes(live_roots()[:3], progress=lambda done, total: told.append((done, total)), **options)
        assert told == [(1, 3), (2, 3), (3, 3)]


class TestSynapses:
    def test_what_came_before_a_failure_is_not_asked_again(self, client, ours):
        roots, parts = roots_at(3), {}
        whole = client.query_synapses(roots, pre=True, post=True, batch_size=1)
        ours.control("POST", "fault", {"pattern": "synapses_v2/query", "after": 7, "status": 400})
        with pytest.raises(CrantError):
            client.query_synapses(roots, pre=True, post=True, batch_size=1, parts=parts)
        ours.control("DELETE", "fault")
        assert len(parts) == 7
        asked(ours, "query")
        found = client.query_synapses(roots, pre=True, post=True, batch_size=1, parts=parts)
        assert asked(ours, "synapses_v2/query") == 3
        pd.testing.assert_frame_equal(found, whole)
        assert client.query_synapses(roots, pre=True, post=True, batch_size=1, parts=parts).equals(whole)
        assert asked(ours, "synapses_v2/query") == 0

    def test_answers_of_another_time_side_or_unit_are_not_taken(self, client, ours):
        parts = {}
        root = next(one for one in roots_at(3) if one in live_roots())
        for number, options in enumerate(({}, {"timestamp": "live"}, {"resolution": [8, 8, 42]}, {"batch_size": 3})):
            found = client.query_synapses(root, pre=True, parts=parts, **options)
            assert found.equals(client.query_synapses(root, pre=True, **options)) or "timestamp" in options
            assert len(parts) == min(number + 1, 3)  # the size of batches of one root is all the same

    def test_a_function_is_told_how_many_ids_there_are(self, client):
        told = []
        roots = roots_at(3)
        client.query_synapses(roots, pre=True, batch_size=2, progress=lambda done, total: told.append((done, total)))
        assert told == [(2, 5), (4, 5), (5, 5)]
