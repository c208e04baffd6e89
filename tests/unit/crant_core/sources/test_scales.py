from __future__ import annotations

import numpy as np
import pytest

from crant_core.errors import InvalidInput
from crant_core.sources.volumes import Scale, scale_of

SCALE = Scale((16.0, 16.0, 42.0), (10, 20, 30), (110, 95, 60), (64, 64, 16))
INFO = {
    "scales": [
        {
            "resolution": [16, 16, 42],
            "voxel_offset": [10, 20, 30],
            "size": [100, 75, 30],
            "chunk_sizes": [[64, 64, 16]],
        },
        {"resolution": [32, 32, 42], "size": [50, 38, 30], "chunk_sizes": [[64, 64, 16]]},
    ]
}


def test_scales_are_read_from_the_description():
    assert scale_of(INFO) == SCALE
    assert scale_of(INFO, np.int64(1)).low == (0, 0, 0)


@pytest.mark.parametrize("mip", [2, -1, True, 0.0, "0", None])
def test_a_scale_that_is_not_there_is_an_error(mip):
    with pytest.raises(InvalidInput, match="there are 2: 0 to 1"):
        scale_of(INFO, mip)


def test_points_are_in_the_voxel_whose_low_border_they_are_on():
    low = np.array([160.0, 320.0, 1260.0])
    points = [
        low,
        low - 0.01,
        low + 15.99,
        [1759.99, 1519.99, 2519.99],
        [1760, 1519, 2519],
        [1e300, 0, 0],
        [np.inf] * 3,
    ]
    voxels, inside = SCALE.voxels_at(np.array(points, dtype=float))
    assert inside.tolist() == [True, False, True, True, False, False, False]
    assert voxels[inside].tolist() == [[10, 20, 30], [10, 20, 30], [109, 94, 59]]


def test_chunks_count_from_the_low_corner_and_the_last_are_smaller():
    assert SCALE.chunks_of(np.array([[10, 20, 30], [73, 83, 45], [74, 84, 46]])).tolist() == [[0, 0, 0]] * 2 + [
        [1, 1, 1]
    ]
    assert SCALE.chunks_in([73, 20, 30], [75, 84, 46]).tolist() == [[0, 0, 0], [1, 0, 0]]
    low, high = SCALE.chunk_box(np.array([1, 1, 1]))
    assert (low.tolist(), high.tolist()) == ([74, 84, 46], [110, 95, 60])
