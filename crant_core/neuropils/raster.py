"""One closed surface in the cells of a grid: which cells its triangles touch, and which centres are inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils.columns import Columns, Indices, cell_range
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.planes import Planes


@dataclass(frozen=True, eq=False, slots=True)
class Touching:
    """Cells that triangles of a surface touch, and cells within it.

    Attributes
    ----------
    cells : (n,) int32
        Touched ones, ascending.
    starts : (n + 1,) int64
        Where each one's triangles begin in `pairs`.
    pairs : (m,) int32
        Twice the triangle's number, plus 1 if the cell's centre is on the side its normal points to.
    states : (n,) bool
        Whether the centre of each touched cell is inside.
    within : (k, 2) int32
        Cells that are inside as a whole, in runs: the first of each, and the one behind the last.
    """

    cells: Indices
    starts: NDArray[np.int64]
    pairs: Indices
    states: NDArray[np.bool_]
    within: Indices


def raster(planes: Planes, frame: Frame) -> Touching:
    """Put a closed surface into a grid.

    Every triangle is followed through the columns of cells along z that its box covers. In each column its plane bounds
    the cells it can touch; and where it covers the column's middle, it turns the first centre beyond it, and so all
    further ones, from outside to inside or back.

    Raises
    ------
    CentreOnSurfaceError
    """
    if not len(planes.faces):
        none = np.zeros(0, np.int32)
        return Touching(none, np.zeros(1, np.int64), none, none.astype(np.bool_), none.reshape(0, 2))
    low, high = cell_range(planes, frame)
    columns = Columns.under(planes, frame, low, high)
    box = _Box.of(frame, low.min(axis=1), high.max(axis=1))
    inside = box.filled(columns.turned())
    cells, pairs = _sorted(*columns.touched())
    first = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    touched = cells[first]
    local = box.local(touched)
    states = inside.ravel()[local]
    inside.ravel()[local] = False
    return Touching(touched, np.append(first, len(cells)), pairs, states, _runs(box.numbers(np.flatnonzero(inside))))


def _runs(cells: Indices) -> Indices:
    """Return runs of neighbours in ascending numbers."""
    new = np.flatnonzero(np.diff(cells, prepend=-2) != 1)
    return np.stack([cells[new], cells[np.append(new[1:], len(cells))[: len(new)] - 1] + 1], axis=1)


def _sorted(cells: Indices, pairs: Indices) -> tuple[Indices, Indices]:
    keys = np.sort(cells.astype(np.int64) << 32 | pairs)
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)


@dataclass(frozen=True, eq=False, slots=True)
class _Box:
    """The cells around one surface: a box within the grid."""

    frame: Frame
    low: Indices
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, frame: Frame, low: Indices, high: Indices) -> _Box:
        size = high - low + 1
        return cls(frame, low, (int(size[0]), int(size[1]), int(size[2])))

    def filled(self, turned: tuple[Indices, Indices, Indices]) -> NDArray[np.bool_]:
        """Count along z how often the centres up to each cell were turned; odd is inside."""
        i, j, k = (index - low for index, low in zip(turned, self.low, strict=True))
        _, ny, nz = self.shape
        kept = k < nz  # turned beyond the last cell: nothing there
        numbers = ((i * np.int32(ny) + j) * np.int32(nz) + k)[kept]
        odd = (np.bincount(numbers, minlength=int(np.prod(self.shape))) & 1).astype(np.bool_)
        return np.logical_xor.accumulate(odd.reshape(self.shape), axis=2)

    def local(self, cells: Indices) -> NDArray[np.int64]:
        """Return numbers within the box of cells of the grid."""
        _, ny, nz = self.frame.shape
        column, k = np.divmod(cells, np.int32(nz))
        i, j = np.divmod(column, np.int32(ny))
        i, j, k = i - self.low[0], j - self.low[1], k - self.low[2]
        return np.asarray((i * self.shape[1] + j) * self.shape[2] + k, dtype=np.int64)

    def numbers(self, local: NDArray[np.int64]) -> Indices:
        """Return numbers in the grid of cells of the box."""
        _, ny, nz = self.frame.shape
        column, k = np.divmod(local.astype(np.int32), np.int32(self.shape[2]))
        i, j = np.divmod(column, np.int32(self.shape[1]))
        return np.asarray(((i + self.low[0]) * np.int32(ny) + j + self.low[1]) * np.int32(nz) + k + self.low[2])
