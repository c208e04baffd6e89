from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidInput
from crant_core.values import make_iterable, match_dtype

BIG = 576460752303423487  # as a float, it ends in 8


class TestMakeIterable:
    @pytest.mark.parametrize("value", [5, "five", None, 5.5, np.int64(5), np.array(5)])
    def test_a_scalar_is_one_element(self, value):
        found = make_iterable(value)
        assert found.shape == (1,)
        assert found[0] == value

    @pytest.mark.parametrize("container", [list, tuple, iter, np.array, pd.Series, pd.Index, dict.fromkeys])
    def test_containers_are_their_elements(self, container):
        assert make_iterable(container([5, 6])).tolist() == [5, 6]

    def test_whole_numbers_are_never_floats_that_differ_from_them(self):
        for mixed in ([BIG, -1, 2**63], [BIG, np.nan], [BIG, 0.5], [[BIG, 0.5], [1, 2]]):
            found = make_iterable(mixed)
            assert BIG in found.ravel().tolist()
        assert make_iterable([1, 0.5]).dtype == float

    def test_elements_become_what_is_wanted(self):
        assert make_iterable(["5", str(BIG)], force_type=int).tolist() == [5, BIG]
        assert make_iterable([BIG], force_type=str).tolist() == [str(BIG)]
        assert make_iterable([5.0], force_type=int).tolist() == [5]

    @pytest.mark.parametrize("values", [["five"], [5.5], [np.nan], [None], [float(BIG)], [np.inf]])
    def test_but_not_by_a_change_of_their_value(self, values):
        with pytest.raises(InvalidInput):
            make_iterable(values, force_type=int)

    def test_rows_of_different_lengths_are_named(self):
        with pytest.raises(InvalidInput, match="no array"):
            make_iterable([[1, 2], [3]])


class TestMatchDtype:
    @pytest.mark.parametrize(
        ("value", "dtype", "expected"),
        [
            ("False", bool, False),  # bool("False") is True
            ("t", "boolean", True),
            (0, bool, False),
            ("123", np.int64, 123),
            (str(BIG), "Int64", BIG),
            (np.int64(BIG), np.uint64, BIG),
            (5.0, int, 5),
            ("0.5", float, 0.5),
            (5, str, "5"),
            ("2026-11-01", "datetime64[ns]", pd.Timestamp("2026-11-01")),
            ("2026-11-01T00:00Z", "datetime64[ns, UTC]", pd.Timestamp("2026-11-01", tz="UTC")),
            ([1], object, [1]),
            ("left", "category", "left"),
            ("left", "string", "left"),
        ],
    )
    def test_a_value_is_read_as_the_type(self, value, dtype, expected):
        found = match_dtype(value, dtype)
        assert found == expected
        assert type(found) is type(expected)

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            ("maybe", bool), ("five", int), ("5.5", int), (5.5, int), (np.inf, int), (float(BIG), int), (None, int),
            ("x", float), ("x", "datetime64[ns]"), (5, "timedelta64[ns]"), (5, "no such type"), (5, complex),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_so_is_named(self, value, dtype):
        with pytest.raises(InvalidInput):
            match_dtype(value, dtype)
