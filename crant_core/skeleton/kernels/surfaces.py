"""Kernels on whole surfaces: equal positions, connected pieces, lengths, normals.

Large arrays are made by numpy and handed over: it asks the system for large pages, which numba's own arrays do
without, and writing to them for the first time is six times as fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.slices import Pieces

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # 32 or 64 bits wide
Bits = NDArray[np.uint64]

NO_AREA = 1e-6  #: nm²; weights must not vanish where a surface is folded flat
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFT = np.uint64(31)


def weld(vertices: Floats, faces: Ints) -> tuple[Floats, Ints]:
    """Join vertices at equal positions; drop flat faces and unused vertices: vertices, and faces."""
    tidy = np.ascontiguousarray(vertices, dtype=np.float64) + 0.0  # -0.0 is the same place as 0.0 but other bits
    table = np.full(1 << max(4, (2 * len(tidy)).bit_length()), -1, dtype=np.int32)
    number, first = np.empty(len(tidy), dtype=np.int32), np.empty(len(tidy), dtype=np.int32)
    count = _number(tidy.view(np.uint64), table, number, first)
    del table
    renamed = _rename(faces, number)
    return compact(tidy, renamed) if count == len(tidy) else compact(tidy[first[:count]], renamed)


def compact(vertices: Floats, faces: Ints) -> tuple[Floats, Ints]:
    """Drop vertices that no face names; the others keep their order."""
    number, count = _used(faces, len(vertices))
    return (vertices, faces) if count == len(vertices) else (vertices[number >= 0], _rename(faces, number))


def subset(vertices: Floats, faces: Ints, stays: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """Keep some vertices and the faces among them; pieces are kept or dropped as a whole."""
    number = np.where(stays, np.cumsum(stays, dtype=np.int32) - np.int32(1), np.int32(-1))
    return np.compress(stays, vertices, axis=0), _rename(faces, number)


@compiled
def _used(faces: Ints, count: int) -> tuple[Ints, int]:
    number, used = np.full(count, -1, np.int32), 0
    for face in range(len(faces)):
        for corner in range(3):
            number[faces[face, corner]] = 0
    for vertex in range(count):
        if number[vertex] == 0:
            number[vertex] = used
            used += 1
    return number, used


def _rename(faces: Ints, number: Ints) -> Ints:
    """Give faces' corners new numbers, and leave out faces of which two become one, or the first becomes none."""
    renamed = np.empty((len(faces), 3), dtype=np.int32)
    return renamed[: _renamed(faces, number, renamed)]


@compiled
def _renamed(faces: Ints, number: Ints, renamed: Ints) -> int:
    count = 0
    for face in range(len(faces)):
        a, b, c = number[faces[face, 0]], number[faces[face, 1]], number[faces[face, 2]]
        if a >= 0 and a not in (b, c) and b != c:
            renamed[count, 0], renamed[count, 1], renamed[count, 2] = a, b, c
            count += 1
    return count


@compiled
def _number(bits: Bits, table: Ints, number: Ints, first: Ints) -> int:
    """Number distinct rows by open addressing. In one piece: as calls of smaller kernels it takes twice as long."""
    mask, count = np.uint64(len(table) - 1), 0
    for row in range(len(bits)):
        x, y, z = bits[row, 0], bits[row, 1], bits[row, 2]
        mixed = x * _MIX[0]
        mixed = ((mixed ^ (mixed >> _SHIFT)) + y) * _MIX[1]
        mixed = ((mixed ^ (mixed >> _SHIFT)) + z) * _MIX[2]
        slot = (mixed ^ (mixed >> _SHIFT)) & mask
        found = table[slot]
        while found >= 0 and (bits[first[found], 0] != x or bits[first[found], 1] != y or bits[first[found], 2] != z):
            slot = (slot + np.uint64(1)) & mask
            found = table[slot]
        if found < 0:
            found = table[slot] = count
            first[count] = row
            count += 1
        number[row] = found
    return count


@inlined
def _find(above: Ints, node: int) -> int:
    """Return the lowest node of a union-find tree, halving the way there."""
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node


