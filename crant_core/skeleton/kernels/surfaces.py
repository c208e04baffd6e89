"""Kernels on whole surfaces: positions on a grid, equal ones joined, neighbours.

Large arrays are made by numpy and handed over: it asks the system for large pages, which numba's own arrays do
without, and writing to them for the first time is six times as fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.rings import Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign

_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))
_SHIFT, _HALF, _ONE = np.uint64(31), np.uint64(32), np.uint64(1)
_COUNT = np.uint64(0xFFFFFF)  # the low bits of a fan's record count its faces, the others balance its neighbours


@compiled
def bounds(vertices: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the bounding box; NaN if any coordinate is not a finite number."""
    low, high, odd = np.full(3, np.inf), np.full(3, -np.inf), 0.0
    for vertex in range(len(vertices)):
        for axis in range(3):
            value = vertices[vertex, axis]
            low[axis], high[axis] = min(low[axis], value), max(high[axis], value)
            odd += value - value
    return low + odd, high + odd


def on_grid(vertices: Floats, origin: Floats, grid: float) -> Ints:
    """Return positions in cells from an origin, (n, 3), int32."""
    places = np.empty(vertices.shape, dtype=np.int32)
    _round(vertices, origin, 1 / grid, places)
    return places


@compiled
def _round(vertices: Floats, origin: Floats, per_nm: float, places: Ints) -> None:
    for vertex in range(len(vertices)):
        for axis in range(3):
            places[vertex, axis] = np.int32(np.rint((vertices[vertex, axis] - origin[axis]) * per_nm))


def surface(places: Ints, faces: Ints, grid: float) -> Surface:
    """Join equal positions, drop flat faces and unused vertices, find neighbours."""
    distinct, number = np.empty_like(places), np.empty(len(places), dtype=np.uint32)
    table = np.full(1 << max(4, (2 * len(places)).bit_length()), -1, dtype=np.int32)
    count = _number(places, table, number, distinct)
    del table
    corners, fans = np.empty((len(faces), 3), dtype=np.uint32), np.zeros(count, dtype=np.uint64)
    kept = _renamed(faces, number, corners, fans)
    return _linked(*_without_unused(distinct[:count], corners[:kept], fans), grid)


def _linked(places: Ints, faces: Ints, fans: Ints, grid: float) -> Surface:
    starts = np.empty(len(fans) + 1, dtype=np.uint32)
    links = np.empty((_starts(fans, starts), 2), dtype=np.uint32)
    total, longest = _link(places, faces, fans, starts[:-1].copy(), links)
    return Surface(places, faces, starts, links, fans > _COUNT, total, longest, grid)


@compiled
def _number(places: Ints, table: Ints, number: Ints, distinct: Ints) -> int:
    """Number distinct rows by open addressing. In one piece: as calls of smaller kernels it takes twice as long."""
    mask, count = np.uint64(len(table) - 1), 0
    for row in range(len(places)):
        x, y, z = places[row, 0], places[row, 1], places[row, 2]
        mixed = (np.uint64(x) << _HALF | np.uint64(y)) * _MIX[0]
        mixed = ((mixed ^ (mixed >> _SHIFT)) + np.uint64(z)) * _MIX[1]
        slot = (mixed ^ (mixed >> _SHIFT)) & mask
        found = table[slot]
        while found >= 0 and (places[found, 0] != x or places[found, 1] != y or places[found, 2] != z):
            slot = (slot + _ONE) & mask
            found = table[slot]
        if found >= 0:
            number[row] = number[found]
            continue
        table[slot], number[row] = row, count
        distinct[count, 0], distinct[count, 1], distinct[count, 2] = x, y, z
        count += 1
    return count


@inlined
def _mixed(vertex: int) -> np.uint64:
    value = (np.uint64(vertex) + _ONE) * _MIX[0]
    return ((value ^ (value >> _SHIFT)) * _MIX[0]) & ~_COUNT


@compiled
def _renamed(faces: Ints, number: Ints, corners: Ints, fans: Ints) -> int:
    """Give faces' corners new numbers, leave out faces of which two corners become one, and record every fan.

    Around a closed fan each neighbour follows once and precedes once, so that the sums of their hashes are equal.
    """
    count = 0
    for face in range(len(faces)):
        a = number[np.uint64(faces[face, 0])]
        b = number[np.uint64(faces[face, 1])]
        c = number[np.uint64(faces[face, 2])]
        if a in (b, c) or b == c:
            continue
        corners[count, 0], corners[count, 1], corners[count, 2] = a, b, c
        count += 1
        of_a, of_b, of_c = _mixed(a), _mixed(b), _mixed(c)
        fans[a] += of_b - of_c + _ONE
        fans[b] += of_c - of_a + _ONE
        fans[c] += of_a - of_b + _ONE
    return count


@compiled
def corner_range(faces: Ints) -> tuple[int, int]:
    """Return the lowest and the highest vertex that a face names."""
    low, high = faces[0, 0], faces[0, 0]
    for face in range(len(faces)):
        for corner in range(3):
            low, high = min(low, faces[face, corner]), max(high, faces[face, corner])
    return low, high


def _without_unused(places: Ints, corners: Ints, fans: Ints) -> tuple[Ints, Ints, Ints]:
    used = fans > 0
    if used.all():
        return places, corners, fans
    return places[used], (np.cumsum(used, dtype=np.uint32) - np.uint32(1))[corners], fans[used]


@compiled
def _starts(fans: Ints, starts: Ints) -> int:
    """Count every vertex's links: one for each face, or where the fan is open two, as some are seen from one side."""
    total = 0
    starts[0] = 0
    for vertex in range(len(fans)):
        total += int(fans[vertex] & _COUNT) << int(fans[vertex] > _COUNT)
        starts[vertex + 1] = total
    return total


@compiled
def _link(places: Ints, faces: Ints, fans: Ints, place: Ints, links: Ints) -> tuple[int, int]:
    """List every vertex's neighbours with the edges' lengths; return the sum of these, and the longest."""
    total = longest = 0
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ab, bc, ca = _apart(places, a, b), _apart(places, b, c), _apart(places, c, a)
        total += int(ab) + int(bc) + int(ca)
        longest = max(longest, int(ab), int(bc), int(ca))
        for vertex, following, length, preceding, other in ((a, b, ab, c, ca), (b, c, bc, a, ab), (c, a, ca, b, bc)):
            at = place[vertex]
            links[at, 0], links[at, 1] = following, length
            if fans[vertex] > _COUNT:
                at += np.uint32(1)
                links[at, 0], links[at, 1] = preceding, other
            place[vertex] = at + np.uint32(1)
    return total, longest


@inlined
def _apart(places: Ints, one: int, other: int) -> np.uint32:
    x = np.float64(places[other, 0] - places[one, 0])
    y = np.float64(places[other, 1] - places[one, 1])
    z = np.float64(places[other, 2] - places[one, 2])
    return np.uint32(np.rint(np.sqrt(x * x + y * y + z * z)))


@compiled
def lengths_within(surface: Surface, labels: Ints, chosen: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the sum of edge lengths of the faces in some pieces, and how many faces that are."""
    places, faces, total, count = surface.places, surface.faces, 0, 0
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if chosen[labels[a]]:
            count += 1
            total += int(_apart(places, a, b)) + int(_apart(places, b, c)) + int(_apart(places, c, a))
    return total, count
