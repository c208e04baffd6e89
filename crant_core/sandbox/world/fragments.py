"""Mesh fragments of chunkedgraph nodes: triangles by supervoxel, written as Draco on a grid common to all chunks."""

from __future__ import annotations

from dataclasses import dataclass

import DracoPy
import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox import layout

GRID_NM = 1  #: fragments of neighbouring chunks round alike, so that they meet exactly
MAX_LAYER = 5  #: the highest layer with fragments of its own
_COMPRESSION = 5


@dataclass(frozen=True)
class Triangles:
    """All surfaces of the world, cut at chunks.

    Attributes
    ----------
    vertices : (v, 3) float64
        In nm.
    faces : (f, 3) int64
        Sorted by supervoxel.
    starts : (s + 1,) int64
        Where each supervoxel's triangles begin.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    starts: NDArray[np.int64]

    def part(self, supervoxels: NDArray[np.int64]) -> Mesh:
        """Return the surface of some supervoxels, given by index."""
        lengths = self.starts[supervoxels + 1] - self.starts[supervoxels]
        first = np.repeat(self.starts[supervoxels] - np.cumsum(lengths) + lengths, lengths)
        corners, faces = np.unique(self.faces[first + np.arange(lengths.sum())], return_inverse=True)
        return Mesh(self.vertices[corners], faces.reshape(-1, 3))


def sort_triangles(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], owner: NDArray[np.int64], supervoxels: int
) -> Triangles:
    """Group triangles by the supervoxel that owns each."""
    order = np.argsort(owner, kind="stable")
    return Triangles(vertices, faces[order], np.searchsorted(owner[order], np.arange(supervoxels + 1)))


def encode(mesh: Mesh, layer: int, chunk: NDArray[np.int64]) -> bytes:
    """Write a fragment as Draco; positions are rounded to whole grid steps from the start of its chunk.

    Parameters
    ----------
    mesh : Mesh
        In nm; must lie within the chunk.
    layer : int
    chunk : (3,) int64
        Chunk position in its own layer.
    """
    scale = 2 ** max(0, layer - 2)
    origin = layout.chunk_start(chunk * scale)
    steps = int(layout.chunk_nm().max()) * scale // GRID_NM
    bits = steps.bit_length()
    data: bytes = DracoPy.encode(
        mesh.vertices,
        mesh.faces.astype(np.uint32),
        quantization_bits=bits,
        quantization_range=float(GRID_NM * (2**bits - 1)),
        quantization_origin=origin.astype(np.float64),
        compression_level=_COMPRESSION,
    )
    return data


def dynamic_name(node: int) -> str:
    """Name the fragment of a node that an edit made: id, detail, extent in voxels (which ignores the offset)."""
    layer, chunk = int(layout.layer_of(node)), layout.chunk_of(node)
    size = np.array(layout.CHUNK_SIZE) * 2 ** max(0, layer - 2)
    extent = "_".join(f"{low}-{high}" for low, high in zip(chunk * size, (chunk + 1) * size, strict=True))
    return f"{node}:0:{extent}"


def raw(mesh: Mesh) -> bytes:
    """Write neuroglancer's legacy mesh format: uint32 count, float32 positions, uint32 triangles, little-endian."""
    count = np.array([len(mesh.vertices)], dtype="<u4")
    return count.tobytes() + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()
