from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, OutOfBounds
from crant_core.segmentation.places import box_nm, nm_per_unit, points_nm, voxel_box
from crant_core.sources.volumes import Scale

DATASET = Dataset(name="d", datastack="d", server="http://d", viewer_resolution=(4.5, 4.5, 40.0))
SCALE = Scale((9.0, 9.0, 40.0), (10, 10, 5), (20, 30, 40), (8, 8, 8))


def test_units_are_nm_or_voxels_of_the_viewer_even_fractions_of_nm():
    assert nm_per_unit("nm", DATASET).tolist() == [1, 1, 1]
    assert nm_per_unit("voxel", DATASET).tolist() == nm_per_unit("voxels", DATASET).tolist() == [4.5, 4.5, 40]
    with pytest.raises(InvalidInput, match="'um'"):
        nm_per_unit("um", DATASET)


def test_points_are_scaled_and_one_point_is_a_row():
    assert points_nm([[1, 2, 3], [0, -1, 0]], "voxel", DATASET).tolist() == [[4.5, 9, 120], [0, -4.5, 0]]
    assert points_nm((1, 2, 3), "nm", DATASET).tolist() == [[1, 2, 3]]
    assert points_nm([], "nm", DATASET).shape == (0, 3)


def test_a_tables_columns_are_found_by_name_and_missing_values_are_nan():
    table = pd.DataFrame({"z": [3], "y": pd.array([None], dtype="Int64"), "x": ["1"]})
    found = points_nm(table, "nm", DATASET)
    assert found[0, [0, 2]].tolist() == [1, 3]
    assert np.isnan(found[0, 1])


@pytest.mark.parametrize("wrong", [5, None, "abc", [1, 2], [[1, 2, 3, 4]], [[1, 2], [3]], pd.DataFrame({"x": [1]})])
def test_what_are_no_points_is_an_error(wrong):
    with pytest.raises(InvalidInput):
        points_nm(wrong, "nm", DATASET)


def test_a_box_is_ranges_or_corners():
    ranges = [[1, 4], [2, 5], [3, 6]]
    assert box_nm(ranges, "nm", DATASET).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert box_nm([[1, 2, 3], [4, 5, 6]], "voxel", DATASET).tolist() == [[4.5, 9, 120], [18, 22.5, 240]]


@pytest.mark.parametrize("wrong", [[[1, 2, 3], [1, 5, 6]], [[1, 2, 3], [4, 5, np.nan]], [1, 2, 3], np.zeros((3, 3)), 1])
def test_what_is_no_box_is_an_error(wrong):
    with pytest.raises(InvalidInput):
        box_nm(wrong, "nm", DATASET)


def test_a_box_touches_voxels_but_not_those_behind_its_border():
    low, high = voxel_box(np.array([[90.0, 98.0, 200.0], [108.0, 109.0, 281.0]]), SCALE)
    assert (low.tolist(), high.tolist()) == ([10, 10, 5], [12, 13, 8])


def test_errors_of_floating_point_add_no_voxel():
    scale = Scale((0.1, 0.1, 0.1), (0, 0, 0), (100, 100, 100), (8, 8, 8))
    low, high = voxel_box(np.array([[0.3] * 3, [0.7] * 3]), scale)
    assert (low.tolist(), high.tolist()) == ([3] * 3, [7] * 3)


@pytest.mark.parametrize("box", [[[89, 90, 200], [99, 99, 240]], [[90, 90, 200], [181, 99, 240]]])
def test_a_box_that_leaves_the_volume_is_an_error(box):
    with pytest.raises(OutOfBounds, match="not inside"):
        voxel_box(np.array(box, dtype=float), SCALE)
