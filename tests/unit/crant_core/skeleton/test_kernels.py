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
from crant_core.skeleton.surface import on_grid
from tests.fixtures.shapes import fork

BOTH = pytest.mark.parametrize("heavy", [kernels, arrays], ids=["kernels", "arrays"])


@st.composite
def heaps(draw):
    """Places on a coarse grid, some at the same, and faces among them: open, non-manifold, turned any way."""
    count = draw(st.integers(3, 12))
    coordinate = st.integers(0, 6)
    places = draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=count, max_size=count))
    corners = st.permutations(range(count)).map(lambda order: order[:3])
    return np.array(places, dtype=np.int32), np.array(draw(st.lists(corners, min_size=1, max_size=20)))


@pytest.fixture(scope="module")
def forked():
    return on_grid(fork(100, 3000), kernels)[0]


def naive_distances(surface, seeds):
    distance = np.full(len(surface.places), np.inf)
    distance[seeds] = 0
    edges = np.concatenate([surface.faces[:, [0, 1]], surface.faces[:, [1, 2]], surface.faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    x, y, z = (surface.places[edges[:, 0]] - surface.places[edges[:, 1]]).T
    length = np.rint(np.sqrt(x * x + y * y + z * z))
    for _ in range(len(distance)):
        np.minimum.at(distance, edges[:, 1], distance[edges[:, 0]] + length)
    return distance


def same(ours, theirs):
    """Say whether tuples of arrays are equal; those of floats but for the order of summation."""
    return all(
        np.allclose(mine, other) if np.asarray(mine).dtype == np.float64 else np.array_equal(mine, other)
        for mine, other in zip(ours, theirs, strict=True)
    )


@BOTH
class TestSurfaces:
    def test_equal_places_become_one_in_order_of_first_occurrence(self, heavy):
        places = np.array([[9, 0, 0], [1, 0, 0], [1, 1, 0], [9, 0, 0], [1, 1, 0], [5, 5, 5], [7, 7, 7]], dtype=np.int32)
        found = heavy.surface(places, np.array([[0, 1, 2], [3, 5, 4], [2, 4, 1], [6, 6, 1]]), 1.0)
        assert found.places.tolist() == [[9, 0, 0], [1, 0, 0], [1, 1, 0], [5, 5, 5]]
        assert found.faces.tolist() == [[0, 1, 2], [0, 3, 2]]

    def test_places_without_a_face_go(self, heavy):
        places = np.arange(15, dtype=np.int32).reshape(5, 3) ** 2
        found = heavy.surface(places, np.array([[4, 0, 2]]), 1.0)
        assert found.places[:, 0].tolist() == [0, 36, 144]
        assert found.faces.tolist() == [[2, 0, 1]]

    def test_a_right_triangles_links_lengths_normals_and_areas(self, heavy):
        places = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0]], dtype=np.int32)
        found = heavy.surface(places, np.array([[0, 1, 2]]), 2.0)
        assert (found.total, found.longest, found.grid) == (12, 5, 2.0)
        assert found.starts.tolist() == [0, 2, 4, 6]
        assert found.links.tolist() == [[1, 3], [2, 4], [2, 5], [0, 3], [0, 4], [1, 5]]
        assert found.normals.tolist() == [[0, 0, 12]] * 3
        assert found.areas.tolist() == [2, 2, 2]

    def test_around_a_closed_fan_each_neighbour_is_listed_once(self, heavy):
        places = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], dtype=np.int32)
        found = heavy.surface(places, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]), 1.0)
        assert np.diff(found.starts.astype(int)).tolist() == [3, 3, 3, 3]

    def test_what_is_not_a_number_shows_in_the_bounds(self, heavy):
        vertices = np.array([[1.0, 2, 3], [-1, 5, 0]])
        assert [corner.tolist() for corner in heavy.bounds(vertices)] == [[-1, 2, 0], [1, 5, 3]]
        for odd in (np.nan, np.inf, -np.inf):
            vertices[1, 2] = odd
            with np.errstate(invalid="ignore"):
                assert not np.isfinite(np.subtract(*heavy.bounds(vertices))).all()

    def test_pieces_have_sizes_boxes_and_seeds_at_one_end(self, heavy):
        places = np.array([[5, 0, 0], [0, 1, 0], [0, 0, 1], [1, 9, 0], [1, 4, 0], [2, 5, 0]], dtype=np.int32)
        surface = heavy.surface(places, np.array([[0, 1, 2], [3, 4, 5]]), 1.0)
        found = heavy.pieces(surface)
        assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert found.sizes.tolist() == [3, 3]
        assert (found.low.tolist(), found.high.tolist()) == ([[0, 0, 0], [1, 4, 0]], [[5, 1, 1], [2, 9, 0]])
        assert found.seeds.tolist() == [1, 4]  # lowest in x, then in y; the first of equals
        lengths = sum(round(float(np.linalg.norm(places[a] - places[b]))) for a, b in ((3, 4), (4, 5), (5, 3)))
        assert heavy.lengths_within(surface, found.labels, np.array([False, True])) == (lengths, 1)

    def test_what_no_seed_reaches_is_in_no_slab(self, heavy):
        places = np.array([[5, 0, 0], [0, 1, 0], [0, 0, 1], [1, 9, 0], [1, 4, 0], [2, 5, 0]], dtype=np.int32)
        surface = heavy.surface(places, np.array([[0, 1, 2], [3, 4, 5]]), 1.0)
        found = heavy.slice_surface(surface, np.array([4]), 100)
        assert (found.order.tolist(), found.starts.tolist(), found.parents.tolist()) == ([3, 4, 5], [0, 3], [-1])

    def test_more_seeds_than_the_waiting_room_has_places(self, heavy):
        count = 5000
        places = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0]]) + 10 * np.arange(count)[:, None, None]
        surface = heavy.surface(places.reshape(-1, 3).astype(np.int32), np.arange(3 * count).reshape(-1, 3), 1.0)
        seeds = heavy.pieces(surface).seeds
        assert len(heavy.slice_surface(surface, seeds, 100).parents) == len(seeds) == count

    @settings(max_examples=60, deadline=None)
    @given(heap=heaps(), step=st.integers(1, 8))
    def test_slabs_are_what_a_naive_field_says(self, heavy, heap, step):
        surface = heavy.surface(*heap, 1.0)
        if not len(surface.faces):
            return
        seeds = heavy.pieces(surface).seeds
        found = heavy.slice_surface(surface, seeds, step)
        distance = naive_distances(surface, seeds)
        level = np.floor(distance / step)
        for slab in range(len(found.parents)):
            rows = found.order[found.starts[slab] : found.starts[slab + 1]]
            assert len(set(level[rows])) == 1
            assert distance[found.nearest[slab]] == distance[rows].min()
            assert distance[found.farthest[slab]] == distance[rows].max()
        assert (found.parents < np.arange(len(found.parents))).all()
        assert (found.parents < 0).sum() == len(seeds)
        assert sorted(found.order) == list(range(len(surface.places)))


