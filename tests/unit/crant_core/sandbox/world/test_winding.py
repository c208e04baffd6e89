"""The generalized winding number tells inside from outside, exactly and fast."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from crant_core.sandbox.world import winding
from crant_core.sandbox.world.winding import inside, winding_number

BOX = trimesh.creation.box((2, 2, 2))


def test_it_is_1_inside_and_0_outside_a_closed_surface():
    points = [(0, 0, 0), (0.99, 0.99, 0.99), (1.01, 0, 0), (50, 50, 50)]
    assert winding_number(points, BOX.vertices, BOX.faces) == pytest.approx([1, 1, 0, 0], abs=1e-9)


def test_an_inward_surface_counts_backwards_and_contains_the_same():
    points = [(0, 0, 0), (3, 0, 0)]
    backwards = BOX.faces[:, ::-1]
    assert winding_number(points, BOX.vertices, backwards) == pytest.approx([-1, 0], abs=1e-9)
    assert inside(points, BOX.vertices, backwards).tolist() == [True, False]


def test_a_single_triangle_covers_an_eighth_of_the_sky_from_the_corner_of_a_cube():
    triangle = np.eye(3)
    assert winding_number([(0, 0, 0)], triangle, [(0, 1, 2)]) == pytest.approx([1 / 8])


def test_a_surface_without_its_lid_still_contains_its_middle():
    lid = np.isclose(BOX.triangles_center[:, 2], 1)
    points = [(0, 0, 0), (0, 0, 1.5)]
    numbers = winding_number(points, BOX.vertices, BOX.faces[~lid])
    assert numbers[0] == pytest.approx(5 / 6)  # the lid is one of six equal parts of the sky
    assert inside(points, BOX.vertices, BOX.faces[~lid]).tolist() == [True, False]


def test_it_agrees_with_a_sphere_in_large_nm_coordinates():
    ball = trimesh.creation.icosphere(3, 40_000)
    centre = np.array([500_000, 700_000, 300_000])
    directions = np.random.default_rng(0).normal(size=(500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    within, beyond = centre + 39_000 * directions, centre + 40_001 * directions
    assert inside(within, ball.vertices + centre, ball.faces).all()
    assert not inside(beyond, ball.vertices + centre, ball.faces).any()


def test_a_cavity_is_outside():
    vertices = np.concatenate([2 * BOX.vertices, BOX.vertices])
    faces = np.concatenate([BOX.faces, BOX.faces[:, ::-1] + len(BOX.vertices)])
    assert inside([(0, 0, 0), (1.5, 0, 0), (2.5, 0, 0)], vertices, faces).tolist() == [False, True, False]


def test_batches_change_nothing(monkeypatch):
    points = np.random.default_rng(2).uniform(-2, 2, (100, 3))
    whole = winding_number(points, BOX.vertices, BOX.faces)
    monkeypatch.setattr(winding, "_BATCH", 7 * len(BOX.faces))
    assert winding_number(points, BOX.vertices, BOX.faces) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), []])
def test_no_points_have_no_answers(points):
    assert inside(points, BOX.vertices, BOX.faces).shape == (0,)


def test_a_surface_without_faces_contains_nothing():
    assert inside([(0, 0, 0)], np.zeros((0, 3)), np.zeros((0, 3), dtype=int)).tolist() == [False]
