"""Points and boxes as people give them, read as nm."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.cautions import WrongUnitWarning
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, OutOfBounds
from crant_core.sources.volumes import Scale

_AXES = ["x", "y", "z"]
_DIMENSIONS = 3
_CORNERS = 2
_SHOWN = 200  # letters of what is wrong
_DIGITS = 6  # of a voxel, beyond which a position is on the border


def nm_per_unit(coordinates: str, dataset: Dataset) -> NDArray[np.float64]:
    """Return the size of one unit of people's coordinates along x, y, z, (3,) nm.

    Parameters
    ----------
    coordinates : {"nm", "voxel", "voxels"}
        Voxels are those of the dataset's viewer, whatever the resolution of the segmentation.
    dataset : Dataset

    Raises
    ------
    InvalidInput
    """
    if coordinates == "nm":
        return np.ones(_DIMENSIONS)
    if coordinates in {"voxel", "voxels"}:
        return np.asarray(dataset.viewer_resolution, dtype=np.float64)
    raise InvalidInput(f"coordinates={coordinates!r} is no unit", value=coordinates, hint='use "nm" or "voxel"')


def warn_if_outside(points: NDArray[np.float64], scale: Scale) -> None:
    """Warn if there are positions (n, 3), nm, and not one of them is inside the volume.

    Warns
    -----
    WrongUnitWarning
    """
    if len(points) and np.isfinite(points).all() and not scale.voxels_at(points)[1].any():
        low, high = (np.asarray(corner) * scale.resolution for corner in (scale.low, scale.high))
        message = f"none of {len(points)} positions is inside the segmentation, which is {low} to {high} nm"
        warnings.warn(f"{message}: are coordinates in the unit that was said?", WrongUnitWarning, stacklevel=3)


def points_nm(locs: Any, coordinates: str, dataset: Dataset) -> NDArray[np.float64]:
    """Read points in any form people have them, (n, 3) float64 nm; whether they are finite is not checked.

    Parameters
    ----------
    locs : array_like, (n, 3) or (3,), or pandas.DataFrame with columns x, y, z
        A pandas.Series of triples is read too.
    coordinates : {"nm", "voxel", "voxels"}
    dataset : Dataset

    Raises
    ------
    InvalidInput
        These are no points.
    """
    found = _numbers(_table(locs) if hasattr(locs, "columns") else locs)
    if found.size == 0:
        found = found.reshape(0, _DIMENSIONS)
    if found.shape == (_DIMENSIONS,):
        found = found[None]
    if found.ndim != 2 or found.shape[1] != _DIMENSIONS:  # noqa: PLR2004 - rows and axes
        raise InvalidInput(f"points are (n, 3), these are {found.shape}", value=found.shape, hint="one row per point")
    return found * nm_per_unit(coordinates, dataset)


def box_nm(bbox: Any, coordinates: str, dataset: Dataset) -> NDArray[np.float64]:
    """Read a box as its low and its high corner, (2, 3) float64 nm.

    Parameters
    ----------
    bbox : array_like, (3, 2) or (2, 3)
        `[[xmin, xmax], [ymin, ymax], [zmin, zmax]]`, or the two corners.
    coordinates : {"nm", "voxel", "voxels"}
    dataset : Dataset

    Raises
    ------
    InvalidInput
        It is no box, or an empty one.
    """
    found = _numbers(bbox)
    if found.shape == (_DIMENSIONS, _CORNERS):
        found = found.T
    if found.shape != (_CORNERS, _DIMENSIONS):
        hint = "give [[xmin, xmax], [ymin, ymax], [zmin, zmax]] or [[xmin, ymin, zmin], [xmax, ymax, zmax]]"
        raise InvalidInput(f"a box is (3, 2) or (2, 3), this is {found.shape}", value=found.shape, hint=hint)
    if not np.isfinite(found).all() or not (found[0] < found[1]).all():
        raise InvalidInput(
            f"the box {found.tolist()} is empty", value=found.tolist(), hint="every low must be below its high"
        )
    return found * nm_per_unit(coordinates, dataset)


def voxel_box(box: NDArray[np.float64], scale: Scale) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the corners of all voxels that a box in nm touches; the high corner is outside.

    Raises
    ------
    OutOfBounds
        The box leaves the volume.
    """
    low, high = (box / scale.resolution).round(_DIGITS)
    begin, end = np.floor(low), np.ceil(high)
    if (begin < scale.low).any() or (end > scale.high).any():
        covered = (np.array([scale.low, scale.high]) * scale.resolution).tolist()
        message = f"the box {box.tolist()} nm is not inside the segmentation, {covered} nm"
        raise OutOfBounds(message, value=box.tolist(), hint="is it in the unit that `coordinates` says?")
    return begin.astype(np.int64), end.astype(np.int64)


def _table(locs: Any) -> Any:
    missing = [axis for axis in _AXES if axis not in locs.columns]
    if missing:
        columns = ", ".join(map(str, locs.columns))
        raise InvalidInput(f"the table has no column {missing[0]}", value=columns, hint=f"it has: {columns}")
    with _reading(locs):
        found: NDArray[np.float64] = locs[_AXES].to_numpy(dtype=np.float64, na_value=np.nan)
        return found


def _numbers(values: Any) -> NDArray[np.float64]:
    with _reading(values):
        rows = values if isinstance(values, np.ndarray) and values.dtype != object else list(values)
        return np.asarray(rows, dtype=np.float64)


@contextmanager
def _reading(values: Any) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        shown = repr(values)[:_SHOWN]
        raise InvalidInput(f"these are no coordinates: {error}", value=shown, hint="give numbers") from error
