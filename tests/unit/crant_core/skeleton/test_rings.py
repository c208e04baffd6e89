"""Surfaces cut into rings: by hand, against what any cut must be, and where surfaces are torn."""

from __future__ import annotations

import numpy as np
import pytest

from crant_core.mesh import Mesh
from crant_core.skeleton import arrays, kernels
from crant_core.skeleton.rings import Rings, step_length
from crant_core.skeleton.surface import on_grid
from tests.fixtures.shapes import fork, tube

BOTH = pytest.mark.parametrize("heavy", [kernels, arrays], ids=["kernels", "arrays"])


def cut(heavy, mesh: Mesh, step_nm: float) -> Rings:
    surface, _ = on_grid(mesh, heavy)
    return heavy.cut_surface(surface, heavy.pieces(surface).seeds, round(step_nm / surface.grid))


def prism(side: float, length: float, heights: tuple[float, ...] = ()) -> Mesh:
    """A closed bar of square section along x, of faces as long as they can be."""
    ring = np.array([[0, 0, 0], [0, side, 0], [0, side, side], [0, 0, side]], dtype=np.float64)
    places = np.concatenate([ring + np.array([x, 0, 0]) for x in (0.0, *heights, length)])
    faces = [[0, 3, 2], [0, 2, 1], *(np.array([[0, 1, 2], [0, 2, 3]]) + len(places) - 4).tolist()]
    for low in range(0, len(places) - 4, 4):
        for side_number in range(4):
            a, b = low + side_number, low + (side_number + 1) % 4
            faces += [[a, b, b + 4], [a, b + 4, a + 4]]
    return Mesh(places, np.array(faces))


@BOTH
def test_a_triangle_is_cut_where_the_distance_from_its_corner_says(heavy):
    places = np.array([[0, 0, 0], [8, 0, 0], [0, 6, 0]], dtype=np.int32)
    surface = heavy.surface(places, np.array([[0, 1, 2]]), 0.5)
    found = heavy.cut_surface(surface, np.array([0]), 4)  # at 2 and at 6 cells from the corner
    assert found.starts.tolist() == [0, 1, 2]
    assert found.middles.tolist() == [[0.5, 0.5, 0], [1.5, 1.5, 0]]
    assert found.cuts.tolist() == [[1, -1, 0], [3, -3, 0]]  # what is farther from the corner lies to the left
    assert found.facing.tolist() == [[0, 0, 1]] * 2
    assert found.parents.tolist() == [-1, 0]
    assert (found.nearest.tolist(), found.farthest.tolist()) == ([0, -1], [-1, 1])
    assert found.step == 2.0


@BOTH
@pytest.mark.parametrize("heights", [(), (1000.0,), (300.0, 350.0, 2900.0)])
def test_a_bars_sections_are_its_square_however_long_its_faces_and_oblique_its_rings(heavy, heights):
    found = cut(heavy, prism(100, 3000, heights), 200)
    centres = heavy.centroids(found)
    areas = heavy.sections(found, centres, np.tile([1.0, 0, 0], (len(centres), 1)))
    inner = [ring for ring in range(len(centres)) if 200 < centres[ring, 0] < 2800]
    assert len(inner) > 10
    assert np.abs(areas[inner]) == pytest.approx(10_000)
    # Around a ring once, so its cuts add up to nothing.
    sums = np.add.reduceat(found.cuts, found.starts[:-1])
    assert np.linalg.norm(sums[inner], axis=1) == pytest.approx(0, abs=0.01)


@BOTH
def test_one_ring_follows_another_along_a_tube(heavy):
    found = cut(heavy, tube(100, 4000), 100)
    assert found.parents.tolist() == list(range(-1, len(found.parents) - 1))
    assert len(found.parents) == pytest.approx(41, abs=1)  # along it, and some way over its lids
    assert np.diff(found.starts)[2:-2].min() >= 48  # two faces at each of 24 sides


@BOTH
def test_a_fork_has_three_arms_of_rings(heavy):
    found = cut(heavy, fork(100, 3000), 100)
    children = np.bincount(found.parents[1:], minlength=len(found.parents))
    assert ((children == 2).sum(), (children == 0).sum(), children.max()) == (1, 2, 2)


@BOTH
def test_holes_do_not_tear_rings(heavy):
    whole = tube(100, 4000)
    lost = np.zeros(len(whole.faces), dtype=bool)
    lost[[2000, 2024, 2900, 2930, 4000]] = True  # two of them at one level, on both sides
    torn = Mesh(whole.vertices, whole.faces[~lost])
    assert cut(heavy, torn, 100).parents.tolist() == cut(heavy, whole, 100).parents.tolist()


@BOTH
def test_a_piece_smaller_than_a_step_is_one_ring_of_its_vertices(heavy):
    found = cut(heavy, prism(100, 100), 1000)
    assert (found.parents.tolist(), found.starts.tolist()) == ([-1], [0, 8])
    assert heavy.centroids(found)[0] == pytest.approx([50, 50, 50], abs=0.01)


@BOTH
def test_every_cut_is_between_the_corners_of_its_face_and_nothing_is_cut_twice(heavy):
    mesh = fork(100, 1000, spacing=200)
    surface, _ = on_grid(mesh, heavy)
    found = heavy.cut_surface(surface, heavy.pieces(surface).seeds, round(60 / surface.grid))
    # The surface is closed: as many cuts as crossings, each the end of two.
    ends = np.concatenate([found.middles + found.cuts / 2, found.middles - found.cuts / 2])
    _, count = np.unique(np.round(ends, 3), axis=0, return_counts=True)
    assert (count == 2).mean() > 0.99  # but where three arms touch
    low, high = surface.places.min(axis=0) * surface.grid, surface.places.max(axis=0) * surface.grid
    assert (ends > low - 0.01).all()
    assert (ends < high + 0.01).all()
    assert np.einsum("ij,ij->i", found.cuts, found.facing) == pytest.approx(0, abs=1e-3)


def test_a_step_is_some_edges_and_at_most_so_long_and_never_a_small_part_of_an_edge():
    assert step_length(100.0, 3.0, 800.0) == 300
    assert step_length(1000.0, 3.0, 800.0) == 800
    assert step_length(1000.0, 3.0, 0.0) == 3000
    assert step_length(1600.0, 3.0, 1.0) == 100
    assert step_length(0.1, 3.0, 0.0) == 1
