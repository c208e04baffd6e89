"""The columns of cells that a surface's triangles pass through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils import exact
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.planes import ROUNDING, Planes
from crant_core.neuropils.ranges import expanded

Indices = NDArray[np.int32]

SLACK = 1e-6  #: of a cell: cells count as larger than they are, so that rounding loses no triangle
STEEP = 1e4  #: cells: a plane that stays in a column for longer bounds nothing


class CentreOnSurfaceError(ArithmeticError):
    """A cell's centre lies exactly on the plane or in the edge of a triangle: the grid has to be shifted."""


def cell_range(planes: Planes, frame: Frame) -> tuple[Indices, Indices]:
    """Return the first and last cell along each axis that each triangle's box touches, (3, t) each."""
    scaled = ((planes.vertices - frame.origin) / frame.cell).T
    faces = np.ascontiguousarray(planes.faces.T)
    low = np.floor(scaled - SLACK).astype(np.int32)[:, faces]
    high = np.floor(scaled + SLACK).astype(np.int32)[:, faces]
    first = np.minimum(np.minimum(low[:, 0], low[:, 1]), low[:, 2])
    return first, np.maximum(np.maximum(high[:, 0], high[:, 1]), high[:, 2])


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """Every triangle in every column of cells along z that its box covers.

    Attributes
    ----------
    triangle, i, j : (n,) int32
    x, y : (n,) float64
        The column's middle.
    value : (n,) float64
        Of the plane's equation at (x, y, 0).
    low, high : (t,) int32
        First and last cell along z of each triangle.
    """

    planes: Planes
    frame: Frame
    triangle: Indices
    i: Indices
    j: Indices
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    value: NDArray[np.float64]
    low: Indices
    high: Indices

    @classmethod
    def under(cls, planes: Planes, frame: Frame, low: Indices, high: Indices) -> Columns:
        """Find the columns, given the triangles' `cell_range`."""
        owner, i = expanded(low[0], high[0] - low[0] + 1)
        row, j = expanded(low[1][owner], (high[1] - low[1] + 1)[owner])
        triangle, i = owner[row], i[row]
        x, y = frame.centres(0, i), frame.centres(1, j)
        value = planes.normals[0][triangle] * x + planes.normals[1][triangle] * y - planes.offsets[triangle]
        return cls(planes, frame, triangle, i, j, x, y, value, low[2], high[2])

    def turned(self) -> tuple[Indices, Indices, Indices]:
        """Return the first centre beyond each triangle that covers the middle of a column."""
        covering = self._covering()
        triangle = self.triangle[covering]
        slope, tolerance = self.planes.normals[2][triangle], self.planes.tolerances[triangle]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            steps = (-self.value[covering] / slope - self.frame.origin[2]) / self.frame.cell - 0.5
        nearest = np.rint(np.clip(np.nan_to_num(steps), -1, self.frame.shape[2])).astype(np.int32)
        at = self.value[covering] + slope * self.frame.centres(2, nearest)
        first = nearest + ((at > 0) != (slope > 0))
        unsure = np.flatnonzero((np.abs(at) <= tolerance) | (np.abs(slope) * self.frame.cell <= 4 * tolerance))
        for which in unsure.tolist():
            first[which] = self._first_beyond(int(covering[which]))
        return self.i[covering], self.j[covering], first

    def _covering(self) -> NDArray[np.int64]:
        """Return where a triangle, seen along z, contains the middle of its column."""
        left = np.flatnonzero(~self._upright()[self.triangle])
        first = self._left(left, 0, 1)
        for start, end in ((1, 2), (2, 0)):
            same = self._left(left, start, end) == first
            left, first = left[same], first[same]
        return left

    def _upright(self) -> NDArray[np.bool_]:
        """Say which triangles stand exactly upright: seen along z they are a line, which covers nothing."""
        upright = np.abs(self.planes.normals[2]) * self.frame.reach <= self.planes.tolerances
        doubtful = np.flatnonzero(upright)
        upright[doubtful] = exact.normals(self.planes.rows(doubtful))[:, 2] == 0
        return np.asarray(upright)

    def _left(self, columns: NDArray[np.int64], start: int, end: int) -> NDArray[np.bool_]:
        """Say whether the middles of columns lie left of an edge of their triangle, seen along z."""
        triangle = self.triangle[columns]
        x, y, _ = self.planes.corners
        dx, dy = x[end] - x[start], y[end] - y[start]
        turn = dx[triangle] * self.y[columns] - dy[triangle] * self.x[columns]
        turn -= (dx * y[start] - dy * x[start])[triangle]
        left: NDArray[np.bool_] = turn > 0
        tolerance = ROUNDING * self.frame.reach * self.planes.longest
        self._decide(left, columns, np.flatnonzero(np.abs(turn) <= tolerance[triangle]), (start, end))
        return left

    def _decide(
        self, left: NDArray[np.bool_], columns: NDArray[np.int64], unsure: NDArray[np.int64], edge: tuple[int, int]
    ) -> None:
        if len(unsure):
            which = columns[unsure]
            corners = self.planes.rows(self.triangle[which])
            points = np.stack([self.x[which], self.y[which]], axis=1)
            left[unsure] = decided(exact.turns(corners[:, edge[0], :2], corners[:, edge[1], :2], points))

    def _first_beyond(self, which: int) -> int:
        """Find by bisection the first centre beyond a triangle whose plane is too steep for floating point."""
        corners = self.planes.rows(self.triangle[which : which + 1])
        up = int(exact.normals(corners)[0, 2])
        low, high = 0, self.frame.shape[2]
        while low < high:
            middle = (low + high) // 2
            z = float(self.frame.centres(2, np.array(middle)))
            point = np.array([[self.x[which], self.y[which], z]])
            beyond = bool(decided(exact.sides(point, corners))[0]) == (up > 0)
            low, high = (low, middle) if beyond else (middle + 1, high)
        return low

    def touched(self) -> tuple[Indices, Indices]:
        """Return every pair of a cell and a triangle that touches it.

        Returns
        -------
        cells : (m,) int32
            Their numbers.
        pairs : (m,) int32
            Twice the triangle's number, plus 1 if the cell's centre is on the side its normal points to.
        """
        low, high = self._along_z()
        owner, k = expanded(low, np.maximum(high - low + 1, 0))
        triangle = self.triangle[owner]
        at = self.planes.normals[2][triangle] * self.frame.centres(2, k)
        at += self.value[owner]
        above = at > 0
        _, ny, nz = self.frame.shape
        cells = ((self.i * np.int32(ny) + self.j) * np.int32(nz))[owner] + k
        unsure = np.flatnonzero(np.abs(at) <= self.planes.tolerances[triangle])
        if len(unsure):
            centres = self.frame.places(cells[unsure])
            above[unsure] = decided(exact.sides(centres, self.planes.rows(triangle[unsure])))
        return cells, triangle * np.int32(2) + above

    def _along_z(self) -> tuple[Indices, Indices]:
        """Return the first and last cell of each column that the plane passes through, within the triangle's box."""
        frame, normals = self.frame, np.abs(self.planes.normals)
        half = normals.sum(axis=0) * (frame.cell * (0.5 + SLACK)) + self.planes.tolerances
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            middle = -self.value / self.planes.normals[2][self.triangle] - frame.origin[2]
            spread = half / normals[2]
            spread[~(spread <= STEEP * frame.cell)] = np.inf
            spread = spread[self.triangle]
            first = np.ceil((middle - spread) / frame.cell - (0.5 + SLACK))
            last = np.floor((middle + spread) / frame.cell - (0.5 - SLACK))
        low, high = self.low[self.triangle], self.high[self.triangle]
        # fmax and fmin pass over the NaN of infinite spread around an infinite middle
        first, last = np.clip(np.fmax(first, low), low, high + 1), np.clip(np.fmin(last, high), low - 1, high)
        return first.astype(np.int32), last.astype(np.int32)


def decided(signs: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return which signs are positive.

    Raises
    ------
    CentreOnSurfaceError
        One is 0.
    """
    if (signs == 0).any():
        raise CentreOnSurfaceError("a cell's centre lies on a triangle's plane or above its edge")
    return signs > 0
