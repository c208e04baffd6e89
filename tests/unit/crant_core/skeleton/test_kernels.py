"""Kernels against their twins in numpy, step by step, and both against naive loops."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.skeleton import arrays, kernels
from crant_core.skeleton.rings import step_length
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

    def test_a_right_triangles_links_and_lengths(self, heavy):
        places = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0]], dtype=np.int32)
        found = heavy.surface(places, np.array([[0, 1, 2]]), 2.0)
        assert (found.total, found.longest, found.grid) == (12, 5, 2.0)
        assert found.starts.tolist() == [0, 2, 4, 6]
        assert found.links.tolist() == [[1, 3], [2, 4], [2, 5], [0, 3], [0, 4], [1, 5]]
        assert found.open.all()

    def test_around_a_closed_fan_each_neighbour_is_listed_once(self, heavy):
        places = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], dtype=np.int32)
        found = heavy.surface(places, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]), 1.0)
        assert np.diff(found.starts.astype(int)).tolist() == [3, 3, 3, 3]
        assert not found.open.any()

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

    def test_what_no_seed_reaches_is_in_no_ring(self, heavy):
        places = np.array([[5, 0, 0], [0, 1, 0], [0, 0, 1], [1, 9, 0], [1, 4, 0], [2, 5, 0]], dtype=np.int32)
        surface = heavy.surface(places, np.array([[0, 1, 2], [3, 4, 5]]), 1.0)
        found = heavy.cut_surface(surface, np.array([4]), 100)
        assert (found.middles.tolist(), found.starts.tolist()) == (places[3:].tolist(), [0, 3])
        assert found.parents.tolist() == [-1]

    def test_more_seeds_than_the_waiting_room_has_places(self, heavy):
        count = 5000
        places = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0]]) + 10 * np.arange(count)[:, None, None]
        surface = heavy.surface(places.reshape(-1, 3).astype(np.int32), np.arange(3 * count).reshape(-1, 3), 1.0)
        seeds = heavy.pieces(surface).seeds
        assert len(heavy.cut_surface(surface, seeds, 4).parents) == len(seeds) == count

    @settings(max_examples=60, deadline=None)
    @given(heap=heaps(), step=st.integers(1, 8))
    def test_rings_are_where_a_naive_field_says(self, heavy, heap, step):
        surface = heavy.surface(*heap, 1.0)
        if not len(surface.faces):
            return
        seeds = heavy.pieces(surface).seeds
        found = heavy.cut_surface(surface, seeds, step)
        level = np.floor(naive_distances(surface, seeds) / step + 0.5)
        cuts = int(np.ptp(level[surface.faces], axis=1).sum())
        lone = len(found.middles) - cuts
        assert lone == sum(len(set(level[members])) == 1 for members in pieces(surface) for _ in members)
        assert (found.parents < np.arange(len(found.parents))).all()
        assert (found.parents < 0).sum() == len(seeds)
        assert sorted(found.nearest[found.parents < 0]) == sorted(seeds)
        # As far from its root as a ring is high: no level is left out, but next to a seed there may be several.
        height = np.zeros(len(found.parents))
        for ring, parent in enumerate(found.parents):
            height[ring] = 0 if parent < 0 else height[parent] + 1
        above = found.farthest >= 0
        assert (level[found.farthest[above]] - 1 <= height[above]).all()
        assert (level[found.farthest[above]] >= height[above]).all()


def pieces(surface):
    labels = arrays.pieces(surface).labels
    return [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]


class TestTwins:
    @settings(max_examples=100, deadline=None)
    @given(heaps(), st.integers(1, 8))
    def test_every_step_is_equal_on_any_heap_of_triangles(self, heap, step):
        ours, theirs = kernels.surface(*heap, 1.0), arrays.surface(*heap, 1.0)
        assert same(ours, theirs)
        if not len(ours.faces):
            return
        assert same(kernels.pieces(ours), arrays.pieces(ours))
        seeds = kernels.pieces(ours).seeds
        assert same(*(heavy.cut_surface(ours, seeds, step) for heavy in (kernels, arrays)))

    def test_every_step_is_equal_on_real_coordinates(self):
        mesh = fork(100, 3000)
        mesh.vertices[:] += np.random.default_rng(0).normal(0, 5, mesh.vertices.shape)
        (ours, origin), (theirs, other) = (on_grid(mesh, heavy) for heavy in (kernels, arrays))
        assert np.array_equal(origin, other)
        assert same(ours, theirs)
        seeds = kernels.pieces(ours).seeds
        for edges_per_step in (0.4, 3):
            step = step_length(ours.total / ours.faces.size, edges_per_step, 0)
            assert same(*(heavy.cut_surface(ours, seeds, step) for heavy in (kernels, arrays)))

    def test_everything_measured_of_a_fork_is_equal(self, forked):
        rings = kernels.cut_surface(forked, kernels.pieces(forked).seeds, three_edges(forked))
        assert np.allclose(*(heavy.centroids(rings) for heavy in (kernels, arrays)))
        centres = kernels.centroids(rings)
        towards = np.tile([1.0, 0, 0], (len(centres), 1))
        for measure in ("across", "sections"):
            assert np.allclose(*(getattr(heavy, measure)(rings, centres, towards) for heavy in (kernels, arrays)))
        nodes, most = np.arange(len(centres))[::-2], np.full(len(centres), 300.0)
        assert same(*(heavy.clearances(rings, nodes, centres) for heavy in (kernels, arrays)))
        for mine, other in zip(
            *(heavy.recentred(rings, nodes, centres, most) for heavy in (kernels, arrays)), strict=True
        ):
            assert np.allclose(mine, other, atol=1e-6)


def three_edges(surface) -> int:
    return step_length(surface.total / surface.faces.size, 3, 0)


@BOTH
def test_a_node_beside_a_tube_is_put_onto_its_axis(heavy):
    surface, origin = on_grid(fork(100, 3000), heavy)
    rings = heavy.cut_surface(surface, heavy.pieces(surface).seeds, three_edges(surface))
    rings = rings._replace(middles=rings.middles + origin)
    centres = heavy.centroids(rings)
    node = int(np.argmin(np.abs(centres[:, 0] - 1500)))  # on the arm along x
    shifted = centres.copy()
    shifted[node, 2] += 130  # outside: the arm's radius is 100
    moved_to, moved = heavy.recentred(rings, np.array([node]), shifted, np.full(len(centres), 200.0))
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
