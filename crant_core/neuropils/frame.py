"""Where the cells of a grid lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MARGIN = 2  # cells on every side
# Of a cell, how far the grid is shifted: square roots that have no whole ratios to each other, so that hardly a plane
# through round coordinates passes through a centre.
_ODD = (2**0.5 - 1, 3**0.5 - 1, 5**0.5 - 2)


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of cubic cells.

    Attributes
    ----------
    origin : tuple of float
        Lowest corner, in the meshes' unit.
    cell : float
        Edge of a cell.
    shape : tuple of int
        Cells along x, y, z. Cell (i, j, k) has the number (i · ny + j) · nz + k.
    """

    origin: tuple[float, float, float]
    cell: float
    shape: tuple[int, int, int]

    def centres(self, axis: int, index: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return coordinates of centres along an axis; the same float for the same index, always."""
        return np.asarray(self.origin[axis] + (index + 0.5) * self.cell, dtype=np.float64)

    def places(self, cells: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the centres (n, 3) of cells by number."""
        _, ny, nz = self.shape
        column, k = np.divmod(cells, np.int32(nz))
        i, j = np.divmod(column, np.int32(ny))
        return np.stack([self.centres(axis, index) for axis, index in enumerate((i, j, k))], axis=1)

    def centres_of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the centres (n, 3) of the cells that points (n, 3) are in."""
        return np.stack([self.centres(axis, self._index(points[:, axis], axis)) for axis in range(3)], axis=1)

    def cells_of(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the number of the cell of each point (n, 3), which must be finite; outside the box, of the nearest.

        The outermost cells are always empty.
        """
        _, ny, nz = self.shape
        i, j, k = (self._index(points[:, axis], axis) for axis in range(3))
        i *= np.int32(ny)
        i += j
        i *= np.int32(nz)
        i += k
        return i

    def _index(self, values: NDArray[np.float64], axis: int) -> NDArray[np.int32]:
        scaled = values - self.origin[axis]
        scaled *= 1 / self.cell
        np.clip(scaled, 0, self.shape[axis] - 1, out=scaled)
        return scaled.astype(np.int32)

    @property
    def middle(self) -> NDArray[np.float64]:
        """The middle of the box, (3,)."""
        return np.add(self.origin, np.multiply(self.shape, self.cell / 2))

    @property
    def size(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.shape))

    @property
    def reach(self) -> float:
        """The largest absolute coordinate of the box."""
        high = np.add(self.origin, np.multiply(self.shape, self.cell))
        return float(max(np.abs(self.origin).max(), np.abs(high).max()))


def frame_around(low: NDArray[np.float64], high: NDArray[np.float64], cells: int, attempt: int = 0) -> Frame:
    """Lay cells around a box.

    Parameters
    ----------
    low, high : ndarray, shape (3,)
        Corners of the box.
    cells : int
        About how many are wanted.
    attempt : int
        Each shifts the cells differently.
    """
    extent = np.maximum(high - low, max(float((high - low).max()), 1e-300) * 1e-3)
    cell = float((np.prod(extent / extent.max()) / cells) ** (1 / 3) * extent.max())
    shift = np.array(_ODD) * (attempt + 1) % 1.0
    origin = low - (_MARGIN - shift) * cell
    shape = np.ceil((high - origin) / cell).astype(int) + _MARGIN
    x, y, z = origin.tolist()
    nx, ny, nz = shape.tolist()
    return Frame((x, y, z), cell, (nx, ny, nz))
