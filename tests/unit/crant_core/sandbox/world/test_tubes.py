from __future__ import annotations

import numpy as np
import pytest
from trimesh import Trimesh

from crant_core.mesh import Mesh
from crant_core.sandbox.world import tubes
from crant_core.sandbox.world.morphology import Morphology

STRAIGHT = Morphology(np.array([[0, 0, 0], [0, 0, 1000.0], [0, 0, 2000]]), np.full(3, 100.0), np.array([-1, 0, 1]))
FORK = Morphology(
    np.array([[0, 0, 0], [0, 0, 5000.0], [4000, 0, 9000], [-4000, 0, 9000]]),
    np.full(4, 100.0),
    np.array([-1, 0, 1, 1]),
)


def as_trimesh(mesh: Mesh) -> Trimesh:
    return Trimesh(mesh.vertices, mesh.faces, process=False)


def polygon_area(sides: int, radius: float) -> float:
    return sides / 2 * radius**2 * np.sin(2 * np.pi / sides)


def test_a_straight_tube_is_closed_looks_outward_and_has_the_prisms_volume():
    tube = as_trimesh(tubes.tube_mesh(STRAIGHT, sides=24))
    assert tube.is_watertight
    assert tube.is_winding_consistent
    assert tube.volume == pytest.approx(polygon_area(24, 100) * 2000)


def test_faces_are_as_many_as_promised():
    assert len(tubes.tube_mesh(STRAIGHT, sides=6).faces) == 2 * 12 + 2 * 4
    assert len(tubes.finer_tube_mesh(FORK, 50_000).faces) >= 50_000


def test_a_fork_is_one_piece_and_has_about_its_tubes_volume():
    fork = as_trimesh(tubes.finer_tube_mesh(FORK, 20_000))
    assert fork.body_count == 1
    length = 5000 + 2 * np.hypot(4000, 4000)
    assert fork.volume == pytest.approx(polygon_area(12, 100) * length, rel=0.05)


def test_every_ring_lies_at_its_nodes_radius_across_the_neurite():
    mesh = tubes.tube_mesh(STRAIGHT, sides=8)
    rings = mesh.vertices.reshape(3, 8, 3)
    assert np.linalg.norm(rings - STRAIGHT.nodes[:, None], axis=2) == pytest.approx(np.full((3, 8), 100.0))
    assert np.ptp(rings[:, :, 2], axis=1) == pytest.approx(np.zeros(3), abs=1e-9)


def test_a_neurite_that_turns_back_still_has_rings():
    back = Morphology(np.array([[0, 0, 0], [0, 0, 1000.0], [0, 0, 0]]), np.full(3, 10.0), np.array([-1, 0, 1]))
    assert np.isfinite(tubes.tube_mesh(back).vertices).all()
