"""Kernels against their twins in numpy, step by step, and both against naive loops."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.skeleton import arrays, kernels
from crant_core.skeleton.slices import step_length
from tests.fixtures.shapes import fork

BOTH = pytest.mark.parametrize("heavy", [kernels, arrays], ids=["kernels", "arrays"])


@st.composite
def heaps(draw):
    """Welded vertices on a coarse grid and faces among them: open, non-manifold, turned any way."""
    count = draw(st.integers(3, 12))
    coordinate = st.integers(0, 6).map(float)
    vertices = np.array(draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=count, max_size=count)))
    corners = st.permutations(range(count)).map(lambda order: order[:3])
    return vertices, np.array(draw(st.lists(corners, min_size=1, max_size=20)))


@pytest.fixture(scope="module")
def surface():
    mesh = fork(100, 3000)
    return kernels.weld(mesh.vertices, mesh.faces)


def naive_distances(vertices, faces, seeds):
    distance = np.full(len(vertices), np.inf)
    distance[seeds] = 0
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    x, y, z = (vertices[edges[:, 0]] - vertices[edges[:, 1]]).T
    length = np.sqrt(x * x + y * y + z * z)
    for _ in range(len(vertices)):
        np.minimum.at(distance, edges[:, 1], distance[edges[:, 0]] + length)
    return distance


@BOTH
class TestWelding:
    def test_equal_positions_become_one_in_order_of_first_occurrence(self, heavy):
        vertices = np.array(
            [[9.0, 0, 0], [1, 0, 0], [1, 1, 0], [9, 0, 0], [1, 1, 0], [5, 5, 5], [-0.0, 0, 0], [0.0, 0, 0]]
        )
        welded, faces = heavy.weld(vertices, np.array([[0, 1, 2], [3, 5, 4], [6, 7, 1], [6, 2, 1], [5, 7, 2]]))
        assert welded.tolist() == [[9, 0, 0], [1, 0, 0], [1, 1, 0], [5, 5, 5], [0, 0, 0]]
        assert faces.tolist() == [[0, 1, 2], [0, 3, 2], [4, 2, 1], [3, 4, 2]]

    def test_vertices_without_a_face_go(self, heavy):
        vertices, faces = heavy.compact(np.arange(15.0).reshape(5, 3), np.array([[4, 0, 2]], dtype=np.int32))
        assert vertices[:, 0].tolist() == [0, 6, 12]
        assert faces.tolist() == [[2, 0, 1]]

    def test_what_stays_of_a_surface_keeps_its_order_and_its_faces(self, heavy):
        faces = np.array([[3, 4, 5], [0, 1, 2], [5, 4, 6]], dtype=np.int32)
        vertices, faces = heavy.subset(np.arange(21.0).reshape(7, 3), faces, np.arange(7) > 2)
        assert vertices[:, 0].tolist() == [9, 12, 15, 18]
        assert faces.tolist() == [[0, 1, 2], [2, 1, 3]]


@BOTH
class TestMeasures:
    def test_a_right_triangles_lengths_normals_and_areas(self, heavy):
        vertices, faces = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]]), np.array([[0, 1, 2]], dtype=np.int32)
        assert heavy.edge_lengths(vertices, faces) == (12, 5)
        normals, areas = heavy.normals(vertices, faces)
        assert normals.tolist() == [[0, 0, 12]] * 3
        assert areas.tolist() == [2, 2, 2]

    def test_pieces_have_sizes_boxes_and_seeds_at_one_end(self, heavy):
        vertices = np.array([[5.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 9, 0], [1, 4, 0], [2, 5, 0]])
        found = heavy.pieces(vertices, np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32))
        assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert found.sizes.tolist() == [3, 3]
        assert (found.low.tolist(), found.high.tolist()) == ([[0, 0, 0], [1, 4, 0]], [[5, 1, 1], [2, 9, 0]])
        assert found.seeds.tolist() == [1, 4]  # lowest in x, then in y; the first of equals

    @settings(max_examples=60, deadline=None)
    @given(heap=heaps(), step=st.floats(0.5, 8))
    def test_slabs_are_what_a_naive_field_says(self, heavy, heap, step):
        vertices, faces = heavy.weld(*heap)
        if not len(faces):
            return
        seeds = heavy.pieces(vertices, faces).seeds
        found = heavy.slice_surface(vertices, faces, seeds, step)
        distance = naive_distances(vertices, faces, seeds)
        level = np.floor(distance / step)
        for slab in range(len(found.parents)):
            rows = found.order[found.starts[slab] : found.starts[slab + 1]]
            assert len(set(level[rows])) == 1
            assert distance[found.nearest[slab]] == distance[rows].min()
            assert distance[found.farthest[slab]] == distance[rows].max()
        assert (found.parents < np.arange(len(found.parents))).all()
        assert (found.parents < 0).sum() == len(seeds)
        assert sorted(found.order) == list(range(len(vertices)))


class TestTwins:
    @settings(max_examples=100, deadline=None)
    @given(heaps(), st.floats(0.5, 8))
    def test_slices_are_equal_on_any_heap_of_triangles(self, heap, step):
        ours, theirs = kernels.weld(*heap), arrays.weld(*heap)
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
        if not len(ours[1]):
            return
        for mine, other in zip(kernels.pieces(*ours), arrays.pieces(*ours), strict=True):
            assert np.array_equal(mine, other)
        seeds = kernels.pieces(*ours).seeds
        for mine, other in zip(
            kernels.slice_surface(*ours, seeds, step), arrays.slice_surface(*ours, seeds, step), strict=True
        ):
            assert np.array_equal(mine, other)

    def test_everything_measured_of_a_fork_is_equal(self, surface):
        seeds, step = kernels.pieces(*surface).seeds, step_length(3, kernels.edge_lengths(*surface)[0], surface[1].size)
        slices = kernels.slice_surface(*surface, seeds, step)
        (normals, areas), (their_normals, their_areas) = kernels.normals(*surface), arrays.normals(*surface)
        assert np.allclose(normals, their_normals, atol=1e-6)
        assert np.allclose(areas, their_areas)
        places, weights = surface[0][slices.order], areas[slices.order]
        centres, squares = kernels.centroids(places, weights, slices.starts)
        their_centres, their_squares = arrays.centroids(places, weights, slices.starts)
        assert np.allclose(centres, their_centres)
        assert np.allclose(squares, their_squares)
        towards = np.tile([1.0, 0, 0], (len(centres), 1))
        assert np.allclose(*(heavy.across(places, weights, slices, centres, towards) for heavy in (kernels, arrays)))
        for mine, other in zip(
            *(heavy.clearances(places, slices, centres) for heavy in (kernels, arrays)), strict=True
        ):
            assert np.allclose(mine, other)
        units = normals[slices.order] / np.linalg.norm(normals[slices.order], axis=1)[:, None]
        nodes, most = np.arange(len(centres)), np.full(len(centres), 300.0)
        for mine, other in zip(
            *(heavy.recentred(places, units, slices, nodes, centres, most) for heavy in (kernels, arrays)), strict=True
        ):
            assert np.allclose(mine, other, atol=1e-6)


@BOTH
def test_a_node_beside_a_tube_is_put_onto_its_axis(heavy, surface):
    seeds, step = heavy.pieces(*surface).seeds, step_length(3, heavy.edge_lengths(*surface)[0], surface[1].size)
    slices = heavy.slice_surface(*surface, seeds, step)
    normals, areas = heavy.normals(*surface)
    places, units = surface[0][slices.order], (normals / np.linalg.norm(normals, axis=1)[:, None])[slices.order]
    centres, _ = heavy.centroids(places, areas[slices.order], slices.starts)
    node = int(np.argmin(np.abs(centres[:, 0] - 1500)))  # on the arm along x
    shifted = centres.copy()
    shifted[node, 2] += 130  # outside: the arm's radius is 100
    moved_to, moved = heavy.recentred(places, units, slices, np.array([node]), shifted, np.full(len(centres), 200.0))
    assert moved.all()
    assert np.linalg.norm(moved_to[node, 1:]) < 25
    assert abs(moved_to[node, 0] - centres[node, 0]) < 100
    assert np.array_equal(np.delete(moved_to, node, axis=0), np.delete(shifted, node, axis=0))


def test_importing_the_package_does_not_import_numba():
    code = "import sys, crant_core.skeleton.arrays; print('numba' in sys.modules, 'pandas' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == ["False", "False"]


def test_without_numba_numpy_does_the_work(monkeypatch):
    from crant_core.skeleton import backend

    backend.chosen.cache_clear()
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    assert backend.chosen() is arrays
    backend.chosen.cache_clear()
