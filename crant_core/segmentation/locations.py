"""Which supervoxel, and which root, is at a position."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.segmentation.places import points_nm, warn_if_outside
from crant_core.times import When, resolve


def locs_to_supervoxels(
    locs: Any,
    mip: int = 0,
    coordinates: str = "nm",
    progress: bool = True,
    *,
    dataset: str | Dataset | None = None,
) -> NDArray[np.uint64]:
    """Look up the supervoxels at positions.

    Supervoxels are the same at all times: edits join them, they do not change them.

    Source: the segmentation's bucket, each storage chunk once, however many positions are in it.

    Parameters
    ----------
    locs : array_like, (n, 3) or (3,), or pandas.DataFrame with columns x, y, z
        In the dataset's frame: voxel (0, 0, 0) begins at 0. Fractions are places inside a voxel.
    mip : int
        Scale to read; 0 is the finest, higher ones are faster and less exact.
    coordinates : {"nm", "voxel", "voxels"}
        Unit of `locs`; voxels are those of the dataset's viewer (CRANT: 8 × 8 × 42 nm).
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    ndarray, (n,) uint64
        In the order of `locs`; 0 for background and outside the volume, and for nothing else.

    Warns
    -----
    WrongUnitWarning
        Not one of the positions is inside the volume.

    Raises
    ------
    InvalidInput
        Not points, a coordinate that is no finite number (NaN is an error, not 0), an unknown unit or scale.
    DataMissing
        Storage lacks a chunk, or forbids it.
    SourceError
    """
    source = source_of(dataset)
    points = points_nm(locs, coordinates, source.dataset)
    warn_if_outside(points, source.watershed.scale(mip))
    return source.watershed.at(points, mip, progress=progress)


def locs_to_segments(
    locs: Any,
    timestamp: When = None,
    coordinates: str = "nm",
    progress: bool = True,
    *,
    dataset: str | Dataset | None = None,
) -> NDArray[np.int64]:
    """Look up the roots at positions.

    Source: as `locs_to_supervoxels`, then `POST /segmentation/api/v1/table/{table}/roots_binary`.

    Parameters
    ----------
    locs : array_like, (n, 3) or (3,), or pandas.DataFrame with columns x, y, z
        As in `locs_to_supervoxels`.
    timestamp : str, int, datetime or None
        When, one time for all positions: `None` or `"live"` is now, `"mat"` the latest materialization, `"mat_<v>"`
        that version; unix seconds or ISO 8601 is that moment.
    coordinates : {"nm", "voxel", "voxels"}
        Unit of `locs`; voxels are those of the dataset's viewer (CRANT: 8 × 8 × 42 nm).
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    ndarray, (n,) int64
        In the order of `locs`; 0 for background, outside the volume, and for what belonged to no root at that time.

    Warns
    -----
    WrongUnitWarning
        Not one of the positions is inside the volume.

    Raises
    ------
    InvalidInput
        Not points, a coordinate that is no finite number, an unknown unit.
    InvalidTime
    VersionNotFound
    DataMissing
        Storage lacks a chunk, or forbids it.
    SourceError
    """
    source = source_of(dataset)
    points = points_nm(locs, coordinates, source.dataset)
    warn_if_outside(points, source.watershed.scale())
    time = resolve(source, timestamp)
    supervoxels = source.watershed.at(points, progress=progress)
    return source.graph.roots(supervoxels, time.timestamp, progress=progress).astype(np.int64)
