from __future__ import annotations

import numpy as np
import pytest

from crant_core.mesh import Mesh
from crant_core.skeleton import find_soma
from crant_core.skeleton.soma import inscribed_radii, sample
from tests.fixtures.shapes import joined, tube

WIDE, THIN = tube(2000, 4000, spacing=200, sides=60), tube(200, 30_000, spacing=60, start=np.array([4000.0, 0, 0]))
NODES = np.stack([np.arange(500.0, 34_000, 500), np.zeros(67), np.zeros(67)], axis=1)


def test_the_widest_place_is_found_with_its_radius_and_how_much_it_stands_out():
    soma = find_soma(joined(WIDE, THIN), NODES)
    assert soma.found
    assert soma.position == (2000, 0, 0)
    assert soma.radius == pytest.approx(2000, rel=0.01)
    assert soma.ratio == pytest.approx(10, rel=0.05)


def test_it_must_stand_out_and_be_large():
    mesh = joined(WIDE, THIN)
    assert not find_soma(mesh, NODES, min_ratio=11).found
    assert not find_soma(mesh, NODES, min_radius=2100).found


def test_what_is_near_the_soma_is_not_held_against_it():
    assert find_soma(joined(WIDE, THIN), NODES[:20]).ratio > 5
    assert find_soma(WIDE, NODES[:8]).ratio == float("inf")


def test_radii_are_distances_to_the_nearest_point():
    mesh = Mesh(np.array([[0.0, 0, 0], [30, 0, 0], [0, 30, 0]]), np.array([[0, 1, 2]]))
    assert inscribed_radii(sample(mesh.vertices, mesh.faces), np.array([[0.0, 0, 4], [10, 10, 7]])).tolist() == [
        4,
        7,
    ]  # the second: its face's middle


def test_large_meshes_are_sampled():
    vertices = np.zeros((120_000, 3))
    assert len(sample(vertices, np.array([[0, 1, 2]]))) == 60_000
