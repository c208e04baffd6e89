"""Dotprops of L2 chunks."""

from __future__ import annotations

import numpy as np
import pytest

from crant_core.errors import InvalidParameters, SkeletonError
from crant_core.l2 import get_l2_chunk_info, get_l2_dotprops
from tests.fixtures.neurons import live_roots


class TestDotprops:
    def test_small_chunks_are_left_out(self, dataset):
        root = live_roots()[0]
        sizes = get_l2_chunk_info(root, dataset=dataset).dropna().size_nm3
        [found] = get_l2_dotprops(root, 1e9, dataset=dataset)
        assert len(found.points) == (sizes >= 1e9).sum()
        with pytest.raises(SkeletonError, match="min_size"):
            get_l2_dotprops(root, 1e15, dataset=dataset)

    # crantpy seeds NumPy's global generator, which everybody's random numbers come from.
    @pytest.mark.parametrize("size", [float("nan"), float("inf"), "big", True])
    def test_a_size_that_is_no_number_is_refused(self, dataset, size):
        with pytest.raises(InvalidParameters, match="min_size"):
            get_l2_dotprops(live_roots()[0], min_size=size, dataset=dataset)

    def test_a_sample_is_a_share_the_same_every_time_and_leaves_global_chance_alone(self, dataset):
        root = live_roots()[0]
        [whole] = get_l2_dotprops(root, dataset=dataset)
        np.random.seed(7)
        expected = np.random.random()
        np.random.seed(7)
        [found] = get_l2_dotprops(root, sample=0.2, dataset=dataset)
        assert np.random.random() == expected
        [again] = get_l2_dotprops(root, sample=0.2, dataset=dataset)
        assert len(found.points) == round(len(whole.points) * 0.2)
        assert found.points.tolist() == again.points.tolist()
        assert set(map(tuple, found.points.tolist())) < set(map(tuple, whole.points.tolist()))
        assert len(get_l2_dotprops(root, sample=1e-9, dataset=dataset)[0].points) == 1

    @pytest.mark.parametrize("sample", [0, -0.1, 1.5, True, "a half", 20])
    def test_what_is_no_share_is_an_error(self, dataset, sample):
        with pytest.raises(InvalidParameters):
            get_l2_dotprops(live_roots()[0], sample=sample, dataset=dataset)
