"""How often a surface winds around points, compiled. The tests hold it to a twin in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils.bounds import box
from crant_core.neuropils.compiled import fixed, kernel

_INSIDE = 0.5
_LONG = 64  # factors after which a product of numbers of a length between 0.7 and 1 is made long again


def winding_numbers(points: NDArray[np.float64], mesh: Mesh) -> NDArray[np.float64]:
    """Return the generalised winding number of a surface around points.

    Nothing is approximated beyond rounding. Half the solid angle of a triangle is the argument of a complex number
    (A. van Oosterom and J. Strackee 1983, IEEE Trans. Biomed. Eng. 30); these are multiplied, which adds their
    arguments, and full turns are counted, so that one arctangent is enough for each point.

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
    found = np.empty(len(points))
    _wind(fixed(points), fixed(mesh.vertices), fixed(mesh.faces), np.empty((len(mesh.vertices), 4)), found)
    return found


def within(points: NDArray[np.float64], mesh: Mesh) -> NDArray[np.bool_]:
    """Say around which points in a mesh's box a surface winds more than halfway; outside the box it never does."""
    found = np.zeros(len(points), dtype=np.bool_)
    if len(mesh.vertices):
        low, high = box(mesh.vertices)
        near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
        found[near] = winding_numbers(points[near], mesh) > _INSIDE
    return found


@kernel
def _wind(points: Any, vertices: Any, faces: Any, seen: Any, found: Any) -> None:
    for row in range(len(points)):
        _see(points[row, 0], points[row, 1], points[row, 2], vertices, seen)
        found[row] = _turns(faces, seen)


@kernel
def _see(x: float, y: float, z: float, vertices: Any, seen: Any) -> None:
    """Write where vertices are as seen from a point, and how far away."""
    for vertex in range(len(vertices)):
        dx, dy, dz = vertices[vertex, 0] - x, vertices[vertex, 1] - y, vertices[vertex, 2] - z
        seen[vertex, 0], seen[vertex, 1], seen[vertex, 2] = dx, dy, dz
        seen[vertex, 3] = np.sqrt(dx * dx + dy * dy + dz * dz)


@kernel
def _turns(faces: Any, seen: Any) -> Any:
    """Add up solid angles, in units of a sphere's."""
    product, turns = (1.0, 0.0), 0
    for face in range(len(faces)):
        x, y = _angle(_row(seen, faces[face, 0]), _row(seen, faces[face, 1]), _row(seen, faces[face, 2]))
        before = product[1]
        product = (product[0] * x - product[1] * y, product[0] * y + product[1] * x)
        turns += (y > 0) & (before >= 0) & (product[1] < 0)  # beyond half a turn
        turns -= (y < 0) & (before < 0) & (product[1] >= 0)
        if face % _LONG == 0:
            product = _scaled(product[0], product[1])
    return turns + np.arctan2(product[1], product[0]) / (2 * np.pi)


@kernel
def _row(seen: Any, vertex: int) -> Any:
    return seen[vertex, 0], seen[vertex, 1], seen[vertex, 2], seen[vertex, 3]


@kernel
def _angle(a: Any, b: Any, c: Any) -> Any:
    """Return a complex number with half a triangle's solid angle as its argument."""
    x, y, z = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    real = a[3] * b[3] * c[3] + _dot(a, b) * c[3] + _dot(b, c) * a[3] + _dot(c, a) * b[3]
    return _scaled(real, x * c[0] + y * c[1] + z * c[2])


@kernel
def _dot(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def _scaled(real: float, imaginary: float) -> Any:
    """Make a number's length something between 0.7 and 1; nothing becomes 1, which adds no angle."""
    size = abs(real) + abs(imaginary)
    return (real / size, imaginary / size) if size > 0 else (1.0, 0.0)