@inlined
def _unite(above: Ints, one: int, other: int) -> None:
    """Join two union-find trees under the lower of both roots."""
    one, other = _find(above, one), _find(above, other)
    if one < other:
        above[other] = one
    else:
        above[one] = other


@compiled
def _numbered(above: Ints, labels: Ints) -> int:
    """Turn union-find trees, in which the lowest node is the root, into labels in order of first occurrence."""
    count = 0
    for node in range(len(above)):
        root = _find(above, node)
        if root == node:
            labels[node] = count
            count += 1
        else:
            labels[node] = labels[root]
    return count


def pieces(vertices: Floats, faces: Ints) -> Pieces:
    """Find the connected pieces of a surface, and where to begin each."""
    labels, count = level_sets(faces, np.zeros(len(vertices), dtype=np.int32))
    sizes, low, high = _boxes(vertices, labels, count)
    return Pieces(labels, sizes, low, high, _seeds(vertices, labels, low, np.argmax(high - low, axis=1)))


def level_sets(faces: Ints, levels: Ints) -> tuple[Ints, int]:
    """Label the connected sets of vertices of one level, in order of first occurrence; also how many there are."""
    above, labels = np.arange(len(levels), dtype=np.int32), np.empty(len(levels), dtype=np.int32)
    _join(faces, levels, above)
    return labels, _numbered(above, labels)


@compiled
def _join(faces: Ints, levels: Ints, above: Ints) -> None:
    for face in range(len(faces)):
        for corner in range(3):
            one, other = faces[face, corner], faces[face, (corner + 1) % 3]
            if levels[one] == levels[other] and above[one] != above[other]:
                _unite(above, one, other)


@compiled
def _boxes(vertices: Floats, labels: Ints, count: int) -> tuple[Ints, Floats, Floats]:
    sizes, low, high = np.zeros(count, np.int64), np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    for vertex in range(len(labels)):
        piece = labels[vertex]
        sizes[piece] += 1
        for axis in range(3):
            low[piece, axis] = min(low[piece, axis], vertices[vertex, axis])
            high[piece, axis] = max(high[piece, axis], vertices[vertex, axis])
    return sizes, low, high


@compiled
def _seeds(vertices: Floats, labels: Ints, low: Floats, axes: Ints) -> Ints:
    seeds = np.full(len(low), -1, np.int64)
    for vertex in range(len(labels)):
        piece = labels[vertex]
        if seeds[piece] < 0 and vertices[vertex, axes[piece]] == low[piece, axes[piece]]:
            seeds[piece] = vertex
    return seeds


@compiled
def edge_lengths(vertices: Floats, faces: Ints) -> tuple[float, float]:
    """Return the sum of all faces' edge lengths, and the longest."""
    total = longest = 0.0
    for face in range(len(faces)):
        for corner in range(3):
            length = distance(vertices, faces[face, corner], faces[face, (corner + 1) % 3])
            total += length
            longest = max(longest, length)
    return total, longest


@inlined
def distance(vertices: Floats, one: int, other: int) -> float:
    """Return the distance between two vertices."""
    x = vertices[one, 0] - vertices[other, 0]
    y = vertices[one, 1] - vertices[other, 1]
    z = vertices[one, 2] - vertices[other, 2]
    return float(np.sqrt(x * x + y * y + z * z))


def normals(vertices: Floats, faces: Ints) -> tuple[Floats, Floats]:
    """Return each vertex's normal, (n, 3), and area, (n,)."""
    total, area = np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    _normals(vertices, faces, total, area)
    return total, np.maximum(area, NO_AREA, out=area)


@compiled
def _normals(vertices: Floats, faces: Ints, total: Floats, area: Floats) -> None:
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        x, y, z = _cross(vertices, a, b, c)
        size = np.sqrt(x * x + y * y + z * z) / 6
        for corner in (a, b, c):
            total[corner, 0] += x
            total[corner, 1] += y
            total[corner, 2] += z
            area[corner] += size


@inlined
def _cross(vertices: Floats, a: int, b: int, c: int) -> tuple[float, float, float]:
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    wx, wy, wz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    return uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
