"""Joining pieces of surfaces, against the obvious way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.mesh import Mesh
from crant_core.meshes import welding
from crant_core.meshes.welding import area, welded

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float64)


def mesh(vertices, faces) -> Mesh:
    return Mesh(np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int64).reshape(-1, 3))


def triangles(found: Mesh) -> list[list[list[float]]]:
    return found.vertices[found.faces].tolist()


def test_two_triangles_that_share_an_edge_become_a_square():
    found = welded([mesh(SQUARE[:3], [[0, 1, 2]]), mesh(SQUARE[[0, 2, 3]], [[0, 1, 2]])])
    assert found.vertices.tolist() == SQUARE.tolist()
    assert found.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert area(found) == 1.0


def test_a_tear_within_a_piece_is_closed():
    torn = mesh(SQUARE[[0, 1, 2, 0, 2, 3]], [[0, 1, 2], [3, 4, 5]])
    assert len(welded([torn]).vertices) == 4


def test_minus_zero_is_zero():
    assert len(welded([mesh(SQUARE[:3], [[0, 1, 2]]), mesh(-0.0 + -SQUARE[:3] * -1, [[2, 1, 0]])]).vertices) == 3
    negative = SQUARE[[0, 2, 3]].copy()
    negative[0] = -0.0
    assert len(welded([mesh(SQUARE[:3], [[0, 1, 2]]), mesh(negative, [[0, 1, 2]])]).vertices) == 4


def test_what_is_near_is_not_joined():
    other = SQUARE[:3] + np.nextafter(1, 2) - 1
    assert len(welded([mesh(SQUARE[:3], [[0, 1, 2]]), mesh(other, [[0, 1, 2]])]).vertices) > 4


def test_faces_without_area_and_vertices_without_face_go():
    found = welded([mesh([*SQUARE, SQUARE[0], [9, 9, 9]], [[0, 1, 2], [0, 4, 3], [2, 2, 1]])])
    assert triangles(found) == [SQUARE[:3].tolist()]
    assert len(found.vertices) == 3


def test_two_positions_with_one_key_stay_apart(monkeypatch):
    monkeypatch.setattr(welding, "_MIX", np.zeros(3, dtype=np.uint64))  # every position has the key 0
    found = welded([mesh(SQUARE[:3], [[0, 1, 2]]), mesh(SQUARE[[0, 2, 3]], [[0, 1, 2]])])
    assert sorted(found.vertices.tolist()) == sorted(SQUARE.tolist())
    assert area(found) == 1.0


places = st.tuples(*[st.integers(-2, 2)] * 3)
soups = st.lists(st.tuples(places, places, places), min_size=1, max_size=12)


@given(st.lists(soups, min_size=1, max_size=4))
def test_as_the_obvious_way_for_any_pieces(pieces):
    found = welded([mesh(np.reshape(soup, (-1, 3)), np.arange(3 * len(soup))) for soup in pieces])
    expected = [list(map(list, face)) for soup in pieces for face in soup if len(set(face)) == 3]
    assert triangles(found) == expected
    used = {tuple(corner) for face in expected for corner in face}
    given_order = dict.fromkeys(corner for soup in pieces for face in soup for corner in face)
    assert [tuple(vertex) for vertex in found.vertices.tolist()] == [corner for corner in given_order if corner in used]


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_area_is_that_of_the_triangles(scale):
    assert area(mesh([[0, 0, 0], [0, 3, 0], [0, 0, 4]], [[0, 1, 2]])) == 6.0
    assert area(mesh(SQUARE * scale, [[0, 1, 2], [0, 2, 3]])) == pytest.approx(scale**2)
