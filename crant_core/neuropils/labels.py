"""The label grid: for every cell, which surfaces it lies in as a whole, and which ones pass through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils.columns import CentreOnSurfaceError
from crant_core.neuropils.frame import Frame, frame_around
from crant_core.neuropils.planes import Planes, planes_of
from crant_core.neuropils.quick import quick
from crant_core.neuropils.ranges import expanded
from crant_core.neuropils.raster import Touching, raster

_CELLS_PER_TRIANGLE = 12  # more cells cost memory, fewer cost time
_MOST_CELLS = 100_000_000
_FEWEST_CELLS = 1_000
_TRIES = 16
_NONE = 0  # the set without a member


@dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """Arrays of a label grid; they may lie on disk.

    A cell's code is the number of a set of surfaces it lies in, or −(b + 1) if it is boundary cell b.

    Attributes
    ----------
    codes : (cells,) int32
    set_starts : (sets + 1,) int64
        Where each set's members begin in `set_members`.
    set_members : (…,) int32
        Surfaces, ascending.
    boundary_sets : (b,) int32
        The set of each boundary cell: surfaces it lies in as a whole.
    boundary_starts : (b + 1,) int64
        Where each boundary cell's crossings begin.
    surfaces, states : (c,) int32, bool
        Of each crossing of a surface and a cell: the surface, and whether the cell's centre is inside it.
    pair_starts, pair_counts : (c,) int64, int32
        Its triangles in `pairs`.
    pairs : (m,) int32
        Twice the triangle's number, plus 1 if the cell's centre is on the side its normal points to.
    vertices : (v, 3) float64
    faces : (t, 3) int32
    quick : (t, 4, 4) float32
        The same in single precision: see `crant_core.neuropils.quick`.
    """

    codes: NDArray[np.int32]
    set_starts: NDArray[np.int64]
    set_members: NDArray[np.int32]
    boundary_sets: NDArray[np.int32]
    boundary_starts: NDArray[np.int64]
    surfaces: NDArray[np.int32]
    states: NDArray[np.bool_]
    pair_starts: NDArray[np.int64]
    pair_counts: NDArray[np.int32]
    pairs: NDArray[np.int32]
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    quick: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))


Lay = Callable[[Sequence[Mesh], Frame], Labels]


def build(surfaces: Sequence[Mesh], cells: int | None = None, lay: Lay | None = None) -> tuple[Frame, Labels]:
    """Lay a grid over closed surfaces.

    Parameters
    ----------
    surfaces : sequence of Mesh
        In any unit. Their orientation does not matter.
    cells : int, optional
        About how many cells; left out, twelve per triangle.
    lay : callable, optional
        `laid`, or what does the same; left out, `crant_core.neuropils.layout.laid`, which is compiled.
    """
    from crant_core.neuropils import layout

    triangles = sum(len(one.faces) for one in surfaces)
    wanted = cells or int(np.clip(_CELLS_PER_TRIANGLE * triangles, _FEWEST_CELLS, _MOST_CELLS))
    low, high = _bounds(surfaces)
    for attempt in range(_TRIES):
        frame = frame_around(low, high, wanted, attempt)
        try:
            return frame, _fixed((lay or layout.laid)(surfaces, frame))
        except CentreOnSurfaceError as error:
            last = error
    raise last


def _fixed(labels: Labels) -> Labels:
    for field in fields(labels):
        getattr(labels, field.name).flags.writeable = False
    return labels


def _bounds(surfaces: Sequence[Mesh]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from crant_core.neuropils.bounds import box

    boxes = np.array([box(one.vertices) for one in surfaces if len(one.vertices)])
    return (boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)) if len(boxes) else (np.zeros(3), np.ones(3))


def laid(surfaces: Sequence[Mesh], frame: Frame) -> Labels:
    """Lay a grid over closed surfaces.

    Raises
    ------
    CentreOnSurfaceError
    """
    planes = [planes_of(one, frame.reach) for one in surfaces]
    touching = [raster(one, frame) for one in planes]
    codes, sets = _sets(touching, frame)
    return _joined(planes, touching, codes, sets, frame)


def _sets(touching: Sequence[Touching], frame: Frame) -> tuple[NDArray[np.int32], list[tuple[int, ...]]]:
    """Number, for every cell, the set of surfaces that it lies in as a whole."""
    codes = np.zeros(frame.size, dtype=np.int32)
    sets: list[tuple[int, ...]] = [()]
    number: dict[tuple[int, ...], int] = {(): _NONE}
    for surface, one in enumerate(touching):
        _, within = expanded(one.within[:, 0], one.within[:, 1] - one.within[:, 0])
        before = codes[within]
        after = np.zeros(len(sets), dtype=np.int32)
        for old in np.flatnonzero(np.bincount(before, minlength=len(sets))).tolist():
            members = (*sets[old], surface)
            after[old] = number.setdefault(members, len(sets))
            sets += [members] if after[old] == len(sets) else []
        codes[within] = after[before]
    return codes, sets


def _joined(
    planes: Sequence[Planes],
    touching: Sequence[Touching],
    codes: NDArray[np.int32],
    sets: list[tuple[int, ...]],
    frame: Frame,
) -> Labels:
    """Put the surfaces' crossings together, ordered by cell; their triangles stay ordered by surface."""
    surface = np.repeat(np.arange(len(touching), dtype=np.int32), [len(one.cells) for one in touching])
    cells = _flat([one.cells for one in touching], np.int32)
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    new = np.append(True, cells[1:] != cells[:-1])[: len(cells)]
    first = np.flatnonzero(new)
    boundary = cells[first]
    boundary_sets = codes[boundary]
    codes[boundary] = -1 - np.arange(len(boundary), dtype=np.int32)
    triangle_offsets = _offsets([len(one.faces) for one in planes])
    vertex_offsets = _offsets([len(one.vertices) for one in planes])
    pair_offsets = _offsets([len(one.pairs) for one in touching])
    return Labels(
        codes=codes,
        set_starts=_offsets([len(one) for one in sets]),
        set_members=np.array([member for one in sets for member in one], dtype=np.int32),
        boundary_sets=boundary_sets,
        boundary_starts=np.append(first, len(cells)).astype(np.int64),
        surfaces=surface[order],
        states=_flat([one.states for one in touching], np.bool_)[order],
        pair_starts=_flat([one.starts[:-1] + at for one, at in zip(touching, pair_offsets, strict=False)], np.int64)[
            order
        ],
        pair_counts=_flat([np.diff(one.starts) for one in touching], np.int32)[order],
        pairs=_flat([one.pairs + 2 * at for one, at in zip(touching, triangle_offsets, strict=False)], np.int32),
        vertices=np.concatenate([np.zeros((0, 3)), *(one.vertices for one in planes)]),
        faces=_flat(
            [(one.faces + at).ravel() for one, at in zip(planes, vertex_offsets, strict=False)], np.int32
        ).reshape(-1, 3),
        quick=np.concatenate([np.zeros((0, 4, 4), np.float32), *(quick(one, frame) for one in planes)]),
    )


def _flat(parts: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)


def _offsets(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))]).astype(np.int64)
