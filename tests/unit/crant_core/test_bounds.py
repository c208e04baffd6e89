from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crant_core.bounds import check_counts, check_finite, is_finite
from crant_core.errors import InvalidParameters

NUMBERS = [0, 1, 2.5, np.float32(1), np.int64(7)]
NONE = ["x", "1", None, True, np.nan, np.inf, [1], np.array([1.0]), 1j]


@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_of_python_and_numpy_are_numbers(value: Any) -> None:
    assert is_finite(value)
    check_finite(radius=value)


@pytest.mark.parametrize("value", NONE)
def test_what_is_no_finite_number_is_refused_by_its_name(value: Any) -> None:
    assert not is_finite(value)
    with pytest.raises(InvalidParameters, match="radius is"):
        check_finite(length=1.0, radius=value)


@pytest.mark.parametrize("value", [0, -1, 1.0, *NONE])
def test_what_counts_nothing_is_refused(value: Any) -> None:
    with pytest.raises(InvalidParameters, match="N is"):
        check_counts(N=value)


def test_less_than_nothing_is_refused() -> None:
    with pytest.raises(InvalidParameters, match=r"radius is -0\.5"):
        check_finite(radius=-0.5)
    check_counts(N=np.int64(1))
