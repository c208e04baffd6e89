"""Copies of answers, so that nobody changes what others are given later."""

from __future__ import annotations

import copy
import sys
from typing import Any

_PLAIN = {"string", "integer", "boolean", "floating", "empty", "bytes", "decimal", "datetime", "datetime64", "date"}


def snapshot(value: Any) -> Any:
    """Copy an answer to its depths.

    Parameters
    ----------
    value : object
        Tables and arrays are copied with the lists in their cells. What cannot be copied, such as a client or a
        connection, is returned as it is.
    """
    if type(value) is dict:
        return {key: snapshot(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(snapshot, value))
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _copy_table(value)
    if pandas is not None and isinstance(value, pandas.Series):
        return _copy_table(value.to_frame()).iloc[:, 0].rename(value.name)
    try:
        return copy.deepcopy(value)
    except (TypeError, NotImplementedError, copy.Error):  # locks, sockets, threads
        return value


def _copy_table(table: Any) -> Any:
    """Copy a DataFrame; pandas' own deep copy shares the lists in its cells."""
    import pandas as pd

    copied = table.copy(deep=True)
    for position, dtype in enumerate(table.dtypes):
        if getattr(dtype, "hasobject", False):
            cells = table.iloc[:, position].to_numpy()
            if pd.api.types.infer_dtype(cells, skipna=True) not in _PLAIN:
                copied.isetitem(position, copy.deepcopy(cells))
    return copied
