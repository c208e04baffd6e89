"""Finds out, compiled and in a few passes, that a mesh needs no repair, which is so for nearly all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils.compiled import fixed, kernel

_MOST_EDGES = 64  # at a vertex, from there to ones with higher numbers; a mesh with more is looked at in numpy


def is_sound(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> bool:
    """Say whether a mesh is one closed shell that faces outward, without anything that is there twice.

    False means that it has to be looked at more closely.

    Parameters
    ----------
    vertices : ndarray, shape (n, 3)
        Finite.
    faces : ndarray, shape (m, 3)
        Indices of vertices that exist.
    """
    if 3 * len(faces) >= 2**31:
        return False
    vertices, faces = fixed(vertices), fixed(faces)
    starts = np.zeros(len(vertices) + 2, dtype=np.int32)
    ends = np.empty(3 * len(faces), dtype=np.int32)
    return bool(_are_paired(faces, starts, ends)) and _is_outward(vertices, faces) and _are_different(vertices)


def _is_outward(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> bool:
    parents = np.arange(len(vertices), dtype=np.int32)
    return bool(_is_one(faces, parents)) and bool(_volume(vertices, faces) > 0)


def _are_different(vertices: NDArray[np.float64]) -> bool:
    """Say whether no two vertices are at the same place; by hashes, so that it may be wrong if it says no."""
    size = 1 << max(4, (2 * len(vertices)).bit_length())
    return bool(_are_new(vertices, np.full(size, -1, dtype=np.int32)))


@kernel
def _are_paired(faces: Any, starts: Any, ends: Any) -> bool:  # noqa: C901  one pass after another
    """Say whether each edge has two faces, which run along it in opposite directions, and no face is a line.

    Edges are put in the order of their lower end by counting. In `ends` stands the upper one, and its complement where
    the edge runs down.
    """
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if a == b or b == c or c == a:  # noqa: PLR1714  numba knows no `in` here
            return False
        starts[min(a, b) + 2] += 1
        starts[min(b, c) + 2] += 1
        starts[min(c, a) + 2] += 1
    for vertex in range(2, len(starts)):
        starts[vertex] += starts[vertex - 1]
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        for start, end in ((a, b), (b, c), (c, a)):
            low = min(start, end) + 1
            ends[starts[low]] = end if start < end else ~start
            starts[low] += 1
    paired = True
    for vertex in range(len(starts) - 2):
        paired &= _is_paired(ends, starts[vertex], starts[vertex + 1])
    return paired


@kernel
def _is_paired(ends: Any, begin: int, end: int) -> bool:
    """Say whether every number occurs once and its complement once."""
    if end - begin > _MOST_EDGES:
        return False
    paired = True
    for one in range(begin, end):
        same = opposite = 0
        for other in range(begin, end):
            same += ends[other] == ends[one]
            opposite += ends[other] == ~ends[one]
        paired &= (same == 1) & (opposite == 1)
    return paired


@kernel
def _is_one(faces: Any, parents: Any) -> bool:
    """Say whether all faces hang together by their vertices (union-find with path halving)."""
    parts = len(parents)
    for face in range(len(faces)):
        root = _root(parents, faces[face, 0])
        for corner in range(1, 3):
            other = _root(parents, faces[face, corner])
            if other != root:
                low, high = min(root, other), max(root, other)
                parents[high] = low
                root, parts = low, parts - 1
    return parts == 1 or _are_others_unused(faces, parents)


@kernel
def _root(parents: Any, vertex: int) -> int:
    while parents[vertex] != vertex:
        parents[vertex] = parents[parents[vertex]]
        vertex = parents[vertex]
    return vertex


@kernel
def _are_others_unused(faces: Any, parents: Any) -> bool:
    root, same = _root(parents, faces[0, 0]), True
    for face in range(len(faces)):
        same &= _root(parents, faces[face, 0]) == root
    return same


@kernel
def _volume(vertices: Any, faces: Any) -> Any:
    """Return six times the signed volume, as seen from a corner, which keeps the rounding small."""
    x, y, z = vertices[faces[0, 0], 0], vertices[faces[0, 0], 1], vertices[faces[0, 0], 2]
    found = 0.0
    for face in range(len(faces)):
        one, two, three = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, az = vertices[one, 0] - x, vertices[one, 1] - y, vertices[one, 2] - z
        bx, by, bz = vertices[two, 0] - x, vertices[two, 1] - y, vertices[two, 2] - z
        cx, cy, cz = vertices[three, 0] - x, vertices[three, 1] - y, vertices[three, 2] - z
        found += ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    return found


@kernel
def _are_new(vertices: Any, table: Any) -> bool:
    """Put vertices in a hash table, until one is there."""
    mask = np.uint64(len(table) - 1)
    for vertex in range(len(vertices)):
        place = _hash(vertices[vertex, 0], vertices[vertex, 1], vertices[vertex, 2]) & mask
        while table[place] >= 0:
            other = table[place]
            same = vertices[vertex, 0] == vertices[other, 0] and vertices[vertex, 1] == vertices[other, 1]
            if same and vertices[vertex, 2] == vertices[other, 2]:
                return False
            place = (place + np.uint64(1)) & mask
        table[place] = vertex
    return True


@kernel
def _hash(x: float, y: float, z: float) -> Any:
    found = _bits(x + 0.0) * np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(32)) ^ _bits(y + 0.0)) * np.uint64(0xC2B2AE3D27D4EB4F)
    found = (found ^ (found >> np.uint64(29)) ^ _bits(z + 0.0)) * np.uint64(0x165667B19E3779F9)
    return found ^ (found >> np.uint64(32))


@kernel
def _bits(value: float) -> Any:
    return np.float64(value).view(np.uint64)
