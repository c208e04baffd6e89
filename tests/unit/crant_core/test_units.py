from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crant_core.units import nm_to_voxels, voxels_to_nm

CRANT = (8.0, 8.0, 42.0)


def test_a_position_of_the_ant_brain_by_hand() -> None:
    assert voxels_to_nm([25148, 19334, 1531], CRANT).tolist() == [201184.0, 154672.0, 64302.0]
    assert voxels_to_nm([[1, 2, 3], [0, 0, 1]], CRANT).tolist() == [[8, 16, 126], [0, 0, 42]]


@given(st.lists(st.tuples(*[st.integers(-(10**6), 10**6)] * 3), min_size=1))
def test_there_and_back_again(positions: list[tuple[int, int, int]]) -> None:
    there = voxels_to_nm(positions, CRANT)
    np.testing.assert_allclose(nm_to_voxels(there, CRANT), positions, rtol=1e-12, atol=1e-9)
