"""Removes what a mesh has twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils.edges import Faces, directed_edges, shells, undirected

_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def welded(mesh: Mesh) -> Mesh:
    """Join vertices at exactly the same position; drop faces without three different corners."""
    vertices = mesh.vertices + 0.0  # -0.0 becomes 0.0, which is the same place but other bits
    faces = mesh.faces
    if _repeats(vertices):
        rows = np.ascontiguousarray(vertices).view(np.dtype((np.void, vertices.itemsize * 3))).ravel()
        _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        used, faces = np.unique(first[inverse.ravel()[faces]], return_inverse=True)
        vertices, faces = vertices[used], faces.reshape(-1, 3).astype(np.int64)
    a, b, c = faces.T
    flat = (a == b) | (b == c) | (c == a)
    return Mesh(vertices, faces[~flat] if flat.any() else faces)


def _repeats(vertices: NDArray[np.float64]) -> bool:
    """Say whether a position may occur twice: equal ones have equal hashes."""
    bits = np.ascontiguousarray(vertices).view(np.uint64)
    mixed = bits * _MIX
    hashes = np.sort(mixed[:, 0] ^ (mixed[:, 1] >> np.uint64(7)) ^ (mixed[:, 2] << np.uint64(9)))
    return bool((hashes[1:] == hashes[:-1]).any())


def single(faces: Faces) -> Faces:
    """Keep one of the faces with the same three corners; none of a wall.

    A wall is where two parts of a mesh touch, each with its own face: both together bound nothing. A face that was
    doubled and turned over looks the same, but without it the surface would have a hole.
    """
    keys = np.sort(faces, axis=1)
    _, first, group, counts = np.unique(keys, axis=0, return_index=True, return_inverse=True, return_counts=True)
    if len(first) == len(faces):
        return faces
    even = _is_even(faces)
    ways = np.bincount(group.ravel(), weights=np.where(even, 1, -1))
    kept = np.sort(first)
    balanced = np.isin(kept, first[(ways == 0) & (counts > 1)])
    return _without_walls(faces[kept], balanced)


def _is_even(faces: Faces) -> NDArray[np.bool_]:
    """Say whether corners are in ascending order up to rotation."""
    a, b, c = faces.T
    return np.asarray(((a < b) & (b < c)) | ((b < c) & (c < a)) | ((c < a) & (a < b)))


def _without_walls(faces: Faces, balanced: NDArray[np.bool_]) -> Faces:
    """Remove, of faces that occur both ways, the connected pieces without which fewer edges are odd."""
    if not balanced.any():
        return faces
    suspects = np.flatnonzero(balanced)
    piece = shells(faces[suspects], int(faces.max()) + 1)
    known, total = np.unique(undirected(directed_edges(faces)), return_counts=True)
    gone = np.zeros(len(faces), dtype=np.bool_)
    for number in range(piece.max() + 1):
        members = suspects[piece == number]
        edges, own = np.unique(undirected(directed_edges(faces[members])), return_counts=True)
        rim = total[np.searchsorted(known, edges[own % 2 == 1])]
        gone[members] = (rim % 2 == 1).sum() > (rim % 2 == 0).sum()
    return faces[~gone]
