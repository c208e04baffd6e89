"""One closed surface in the cells of a grid, compiled: the answer of `crant_core.neuropils.raster`, its twin in numpy.

Where double precision cannot decide something about a surface, the whole surface is left to the twin, which is exact.
"""
# ruff: noqa: PLR0917  kernels take arrays one by one

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils import columns, planes
from crant_core.neuropils.bounds import box
from crant_core.neuropils.compiled import fixed, kernel
from crant_core.neuropils.follow import FULL, UNSURE, follow
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.raster import Touching

_PER_TRIANGLE = 10  # cells, more than usual; if it is not enough there is a second try


def scanned(mesh: Mesh, frame: Frame) -> Touching | None:
    """Put a closed surface into a grid; None if that takes exact arithmetic.

    Every triangle is followed through the columns of cells along z that it covers, seen along z. Pairs of a cell and a
    triangle are counted per cell, then put where their cell's begin, so that nothing is sorted.
    """
    vertices, faces = fixed(mesh.vertices), fixed(mesh.faces)
    low, shape = _box(vertices, frame)
    space = (frame.origin, frame.cell, low, shape, frame.reach * planes.ROUNDING, frame.reach)
    counts = np.zeros(shape[0] * shape[1] * shape[2], dtype=np.int32)
    size, local, pairs = FULL, *np.empty((2, _PER_TRIANGLE * len(mesh.faces) + 64), dtype=np.int32)
    while size == FULL:
        size = follow(vertices, faces, space, columns.SLACK, columns.STEEP, counts, local, pairs)
        if size == FULL:
            counts[:] = 0
            local, pairs = np.empty((2, 4 * len(local)), dtype=np.int32)
    return None if size == UNSURE else _collected(counts, local[:size], pairs[:size], low, shape, frame)


def _box(vertices: NDArray[np.float64], frame: Frame) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first cell that a surface may touch along each axis, and how many there are from there."""
    scaled = [(end - frame.origin) / frame.cell for end in box(vertices)]
    low, high = np.floor(scaled[0] - columns.SLACK).astype(int), np.floor(scaled[1] + columns.SLACK).astype(int)
    return (*low.tolist(),), (*(high - low + 1).tolist(),)


def _collected(
    counts: NDArray[np.int32],
    local: NDArray[np.int32],
    pairs: NDArray[np.int32],
    low: tuple[int, ...],
    shape: tuple[int, ...],
    frame: Frame,
) -> Touching:
    cells, starts = np.empty(len(pairs), dtype=np.int32), np.empty(len(pairs) + 1, dtype=np.int64)
    states, runs = np.empty(len(pairs), dtype=np.bool_), np.empty((len(pairs), 2), dtype=np.int32)
    touched, within = _collect(counts, low, shape, frame.shape, cells, starts, states, runs)
    placed = np.empty(len(pairs), dtype=np.int32)
    _place(counts, local, pairs, placed)
    return Touching(cells[:touched], starts[: touched + 1], placed, states[:touched], runs[:within])


@kernel
def _collect(
    counts: Any, low: Any, shape: Any, whole: Any, cells: Any, starts: Any, states: Any, runs: Any
) -> tuple[int, int]:
    """Go through all cells: list touched ones, replace their counts by where their pairs begin, and list inner runs."""
    touched = within = 0
    starts[0] = 0
    for column in range(shape[0] * shape[1]):
        i, j = column // shape[1] + low[0], column % shape[1] + low[1]
        number = (i * whole[1] + j) * whole[2] + low[2]
        inside, open_ = False, False
        for k in range(shape[2]):
            count = counts[column * shape[2] + k]
            inside ^= (count & 1) != 0
            if count > 1:
                if open_:
                    runs[within, 1] = number + k
                    within += 1
                    open_ = False
                cells[touched], states[touched] = number + k, inside
                counts[column * shape[2] + k] = starts[touched]
                starts[touched + 1] = starts[touched] + (count >> 1)
                touched += 1
            elif inside and not open_:
                runs[within, 0], open_ = number + k, True
    return touched, within


@kernel
def _place(places: Any, local: Any, pairs: Any, placed: Any) -> None:
    for at in range(len(local)):
        placed[places[local[at]]] = pairs[at]
        places[local[at]] += 1
