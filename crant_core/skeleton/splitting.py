"""Halves long edges of a mesh: a decimated surface has triangles longer than its neurites are thick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh

_ROUNDS = 8  # each halves the longest edge: enough for edges of 256 × the limit


def split_long_edges(mesh: Mesh, longest: float) -> Mesh:
    """Halve edges longer than `longest` nm, at most eight times, leaving no gap between neighbouring faces.

    A face with one, two or three long edges becomes two, three or four; the shape stays as it is.
    """
    vertices, fresh, done = mesh.vertices, mesh.faces.astype(np.int64), []
    for _ in range(_ROUNDS):
        cut = _long_edges(vertices, fresh, longest)
        touched = cut.any(axis=1)
        # An edge is cut in all its faces at once, so a face without long edges is never touched again.
        done.append(fresh[~touched])
        fresh, cut = fresh[touched], cut[touched]
        if not len(fresh):
            break
        middles, added = _midpoints(vertices, fresh, cut)
        vertices = np.concatenate([vertices, added])
        fresh = np.concatenate([_parts(fresh, cut, middles, count) for count in (1, 2, 3)])
    return Mesh(vertices, np.concatenate([*done, fresh]).astype(mesh.faces.dtype))


def _long_edges(vertices: NDArray[np.float64], faces: NDArray[np.int64], longest: float) -> NDArray[np.bool_]:
    """Say of each face's edges whether they are long; edge k runs from corner k to the next."""
    long = np.empty(faces.shape, dtype=bool)
    for corner in range(3):
        x, y, z = (vertices[faces[:, corner]] - vertices[faces[:, (corner + 1) % 3]]).T
        long[:, corner] = x * x + y * y + z * z > longest**2
    return long


def _midpoints(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], cut: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Make one vertex per long edge, whichever face sees it: its number at each face's edge, and the positions."""
    following = np.roll(faces, -1, axis=1)
    low, high = np.minimum(faces, following)[cut], np.maximum(faces, following)[cut]
    edges, index = np.unique(low << 32 | high, return_inverse=True)
    middles = np.full(faces.shape, -1, dtype=np.int64)
    middles[cut] = index.ravel() + len(vertices)
    return middles, (vertices[edges >> 32] + vertices[edges & 0xFFFFFFFF]) / 2


def _parts(
    faces: NDArray[np.int64], cut: NDArray[np.bool_], middles: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Cut up the faces with `count` long edges, turned so that the odd edge out comes first."""
    chosen = cut.sum(axis=1) == count
    odd = {1: cut[chosen].argmax(axis=1), 2: (~cut[chosen]).argmax(axis=1), 3: np.zeros(chosen.sum(), dtype=np.int64)}
    turn = (odd[count][:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces[chosen], turn, axis=1).T
    ab, bc, ca = np.take_along_axis(middles[chosen], turn, axis=1).T
    triangles = {
        1: ((a, ab, c), (ab, b, c)),
        2: ((a, b, bc), (a, bc, ca), (ca, bc, c)),
        3: ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)),
    }
    return np.concatenate([np.stack(triangle, axis=1) for triangle in triangles[count]])
