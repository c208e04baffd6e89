from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.mesh import Mesh
from crant_core.skeleton.splitting import split_long_edges
from crant_core.skeleton.surface import weld
from tests.fixtures.shapes import tube


def edges(mesh: Mesh) -> np.ndarray:
    return np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])


def area_vectors(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a) / 2


@pytest.mark.parametrize(("longest", "faces"), [(20.0, 1), (9.9, 2), (7.9, 3), (5.9, 4)])
def test_a_triangle_of_sides_six_eight_and_ten_is_cut_where_they_are_too_long(longest, faces):
    mesh = split_long_edges(Mesh(np.array([[0.0, 0, 0], [8, 0, 0], [0, 6, 0]]), np.array([[0, 1, 2]])), longest)
    assert len(mesh.faces) == faces


def test_all_edges_become_short_and_the_surface_stays_closed_and_where_it_was():
    before = weld(tube(100, 2000, sides=8, spacing=500))
    after = split_long_edges(before, 60.0)
    one, other = edges(after).T
    assert np.linalg.norm(after.vertices[one] - after.vertices[other], axis=1).max() <= 60
    _, count = np.unique(np.sort(edges(after), axis=1), axis=0, return_counts=True)
    assert (count == 2).all()
    assert np.linalg.norm(area_vectors(after), axis=1).sum() == pytest.approx(
        np.linalg.norm(area_vectors(before), axis=1).sum()
    )
    # Faces still turn the same way round.
    assert area_vectors(after).sum(axis=0) == pytest.approx(area_vectors(before).sum(axis=0), abs=1e-6)


def test_vertices_that_were_there_keep_their_numbers():
    before = tube(100, 2000, sides=8, spacing=500)
    assert np.array_equal(split_long_edges(before, 60.0).vertices[: len(before.vertices)], before.vertices)


@given(st.data())
def test_any_heap_of_triangles_keeps_its_area_and_has_no_vertex_on_an_edge(data):
    count = data.draw(st.integers(3, 8))
    coordinate = st.integers(-50, 50).map(float)
    vertices = np.array(
        data.draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=count, max_size=count))
    )
    corners = st.permutations(range(count)).map(lambda order: order[:3])
    mesh = Mesh(vertices, np.array(data.draw(st.lists(corners, min_size=1, max_size=8))))
    after = split_long_edges(mesh, 20.0)
    areas = [np.linalg.norm(area_vectors(one), axis=1).sum() for one in (mesh, after)]
    assert areas[1] == pytest.approx(areas[0], abs=1e-6)
    one, other = edges(after).T
    assert np.linalg.norm(after.vertices[one] - after.vertices[other], axis=1).max() <= 20
