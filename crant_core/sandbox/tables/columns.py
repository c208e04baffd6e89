"""What a table's columns are called by users, and the types in which the server returns them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

AXES = ("_x", "_y", "_z")
SUPERVOXEL = "_supervoxel_id"
ROOT = "_root_id"
POSITION = "_position"


def grouped(physical: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Map each column as users know it to what is stored: a position to its three coordinates, any other to itself."""
    groups: dict[str, list[str]] = {}
    for column in physical:
        is_coordinate = column.endswith(AXES) and column[:-2].endswith(POSITION)
        groups.setdefault(column[:-2] if is_coordinate else column, []).append(column)
    return {name: tuple(columns) for name, columns in groups.items()}


def nullable(column: pd.Series) -> pd.Series:
    """Give a column the nullable pandas type that PostgreSQL's column arrives in; ids never pass through a float."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return column
    if not isinstance(dtype, np.dtype):  # nullable already; the server knows no unsigned integers
        return column.astype("Int64") if str(dtype).startswith("UInt") else column
    name = _BY_KIND.get(dtype.kind, "string")
    return column.astype("Int32" if name == "Int64" and dtype.itemsize < _BIGINT else name)


_BY_KIND: dict[str, Any] = {"b": "boolean", "i": "Int64", "u": "Int64", "f": "Float32"}
_BIGINT = 8  # bytes
