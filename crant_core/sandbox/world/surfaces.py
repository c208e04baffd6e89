"""Surfaces cut along chunk borders, and which supervoxel each triangle belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.mesh import Mesh
from crant_core.sandbox import layout

_APART = 1e7  # nm between chunks in the fourth dimension: more than a volume is long


def cut_at_chunks(mesh: Mesh) -> Mesh:
    """Cut every triangle that crosses a border between chunks; area and shape stay as they are."""
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
    size, start = layout.chunk_nm(), layout.offset_nm()
    for axis in range(3):
        low, high = ((vertices[:, axis] - start[axis]) / size[axis]).min(), np.ptp(vertices[:, axis]) / size[axis]
        for number in range(int(np.ceil(low)), int(low + high) + 2):
            vertices, faces = _cut(vertices, faces, axis, float(number * size[axis] + start[axis]))
    return Mesh(vertices, faces)


def _cut(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], axis: int, plane: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut along one plane; triangles that only touch it stay whole."""
    side = np.sign(vertices[:, axis] - plane).astype(np.int8)[faces]
    crossing = (side.min(axis=1) < 0) & (side.max(axis=1) > 0)
    if not crossing.any():
        return vertices, faces
    turned, side = _lone_corner_first(faces[crossing], side[crossing])
    through_corner = (side == 0).any(axis=1)
    edges = np.concatenate([turned[:, [0, 1]], turned[~through_corner][:, [0, 2]]])
    added, index = _crossings(vertices, edges, axis, plane)
    first, second = index[: len(turned)], index[len(turned) :]
    whole = _halves(turned[through_corner], first[through_corner])
    split = _thirds(turned[~through_corner], first[~through_corner], second)
    return np.vstack([vertices, added]), np.concatenate([faces[~crossing], whole, split])


def _lone_corner_first(faces: NDArray[np.int64], side: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Turn triangles so that the corner alone on its side stands first; one corner on the plane then stands third."""
    alone = (side == -np.sign(side.sum(axis=1))[:, None]).argmax(axis=1)
    lone = np.where((side == 0).any(axis=1), (side == 0).argmax(axis=1) + 1, alone)
    turn = (lone[:, None] + np.arange(3)) % 3
    return np.take_along_axis(faces, turn, axis=1), np.take_along_axis(side, turn, axis=1)


def _crossings(
    vertices: NDArray[np.float64], edges: NDArray[np.int64], axis: int, plane: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make one new vertex per crossed edge, shared by both its triangles."""
    low, high = edges.min(axis=1), edges.max(axis=1)
    packed, index = np.unique(low << 32 | high, return_inverse=True)
    start, end = vertices[packed >> 32], vertices[packed & 0xFFFFFFFF]
    share = (plane - start[:, axis]) / (end[:, axis] - start[:, axis])
    added = start + share[:, None] * (end - start)
    added[:, axis] = plane  # exactly, or the two sides would not meet
    return added, index + len(vertices)


def _halves(turned: NDArray[np.int64], cut: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut through the third corner and the edge between the others."""
    first, second, third = turned.T
    return np.concatenate([np.stack([first, cut, third], axis=1), np.stack([cut, second, third], axis=1)])


def _thirds(turned: NDArray[np.int64], one: NDArray[np.int64], two: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut through both edges of the first corner."""
    first, second, third = turned.T
    corners = ([first, one, two], [one, second, third], [one, third, two])
    return np.concatenate([np.stack(corner, axis=1) for corner in corners])


def triangle_chunks(mesh: Mesh) -> NDArray[np.int64]:
    """Return the chunk of each triangle's centre, (m, 3)."""
    return layout.chunk_at(mesh.vertices[mesh.faces].mean(axis=1))


def nearest_in_chunk(
    positions: NDArray[np.float64],
    chunks: NDArray[np.int64],
    centres: NDArray[np.float64],
    their_chunks: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return for each position the nearest centre in the same chunk, or -1 where the chunk has none."""
    number = np.unique(np.concatenate([chunks, their_chunks]), axis=0, return_inverse=True)[1]
    fourth = number.ravel()[:, None] * _APART
    distances, nearest = cKDTree(np.hstack([centres, fourth[len(chunks) :]])).query(
        np.hstack([positions, fourth[: len(chunks)]])
    )
    return np.where(distances < _APART / 2, nearest, -1)
