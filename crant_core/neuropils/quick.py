"""Triangles in single precision: decides all but one case in a hundred, and knows which.

A triangle is four rows of four float32, one line of a processor's cache. Positions are relative to the middle of the
grid, which makes their rounding smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils import exact
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.planes import Planes

PLANE, FIRST, SECOND, THIRD = range(4)  #: rows: unit normal and offset; the corners, of which the first has a tolerance

# What remains of the tolerances if only the triangles are rounded, and all that is computed with them is in double
# precision. A plane then errs by 2 √3 units at most, of 48; a triple product by 3 √3 · (cell · edge), of
# 36 · (edge² + 2 · cell · edge) with edge ≥ cell, which is less than a twentieth.
PLANE_SHARE = 1 / 8
LINE_SHARE = 1 / 16

_UNIT = 2.0**-24  # rounding to single precision, relative
_SAFETY = 2.0
SLIVER = 1e-5  #: of a triangle's longest edge squared: of a smaller normal, double precision knows too little
_PLANE_TERMS = 24  # units that the distance from a plane may be wrong by
_ROW = np.dtype(np.complex128)  # sixteen bytes that are moved as one


def quick(planes: Planes, frame: Frame) -> NDArray[np.float32]:
    """Return triangles in single precision, (t, 4, 4)."""
    found = np.zeros((len(planes.faces), 4, 4), dtype=np.float32)
    places = planes.vertices - frame.middle
    found[:, FIRST:, :3] = places.astype(np.float32)[planes.faces]
    length = np.sqrt(exact.dot((*planes.normals,), (*planes.normals,)))
    with np.errstate(divide="ignore"):
        scale = np.where(length > SLIVER * planes.longest**2, 1 / length, 0.0)
    found[:, PLANE, :3] = (planes.normals * scale).T
    found[:, PLANE, 3] = exact.dot((*planes.normals,), (*places[planes.faces[:, 0]].T,)) * scale
    found[:, FIRST, 3] = _tolerance(planes.longest + frame.cell, frame)
    return found


def plane_tolerance(frame: Frame) -> np.float32:
    """Return how far from a plane a point must be for its side to be sure; a sliver's plane is all 0, so never is."""
    return np.float32(_SAFETY * _PLANE_TERMS * _UNIT * _radius(frame))


def _radius(frame: Frame) -> float:
    return float(np.max(frame.shape)) * frame.cell / 2


def _tolerance(edge: NDArray[np.float64], frame: Frame) -> NDArray[np.float64]:
    """Return what a triple product of lengths up to a cell, an edge and an edge must exceed to have the right sign."""
    square, single = tolerance_terms(frame)
    return square * edge**2 + single * edge


def tolerance_terms(frame: Frame) -> tuple[float, float]:
    """Return what an edge squared and an edge contribute to that."""
    shift = 3 * _UNIT * _radius(frame)  # of a difference of two positions
    return _SAFETY * 6 * (shift + 8 * _UNIT * frame.cell), _SAFETY * 6 * shift * 2 * frame.cell


def positions(points: NDArray[np.float64], frame: Frame) -> NDArray[np.float32]:
    """Return positions (n, 3) as rows (n, 4) that a plane's row can be multiplied with."""
    found = np.empty((len(points), 4), dtype=np.float32)
    np.subtract(points, frame.middle, out=found[:, :3], casting="same_kind")
    found[:, 3] = -1
    return found


def rows(table: NDArray[np.float32], which: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return rows of four, (n, 4), of an array (…, 4)."""
    found: NDArray[np.float32] = table.reshape(-1).view(_ROW)[which].view(np.float32).reshape(-1, 4)
    return found
