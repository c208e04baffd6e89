"""Features of L2 chunks as a table: what is not there is NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_AXES = ("x", "y", "z")
_ENDS = ("bottom", "top")
#: every attribute that CAVE documents, with the columns it is split into
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "area_nm2": ("area_nm2",),
    "chunk_intersect_count": tuple(f"chunk_intersect_count_{axis}_{end}" for end in _ENDS for axis in _AXES),
    "max_dt_nm": ("max_dt_nm",),
    "mean_dt_nm": ("mean_dt_nm",),
    "pca": tuple(f"pca_{number}_{axis}" for number in range(3) for axis in _AXES),
    "pca_val": tuple(f"pca_val_{number}" for number in range(3)),
    "rep_coord_nm": tuple(f"rep_coord_nm_{axis}" for axis in _AXES),
    "size_nm3": ("size_nm3",),
}


def feature_table(
    features: Mapping[int, Mapping[str, Any]], attributes: Sequence[str], split_columns: bool
) -> pd.DataFrame:
    """Put features into a table.

    Parameters
    ----------
    features : dict of int to dict
        By L2 id; what an id lacks is left out.
    attributes : sequence of str
    split_columns : bool
        Give each number a column of its own.

    Returns
    -------
    DataFrame
        Indexed by `l2_id` (int64), in the order of the ids; numbers are float64 and NaN where there are none. Unsplit,
        attributes of several numbers are columns of lists, with None where there are none.
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    for attribute in attributes:
        values = [found.get(attribute) for found in features.values()]
        names = ATTRIBUTES.get(attribute, (attribute,))
        if len(names) == 1:
            columns[attribute] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        elif split_columns:
            columns |= dict(zip(names, _padded(values, len(names)).T, strict=True))
        else:
            columns[attribute] = pd.Series(values, dtype=object).to_numpy()
    index = pd.Index(np.fromiter(features, np.int64), name="l2_id")
    return pd.DataFrame(columns, index=index)


def _padded(values: Sequence[Any], width: int) -> np.ndarray:
    """Return a row for each value, NaN where it has fewer numbers: chunks of a few voxels have fewer components."""
    rows = np.full((len(values), width), np.nan)
    for row, value in zip(rows, values, strict=True):
        numbers = np.ravel(np.asarray([] if value is None else value, dtype=np.float64))[:width]
        row[: len(numbers)] = numbers
    return rows
