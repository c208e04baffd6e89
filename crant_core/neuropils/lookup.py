"""Which points lie in which surfaces, compiled: the answers of `crant_core.neuropils.crossing`, its twin in numpy."""
# ruff: noqa: PLR0917  kernels take arrays one by one

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils import crossing
from crant_core.neuropils.cases import Cases
from crant_core.neuropils.compiled import fixed, kernel
from crant_core.neuropils.crossings import decide
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels


def find(points: NDArray[np.float64], frame: Frame, labels: Labels) -> crossing.Pairs:
    """Return every pair of a point (n, 3) and a surface that contains it, ordered by point, then surface.

    Points are looked up in their order. Those in boundary cells are decided in the order of cells, because neighbours
    read the same triangles, and listed in the order of points again.
    """
    points = fixed(points)
    codes = np.empty(len(points), dtype=np.int32)
    sure, count = _look_up(points, frame.origin, frame.cell, frame.shape, labels.codes, labels.set_starts, codes)
    order = _by_cell(codes, count)
    starts, first = np.zeros(count + 1, dtype=np.int64), np.empty(count, dtype=np.int64)
    sets = np.empty(count, dtype=np.int32)
    known = len(labels.set_starts) - 1
    most = _open(
        order, codes, known, labels.boundary_starts, labels.boundary_sets, labels.set_starts, starts, first, sets
    )
    cases = Cases.of(order, first, starts, labels)
    inside = decide(points, cases, frame, labels)
    ends, members = np.empty(count, dtype=np.int64), np.empty(most + len(cases.row), dtype=np.int32)
    own = (labels.set_starts, labels.set_members)
    near = _merge(starts, sets, cases.crossing, inside, labels.surfaces, *own, ends, members)
    found = (np.empty(sure + near, dtype=np.int64), np.empty(sure + near, dtype=np.int32))
    all_starts = np.concatenate([labels.set_starts, labels.set_starts[-1] + ends])
    _write(codes, all_starts, np.concatenate([labels.set_members, members[:near]]), *found)
    return found


def _by_cell(codes: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return the points in boundary cells, in the cells' order."""
    keys = np.empty(count, dtype=np.int64)
    _keys(codes, keys)
    keys.sort()
    keys &= 0xFFFFFFFF
    return keys


@kernel
def _cell(value: float, origin: float, cell: float, size: int) -> int:
    """Return the number along an axis of the cell that a coordinate is in; outside the grid, of the nearest."""
    return int(min(max((value - origin) * (1 / cell), 0.0), size - 1.0))


@kernel
def _look_up(
    points: Any, origin: Any, cell: float, shape: Any, cells: Any, set_starts: Any, codes: Any
) -> tuple[int, int]:
    """Write the code of each point's cell; count the surfaces that are sure, and the points that need a closer look."""
    sure = near = 0
    for row in range(len(points)):
        i = _cell(points[row, 0], origin[0], cell, shape[0])
        j = _cell(points[row, 1], origin[1], cell, shape[1])
        codes[row] = cells[(i * shape[1] + j) * shape[2] + _cell(points[row, 2], origin[2], cell, shape[2])]
    for code in codes:
        near += code < 0
        own = max(code, 0)
        sure += set_starts[own + 1] - set_starts[own]
    return sure, near


@kernel
def _keys(codes: Any, keys: Any) -> None:
    at = 0
    for row in range(len(codes)):
        if codes[row] < 0:
            keys[at] = np.int64(-1 - codes[row]) << 32 | row
            at += 1


@kernel
def _open(
    order: Any,
    codes: Any,
    known: int,
    boundary_starts: Any,
    boundary_sets: Any,
    set_starts: Any,
    starts: Any,
    first: Any,
    sets: Any,
) -> int:
    """Write where each point's cases begin, its cell's first crossing and its set; return the size of all sets.

    A point's code becomes the number of a set of its own, from `known` on.
    """
    size = 0
    for at in range(len(order)):
        boundary = -1 - codes[order[at]]
        codes[order[at]] = known + at
        first[at] = boundary_starts[boundary]
        starts[at + 1] = starts[at] + boundary_starts[boundary + 1] - first[at]
        sets[at] = boundary_sets[boundary]
        size += set_starts[sets[at] + 1] - set_starts[sets[at]]
    return size


@kernel
def _merge(
    starts: Any,
    sets: Any,
    crossed: Any,
    inside: Any,
    surfaces: Any,
    set_starts: Any,
    members: Any,
    ends: Any,
    merged: Any,
) -> int:
    """Write the sets of points in boundary cells: the cell's, and the surfaces of the cell that they are inside of."""
    size = 0
    for at in range(len(sets)):
        member, last = set_starts[sets[at]], set_starts[sets[at] + 1]
        for case in range(starts[at], starts[at + 1]):
            if inside[case]:
                while member < last and members[member] < surfaces[crossed[case]]:
                    merged[size] = members[member]
                    member, size = member + 1, size + 1
                merged[size] = surfaces[crossed[case]]
                size += 1
        while member < last:
            merged[size] = members[member]
            member, size = member + 1, size + 1
        ends[at] = size
    return size


@kernel
def _write(codes: Any, starts: Any, members: Any, point: Any, surface: Any) -> None:
    """Write the members of each point's set."""
    at = 0
    for row in range(len(codes)):
        for member in range(starts[codes[row]], starts[codes[row] + 1]):
            point[at], surface[at] = row, members[member]
            at += 1
