from __future__ import annotations

import numpy as np
import pytest
import trimesh

from crant_core.mesh import Mesh
from crant_core.sandbox import layout
from crant_core.sandbox.world import fragments, surfaces

CORNER = layout.chunk_start([3, 4, 5])  # eight chunks meet here


def ball() -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=5000)
    mesh.apply_translation(np.add(CORNER, (300, -200, 77)))
    return mesh


def test_cutting_keeps_area_volume_and_closedness():
    before = ball()
    cut = surfaces.cut_at_chunks(Mesh(before.vertices, before.faces))
    after = trimesh.Trimesh(cut.vertices, cut.faces, process=False)
    assert after.area == pytest.approx(before.area, rel=1e-12)
    assert after.volume == pytest.approx(before.volume, rel=1e-12)
    assert after.is_watertight
    assert after.is_winding_consistent


def test_no_triangle_crosses_a_border_afterwards():
    cut = surfaces.cut_at_chunks(Mesh(ball().vertices, ball().faces))
    corners = cut.vertices[cut.faces]
    inward = corners + (corners.mean(axis=1, keepdims=True) - corners) * 1e-6
    chunks = layout.chunk_at(inward)
    assert (chunks == chunks[:, :1]).all()
    assert len(np.unique(chunks.reshape(-1, 3), axis=0)) == 8


def test_a_corner_exactly_on_the_border_gives_halves_not_slivers():
    x, y, z = CORNER
    triangle = np.array([[x - 100, y + 10, z + 10], [x, y + 10, z + 10], [x + 100, y + 50, z + 10]], dtype=float)
    cut = surfaces.cut_at_chunks(Mesh(triangle, np.array([[0, 1, 2]])))
    assert (len(cut.vertices), len(cut.faces)) == (4, 2)


def test_the_nearest_in_another_chunk_does_not_count():
    positions, chunks = np.array([[0.0, 0, 0], [0.0, 0, 0]]), np.array([[0, 0, 0], [9, 9, 9]])
    centres, theirs = np.array([[1.0, 0, 0], [500.0, 0, 0]]), np.array([[1, 0, 0], [0, 0, 0]])
    assert surfaces.nearest_in_chunk(positions, chunks, centres, theirs).tolist() == [1, -1]


def test_a_supervoxels_part_is_its_triangles_with_their_corners_only():
    vertices = np.arange(15.0).reshape(5, 3)
    faces, owner = np.array([[0, 1, 2], [2, 3, 4], [1, 2, 3]]), np.array([2, 0, 2])
    triangles = fragments.sort_triangles(vertices, faces, owner, 3)
    part = triangles.part(np.array([2]))
    assert part.vertices.tolist() == vertices[:4].tolist()
    assert sorted(part.faces.tolist()) == [[0, 1, 2], [1, 2, 3]]
    assert len(triangles.part(np.array([1])).faces) == 0


def test_fragments_of_neighbouring_chunks_round_their_common_border_alike():
    import DracoPy

    cut = surfaces.cut_at_chunks(Mesh(ball().vertices, ball().faces))
    chunk = surfaces.triangle_chunks(cut)
    borders = []
    for position in ([3, 4, 5], [2, 4, 5]):
        mine = cut.faces[(chunk == position).all(axis=1)]
        corners, faces = np.unique(mine, return_inverse=True)
        data = fragments.encode(Mesh(cut.vertices[corners], faces.reshape(-1, 3)), 2, np.array(position))
        points = np.asarray(DracoPy.decode(data).points)
        assert np.abs(points - np.round(points)).max() < 1e-2
        borders.append({tuple(point) for point in points if point[0] == CORNER[0]})
    assert len(borders[0]) > 10
    assert borders[0] == borders[1]


def test_the_legacy_format_is_count_positions_triangles():
    mesh = Mesh(np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9.5]]), np.array([[0, 1, 2]]))
    data = fragments.raw(mesh)
    assert np.frombuffer(data, "<u4", 1).tolist() == [3]
    assert np.frombuffer(data, "<f4", 9, offset=4).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9.5]
    assert np.frombuffer(data, "<u4", 3, offset=40).tolist() == [0, 1, 2]
