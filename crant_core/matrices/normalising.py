"""Shares instead of counts: one division for each stored value, and nothing becomes dense."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def by_row(matrix: Any) -> Any:
    """Divide each value by the sum of its row: the share of a source's output.

    Parameters
    ----------
    matrix : scipy.sparse.csr_array, (n, m)

    Returns
    -------
    scipy.sparse.csr_array, (n, m), float64
        Rows add up to 1; a row whose sum is 0 becomes 0.
    """
    sums = matrix @ np.ones(matrix.shape[1])
    return _divided(matrix, np.repeat(sums, np.diff(matrix.indptr)))


def by_column(matrix: Any) -> Any:
    """Divide each value by the sum of its column: the share of a target's input; see `by_row`."""
    sums = np.bincount(matrix.indices, weights=matrix.data, minlength=matrix.shape[1])
    return _divided(matrix, sums[matrix.indices])


def _divided(matrix: Any, sums: NDArray[np.float64]) -> Any:
    shares = np.divide(matrix.data, sums, out=np.zeros(len(sums)), where=sums != 0)
    found = csr_array((shares, matrix.indices, matrix.indptr), shape=matrix.shape)
    found.has_canonical_format = True
    return found
