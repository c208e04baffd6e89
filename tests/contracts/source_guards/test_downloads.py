"""Where CAVE's clients go wrong without a word: parallel downloads (G1), missing data (G2). Each trap with the bare
client, then with ours (reference/cave-server.md, 3.1)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
from cloudvolume import CloudVolume
from trimesh import Trimesh

from crant_core.errors import DataMissing, InvalidInput, OutOfBounds, SourceError
from crant_core.sandbox import layout, names
from crant_core.sandbox.anatomy import Anatomy
from crant_core.sources.volumes import cutout, open_volume
from tests.contracts.source_guards.bare import bare_client
from tests.fixtures.neurons import graph, live_roots, supervoxels, world
from tests.fixtures.sandbox import Sandbox


def path_of(sandbox: Sandbox, table: str) -> str:
    return f"graphene://{sandbox.url}/segmentation/table/{table}"


def bare_volume(sandbox: Sandbox, table: str = names.TABLE, **options: Any) -> CloudVolume:
    """What someone gets who does not know better, but for the parallel downloads."""
    secrets = {"token": sandbox.token}
    return CloudVolume(path_of(sandbox, table), secrets=secrets, use_https=True, progress=False, parallel=1, **options)


@cache
def true_mesh(root: int) -> tuple[int, float]:
    """Return the number of faces and the area in nm² of a neuron as the world has it."""
    surface = Anatomy(world(), graph()).surface(root)
    assert surface is not None
    return len(surface.faces), Trimesh(surface.vertices, surface.faces, process=False).area


class TestParallelDownloads:
    """G1."""

    def test_threads_sharing_a_source_get_exact_meshes_over_kept_alive_connections(self, cave, source):
        cave.control("POST", "bucket", {"keep_alive": True})
        roots = live_roots() * 4
        with ThreadPoolExecutor(4) as threads:
            meshes = list(threads.map(source.mesh, roots))
        for root, mesh in zip(roots, meshes, strict=True):
            faces, area = true_mesh(root)
            assert len(mesh.faces) == faces
            assert Trimesh(mesh.vertices, mesh.faces, process=False).area == pytest.approx(area, rel=1e-4)

    @pytest.mark.parametrize("path", ["graphene", "precomputed"])
    def test_our_volumes_neither_fork_nor_fill_nor_keep(self, cave, path):
        address = path_of(cave, names.TABLE) if path == "graphene" else f"precomputed://{cave.url}/gcs/em"
        volume = open_volume(address, cave.token)
        assert (volume.parallel, volume.fill_missing, volume.bounded, volume.cache.enabled) == (1, False, True, False)

    def test_the_given_description_is_used_and_left_alone(self, cave):
        info = bare_client(cave).chunkedgraph.segmentation_info
        before = json.dumps(info)
        cave.control("DELETE", "log")
        volume = open_volume(path_of(cave, names.TABLE), cave.token, info)
        volume.meta.info["scales"] = []
        assert json.dumps(info) == before
        assert "/segmentation/" not in json.dumps(cave.control("GET", "log")["entries"])


def breaking(sandbox: Sandbox, pattern: str, status: int, **more: Any) -> None:
    """Let one object that matches be missing or forbidden."""
    sandbox.control("POST", "fault", {"pattern": pattern, "status": status, "times": 1, **more})


SHARD = rf"^/gcs/{names.TABLE}/mesh/initial/.*\.shard$"


DYNAMIC = rf"^/gcs/{names.TABLE}/mesh/dynamic/"


PLAIN = rf"^/gcs/{names.UNSHARDED_TABLE}/mesh/\d+:0:"


CHUNK = rf"^/gcs/{names.TABLE}/.*/\d+-\d+_\d+-\d+_\d+-\d+$"


@pytest.mark.parametrize("status", [403, 404])
class TestIncompleteMeshes:
    """G2."""

    @pytest.mark.parametrize(("pattern", "piece"), [(SHARD, r"/.*\.shard, bytes \d+ to \d+"), (DYNAMIC, r"\d+:0:")])
    def test_a_missing_piece_is_an_error_that_names_it(self, cave, source, status, pattern, piece):
        root = live_roots()[0]
        breaking(cave, pattern, status)
        with pytest.raises(DataMissing, match=rf"gave no .*{piece}.*: 1 of \d+ pieces") as caught:
            source.mesh(root)
        assert caught.value.retryable
        assert len(source.mesh(root).faces) == true_mesh(root)[0]

    def test_the_bare_client_breaks_on_a_missing_shard(self, cave, status):
        volume = bare_volume(cave)
        breaking(cave, SHARD, status)
        with pytest.raises(TypeError):
            volume.mesh.get(live_roots()[0])

    def test_a_missing_plain_piece_is_an_error_that_names_it(self, cave, status):
        volume, root = open_volume(path_of(cave, names.UNSHARDED_TABLE), cave.token), live_roots()[0]
        breaking(cave, PLAIN, status)
        with pytest.raises(DataMissing, match=r"gave no .*mesh/\d+:0:.*: 1 of \d+ pieces"):
            volume.mesh.get(root, deduplicate_chunk_boundaries=False)
        whole = volume.mesh.get(root, deduplicate_chunk_boundaries=False)[root]
        assert len(whole.faces) == true_mesh(root)[0]

    def test_the_bare_client_leaves_out_a_missing_plain_piece(self, cave, status):
        volume, root = bare_volume(cave, names.UNSHARDED_TABLE), live_roots()[0]
        breaking(cave, PLAIN, status)
        found = volume.mesh.get(root, deduplicate_chunk_boundaries=False)[root]
        assert 0 < len(found.faces) < true_mesh(root)[0]


class TestManifests:
    """G2."""

    @pytest.mark.parametrize(
        ("manifest", "error"),
        [({"fragments": ["a"], "seg_ids": [1, 2]}, SourceError), ({"fragments": [""], "seg_ids": [1]}, DataMissing)],
    )
    def test_a_manifest_that_names_too_few_files_is_an_error(self, cave, source, manifest, error):
        breaking(cave, "/manifest/", 200, body=manifest)
        with pytest.raises(error, match="manifest") as caught:
            source.mesh(live_roots()[0])
        assert type(caught.value) is error


class TestDamagedMeshes:
    """G1, G2: bytes that are not those the manifest speaks of."""

    @pytest.mark.parametrize("body", ["all of the file", ""])
    def test_another_number_of_bytes_is_an_error_that_names_the_piece(self, cave, source, body):
        breaking(cave, SHARD, 200, body=body)
        with pytest.raises(SourceError, match=r"\.shard, bytes \d+ to \d+"):
            source.mesh(live_roots()[0])


def middle() -> np.ndarray:
    """Return the middle of the first neuron's known supervoxel, voxels."""
    index = int(np.searchsorted(world().segmentation.ids, supervoxels()[0]))
    return (world().features.middle[index] // layout.RESOLUTION).astype(int)


class TestCutouts:
    """G2."""

    @pytest.fixture
    def volume(self, cave) -> CloudVolume:
        return open_volume(path_of(cave, names.TABLE), cave.token)

    def test_a_box_has_the_supervoxels_of_storage(self, volume):
        found = cutout(volume, middle() - 40, middle() + 40)
        assert (found.shape, found.dtype) == ((80, 80, 80), np.uint64)
        assert found[40, 40, 40] == supervoxels()[0]

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_missing_chunk_is_an_error_that_names_it(self, cave, volume, status):
        breaking(cave, CHUNK, status)
        with pytest.raises(DataMissing, match=r"gave no .*\d+-\d+_\d+-\d+_\d+-\d+"):
            cutout(volume, middle() - 40, middle() + 40)
        assert cutout(volume, middle() - 40, middle() + 40)[40, 40, 40] == supervoxels()[0]

    @pytest.mark.parametrize("status", [403, 404])
    def test_the_bare_client_makes_zeros_of_a_missing_chunk(self, cave, status):
        volume = bare_client(cave).info.segmentation_cloudvolume(progress=False, agglomerate=False)
        cave.control("POST", "fault", {"pattern": CHUNK, "status": status})
        low, high = middle(), middle() + 1
        assert not np.any(volume[low[0] : high[0], low[1] : high[1], low[2] : high[2]])

    @pytest.mark.parametrize("shift", [0, 5, 1_000_000])
    def test_a_box_that_leaves_the_volume_is_an_error(self, volume, shift):
        low = np.array(layout.VOXEL_OFFSET) + layout.volume_size() - [4, 4, 4] + shift
        with pytest.raises(OutOfBounds, match="is not inside"):
            cutout(volume, low, low + 8)

    def test_an_empty_box_is_an_error(self, volume):
        with pytest.raises(InvalidInput, match="empty"):
            cutout(volume, middle(), middle() + np.array([8, 8, 0]))