class TestTwins:
    @settings(max_examples=100, deadline=None)
    @given(heaps(), st.integers(1, 8), st.integers(1, 5))
    def test_every_step_is_equal_on_any_heap_of_triangles(self, heap, step, longest):
        ours, theirs = kernels.surface(*heap, 1.0), arrays.surface(*heap, 1.0)
        assert same(ours, theirs)
        if not len(ours.faces):
            return
        assert same(kernels.pieces(ours), arrays.pieces(ours))
        seeds = kernels.pieces(ours).seeds
        assert same(*(heavy.slice_surface(ours, seeds, step) for heavy in (kernels, arrays)))
        assert same(*(heavy.split(ours.places, ours.faces, longest) for heavy in (kernels, arrays)))

    def test_every_step_is_equal_on_real_coordinates(self):
        mesh = fork(100, 3000)
        mesh.vertices[:] += np.random.default_rng(0).normal(0, 5, mesh.vertices.shape)
        (ours, origin), (theirs, other) = (on_grid(mesh, heavy) for heavy in (kernels, arrays))
        assert np.array_equal(origin, other)
        assert same(ours, theirs)
        seeds = kernels.pieces(ours).seeds
        step = step_length(3, ours.total, ours.faces.size)
        assert same(*(heavy.slice_surface(ours, seeds, step) for heavy in (kernels, arrays)))
        longest = ours.total // ours.faces.size // 2
        assert same(*(heavy.split(ours.places, ours.faces, longest) for heavy in (kernels, arrays)))

    def test_everything_measured_of_a_fork_is_equal(self, forked):
        seeds, step = kernels.pieces(forked).seeds, step_length(3, forked.total, forked.faces.size)
        slices = kernels.slice_surface(forked, seeds, step)
        assert same(*(heavy.gathered(forked, slices) for heavy in (kernels, arrays)))
        places, weights = kernels.gathered(forked, slices)
        assert same(*(heavy.centroids(places, weights, slices.starts) for heavy in (kernels, arrays)))
        centres, _ = kernels.centroids(places, weights, slices.starts)
        towards = np.tile([1.0, 0, 0], (len(centres), 1))
        assert np.allclose(*(heavy.across(places, weights, slices, centres, towards) for heavy in (kernels, arrays)))
        nodes, most = np.arange(len(centres))[::-2], np.full(len(centres), 300.0)
        assert same(*(heavy.clearances(places, slices, nodes, centres) for heavy in (kernels, arrays)))
        for mine, other in zip(
            *(heavy.recentred(places, forked.normals, slices, nodes, centres, most) for heavy in (kernels, arrays)),
            strict=True,
        ):
            assert np.allclose(mine, other, atol=1e-6)


@BOTH
def test_a_node_beside_a_tube_is_put_onto_its_axis(heavy):
    surface, origin = on_grid(fork(100, 3000), heavy)
    step = step_length(3, surface.total, surface.faces.size)
    slices = heavy.slice_surface(surface, heavy.pieces(surface).seeds, step)
    places, areas = heavy.gathered(surface, slices)
    places += origin
    centres, _ = heavy.centroids(places, areas, slices.starts)
    node = int(np.argmin(np.abs(centres[:, 0] - 1500)))  # on the arm along x
    shifted = centres.copy()
    shifted[node, 2] += 130  # outside: the arm's radius is 100
    moved_to, moved = heavy.recentred(
        places, surface.normals, slices, np.array([node]), shifted, np.full(len(centres), 200.0)
    )
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
