"""Many ranges of numbers, one after another, without a loop."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Integer = TypeVar("Integer", np.int32, np.int64)


def expanded(begin: NDArray[Integer], counts: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[Integer]]:
    """Return all numbers of ranges in turn, and whose each is.

    Parameters
    ----------
    begin, counts : ndarray, shape (n,)
        First number of each range, and how many it has.

    Returns
    -------
    owner : ndarray, shape (counts.sum(),), int32
        Which range.
    numbers : ndarray, of the type of `begin`
    """
    ends = np.cumsum(counts)
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    shifts = begin - (ends - counts).astype(begin.dtype)
    return owner, np.repeat(shifts, counts) + np.arange(len(owner), dtype=begin.dtype)
