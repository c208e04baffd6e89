"""Decides, for points in boundary cells, how often the way to the cell's centre crosses each surface there; compiled.

What is to be decided lies in lists that fit a processor's cache, and each step makes a shorter one for the next: all
pairs of a point and a triangle; those of which the plane lies between point and centre; those that rounding leaves
unsure. Without branches the processor works on many at a time, which is what makes it fast.
"""
# ruff: noqa: PLR0917  kernels take arrays one by one

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils import crossing, quick
from crant_core.neuropils.cases import Cases
from crant_core.neuropils.compiled import kernel
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels

_PAIRS = 1 << 13  # of a point and a triangle at a time
_CASES = 256  # at a time
_FULL = 1 << 12  # pairs; more leave no room for as many again
_UNSURE = 2
_ONE, _X, _Y, _Z = np.uint32(1), np.uint64(1), np.uint64(2), np.uint64(3)  # unsigned: nobody counts from the end
_LENGTH = 16  # numbers of a triangle in `Labels.quick`


def decide(points: NDArray[np.float64], cases: Cases, frame: Frame, labels: Labels) -> NDArray[np.bool_]:
    """Say for each case whether the point is inside the surface."""
    states = labels.states[cases.crossing].view(np.uint8)
    grid = (frame.origin, frame.cell, frame.shape, (*frame.middle.tolist(),))
    rough = (float(quick.plane_tolerance(frame)) * quick.PLANE_SHARE, quick.LINE_SHARE)
    true = (crossing.ROUNDING, crossing.PLANE_ROUNDING)
    triangles = (labels.pairs, labels.quick.reshape(-1), labels.vertices, labels.faces)
    _count(points, grid, cases.row, cases.begin, cases.end, *triangles, rough, true, states)
    unsure = np.flatnonzero(states & _UNSURE)
    if len(unsure):
        states[unsure] = crossing.inside(
            points[cases.row[unsure]], cases.crossing[unsure].astype(np.int64), frame, labels
        )
    return states.view(np.bool_)


@kernel
def _count(
    points: Any,
    grid: Any,
    rows: Any,
    begin: Any,
    end: Any,
    pairs: Any,
    table: Any,
    vertices: Any,
    faces: Any,
    rough: Any,
    true: Any,
    states: Any,
) -> None:
    """Count crossings modulo 2 in `states`; those of which one cannot be decided get the bit `_UNSURE`."""
    which, triangles = np.empty(_PAIRS, dtype=np.int32), np.empty(_PAIRS, dtype=np.uint32)
    places, centres = np.empty((_CASES, 3)), np.empty((_CASES, 3))
    for block in range(0, len(rows), _CASES):
        part = slice(block, block + _CASES)
        own_rows, own_begin, own_end, own_states = rows[part], begin[part], end[part], states[part]
        _locate(points, own_rows, grid, places, centres)
        case = done = 0
        while case < len(own_rows):
            case, done, left = _beside(case, done, own_begin, own_end, places, pairs, table, rough[0], which, triangles)
            left = _through(places, centres, table, rough[1], which, triangles, left, own_states)
            _surely(points, own_rows, grid, vertices, faces, true, which, triangles, left, own_states)


@kernel
def _locate(points: Any, rows: Any, grid: Any, places: Any, centres: Any) -> None:
    """Write points and the centres of their cells, relative to the grid's middle."""
    origin, cell, shape, middle = grid
    for case in range(len(rows)):
        point = _place(points, rows[case])
        places[case, 0], places[case, 1], places[case, 2] = _minus(point, middle)
        centres[case, 0], centres[case, 1], centres[case, 2] = _minus(_centre(point, origin, cell, shape), middle)


@kernel
def _beside(
    case: int,
    done: int,
    begin: Any,
    end: Any,
    places: Any,
    pairs: Any,
    table: Any,
    tolerance: float,
    which: Any,
    triangles: Any,
) -> tuple[int, int, int]:
    """List pairs of which the triangle's plane may lie between point and centre, until the list is nearly full.

    Begins with a case of which some pairs may be done; returns where it ends. The lowest bit of a pair then says that
    its plane is too near to know.
    """
    left = 0
    while case < len(begin) and left < _FULL:
        x, y, z = places[case, 0], places[case, 1], places[case, 2]
        first = begin[case] + done
        last = min(end[case], first + _FULL)
        for at in range(first, last):
            pair = np.uint32(pairs[at])
            row = np.uint64(pair >> _ONE) * np.uint64(_LENGTH)
            distance = x * table[row] + y * table[row + _X] + z * table[row + _Y] - table[row + _Z]
            near = abs(distance) <= tolerance
            place = np.uint64(left)
            which[place] = case
            triangles[place] = (pair & ~_ONE) | near
            left += ((distance > 0) != ((pair & _ONE) != 0)) | near
        case, done = (case, done + last - first) if last < end[case] else (case + 1, 0)
    return case, done, left


