"""Signs of determinants, exactly: what decides when floating point cannot.

Floating point decides nearly every case and knows its own error; the few cases within that error come here, where
coordinates are Python integers of any length. Every finite float64 is an integer times a power of two, so nothing is
rounded.

A point that lies exactly on a plane or a line counts as shifted by (ε, ε², ε³) with ε > 0 smaller than any number
(symbolic perturbation: H. Edelsbrunner and E. Mücke 1990, ACM Trans. Graph. 9). So a point on a surface belongs to the
solid that begins just beyond it along +x (where the surface is parallel to x: +y, then +z), and of solids that share a
border exactly one has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = tuple[Any, Any, Any]  #: three arrays of one length, of floats or of Python integers

_MANTISSA_BITS = 53


def integers(*arrays: NDArray[np.float64]) -> list[NDArray[np.object_]]:
    """Scale all arrays by one power of two that makes every number in them an integer; return Python integers."""
    parts = [np.frexp(np.asarray(array, dtype=np.float64)) for array in arrays]
    lowest = min((int(exponent[mantissa != 0].min(initial=0)) for mantissa, exponent in parts), default=0)
    return [_scaled(mantissa, exponent - lowest) for mantissa, exponent in parts]


def _scaled(mantissa: NDArray[np.float64], shift: NDArray[np.int32]) -> NDArray[np.object_]:
    whole = np.ldexp(mantissa, _MANTISSA_BITS).astype(np.int64).astype(object)
    scaled: NDArray[np.object_] = whole * (2 ** np.maximum(shift, 0).astype(object))
    return scaled


def columns(rows: NDArray[Any]) -> Vector:
    """Return x, y and z of rows (..., 3)."""
    return rows[..., 0], rows[..., 1], rows[..., 2]


def minus(a: Vector, b: Vector) -> Vector:
    """Return a − b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Return a × b."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a: Vector, b: Vector) -> Any:
    """Return a · b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def sign(values: NDArray[np.object_]) -> NDArray[np.int8]:
    """Return −1, 0 or 1 for Python integers."""
    return (values > 0).astype(np.int8) - (values < 0).astype(np.int8)


def perturbed_sign(value: Any, gradient: Vector) -> NDArray[np.int8]:
    """Return the sign of a linear form of a point; where it is 0, as the point shifted by (ε, ε², ε³) has it."""
    found = sign(value)
    for part in gradient:
        found = np.where(found == 0, sign(part), found)
    return found


def normals(corners: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the signs of the components of triangles' normals: (t, 3, 3) to (t, 3); all 0 if a triangle is flat."""
    [whole] = integers(corners)
    a, b, c = (columns(whole[:, corner]) for corner in range(3))
    return np.stack([sign(part) for part in cross(minus(b, a), minus(c, a))], axis=1)


def sides(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.int8]:
    """Say on which side of triangles' planes points lie, (n,): 1 where the normal points, −1 behind, 0 on the plane."""
    p, t = integers(points, corners)
    a, b, c = (columns(t[:, corner]) for corner in range(3))
    return sign(dot(cross(minus(b, a), minus(c, a)), minus(columns(p), a)))


def turns(starts: NDArray[np.float64], ends: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int8]:
    """Say whether points (n, 2) lie left of directed lines in the plane: 1 left, −1 right, 0 on the line."""
    a, b, p = integers(starts, ends, points)
    along, beside = b - a, p - a
    return sign(along[:, 0] * beside[:, 1] - along[:, 1] * beside[:, 0])


def crossed(
    points: NDArray[np.float64], centres: NDArray[np.float64], corners: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say whether segments from points (n, 3) to centres (n, 3) cross triangles (n, 3, 3).

    No centre may lie on the plane of its triangle; the grid sees to that.
    """
    p, o, t = integers(points, centres, corners)
    origin = columns(o)
    q = minus(columns(p), origin)
    a, b, c = (minus(columns(t[:, corner]), origin) for corner in range(3))
    normal = cross(minus(b, a), minus(c, a))
    here, there = perturbed_sign(dot(normal, minus(q, a)), normal), -sign(dot(normal, a))
    turn = [perturbed_sign(dot(q, beside), beside) for beside in (cross(a, b), cross(b, c), cross(c, a))]
    return np.asarray((here * there < 0) & (turn[0] == turn[1]) & (turn[1] == turn[2]))
