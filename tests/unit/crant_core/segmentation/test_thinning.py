from __future__ import annotations

from itertools import product

import numpy as np

from crant_core.segmentation.thinning import interface
from crant_core.segmentation.voxels import among

NO_LINKS = np.array([], dtype=np.int64)


def at_interface(voxels, part, links=NO_LINKS, count=3) -> list[bool]:
    return interface(np.array(voxels, dtype=np.uint32), np.array(part), np.asarray(links), count).tolist()


def test_voxels_of_unlinked_parts_that_share_a_face_an_edge_or_a_corner_are_at_an_interface():
    for step in product((-1, 0, 1), repeat=3):
        if any(step):
            assert at_interface([[5, 5, 5], np.add([5, 5, 5], step)], [0, 1]) == [True, True]
    assert at_interface([[5, 5, 5], [7, 5, 5]], [0, 1]) == [False, False]


def test_voxels_of_one_part_or_of_linked_ones_are_not():
    assert at_interface([[5, 5, 5], [5, 5, 6]], [1, 1]) == [False, False]
    assert at_interface([[5, 5, 5], [5, 5, 6]], [2, 1], links=[1 * 3 + 2]) == [False, False]
    assert at_interface([[5, 5, 5], [5, 5, 6]], [2, 0], links=[1 * 3 + 2]) == [True, True]


def test_only_the_voxels_that_touch_are():
    line = [[x, 0, 0] for x in range(6)]
    assert at_interface(line, [0, 0, 0, 1, 1, 1]) == [False, False, True, True, False, False]


def test_the_ends_of_a_row_do_not_touch_the_next_row():
    assert at_interface([[0, 0, 9], [0, 1, 0], [1, 0, 0]], [0, 1, 2]) == [False, True, True]
    assert at_interface([[0, 9, 0], [1, 0, 0]], [0, 1]) == [False, False]


def test_the_order_does_not_matter_and_nothing_is_nothing():
    chance = np.random.default_rng(0)
    voxels = np.unique(chance.integers(0, 6, (90, 3)), axis=0)
    part = chance.integers(0, 3, len(voxels))
    touching = (np.abs(voxels[:, None] - voxels).max(axis=2) == 1) & (part[:, None] != part)
    linked = np.isin(np.minimum(part[:, None], part) * 3 + np.maximum(part[:, None], part), [1])
    order = chance.permutation(len(voxels))
    assert at_interface(voxels[order], part[order], [1]) == (touching & ~linked).any(axis=1)[order].tolist()
    assert at_interface(np.empty((0, 3)), []) == []


def test_ids_are_found_among_sorted_ones():
    known = np.array([3, 5, 9], dtype=np.uint64)
    ids = np.array([0, 3, 4, 9, 10, 2**63], dtype=np.uint64)
    assert among(ids, known).tolist() == [False, True, False, True, False, False]
