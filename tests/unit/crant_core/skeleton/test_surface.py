from __future__ import annotations

import numpy as np

from crant_core.mesh import Mesh
from crant_core.skeleton.surface import weld


def test_vertices_at_the_same_place_become_one_in_order_of_first_occurrence():
    vertices = np.array([[9.0, 0, 0], [1, 0, 0], [1, 1, 0], [9, 0, 0], [1, 1, 0], [5, 5, 5]])
    welded = weld(Mesh(vertices, np.array([[0, 1, 2], [3, 5, 4]])))
    assert welded.vertices.tolist() == [[9, 0, 0], [1, 0, 0], [1, 1, 0], [5, 5, 5]]
    assert welded.faces.tolist() == [[0, 1, 2], [0, 3, 2]]


def test_negative_zero_is_the_same_place():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, -0.0, 0], [0, 0, 1]])
    assert len(weld(Mesh(vertices, np.array([[0, 1, 2], [3, 1, 4]]))).vertices) == 4


def test_flat_faces_and_unused_vertices_are_dropped():
    vertices = np.array([[7.0, 7, 7], [0, 0, 0], [1, 0, 0], [0, 1, 0], [8, 8, 8]])
    welded = weld(Mesh(vertices, np.array([[1, 2, 3], [4, 4, 0]])))
    assert welded.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert welded.faces.tolist() == [[0, 1, 2]]


def test_the_callers_arrays_stay_as_they_are():
    vertices, faces = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    vertices.flags.writeable = faces.flags.writeable = False
    assert weld(Mesh(vertices, faces)).faces.tolist() == [[0, 1, 2]]
