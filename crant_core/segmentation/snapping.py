"""Moving positions onto the neuron they are meant for."""

from __future__ import annotations

import logging
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.segmentation.places import nm_per_unit, points_nm
from crant_core.segmentation.voxels import among, chunks_of, members_of, voxels_in
from crant_core.sources.chunks import grouped
from crant_core.sources.watershed import Watershed

_log = logging.getLogger(__name__)


def snap_to_id(  # noqa: PLR0917 - the documented order
    locs: Any,
    id: int,  # noqa: A002 - the documented name
    snap_zero: bool = False,
    search_radius: float = 160,
    coordinates: str = "nm",
    verbose: bool = True,
    *,
    dataset: str | Dataset | None = None,
) -> NDArray[np.float64]:
    """Move positions that are not on a neuron to its nearest voxel.

    No time is needed: a root has the same supervoxels at all times, so old roots work as well as current ones.
    Positions that are close together share their downloads.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many`, whose answer never changes and is kept on disk,
    then the segmentation's bucket, each storage chunk once.

    Parameters
    ----------
    locs : array_like, (n, 3) or (3,), or pandas.DataFrame with columns x, y, z
        In the dataset's frame: voxel (0, 0, 0) begins at 0.
    id : int
        The root that the positions should be on; a string of digits will do.
    snap_zero : bool
        Move positions in the background too.
    search_radius : float
        How far to move a position at most, to the middle of a voxel of mip 0: distance in nm, whatever `coordinates`.
    coordinates : {"nm", "voxel", "voxels"}
        Unit of `locs` and of what is returned; voxels are those of the dataset's viewer.
    verbose : bool
        Log a summary; a warning if positions could not be moved.
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    ndarray, (n, 3) float64
        In the unit and order of `locs`. Unchanged where the position is on the neuron already, and in the background
        without `snap_zero`. Else the middle of the nearest voxel of the neuron, by distance in nm; [0, 0, 0] if there
        is none within `search_radius`, and outside the volume.

    Raises
    ------
    InvalidId
        `id` is not a root id of this dataset.
    InvalidInput
        Not points, a coordinate that is no finite number, an unknown unit, or no radius.
    DataMissing
        Storage lacks a chunk, or forbids it.
    SourceError
    """
    _check_radius(search_radius)
    source = source_of(dataset)
    unit = nm_per_unit(coordinates, source.dataset)
    snapped = points_nm(locs, "nm", source.dataset)  # unscaled, so that what stays is not rounded
    points = snapped * unit
    _, supervoxels = members_of(source, id)
    there = source.watershed.at(points)
    _, inside = source.watershed.scale().voxels_at(points)
    wrong = inside & ~among(there, supervoxels) & (snap_zero | (there != 0))
    snapped[~inside] = 0
    snapped[wrong] = _nearest(source.watershed, points[wrong], supervoxels, search_radius) / unit
    if verbose:
        _report(wrong | ~inside, snapped)
    return snapped


def _check_radius(radius: Any) -> None:
    if not isinstance(radius, Real) or not 0 < float(radius) < np.inf:
        raise InvalidInput(f"search_radius={radius!r} is no distance", value=radius, hint="give nm above 0")


def _nearest(
    watershed: Watershed, points: NDArray[np.float64], supervoxels: NDArray[np.uint64], radius: float
) -> NDArray[np.float64]:
    """Return the nearest middle of a voxel of some supervoxels for each point, nm; [0, 0, 0] if none is near."""
    scale = watershed.scale()
    found = np.zeros_like(points)
    chunks = scale.chunks_of(scale.voxels_at(points)[0])
    for mine in grouped(chunks, np.arange(len(points)))[1]:
        found[mine] = _nearest_of_group(watershed, points[mine], supervoxels, radius)
    return found


def _nearest_of_group(
    watershed: Watershed, points: NDArray[np.float64], supervoxels: NDArray[np.uint64], radius: float
) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    scale = watershed.scale()
    low = np.floor((points.min(axis=0) - radius) / scale.resolution).astype(np.int64)
    high = np.floor((points.max(axis=0) + radius) / scale.resolution).astype(np.int64) + 1
    box = np.maximum(low, scale.low), np.minimum(high, scale.high)
    voxels, _ = voxels_in(watershed, supervoxels, chunks_of(watershed, supervoxels, box), box)
    middles = (voxels + 0.5) * scale.resolution
    if not len(middles):
        return np.zeros_like(points)
    limit = np.nextafter(radius, np.inf)  # the tree leaves out what is exactly as far
    _, place = cKDTree(middles).query(points, distance_upper_bound=limit)
    padded = np.concatenate([middles, np.zeros((1, 3))])  # the tree's answer for none is one past the last
    return np.asarray(padded[place])


def _report(needed: NDArray[np.bool_], snapped: NDArray[np.float64]) -> None:
    failed = int((snapped[needed] == 0).all(axis=1).sum())
    message = "%d of %d positions were not on the neuron; %d of these could not be moved onto it"
    _log.log(logging.WARNING if failed else logging.INFO, message, needed.sum(), len(needed), failed)
