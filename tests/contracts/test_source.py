"""One contract for every source: the fake in memory, and CAVE's own clients against the sandbox over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.errors import MeshNotFound, VersionNotFound
from crant_core.ids import layer_of
from crant_core.sandbox import surfaces, world
from crant_core.sandbox.graph import supervoxel_of
from crant_core.sources.base import Source
from crant_core.sources.cave import CaveSource
from crant_core.sources.testing import MemorySource
from crant_core.times import parse_at

YOUNG = next(neuron for neuron in world.NEURONS if neuron.created > world.VERSIONS[0].timestamp)
MISSING = (8 << 56) | 12_345


def memory_source() -> MemorySource:
    return MemorySource(
        meshes={neuron.root_id: surfaces.read_surface(neuron.body_id) for neuron in world.NEURONS},
        created={neuron.root_id: neuron.created for neuron in world.NEURONS},
        versions={version.number: version.timestamp for version in world.VERSIONS},
    )


@pytest.fixture(params=["memory", "cave"])
def source(request) -> Source:
    if request.param == "memory":
        return memory_source()
    sandbox = request.getfixturevalue("sandbox")
    return CaveSource(sandbox.dataset, sandbox.token)


@pytest.mark.parametrize("version", world.VERSIONS, ids=lambda version: f"v{version.number}")
def test_a_version_resolves_to_its_timestamp_to_the_microsecond(source: Source, version: world.Version):
    time = source.resolve_time(parse_at(version.number))
    assert (time.timestamp, time.version, time.asked) == (version.timestamp, version.number, f"mat_{version.number}")


def test_mat_resolves_to_the_latest_version(source: Source):
    assert source.resolve_time(parse_at("mat")).version == 2


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
    assert {layer_of(root_id) for root_id in world.ROOT_IDS} == {source.root_layer()}


def test_all_neurons_are_latest_now(source: Source):
    assert source.is_latest(world.ROOT_IDS, datetime.now(UTC)) == [True] * 5


def test_a_root_is_not_latest_before_it_exists(source: Source):
    at = world.VERSIONS[0].timestamp
    assert source.is_latest(world.ROOT_IDS, at) == [root_id != YOUNG.root_id for root_id in world.ROOT_IDS]


def test_a_root_is_latest_from_its_first_moment(source: Source):
    assert source.is_latest([YOUNG.root_id], YOUNG.created) == [True]
    assert source.is_latest([YOUNG.root_id], YOUNG.created - timedelta(milliseconds=2)) == [False]


def test_is_latest_keeps_order_and_repetitions_and_denies_unknown_ids(source: Source):
    known = world.ROOT_IDS[0]
    asked = [MISSING, known, known, supervoxel_of(world.NEURONS[0]), known + 1]
    assert source.is_latest(asked, datetime.now(UTC)) == [False, True, True, False, False]


def test_no_ids_no_answers(source: Source):
    assert source.is_latest([], datetime.now(UTC)) == []


@pytest.mark.parametrize("neuron", world.NEURONS, ids=lambda neuron: str(neuron.body_id))
def test_a_mesh_arrives_in_nanometres_exactly_as_stored(source: Source, neuron: world.Neuron):
    mesh, stored = source.mesh(neuron.root_id), surfaces.read_surface(neuron.body_id)
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float64, np.int64)
    assert np.allclose(mesh.vertices, stored.vertices, rtol=0, atol=0.02)  # float32 at 300 µm
    assert np.array_equal(mesh.faces, stored.faces)


def test_a_root_without_mesh_is_not_found(source: Source):
    with pytest.raises(MeshNotFound, match=str(MISSING)) as caught:
        source.mesh(MISSING)
    assert caught.value.value == MISSING
    assert not caught.value.retryable


def test_threads_may_share_a_source(source: Source):
    with ThreadPoolExecutor(5) as threads:
        meshes = list(threads.map(source.mesh, world.ROOT_IDS))
    assert [len(mesh.faces) for mesh in meshes] == [
        len(surfaces.read_surface(neuron.body_id).faces) for neuron in world.NEURONS
    ]
