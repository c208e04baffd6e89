"""Joins the pieces of a surface where they meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh

_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
_HALF = np.uint64(32)


def welded(pieces: Sequence[Mesh]) -> Mesh:
    """Join pieces: vertices at exactly the same position become one, between pieces and within.

    Pieces are stored with the vertices of their borders on one grid, so shared ones are at exactly the same position;
    and Draco stores a vertex several times where a surface touches itself, so that pieces come with tears.

    Parameters
    ----------
    pieces : sequence of Mesh
        At least one.

    Returns
    -------
    Mesh
        Vertices in the order of their first occurrence. Faces without an area, two of whose corners became one, are
        left out, and so are vertices without a face.
    """
    vertices = np.concatenate([piece.vertices for piece in pieces])
    shifts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    faces = np.concatenate([piece.faces + shift for piece, shift in zip(pieces, shifts, strict=False)])
    corners = _first_at_position(vertices)[faces]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    used = np.zeros(len(vertices), dtype=np.bool_)
    used[corners] = True
    number = np.cumsum(used) - 1
    return Mesh(vertices[used], number[corners])


def area(mesh: Mesh) -> float:
    """Return the area of a surface, nm²."""
    a, b, c = (mesh.vertices[corner] for corner in mesh.faces.T)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _first_at_position(vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each vertex the first one at its position, by sorting a 64-bit key of each position."""
    bits = np.ascontiguousarray(vertices + 0.0).view(np.uint64)  # + 0.0 makes 0.0 of -0.0
    keys = np.zeros(len(vertices), dtype=np.uint64)
    for column, factor in zip(bits.T, _MIX, strict=True):
        keys = (keys ^ column) * factor
        keys ^= keys >> _HALF
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if (vertices[first[group]] != vertices).any():  # two positions with one key, which almost never happens
        _, first, group = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    return np.asarray(first[group.ravel()])