@kernel
def _through(
    places: Any, centres: Any, table: Any, share: float, which: Any, triangles: Any, count: int, states: Any
) -> int:
    """Count the triangles that the line passes through, by their rounded corners; keep what is unsure."""
    left = 0
    for at in range(count):
        case, triangle = np.uint64(which[at]), np.uint64(triangles[at] >> _ONE) * np.uint64(_LENGTH)
        centre = _place(centres, case)
        q = _minus(_place(places, case), centre)
        a = _minus(_corner(table, triangle + np.uint64(4)), centre)
        b = _minus(_corner(table, triangle + np.uint64(8)), centre)
        c = _minus(_corner(table, triangle + np.uint64(12)), centre)
        same, least = _turns(q, a, b, c)
        unsure = (least <= table[triangle + np.uint64(7)] * share) | ((triangles[at] & _ONE) != 0)
        states[case] ^= same & (not unsure)
        which[left], triangles[left] = which[at], triangles[at]
        left += unsure
    return left


@kernel
def _surely(
    points: Any,
    rows: Any,
    grid: Any,
    vertices: Any,
    faces: Any,
    limits: Any,
    which: Any,
    triangles: Any,
    count: int,
    states: Any,
) -> None:
    """Count the triangles that the segment crosses, by their true corners; mark what is unsure."""
    for at in range(count):
        case, triangle = which[at], triangles[at] >> _ONE
        point = _place(points, rows[case])
        centre = _centre(point, grid[0], grid[1], grid[2])
        q = _minus(point, centre)
        a = _minus(_place(vertices, faces[triangle, 0]), centre)
        b = _minus(_place(vertices, faces[triangle, 1]), centre)
        c = _minus(_place(vertices, faces[triangle, 2]), centre)
        size = max(_size(q), _size(a), _size(b), _size(c)) ** 3
        normal = _cross(_minus(b, a), _minus(c, a))
        here, there = _dot(normal, _minus(q, a)), -_dot(normal, a)
        same, least = _turns(q, a, b, c)
        unsure = (least <= limits[0] * size) | (min(abs(here), abs(there)) <= limits[1] * size)
        states[case] ^= same & ((here > 0) != (there > 0))
        states[case] |= _UNSURE if unsure else 0


@kernel
def _cell(value: float, origin: float, cell: float, size: int) -> Any:
    """Return the middle, along an axis, of the cell that a coordinate is in, as `Frame.centres_of` does."""
    return origin + (int(min(max((value - origin) * (1 / cell), 0.0), size - 1.0)) + 0.5) * cell


@kernel
def _centre(point: Any, origin: Any, cell: float, shape: Any) -> Any:
    return (
        _cell(point[0], origin[0], cell, shape[0]),
        _cell(point[1], origin[1], cell, shape[1]),
        _cell(point[2], origin[2], cell, shape[2]),
    )


@kernel
def _place(places: Any, row: Any) -> Any:
    return places[row, 0], places[row, 1], places[row, 2]


@kernel
def _corner(table: Any, at: Any) -> Any:
    return table[at], table[at + _X], table[at + _Y]


@kernel
def _turns(q: Any, a: Any, b: Any, c: Any) -> Any:
    """Say whether the line from the origin to q passes through a triangle, and how small the least product is."""
    beside = _cross(q, a)  # q · (a × b) = (q × a) · b, and q · (c × a) = -(q × a) · c
    first, second, third = _dot(beside, b), _dot(q, _cross(b, c)), -_dot(beside, c)
    same = ((first > 0) == (second > 0)) & ((first > 0) == (third > 0))
    return same, min(abs(first), abs(second), abs(third))


@kernel
def _minus(a: Any, b: Any) -> Any:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@kernel
def _cross(a: Any, b: Any) -> Any:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@kernel
def _dot(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def _size(a: Any) -> Any:
    return max(abs(a[0]), abs(a[1]), abs(a[2]))
