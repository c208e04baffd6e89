"""The geometry of the sandbox's segmentation and how an id encodes it: CRANT's layout.

An id is `layer (8 bits) | x | y | z | segment`; how many bits a chunk coordinate takes depends on the layer. Functions
take and return numpy arrays; positions are in nm unless a name says voxels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESOLUTION = (16, 16, 42)  #: nm per segmentation voxel
USER_RESOLUTION = (8, 8, 42)  #: nm per voxel in which people and annotations count
CHUNK_SIZE = (512, 512, 256)  #: voxels of an L2 chunk
VOXEL_OFFSET = (250, 1400, 1000)  #: on purpose no multiple of the chunk, to bring offset mistakes to light
SIZE_IN_CHUNKS = (60, 60, 60)  #: mostly empty; more than 32 along the longest axis are what makes 8 layers
N_LAYERS = 8
SPATIAL_BITS = {1: 10, 2: 10, 3: 5, 4: 4, 5: 3, 6: 2, 7: 1, 8: 1}

_LAYER_SHIFT = np.uint64(56)
_BITS = np.array([10, *(SPATIAL_BITS[layer] for layer in range(1, N_LAYERS + 1))], dtype=np.uint64)  # 0 as 1

Ids = NDArray[np.uint64]


def chunk_nm() -> NDArray[np.int64]:
    """Return the size of an L2 chunk, (3,) int64, nm."""
    return np.multiply(CHUNK_SIZE, RESOLUTION)


def offset_nm() -> NDArray[np.int64]:
    """Return where the volume and its first chunk begin, (3,) int64, nm."""
    return np.multiply(VOXEL_OFFSET, RESOLUTION)


def volume_size() -> NDArray[np.int64]:
    """Return the volume's size, (3,) int64, voxels."""
    return np.multiply(SIZE_IN_CHUNKS, CHUNK_SIZE)


def encode(layer: ArrayLike, chunk: ArrayLike, segment: ArrayLike) -> Ids:
    """Pack layers, chunk positions (…, 3) and segments into ids; all broadcast."""
    layers = np.asarray(layer, dtype=np.uint64)
    bits = _BITS[layers.astype(np.int64)]
    x, y, z = np.moveaxis(np.asarray(chunk, dtype=np.uint64), -1, 0)
    position = (x << (bits + bits)) | (y << bits) | z
    shift = _LAYER_SHIFT - np.uint64(3) * bits
    return np.asarray((layers << _LAYER_SHIFT) | (position << shift) | np.asarray(segment, dtype=np.uint64))


def layer_of(ids: ArrayLike) -> NDArray[np.int64]:
    """Return each id's layer: 1 supervoxel, 2 L2 chunk, `N_LAYERS` root."""
    return (np.asarray(ids, dtype=np.uint64) >> _LAYER_SHIFT).astype(np.int64)


def chunk_of(ids: ArrayLike) -> NDArray[np.int64]:
    """Return each id's chunk position in its own layer, (…, 3) int64."""
    nodes = np.asarray(ids, dtype=np.uint64)
    bits = _BITS[layer_of(nodes)]
    mask = (np.uint64(1) << bits) - np.uint64(1)
    position = nodes >> (_LAYER_SHIFT - np.uint64(3) * bits)
    parts = (position >> (bits + bits), position >> bits, position)
    return np.stack([part & mask for part in parts], axis=-1).astype(np.int64)


def chunk_id_of(ids: ArrayLike) -> Ids:
    """Return the ids with their segment set to 0: what cloud-volume calls a chunk id."""
    nodes = np.asarray(ids, dtype=np.uint64)
    shift = _LAYER_SHIFT - np.uint64(3) * _BITS[layer_of(nodes)]
    return np.asarray((nodes >> shift) << shift)


def ancestor_chunk(chunk: ArrayLike, layer: int) -> NDArray[np.int64]:
    """Return which chunk of `layer` contains a chunk of layers 1 and 2; chunks double their side per layer."""
    return np.asarray(chunk, dtype=np.int64) >> max(0, layer - 2)


def chunk_at(positions: ArrayLike) -> NDArray[np.int64]:
    """Return the L2 chunks that contain positions (…, 3) in nm; chunks start at the voxel offset."""
    return np.floor((np.asarray(positions) - offset_nm()) / chunk_nm()).astype(np.int64)


def chunk_start(chunk: ArrayLike) -> NDArray[np.int64]:
    """Return where L2 chunks begin, (…, 3) int64, nm."""
    return np.asarray(chunk, dtype=np.int64) * chunk_nm() + offset_nm()
