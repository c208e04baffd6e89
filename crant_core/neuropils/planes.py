"""The planes of a surface's triangles, and how far from them floating point can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils import exact

ROUNDING = 4e-14  #: times edge² times coordinate: more than three times the error of a plane's equation


@dataclass(frozen=True, eq=False, slots=True)
class Planes:
    """Triangles with their planes, stored by component.

    Attributes
    ----------
    vertices : (v, 3) float64
    faces : (t, 3) int32
    corners : (3, 3, t) float64
        By axis, then by corner.
    normals : (3, t) float64
        Their length is twice the triangle's area.
    offsets, tolerances : (t,) float64
        A point p is in front of the plane if normal · p > offset, surely so if it exceeds it by the tolerance.
    longest : (t,) float64
        The largest extent along an axis.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    corners: NDArray[np.float64]
    normals: NDArray[np.float64]
    offsets: NDArray[np.float64]
    tolerances: NDArray[np.float64]
    longest: NDArray[np.float64]

    def rows(self, which: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the corners of some triangles as rows, (n, 3, 3)."""
        return np.asarray(self.vertices[self.faces[which]])


def planes_of(mesh: Mesh, reach: float) -> Planes:
    """Return the planes of a mesh's triangles, without those that are exactly flat: nothing crosses them.

    Parameters
    ----------
    mesh : Mesh
    reach : float
        Largest absolute coordinate that will be asked about.
    """
    found = _planes(mesh.vertices, mesh.faces.astype(np.int32), reach)
    doubtful = np.flatnonzero(np.abs(found.normals).max(axis=0) * reach <= found.tolerances)
    flat = doubtful[~exact.normals(found.rows(doubtful)).any(axis=1)]
    return _planes(mesh.vertices, np.delete(found.faces, flat, axis=0), reach) if len(flat) else found


def _planes(vertices: NDArray[np.float64], faces: NDArray[np.int32], reach: float) -> Planes:
    corners = np.ascontiguousarray(vertices.T)[:, np.ascontiguousarray(faces.T)]
    a, b, c = (corners[:, corner] for corner in range(3))
    normals = np.stack(exact.cross(exact.minus((*b,), (*a,)), exact.minus((*c,), (*a,))))
    longest = np.max([_extent(*corners[axis]) for axis in range(3)], axis=0)
    offsets = exact.dot((*normals,), (*a,))
    return Planes(vertices, faces, corners, normals, offsets, ROUNDING * reach * longest**2, longest)


def _extent(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c)
    return found
