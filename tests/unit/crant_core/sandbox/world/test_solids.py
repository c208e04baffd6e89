"""Solids: closed, outward surfaces that agree with what their solids contain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh

from crant_core.sandbox.world.solids import Solid, bent_bar, ellipsoid, hull, torus
from crant_core.sandbox.world.winding import inside

_ANGLE = np.linspace(0, np.pi, 12)
ARC = np.stack([60_000 * np.cos(_ANGLE), 30_000 * np.sin(_ANGLE), 5_000 * _ANGLE], axis=1) + 200_000
TILT = trimesh.transformations.rotation_matrix(0.7, (1, 2, 3))[:3, :3]
CUBE = np.array([(x, y, z) for x in (0, 1, 2) for y in (0, 1, 2) for z in (0, 1, 2)])
SOLIDS = {
    "ellipsoid": ellipsoid((1e5, 2e5, 3e5), (5e4, 3e4, 2e4), TILT),
    "torus": torus((1e5, 2e5, 3e5), 5e4, 1.5e4, (1, 2, 3)),
    "bent bar": bent_bar(ARC, 6e3),
    "straight bar": bent_bar([(0, 0, 0), (0, 0, 9e4)], 1e4),
    "hull": hull(np.random.default_rng(0).normal(size=(200, 3)) * 1e4),
    "cube": hull(CUBE * 1e4),
}


def _mesh(solid: Solid) -> trimesh.Trimesh:
    return trimesh.Trimesh(*solid.mesh(), process=False)


def _volume(solid: Solid) -> float:
    return float(_mesh(solid).volume)


@pytest.mark.parametrize("solid", SOLIDS.values(), ids=SOLIDS)
class TestAnySolid:
    def test_its_surface_is_closed_and_faces_outward(self, solid):
        mesh = _mesh(solid)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        assert mesh.volume > 0

    def test_its_surface_uses_every_vertex_once(self, solid):
        vertices, faces = solid.mesh()
        assert np.unique(faces).tolist() == list(range(len(vertices)))
        assert len(np.unique(vertices.round(3), axis=0)) == len(vertices)

    def test_it_contains_what_lies_within_its_surface_and_hardly_more(self, solid):
        vertices, faces = solid.mesh()
        points = np.random.default_rng(1).uniform(vertices.min(axis=0), vertices.max(axis=0), (4000, 3))
        within, contained = inside(points, vertices, faces), solid.contains(points)
        assert not (within & ~contained).any()
        assert 0.05 < contained.mean() < 1.01
        assert (contained & ~within).mean() < 0.03

    def test_it_does_not_contain_what_is_far_away(self, solid):
        assert not solid.contains([(1e7, 1e7, 1e7), (-1e7, 0, 0)]).any()


class TestEllipsoid:
    def test_a_finer_one_approaches_the_true_volume(self):
        true = 4 / 3 * math.pi * 3 * 2 * 1
        volumes = [_volume(ellipsoid((0, 0, 0), (3, 2, 1), subdivisions=n)) for n in range(5)]
        assert volumes == sorted(volumes)
        assert volumes[4] == pytest.approx(true, rel=0.005)

    def test_every_subdivision_has_four_times_the_faces(self):
        assert [len(ellipsoid((0, 0, 0), (1, 1, 1), subdivisions=n).mesh()[1]) for n in (0, 1, 3)] == [20, 80, 1280]

    def test_radii_lie_along_the_columns_of_the_rotation(self):
        solid = ellipsoid((0, 0, 0), (10, 1, 1), TILT)
        assert solid.contains([9.9 * TILT[:, 0], 1.1 * TILT[:, 1], 9.9 * TILT[0]]).tolist() == [True, False, False]

    def test_a_mirror_is_no_rotation(self):
        with pytest.raises(ValueError, match="rotation"):
            ellipsoid((0, 0, 0), (1, 1, 1), np.diag([1, 1, -1]))

    def test_a_radius_of_0_is_refused(self):
        with pytest.raises(ValueError, match="positive"):
            ellipsoid((0, 0, 0), (1, 0, 1))


class TestTorus:
    def test_its_hole_is_outside_and_its_ring_inside(self):
        solid = torus((100, 0, 0), 10, 3, (0, 0, 2))
        points = [(100, 0, 0), (110, 0, 0), (107.1, 0, 0), (106.9, 0, 0), (100, 10, 2.9), (100, 10, 3.1)]
        assert solid.contains(points).tolist() == [False, True, True, False, True, False]

    def test_it_has_one_hole(self):
        assert _mesh(torus((0, 0, 0), 10, 3, (0, 1, 0))).euler_number == 0

    def test_a_finer_one_approaches_the_true_volume(self):
        solid = torus((0, 0, 0), 10, 3, (1, 1, 1), segments=(200, 100))
        assert _volume(solid) == pytest.approx(2 * math.pi**2 * 10 * 9, rel=0.002)

    def test_a_ring_without_a_hole_is_refused(self):
        with pytest.raises(ValueError, match="positive"):
            torus((0, 0, 0), 3, 3, (0, 0, 1))


class TestBentBar:
    def test_its_ends_are_round(self):
        solid = bent_bar([(0, 0, 0), (10, 0, 0)], 2)
        points = [(-1.9, 0, 0), (-2.1, 0, 0), (-1.5, 1.5, 0), (5, 1.9, 0), (5, 2.1, 0), (11.9, 0, 0)]
        assert solid.contains(points).tolist() == [True, False, False, True, False, True]

    def test_a_straight_one_approaches_the_volume_of_a_capsule(self):
        solid = bent_bar([(0, 0, 0), (4, 0, 0), (10, 0, 0)], 2, sides=128)
        assert _volume(solid) == pytest.approx(math.pi * 4 * 10 + 4 / 3 * math.pi * 8, rel=0.002)

    def test_a_line_that_turns_back_is_refused(self):
        with pytest.raises(ValueError, match="turns back"):
            bent_bar([(0, 0, 0), (10, 0, 0), (9, 1, 0)], 1)

    def test_a_single_point_is_no_line(self):
        with pytest.raises(ValueError, match="no length"):
            bent_bar([(0, 0, 0)], 1)

    def test_a_repeated_point_is_refused(self):
        with pytest.raises(ValueError, match="positive"):
            bent_bar([(0, 0, 0), (0, 0, 0), (1, 0, 0)], 1)


class TestHull:
    def test_a_cube_with_points_on_its_faces_and_edges_has_8_corners_and_12_faces(self):
        solid = hull(CUBE)
        vertices, faces = solid.mesh()
        assert (len(vertices), len(faces)) == (8, 12)
        assert _volume(solid) == pytest.approx(8)

    def test_it_contains_its_own_points(self):
        points = np.random.default_rng(3).normal(size=(300, 3)) * 1e5 + 4e5
        assert hull(points).contains(points).all()

    def test_it_is_what_lies_between(self):
        solid = hull(CUBE)
        assert solid.contains([(1, 1, 1), (0.01, 1, 1), (-0.01, 1, 1), (2.01, 1, 1)]).tolist() == [
            True,
            True,
            False,
            False,
        ]
