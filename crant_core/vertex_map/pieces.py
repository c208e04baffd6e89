"""The parts of a surface that are in one chunk, and what can be said of each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from crant_core.mesh import Mesh
from crant_core.vertex_map.grid import ChunkGrid, Chunks, Points, blocks

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a surface in a chunk with several L2 ids.

    Attributes
    ----------
    chunk : int
        Number of the chunk.
    vertices : ndarray, (n,) int64
        Numbers of the surface's vertices that are in the chunk or on its border.
    positions : ndarray, (n, 3) float64
        Of these, nm.
    faces : ndarray, (m, 3) int64
        Corners as places in `vertices`.
    piece : ndarray, (n,) int64
        Which piece each vertex is of.
    """

    chunk: int
    vertices: Numbers
    positions: NDArray[np.float64]
    faces: Numbers
    piece: Numbers

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return int(self.piece.max()) + 1

    @cached_property
    def members(self) -> Sequence[Numbers]:
        """The vertices of each piece, as places in `vertices`."""
        return _grouped(self.piece, self.count)

    @cached_property
    def faces_of(self) -> Sequence[Numbers]:
        """The faces of each piece, as rows of `faces`."""
        return _grouped(self.piece[self.faces[:, 0]], self.count)


def pieces_in(
    mesh: Mesh, of_vertex: NDArray[np.int32], chunks: Chunks, several: NDArray[np.bool_], grid: ChunkGrid
) -> Iterator[Pieces]:
    """Cut out what is in each chunk that holds several L2 ids, by the number of the chunk.

    A face is in the chunk that its centre is in: meshes are cut at chunks. So a vertex on a border is part of the
    surface in each of the chunks.

    Parameters
    ----------
    mesh : Mesh
    of_vertex : ndarray, (n,) int32
        Number of each vertex' chunk, or -1.
    chunks : ndarray, (k, 3)
    several : ndarray, (k,) bool
        Which chunks.
    grid : ChunkGrid
    """
    rows, owner = _faces_there(mesh, of_vertex, chunks, several, grid)
    order = np.argsort(owner, kind="stable")
    rows, owner = rows[order], owner[order]
    numbers, starts = np.unique(owner, return_index=True)
    for number, some in zip(numbers.tolist(), np.split(rows, starts[1:]), strict=False):
        yield _pieces(number, mesh.vertices, mesh.faces[some])


def _faces_there(
    mesh: Mesh, of_vertex: NDArray[np.int32], chunks: Chunks, several: NDArray[np.bool_], grid: ChunkGrid
) -> tuple[Numbers, NDArray[np.int32]]:
    """Return the faces in chunks with several L2 ids, and the number of each face's chunk."""
    found, owners = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int32)]
    wanted = np.append(several, False)[of_vertex]  # -1 finds the last, which is added
    for part in blocks(len(mesh.faces)):
        rows = part.start + np.flatnonzero(wanted[mesh.faces[part]].any(axis=1))
        owner = grid.bins(mesh.vertices[mesh.faces[rows]].mean(axis=1, dtype=np.float64), chunks)
        there = np.append(several, False)[owner]
        found.append(rows[there])
        owners.append(owner[there])
    return np.concatenate(found), np.concatenate(owners)


def _pieces(number: int, vertices: Points, faces: Numbers) -> Pieces:
    used, corners = np.unique(faces, return_inverse=True)
    local = corners.reshape(-1, 3).astype(np.int64)
    a, b, c = local.T
    links = coo_matrix((np.ones(2 * len(a), dtype=np.bool_), (np.append(a, b), np.append(b, c))), (len(used),) * 2)
    piece = connected_components(links, directed=False)[1].astype(np.int64)
    return Pieces(number, used, vertices[used].astype(np.float64), local, piece)


def _grouped(numbers: Numbers, count: int) -> Sequence[Numbers]:
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.searchsorted(numbers[order], np.arange(1, count)))
