"""Which chunk a point is in: hand-computed, and against one mask per chunk."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.vertex_map import ChunkGrid

PLAIN = ChunkGrid(np.zeros(3), np.full(3, 1000.0))
STEPS = ChunkGrid(np.array([10.0, 0.0, 0.0]), np.array([1000.0, 1000.0, 1000.0]), step=21.0)


def by_masks(grid: ChunkGrid, points: np.ndarray, chunks: np.ndarray) -> np.ndarray:
    """One mask per chunk, half-open, as cortical-tools does it but for its closed boxes."""
    found = np.full(len(points), -1)
    for number, (low, high) in enumerate(zip(grid.starts(chunks), grid.ends(chunks), strict=True)):
        found[((points >= low - grid.tolerance) & (points < high - grid.tolerance)).all(axis=1)] = number
    return found


class TestBorders:
    def test_a_chunk_holds_its_low_faces_and_not_its_high_ones(self):
        points = np.array([[0, 0, 0], [999.9, 0, 0], [1000, 0, 0], [1000, 999, 0]])
        assert PLAIN.bins(points, np.array([[0, 0, 0], [1, 0, 0]])).tolist() == [0, 0, 1, 1]

    def test_chunks_begin_at_the_step_of_stored_vertices_below(self):
        chunks = np.array([[0, 0, 0], [1, 0, 0]])
        assert STEPS.starts(chunks)[:, 0].tolist() == [0.0, 1008.0]  # 10 and 1010 lie between steps
        points = np.array([[0.0, 0, 0], [987.0, 0, 0], [1008.0, 0, 0], [1029.0, 0, 0]])
        assert STEPS.bins(points, chunks).tolist() == [0, 0, 1, 1]

    def test_what_is_stored_in_single_precision_is_on_the_border_too(self):
        grid = ChunkGrid(np.zeros(3), np.full(3, 65536.0), step=10.24)
        at = grid.starts(np.array([[9, 0, 0]]))[:, 0].astype(np.float32)
        points = np.array([[at[0], 100, 100]], dtype=np.float32)
        assert grid.bins(points, np.array([[8, 0, 0], [9, 0, 0]])).tolist() == [1]

    @pytest.mark.parametrize("at", [[1000, 500, 500], [1000, 1000, 500], [1000, 1000, 1000]])
    def test_at_the_low_face_of_a_chunk_without_the_neuron_is_in_the_chunk_below(self, at):
        assert PLAIN.bins(np.array([at], dtype=float), np.array([[0, 0, 0]])).tolist() == [0]

    def test_of_two_chunks_below_the_one_that_differs_along_fewer_axes_is_taken(self):
        chunks = np.array([[0, 0, 0], [0, 1, 0]])
        assert PLAIN.bins(np.array([[1000.0, 1000.0, 5.0]]), chunks).tolist() == [1]

    def test_inside_a_chunk_without_the_neuron_is_in_none(self):
        points = np.array([[1500.0, 500, 500], [-1, 500, 500], [1e9, 1e9, -1e9], [1000.1, 1, 1]])
        assert PLAIN.bins(points, np.array([[0, 0, 0], [2, 0, 0]])).tolist() == [-1, -1, -1, -1]

    def test_nothing_in_nothing(self):
        assert PLAIN.bins(np.empty((0, 3)), np.array([[0, 0, 0]])).tolist() == []
        assert PLAIN.bins(np.zeros((2, 3)), np.empty((0, 3), dtype=np.int64)).tolist() == [-1, -1]


places = st.tuples(*[st.integers(-3, 3)] * 3)


@given(st.sets(places, min_size=1, max_size=20), st.lists(st.tuples(*[st.integers(-300, 300)] * 3), max_size=40))
@settings(deadline=None, max_examples=60)
def test_it_is_what_one_mask_per_chunk_says(chunks, steps):
    where, points = np.unique(np.array([*chunks]), axis=0), np.array(steps, dtype=float).reshape(-1, 3) * STEPS.step
    found, expected = STEPS.bins(points, where), by_masks(STEPS, points, where)
    assert (found[expected >= 0] == expected[expected >= 0]).all()
    rest = found[(expected < 0) & (found >= 0)]
    on_border = points[(expected < 0) & (found >= 0)] == STEPS.ends(where[rest])
    assert on_border.any(axis=1).all()  # the rule for borders gives these


def test_d20_memory_does_not_grow_with_the_number_of_chunks():
    chunks = np.stack(np.meshgrid(*[np.arange(10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = np.random.default_rng(0).integers(0, 10_000, (200_000, 3)).astype(float)
    tracemalloc.start()
    try:
        found = PLAIN.bins(points, chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (chunks[found] == points // 1000).all()
    assert peak < len(points) * len(chunks) / 10  # a mask per chunk: a byte for each pair
