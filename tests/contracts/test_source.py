"""One contract for every source: the fake in memory, and CAVE's own clients against the sandbox over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.errors import MeshNotFound, VersionNotFound
from crant_core.ids import layer_of
from crant_core.mesh import Mesh
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.world.history import VERSIONS
from crant_core.sandbox.world.navis_data import BODY_IDS, read_surface
from crant_core.sources.base import Source
from crant_core.sources.cave import CaveSource
from crant_core.sources.testing import MemorySource
from crant_core.times import parse_at
from tests.fixtures import neurons

KNOWN_VERSIONS = VERSIONS[1:]  # the first has expired
MISSING = (8 << 56) | 12_345


def memory_source() -> MemorySource:
    return MemorySource(
        meshes={root: read_surface(body) for root, body in zip(neurons.live_roots(), BODY_IDS, strict=True)},
        created={root: neurons.graph().created(root) for root in neurons.live_roots()},
        versions={version.number: version.timestamp for version in KNOWN_VERSIONS},
    )


def area(mesh: Mesh) -> float:
    first, second, third = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float(np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2)


@pytest.fixture(params=["memory", "cave"])
def source(request) -> Source:
    if request.param == "memory":
        return memory_source()
    sandbox = request.getfixturevalue("sandbox")
    return CaveSource(sandbox.dataset, sandbox.token)


@pytest.mark.parametrize("version", KNOWN_VERSIONS, ids=lambda version: f"v{version.number}")
def test_a_version_resolves_to_its_timestamp_to_the_microsecond(source: Source, version: Version):
    time = source.resolve_time(parse_at(version.number))
    assert (time.timestamp, time.version, time.asked) == (version.timestamp, version.number, f"mat_{version.number}")


def test_mat_resolves_to_the_latest_version(source: Source):
    assert source.resolve_time(parse_at("mat")).version == 3


def test_live_resolves_to_now_without_a_version(source: Source):
    before = datetime.now(UTC)
    time = source.resolve_time(parse_at("live"))
    assert before <= time.timestamp <= datetime.now(UTC)
    assert time.timestamp.utcoffset() == timedelta(0)
    assert time.version is None


def test_a_given_time_is_kept(source: Source):
    time = source.resolve_time(parse_at("2025-08-01T12:00:00.000001+02:00"))
    assert time.timestamp == datetime(2025, 8, 1, 10, 0, 0, 1, tzinfo=UTC)
    assert time.version is None


def test_an_unknown_version_is_not_found(source: Source):
    with pytest.raises(VersionNotFound):
        source.resolve_time(parse_at(99))


def test_roots_are_of_the_root_layer(source: Source):
    assert {layer_of(root_id) for root_id in neurons.live_roots()} == {source.root_layer()}


def test_all_neurons_are_latest_now(source: Source):
    assert source.is_latest(neurons.live_roots(), datetime.now(UTC)) == [True] * 5


def test_a_root_is_not_latest_before_it_exists(source: Source):
    # two neurons were finished before the last version, three were edited after it
    assert source.is_latest(neurons.live_roots(), VERSIONS[-1].timestamp) == [True, True, False, False, False]


def test_a_root_is_latest_just_after_the_edit_that_made_it(source: Source):
    young = neurons.live_roots()[4]
    born = neurons.graph().created(young)
    assert source.is_latest([young], born + timedelta(milliseconds=2)) == [True]
    assert source.is_latest([young], born - timedelta(milliseconds=2)) == [False]


def test_is_latest_keeps_order_and_repetitions_and_denies_unknown_ids(source: Source):
    known, supervoxel = neurons.live_roots()[0], int(neurons.supervoxels()[0])
    asked = [MISSING, known, known, supervoxel, MISSING + 1]
    assert source.is_latest(asked, datetime.now(UTC)) == [False, True, True, False, False]


def test_no_ids_no_answers(source: Source):
    assert source.is_latest([], datetime.now(UTC)) == []


@pytest.mark.parametrize("number", range(5))
def test_a_mesh_arrives_in_nanometres_as_large_as_its_source(source: Source, number: int):
    mesh, stored = source.mesh(neurons.live_roots()[number]), read_surface(BODY_IDS[number])
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float64, np.int64)
    assert area(mesh) == pytest.approx(area(stored), rel=1e-3)
    assert np.abs(mesh.vertices.min(axis=0) - stored.vertices.min(axis=0)).max() < 1
    assert np.abs(mesh.vertices.max(axis=0) - stored.vertices.max(axis=0)).max() < 1


def test_a_root_without_mesh_is_not_found(source: Source):
    with pytest.raises(MeshNotFound, match=str(MISSING)) as caught:
        source.mesh(MISSING)
    assert caught.value.value == MISSING
    assert not caught.value.retryable


def test_threads_may_share_a_source(source: Source):
    with ThreadPoolExecutor(5) as threads:
        meshes = list(threads.map(source.mesh, neurons.live_roots()))
    assert [area(mesh) for mesh in meshes] == pytest.approx([area(read_surface(body)) for body in BODY_IDS], rel=1e-3)
