from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.mesh import Mesh
from crant_core.skeleton import arrays, kernels
from crant_core.skeleton.surface import on_grid
from tests.fixtures.shapes import tube

BOTH = pytest.mark.parametrize("heavy", [kernels, arrays], ids=["kernels", "arrays"])


def edges(mesh: Mesh) -> np.ndarray:
    return np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])


def area_vectors(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(float) for corner in range(3))
    return np.cross(b - a, c - a) / 2


def split(heavy, places, faces, longest) -> Mesh:
    return Mesh(*heavy.split(np.array(places, dtype=np.int32), np.array(faces, dtype=np.uint32), longest))


def longest_edge(mesh: Mesh) -> float:
    one, other = edges(mesh).T
    return float(np.linalg.norm(mesh.vertices[one] - mesh.vertices[other], axis=1).max())


@pytest.fixture(scope="module")
def coarse() -> Mesh:
    surface, _ = on_grid(tube(100, 2000, sides=8, spacing=500), kernels)
    return Mesh(surface.places, surface.faces)


@BOTH
@pytest.mark.parametrize(("longest", "faces"), [(100, 1), (99, 2), (79, 3), (59, 4)])
def test_a_triangle_of_sides_sixty_eighty_and_hundred_is_cut_where_they_are_too_long(heavy, longest, faces):
    mesh = split(heavy, [[0, 0, 0], [80, 0, 0], [0, 60, 0]], [[0, 1, 2]], longest)
    assert len(mesh.faces) == faces


@BOTH
def test_all_edges_become_short_and_the_surface_stays_closed_and_where_it_was(heavy, coarse):
    limit = int(longest_edge(coarse) / 9)
    after = split(heavy, coarse.vertices, coarse.faces, limit)
    assert longest_edge(after) <= limit
    _, count = np.unique(np.sort(edges(after), axis=1), axis=0, return_counts=True)
    assert (count == 2).all()
    areas = [np.linalg.norm(area_vectors(mesh), axis=1).sum() for mesh in (coarse, after)]
    assert areas[1] == pytest.approx(areas[0])
    # Faces still turn the same way round.
    assert area_vectors(after).sum(axis=0) == pytest.approx(area_vectors(coarse).sum(axis=0), abs=1e-6 * areas[0])


@BOTH
def test_places_that_were_there_keep_their_numbers(heavy, coarse):
    after = split(heavy, coarse.vertices, coarse.faces, int(longest_edge(coarse) / 9))
    assert np.array_equal(after.vertices[: len(coarse.vertices)], coarse.vertices)


@BOTH
@given(data=st.data())
def test_any_heap_of_triangles_keeps_its_area_and_has_no_long_edge(heavy, data):
    count = data.draw(st.integers(3, 8))
    coordinate = st.integers(0, 100).map(lambda number: number << 12)  # halved eight times without a remainder
    places = data.draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=count, max_size=count))
    corners = st.permutations(range(count)).map(lambda order: order[:3])
    faces = data.draw(st.lists(corners, min_size=1, max_size=8))
    before, after = Mesh(np.array(places), np.array(faces)), split(heavy, places, faces, 20 << 12)
    areas = [np.linalg.norm(area_vectors(mesh), axis=1).sum() for mesh in (before, after)]
    assert areas[1] == pytest.approx(areas[0])
    assert longest_edge(after) <= 20 << 12
