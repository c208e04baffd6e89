"""Chunks of the chunkedgraph, in space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.errors import InvalidInput


def chunks_to_nm(xyz_ch: ArrayLike, vol: Any, voxel_resolution: ArrayLike | None = None) -> NDArray[Any]:
    """Say where chunks of the chunkedgraph begin.

    Parameters
    ----------
    xyz_ch : array_like, (n, 3) or (3,)
        Indices of L2 chunks along x, y, z; fractions are places inside, 0.5 the middle.
    vol : CloudVolume
        Graphene, such as `get_cloudvolume` opens; nothing is asked of any server.
    voxel_resolution : array_like, (3,), optional
        Nothing needs it: the volume knows its resolution. If given, the volume's voxels must be multiples of it (as
        16 × 16 × 42 are of 8 × 8 × 42), else it is of another dataset.

    Returns
    -------
    ndarray, (n, 3) or (3,)
        Low corners, nm, in the dataset's frame; int64 for whole indices and whole nm, else float64.

    Raises
    ------
    InvalidInput
        The indices are not (…, 3), the volume has no L2 chunks, or the resolution is not the volume's.
    """
    index = np.asarray(xyz_ch)
    if index.shape[-1:] != (3,):
        raise InvalidInput(f"chunk indices are (n, 3), these are {index.shape}", value=index.shape)
    if not hasattr(getattr(vol, "meta", None), "graph_chunk_size"):
        message = f"a {type(vol).__name__} has no L2 chunks"
        raise InvalidInput(message, value=type(vol).__name__, hint="take the graphene volume of get_cloudvolume")
    if index.dtype.kind in "ui":
        index = index.astype(np.int64)  # unsigned and signed ones together would be floats
    resolution = np.asarray(vol.meta.resolution(vol.meta.watershed_mip))
    if voxel_resolution is not None:
        _check_resolution(resolution, voxel_resolution)
    return np.asarray((index * np.asarray(vol.meta.graph_chunk_size) + _origin(vol)) * resolution)


def chunk_positions(ids: NDArray[np.uint64], vol: Any) -> NDArray[np.int64]:
    """Return in which L2 chunk supervoxels or L2 ids, all of one layer, are: (n, 3)."""
    if not len(ids):
        return np.empty((0, 3), dtype=np.int64)
    top = 64 - vol.meta.n_bits_for_layer_id
    bits = vol.meta.spatial_bit_count(int(ids[0]) >> top)
    mask = np.uint64((1 << bits) - 1)
    shifts = np.array([top - bits, top - 2 * bits, top - 3 * bits], dtype=np.uint64)
    return ((ids[:, None] >> shifts) & mask).astype(np.int64)


def _origin(vol: Any) -> NDArray[np.int64]:
    if not vol.meta.chunks_start_at_voxel_offset:
        return np.zeros(3, dtype=np.int64)
    return np.asarray(vol.meta.voxel_offset(vol.meta.watershed_mip), dtype=np.int64)


def _check_resolution(resolution: NDArray[Any], asked: ArrayLike) -> None:
    try:
        given = np.asarray(asked, dtype=np.float64)
    except (TypeError, ValueError) as error:
        hint = "give nm along x, y and z, or leave it out"
        raise InvalidInput(f"{asked!r} is no resolution", value=repr(asked)[:100], hint=hint) from error
    if given.shape != (3,) or not (given > 0).all() or (resolution % given != 0).any():
        message = f"the volume's voxels, {resolution.tolist()} nm, are no multiples of {given.tolist()} nm"
        raise InvalidInput(message, value=given.tolist(), hint="leave voxel_resolution out")
