"""How often a surface winds around a point: what decides where a surface does not close."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils import exact

_BATCH = 1 << 18  # pairs of a point and a triangle at a time: 2 MB an array


def winding_numbers(points: NDArray[np.float64], mesh: Mesh) -> NDArray[np.float64]:
    """Return the generalised winding number of a surface around points.

    The solid angles of all triangles are added up, in units of a sphere's; nothing is approximated beyond rounding
    (A. van Oosterom and J. Strackee 1983, IEEE Trans. Biomed. Eng. 30; A. Jacobson et al. 2013, ACM Trans. Graph. 32).
    The time is points times triangles, some 30 ns each.

    Parameters
    ----------
    points : ndarray, shape (n, 3), float64
        In the mesh's unit.
    mesh : Mesh
        Open or closed.

    Returns
    -------
    ndarray, shape (n,), float64
        Around a closed surface that faces outward: 1 inside, 0 outside.
    """
    found = np.zeros(len(points))
    if not len(mesh.faces):
        return found
    corners = np.ascontiguousarray(mesh.vertices.T)[:, mesh.faces.T]
    step = max(1, _BATCH // len(mesh.faces))
    for begin in range(0, len(points), step):
        part = points[begin : begin + step]
        found[begin : begin + step] = _solid_angles(part.T[:, :, None], corners).sum(axis=1) / (2 * np.pi)
    return found


def _solid_angles(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the solid angle of triangles (3, 3, t) seen from points (3, n, 1): (n, t)."""
    a, b, c = (exact.minus((*corners[:, corner],), (*points,)) for corner in range(3))
    la, lb, lc = (np.sqrt(exact.dot(side, side)) for side in (a, b, c))
    below = la * lb * lc + exact.dot(a, b) * lc + exact.dot(b, c) * la + exact.dot(c, a) * lb
    found: NDArray[np.float64] = np.arctan2(exact.dot(a, exact.cross(b, c)), below)
    return found
