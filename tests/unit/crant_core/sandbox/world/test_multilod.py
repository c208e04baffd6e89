"""Multi-resolution meshes, read back by the real cloud-volume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cloudvolume import CloudVolume

from crant_core.sandbox.world import multilod
from crant_core.sandbox.world.solids import ellipsoid

SEGMENT = 72_057_594_037_927_937
SHIFTED = ellipsoid((400_000.4, 250_000.7, 90_000.1), (60_000, 30_000.5, 9_000)).mesh()


def _write(folder: Path, vertices, faces) -> CloudVolume:
    """Store one segment's mesh beside the info of a segmentation: cloud-volume knows no root that is only a mesh."""
    info = CloudVolume.create_new_info(
        1, "segmentation", "uint64", "raw", (16, 16, 42), (0, 0, 0), (64, 64, 64), mesh="mesh", chunk_size=(64, 64, 64)
    )
    manifest, fragment = multilod.encode(vertices, faces)
    (folder / "mesh").mkdir()
    (folder / "info").write_text(json.dumps(info))
    (folder / "mesh" / "info").write_text(json.dumps(multilod.info()))
    (folder / "mesh" / f"{SEGMENT}.index").write_bytes(manifest)
    (folder / "mesh" / str(SEGMENT)).write_bytes(fragment)
    return CloudVolume(f"precomputed://file://{folder}", progress=False)


def test_cloud_volume_reads_positions_within_half_a_step_and_the_same_faces(tmp_path):
    vertices, faces = SHIFTED
    mesh = _write(tmp_path, vertices, faces).mesh.get(SEGMENT)[SEGMENT]
    half_a_step = (np.ptp(vertices, axis=0) + 2) / 65_535 / 2
    assert mesh.vertices.shape == vertices.shape
    assert (np.abs(mesh.vertices - vertices) <= half_a_step + 0.05).all()  # cloud-volume calculates in float32
    assert np.array_equal(mesh.faces, faces)


def test_the_manifest_is_the_format_of_the_specification():
    vertices = [(10, 20, 30), (110.5, 20, 30), (10, 70, 30), (10, 20, 31)]
    manifest, fragment = multilod.encode(vertices, [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
    assert len(manifest) == 64
    floats, words = np.frombuffer(manifest, "<f4"), np.frombuffer(manifest, "<u4")
    assert floats[:3].tolist() == [101, 50, 1]  # extent of the cell
    assert floats[3:6].tolist() == [10, 20, 30]  # origin of the grid
    assert words[6] == 1  # levels of detail
    assert floats[7:11].tolist() == [1, 0, 0, 0]  # scale and offset of the level
    assert words[11:].tolist() == [1, 0, 0, 0, len(fragment)]  # fragments, cell, size


def test_a_flat_mesh_keeps_its_height(tmp_path):
    vertices = np.array([(0, 0, 500), (1000, 0, 500), (0, 1000, 500)])
    mesh = _write(tmp_path, vertices, [(0, 1, 2)]).mesh.get(SEGMENT)[SEGMENT]
    assert mesh.vertices == pytest.approx(vertices, abs=0.01)


def test_faces_that_meet_in_one_quantized_point_are_kept(tmp_path):
    vertices = np.array([(0, 0, 0), (1e6, 0, 0), (0, 1e6, 0), (0.1, 0.1, 0), (0, 0.2, 0)])
    mesh = _write(tmp_path, vertices, [(0, 1, 2), (0, 3, 4)]).mesh.get(SEGMENT)[SEGMENT]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 3, 4]]


def test_a_mesh_without_vertices_is_refused():
    with pytest.raises(ValueError, match="without vertices"):
        multilod.encode(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))


def test_coordinates_the_manifest_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        multilod.encode([(0, 0, 0), (2e7, 0, 0), (0, 1, 0)], [(0, 1, 2)])
