"""Positions of synapses, in nm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidInput
from crant_core.matrices.reading import column_of, one_of, rows_named
from crant_core.registry import dataset_of
from crant_core.units import voxels_to_nm

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import Dataset

COORDINATES = ("nm", "pixels")
_AXES = ("_x", "_y", "_z")


def positions_in(
    table: pd.DataFrame,
    column: str,
    coordinates: str = "nm",
    voxel_offset: Sequence[float] | None = None,
    dataset: str | Dataset | None = None,
) -> NDArray[np.float64]:
    """Read positions.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column of [x, y, z], or three columns of that name and `_x`, `_y`, `_z`.
    column : str
    coordinates : {"nm", "pixels"}
    voxel_offset : sequence of float, optional
        Added to pixels before they become nm; not used for nm.
    dataset : str, Dataset or None
        Its viewer resolution is the size of a pixel; None: the default dataset.

    Returns
    -------
    ndarray, (n, 3), float64
        In nm.

    Raises
    ------
    InvalidInput
        There is no such column, or some rows have no position of three finite numbers; these are named.
    """
    one_of("coordinates", coordinates, COORDINATES)
    places = _stacked(table, column)
    wrong = ~np.all(np.isfinite(places), axis=1)
    if wrong.any():
        message = f"positions are missing or not finite in column {column!r}, {rows_named(table, wrong)}"
        raise InvalidInput(message, value=column, hint="drop these rows, so that it is you who decides")
    if coordinates == "nm":
        return places
    offset = np.zeros(3) if voxel_offset is None else np.asarray(voxel_offset, dtype=np.float64)
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise InvalidInput(f"voxel_offset is {voxel_offset!r}", value=voxel_offset, hint="give x, y, z in pixels")
    return voxels_to_nm(places + offset, dataset_of(dataset).viewer_resolution)


def _stacked(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    parts = [column + axis for axis in _AXES]
    if column not in table.columns and set(parts) <= set(table.columns):
        return np.stack([table[part].to_numpy(dtype=np.float64, na_value=np.nan) for part in parts], axis=1)
    values = column_of(table, column).tolist()
    try:
        return np.array(values, dtype=np.float64).reshape(len(values), 3)
    except (TypeError, ValueError):
        return np.array([_position(value) for value in values])


def _position(value: object) -> NDArray[np.float64]:
    """Read one position; what is none becomes NaN, which is refused with its row."""
    try:
        place = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.full(3, np.nan)
    return place if place.shape == (3,) else np.full(3, np.nan)
