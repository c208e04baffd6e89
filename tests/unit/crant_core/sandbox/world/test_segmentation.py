"""Two straight neurites on the grid: what their voxels, supervoxels and L2 features must be, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.sandbox import layout
from crant_core.sandbox.world import features, segmentation
from crant_core.sandbox.world import voxels as vx
from crant_core.sandbox.world.morphology import Morphology

START = layout.chunk_start([5, 5, 5]).astype(float)
VOXEL = vx.VOXEL_NM


def neurite(first: tuple[int, int, int], last: tuple[int, int, int], radius: float = 10.0) -> Morphology:
    """A straight neurite between the centres of two grid voxels, counted from the corner of a chunk."""
    ends = START + (np.array([first, last]) + 0.5) * VOXEL
    return Morphology(ends, np.full(2, radius), np.array([-1, 0]))


def segmented(*trees: Morphology) -> segmentation.Segmentation:
    filled = [(number, vx.fill(tree)) for number, tree in enumerate(trees)]
    return segmentation.segment(segmentation.label(filled, [np.zeros(2, dtype=np.int64) for _ in trees]))


@given(
    st.lists(st.integers(0, 2**20 - 1), min_size=3, max_size=3), st.lists(st.integers(-9, 9), min_size=3, max_size=3)
)
def test_keys_pack_positions_and_add_like_vectors(position, offset):
    moved = np.clip(np.add(position, offset), 9, 2**20 - 10)
    start = moved - offset
    assert vx.grid_of(vx.key_of(start)).tolist() == start.tolist()
    assert vx.key_of(start) + vx.key_of(offset) == vx.key_of(moved)


def test_a_thin_neurite_fills_the_voxels_it_passes():
    keys = vx.fill(neurite((0, 3, 3), (9, 3, 3))).keys
    expected = vx.grid_at(START) + np.stack([np.arange(10), np.full(10, 3), np.full(10, 3)], axis=1)
    assert vx.grid_of(keys).tolist() == expected.tolist()


def test_a_ball_has_its_volume():
    ball = Morphology(START[None] + 5000.0, np.array([2000.0]), np.array([-1]))
    volume = len(vx.fill(ball).keys) * VOXEL.prod()
    assert volume == pytest.approx(4 / 3 * np.pi * 2000**3, rel=0.04)  # radii come in half-voxel steps


def test_supervoxels_are_cut_at_blocks_and_chunks_and_joined_by_edges():
    # along x a chunk has 64 voxels and a block 16: from -16 to 31 there are three blocks in two chunks
    found = segmented(neurite((-16, 3, 3), (31, 3, 3)))
    assert layout.chunk_of(found.ids).tolist() == [[4, 5, 5], [5, 5, 5], [5, 5, 5]]
    assert (found.ids & np.uint64(0xFFFF)).tolist() == [1, 1, 2]
    assert np.bincount(found.of_voxel).tolist() == [16, 16, 16]
    assert found.edges.tolist() == [[0, 1], [1, 2]]


def test_where_neurons_overlap_the_first_keeps_the_voxel_and_the_other_is_held_together():
    found = segmented(neurite((4, 0, 4), (4, 9, 4)), neurite((0, 4, 4), (9, 4, 4)))
    assert np.bincount(found.voxels.neuron).tolist() == [10, 9]
    # the second is in two parts, of 4 and 5 voxels, with a bridge; the neurons are not joined
    assert sorted(np.bincount(found.of_voxel).tolist()) == [4, 5, 10]
    assert (found.neuron[found.edges] == 1).all()
    assert len(found.edges) == 1


def test_features_of_a_straight_neurite_by_hand():
    found = segmented(neurite((0, 3, 3), (15, 3, 3), radius=10.0))
    sums = features.measure(found, np.full(16, 10.0))
    answer = features.combine(sums)
    assert answer["size_nm3"] == 16 * VOXEL.prod()
    sides = 16 * 2 * (VOXEL[0] * VOXEL[2] + VOXEL[0] * VOXEL[1]) + 2 * VOXEL[1] * VOXEL[2]
    assert answer["area_nm2"] == sides
    assert answer["chunk_intersect_count"] == [[1, 0, 0], [0, 0, 0]]
    assert answer["max_dt_nm"] == answer["mean_dt_nm"] == 10
    assert np.abs(answer["pca"][0]) == pytest.approx([1, 0, 0])
    assert answer["pca_val"][0] == pytest.approx((16**2 - 1) / 12 * VOXEL[0] ** 2)
    offset = np.array(answer["rep_coord_nm"]) - START
    assert offset[1:] == pytest.approx(3.5 * VOXEL[1:], abs=1)
    assert abs(offset[0] - 8 * VOXEL[0]) <= VOXEL[0] / 2 + 1


def test_features_of_parts_add_up():
    found = segmented(neurite((0, 3, 3), (31, 3, 3)))
    sums = features.measure(found, np.full(32, 10.0))
    whole = features.combine(sums)
    parts = [features.combine(sums.rows(np.array([index]))) for index in (0, 1)]
    assert whole["size_nm3"] == sum(part["size_nm3"] for part in parts)
    assert whole["area_nm2"] == sum(part["area_nm2"] for part in parts)  # what parts share is no surface


def test_one_voxel_has_no_axes():
    found = segmented(neurite((0, 3, 3), (0, 3, 3)))
    answer = features.combine(features.measure(found, np.full(1, 10.0)))
    assert "pca" not in answer
