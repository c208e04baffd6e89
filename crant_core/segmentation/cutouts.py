"""Boxes of the segmentation, as supervoxels or as roots."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.segmentation.places import box_nm, voxel_box
from crant_core.sources.cave import CaveSource
from crant_core.times import When, resolve

MOST_VOXELS = 2**30  #: of one cutout, 8 GiB: a box in the wrong unit is a thousand times that
_LAYERS = 32  # of a cutout that are looked through at a time


def get_segmentation_cutout(
    bbox: Any,
    root_ids: bool = True,
    mip: int = 0,
    coordinates: str = "nm",
    *,
    dataset: str | Dataset | None = None,
    timestamp: When = "mat",
) -> tuple[NDArray[np.uint64], NDArray[Any], NDArray[Any]]:
    """Fetch a box of the segmentation.

    Positions are in the dataset's frame: nm, voxel (0, 0, 0) begins at 0.

    Source: the segmentation's bucket, each storage chunk once, and for roots
    `POST /segmentation/api/v1/table/{table}/roots_binary`, each supervoxel once.

    Parameters
    ----------
    bbox : array_like, (3, 2) or (2, 3)
        `[[xmin, xmax], [ymin, ymax], [zmin, zmax]]`, or the two corners. All voxels that it touches are fetched.
    root_ids : bool
        Give root ids; if False, supervoxel ids.
    mip : int
        Scale to fetch; 0 is the finest.
    coordinates : {"nm", "voxel", "voxels"}
        Unit of `bbox`; voxels are those of the dataset's viewer (CRANT: 8 × 8 × 42 nm), whatever the scale.
    dataset : str or Dataset, optional
        Left out, the default dataset.
    timestamp : str, int, datetime or None
        Of the roots, one time for all voxels, in the forms of `locs_to_segments`. Left out, that of the latest
        materialization, as in `supervoxels_to_roots`; give `None` to compare with roots of now, such as those of
        `update_ids` and `locs_to_segments`.

    Returns
    -------
    cutout : ndarray, (x, y, z) uint64
        The caller's own. 0 is background, and what belonged to no root at that time; never a chunk that could not be
        fetched.
    resolution : ndarray, (3,) int64
        nm per voxel; float64 for datasets whose voxels are no whole nm.
    nm_offset : ndarray, (3,) int64
        Low corner of the cutout, nm.

    Raises
    ------
    OutOfBounds
        The box is not inside the segmentation, which covers less than the images.
    InvalidInput
        No box, an empty one, one of more than 2**30 voxels, an unknown unit or scale.
    InvalidTime
    VersionNotFound
    DataMissing
        Storage lacks a chunk of the box, or forbids it.
    SourceError
    """
    source = source_of(dataset)
    box = box_nm(bbox, coordinates, source.dataset)
    scale = source.watershed.scale(mip)
    low, high = voxel_box(box, scale)
    _check_size(high - low)
    moment = resolve(source, timestamp).timestamp if root_ids else None
    found = source.watershed.box(low, high, mip)
    if moment is not None:
        relabel(found, source, moment)
    resolution = np.asarray(scale.resolution, dtype=np.float64)
    return found, _whole(resolution), _whole(low * resolution)


def relabel(supervoxels: NDArray[np.uint64], source: CaveSource, moment: datetime) -> None:
    """Replace supervoxels by their roots at one time, in place: one question, one pass, however many ids there are."""
    import fastremap

    found = distinct(supervoxels)
    roots = source.graph.roots(found, moment)
    fastremap.remap(supervoxels, dict(zip(found.tolist(), roots.tolist(), strict=True)), in_place=True)


def distinct(cutout: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """List the ids of a cutout, sorted; slab by slab, because a copy is made of what is looked through."""
    import fastremap

    slabs = (cutout[:, :, low : low + _LAYERS] for low in range(0, cutout.shape[2], _LAYERS))
    return np.unique(np.concatenate([fastremap.unique(slab) for slab in slabs]))


def _check_size(shape: NDArray[np.int64]) -> None:
    voxels = int(shape.prod())
    if voxels > MOST_VOXELS:
        message = f"the box has {' × '.join(map(str, shape))} voxels, more than {MOST_VOXELS:,}"
        raise InvalidInput(message, value=voxels, hint="take smaller boxes, or a higher mip")


def _whole(values: NDArray[np.float64]) -> NDArray[Any]:
    rounded = np.rint(values)
    return rounded.astype(np.int64) if (rounded == values).all() else values
