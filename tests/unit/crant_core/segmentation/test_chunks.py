from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from crant_core.errors import InvalidInput
from crant_core.segmentation.chunks import chunk_positions, chunks_to_nm


def volume(resolution=(16, 16, 42), offset=(10, 20, 30), at_offset=True) -> SimpleNamespace:
    meta = SimpleNamespace(
        watershed_mip=0,
        graph_chunk_size=np.array([512, 512, 256]),
        chunks_start_at_voxel_offset=at_offset,
        n_bits_for_layer_id=8,
        resolution=lambda mip: np.array(resolution),
        voxel_offset=lambda mip: np.array(offset),
        spatial_bit_count=lambda layer: {1: 10, 2: 10, 3: 5}[layer],
    )
    return SimpleNamespace(meta=meta)


def test_chunks_begin_at_the_offset_if_the_graph_says_so():
    assert chunks_to_nm([[0, 0, 0], [1, 0, 2]], volume()).tolist() == [[160, 320, 1260], [8352, 320, 22764]]
    assert chunks_to_nm([1, 0, 2], volume(at_offset=False)).tolist() == [8192, 0, 21504]


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint32])
def test_whole_indices_give_whole_nm_and_fractions_are_places_inside(dtype):
    assert chunks_to_nm(np.array([[1, 1, 1]], dtype=dtype), volume()).dtype == np.int64
    assert chunks_to_nm([0.5, 0.5, 0.5], volume(offset=(0, 0, 0))).tolist() == [4096, 4096, 5376]


# D18: crantpy's takes 4 × 4 × 40 nm unless told otherwise.
@pytest.mark.parametrize("resolution", [[4, 4, 40], [16, 16, 0], [8, 8], [-8, 8, 42]])
def test_a_resolution_that_is_not_the_volumes_is_an_error(resolution):
    with pytest.raises(InvalidInput):
        chunks_to_nm([1, 1, 1], volume(), resolution)


def test_the_resolution_of_people_and_that_of_the_volume_give_the_same():
    expected = chunks_to_nm([1, 1, 1], volume()).tolist()
    assert chunks_to_nm([1, 1, 1], volume(), [8, 8, 42]).tolist() == expected
    assert chunks_to_nm([1, 1, 1], volume(), [16, 16, 42]).tolist() == expected


@pytest.mark.parametrize(("index", "of"), [([1, 2], volume()), (5, volume()), ([1, 2, 3], SimpleNamespace())])
def test_what_is_no_index_or_no_graphene_volume_is_an_error(index, of):
    with pytest.raises(InvalidInput):
        chunks_to_nm(index, of)


def test_positions_are_read_off_ids():
    ids = np.array([(1 << 56) | (3 << 46) | (1023 << 36) | (5 << 26) | 77], dtype=np.uint64)
    assert chunk_positions(ids, volume()).tolist() == [[3, 1023, 5]]
    layer_3 = np.array([(3 << 56) | (31 << 51) | (0 << 46) | (2 << 41) | 1], dtype=np.uint64)
    assert chunk_positions(layer_3, volume()).tolist() == [[31, 0, 2]]
    assert chunk_positions(ids[:0], volume()).shape == (0, 3)
