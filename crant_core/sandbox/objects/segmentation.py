"""The supervoxels as a precomputed volume; chunks are cut out of the coarse grid when asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox import layout
from crant_core.sandbox.objects.stored import Stored, gzipped, stored_json
from crant_core.sandbox.objects.volumes import Box, Scale, encode_labels, info
from crant_core.sandbox.world import voxels as vx
from crant_core.sandbox.world.world import World

_CHUNK = (64, 64, 64)


def _scale(factor: int) -> Scale:
    """Return the scale whose voxels are `factor` times wider than the finest, and as deep."""
    shrink = np.array([factor, factor, 1])
    return Scale(
        resolution=tuple((shrink * layout.RESOLUTION).tolist()),
        offset=tuple((np.array(layout.VOXEL_OFFSET) // shrink).tolist()),
        size=tuple((layout.volume_size() // shrink).tolist()),
        chunk=_CHUNK,
        encoding="compressed_segmentation",
    )


SCALES = (_scale(1), _scale(2))


def find(world: World, path: str) -> Stored | None:
    """Return `info` or a chunk."""
    if path == "info":
        return stored_json(info(SCALES, "segmentation", "uint64", mesh="mesh"))
    key, _, name = path.partition("/")
    scale = next((scale for scale in SCALES if scale.key == key), None)
    box = scale.box(name) if scale else None
    if scale is None or box is None:
        return None
    labels = supervoxels_in(world, box, scale.resolution)
    return gzipped(encode_labels(labels))


def supervoxels_in(world: World, box: Box, resolution: tuple[int, int, int]) -> NDArray[np.uint64]:
    """Return the supervoxel ids in a box of voxels, 0 for background, indexed x, y, z."""
    factor = vx.VOXEL_NM // resolution
    offset = layout.offset_nm() // resolution
    low, high = (box[0] - offset) // factor, -((offset - box[1]) // factor)
    coarse = on_grid(world, low, high)
    fine = coarse.repeat(factor[0], 0).repeat(factor[1], 1).repeat(factor[2], 2)
    start = box[0] - offset - low * factor
    x, y, z = (slice(begin, begin + size) for begin, size in zip(start, box[1] - box[0], strict=True))
    return np.asarray(fine[x, y, z])


def on_grid(world: World, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the supervoxel ids of a block of grid voxels."""
    found = world.segmentation
    axes = [np.arange(begin, end) for begin, end in zip(low, high, strict=True)]
    index = at_grid(world, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    return np.where(index < 0, np.uint64(0), found.ids[index])


def at_grid(world: World, grid: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of the supervoxel at each grid voxel (…, 3), -1 for background."""
    found = world.segmentation
    keys = vx.key_of(grid)
    place = np.minimum(np.searchsorted(found.voxels.keys, keys), len(found.voxels.keys) - 1)
    return np.where(found.voxels.keys[place] == keys, found.of_voxel[place], -1)


def supervoxels_at(world: World, positions: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the supervoxel id at each position (n, 3) in nm, 0 for background."""
    index = at_grid(world, vx.grid_at(positions))
    return np.where(index < 0, np.uint64(0), world.segmentation.ids[index])
