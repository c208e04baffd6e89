"""The geometry of the sandbox's segmentation and how an id encodes it: CRANT's layout.

An id is `layer (8 bits) | x | y | z | segment`; how many bits a chunk coordinate takes depends on the layer.
"""

from __future__ import annotations

RESOLUTION = (16, 16, 42)  #: nm per segmentation voxel
CHUNK_SIZE = (512, 512, 256)  #: voxels
VOXEL_OFFSET = (250, 1400, 1000)  #: on purpose no multiple of the chunk, to bring offset mistakes to light
SIZE_IN_CHUNKS = (24, 40, 20)  #: 40 chunks along the longest axis are what makes 8 layers
N_LAYERS = 8
SPATIAL_BITS = {1: 10, 2: 10, 3: 5, 4: 4, 5: 3, 6: 2, 7: 1, 8: 1}

Triple = tuple[int, int, int]


def volume_size() -> Triple:
    """Return the volume's size in voxels."""
    x, y, z = (chunks * voxels for chunks, voxels in zip(SIZE_IN_CHUNKS, CHUNK_SIZE, strict=True))
    return x, y, z


def encode_id(layer: int, chunk: Triple, segment: int) -> int:
    """Pack layer, chunk position and segment into one 64-bit id."""
    bits = SPATIAL_BITS[layer]
    x, y, z = chunk
    position = (x << 2 * bits) | (y << bits) | z
    return (layer << 56) | (position << (56 - 3 * bits)) | segment


def chunk_at(position_nm: tuple[float, float, float]) -> Triple:
    """Return the chunk of layers 1 and 2 that contains a position in nm; chunks start at the voxel offset."""
    x, y, z = (
        int((nm / resolution - offset) // chunk)
        for nm, resolution, offset, chunk in zip(position_nm, RESOLUTION, VOXEL_OFFSET, CHUNK_SIZE, strict=True)
    )
    return x, y, z
