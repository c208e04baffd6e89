"""Solid shapes for neuropils: each knows what it contains, and has a closed surface that faces outward.

The surfaces are inscribed: their corners lie on the solid, their faces within it. Lengths are in nm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull

Points = NDArray[np.float64]
Faces = NDArray[np.int64]
Mask = NDArray[np.bool_]

_GOLDEN = (1 + 5**0.5) / 2
_TOLERANCE = 1e-9  #: of a hull's size: its own corners count as contained


class Solid(Protocol):
    """What all shapes can do."""

    def mesh(self) -> tuple[Points, Faces]:
        """Return the surface: vertices (v, 3) float64 and faces (m, 3) int64, counter-clockwise from outside."""
        ...

    def contains(self, points: ArrayLike) -> Mask:
        """Return which of the points (n, 3) lie inside or on the surface."""
        ...


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid; the columns of `rotation` are its axes."""

    centre: Points
    radii: Points
    rotation: Points
    subdivisions: int

    def mesh(self) -> tuple[Points, Faces]:
        """Return an icosahedron, refined, on the ellipsoid."""
        vertices, faces = _sphere(self.subdivisions)
        return (vertices * self.radii) @ self.rotation.T + self.centre, faces

    def contains(self, points: ArrayLike) -> Mask:
        """Return which points lie inside."""
        local = (_points(points) - self.centre) @ self.rotation / self.radii
        return np.asarray((local**2).sum(axis=1) <= 1)


@dataclass(frozen=True, eq=False)
class Torus:
    """A ring around `axis`: a circle of radius `minor`, swept along one of radius `major`."""

    centre: Points
    major: float
    minor: float
    axis: Points
    segments: tuple[int, int]

    def mesh(self) -> tuple[Points, Faces]:
        """Return the ring in `segments` pieces around the axis and around the tube."""
        along, around = self.segments
        u, v = _across(self.axis)
        theta = np.arange(along) / along * 2 * np.pi
        phi = np.arange(around) / around * 2 * np.pi
        outward = np.cos(theta)[:, None] * u + np.sin(theta)[:, None] * v
        rings = (self.major + self.minor * np.cos(phi))[:, None, None] * outward
        rings = rings + (self.minor * np.sin(phi))[:, None, None] * self.axis
        return rings.reshape(-1, 3) + self.centre, _lattice(around, along, closed=True)

    def contains(self, points: ArrayLike) -> Mask:
        """Return which points lie inside."""
        local = _points(points) - self.centre
        height = local @ self.axis
        radius = np.linalg.norm(local - height[:, None] * self.axis, axis=1)
        return np.asarray((radius - self.major) ** 2 + height**2 <= self.minor**2)


@dataclass(frozen=True, eq=False)
class BentBar:
    """A tube with round ends along a line of points: everything within `radius` of the line."""

    points: Points
    radius: float
    sides: int

    def mesh(self) -> tuple[Points, Faces]:
        """Return rings along the line, closed by a half sphere at each end."""
        tangents = _tangents(self.points)
        normals = _carried_along(tangents)
        which, shift, width = self._rings()
        centres = self.points[which] + self.radius * shift[:, None] * tangents[which]
        circles = _circles(tangents[which], normals[which], self.sides)
        rings = centres[:, None] + self.radius * width[:, None, None] * circles
        poles = self.points[[0, -1]] + self.radius * np.stack([-tangents[0], tangents[-1]])
        return np.concatenate([rings.reshape(-1, 3), poles]), _capped(len(which), self.sides)

    def _rings(self) -> tuple[NDArray[np.int64], Points, Points]:
        """Return of each ring the point it belongs to, and its shift along the line and its width, in radii."""
        inner = np.arange(1, len(self.points) - 1)
        quarter = max(1, self.sides // 4)
        angles = np.arange(1, quarter + 1) / quarter * np.pi / 2  # from a pole to its equator
        start, end = np.zeros(quarter, dtype=np.int64), np.full(quarter, len(self.points) - 1)
        shift = [-np.cos(angles), np.zeros(len(inner)), np.cos(angles[::-1])]
        width = [np.sin(angles), np.ones(len(inner)), np.sin(angles[::-1])]
        return np.concatenate([start, inner, end]), np.concatenate(shift), np.concatenate(width)

    def contains(self, points: ArrayLike) -> Mask:
        """Return which points lie inside."""
        queries = _points(points)
        segments = zip(self.points[:-1], self.points[1:], strict=True)
        squares = [_square_distance(queries, start, end) for start, end in segments]
        return np.asarray(np.min(squares, axis=0) <= self.radius**2)


@dataclass(frozen=True, eq=False)
class Hull:
    """A convex hull; each row of `planes` is an outward normal and an offset."""

    vertices: Points
    faces: Faces
    planes: Points

    def mesh(self) -> tuple[Points, Faces]:
        """Return the hull's own surface."""
        return self.vertices, self.faces

    def contains(self, points: ArrayLike) -> Mask:
        """Return which points lie inside."""
        queries = _points(points)
        slack = _TOLERANCE * np.ptp(self.vertices)
        held = np.ones(len(queries), dtype=np.bool_)
        for *normal, offset in self.planes:
            held &= queries @ np.array(normal) + offset <= slack
        return held


def ellipsoid(
    centre: ArrayLike, radii: ArrayLike, rotation: ArrayLike | None = None, subdivisions: int = 3
) -> Ellipsoid:
    """Return an ellipsoid with radii (3,) along the columns of `rotation` (3, 3), of 20 · 4^subdivisions faces."""
    axes = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
    if not np.allclose(axes @ axes.T, np.eye(3)) or np.linalg.det(axes) < 0:
        raise ValueError("rotation is no rotation matrix")
    lengths = np.asarray(radii, dtype=np.float64)
    _positive(*lengths)
    return Ellipsoid(_vector(centre), lengths, axes, subdivisions)


def torus(
    centre: ArrayLike, major: float, minor: float, axis: ArrayLike, segments: tuple[int, int] = (48, 16)
) -> Torus:
    """Return a ring around `axis` (3,), a direction of any length."""
    _positive(minor, major - minor)
    return Torus(_vector(centre), major, minor, _unit(_vector(axis)), segments)


def bent_bar(points: ArrayLike, radius: float, sides: int = 16) -> BentBar:
    """Return a tube along a line (n, 3), which must not turn by a right angle or more at any of its points."""
    line = _points(points)
    _positive(radius, *np.linalg.norm(np.diff(line, axis=0), axis=1))
    steps = _unit(np.diff(line, axis=0))
    if len(line) < 2 or (np.einsum("ij,ij->i", steps[:-1], steps[1:]) <= 0).any():  # noqa: PLR2004  a line
        raise ValueError("the line has no length, or turns back")
    return BentBar(line, radius, sides)


def hull(points: ArrayLike) -> Hull:
    """Return the convex hull of points (n, 3)."""
    found = ConvexHull(_points(points))
    a, b, c = (found.points[found.simplices[:, corner]] for corner in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), found.equations[:, :3]) < 0
    corners = np.where(inward[:, None], found.simplices[:, ::-1], found.simplices)
    used, faces = np.unique(corners, return_inverse=True)
    return Hull(found.points[used], faces.reshape(-1, 3).astype(np.int64), np.unique(found.equations, axis=0))


def _points(points: ArrayLike) -> Points:
    return np.asarray(points, dtype=np.float64).reshape(-1, 3)


def _vector(vector: ArrayLike) -> Points:
    return np.asarray(vector, dtype=np.float64).reshape(3)


def _unit(vectors: Points) -> Points:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _positive(*lengths: float) -> None:
    if not all(length > 0 for length in lengths):
        raise ValueError(f"lengths must be positive: {lengths}")


def _sphere(subdivisions: int) -> tuple[Points, Faces]:
    """Return the unit sphere as a refined icosahedron."""
    corners = [(0, i, j * _GOLDEN) for i in (-1, 1) for j in (-1, 1)]
    icosahedron = hull([np.roll(corner, shift) for corner in corners for shift in range(3)])
    vertices, faces = _unit(icosahedron.vertices), icosahedron.faces
    for _ in range(subdivisions):
        vertices, faces = _refined(vertices, faces)
        vertices = _unit(vertices)
    return vertices, faces


def _refined(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """Cut each triangle into four at the middle of its edges, which neighbours share."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = (inverse.reshape(-1, 3) + len(vertices)).T
    a, b, c = faces.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([vertices, vertices[unique].mean(axis=1)]), np.concatenate([np.stack(p, 1) for p in parts])


def _across(axis: Points) -> tuple[Points, Points]:
    """Return two unit vectors that stand on `axis` and on each other: u × v is the axis."""
    helper = np.eye(3)[np.abs(axis).argmin()]
    u = _unit(np.cross(axis, helper))
    return u, np.cross(axis, u)


def _lattice(rows: int, columns: int, *, closed: bool) -> Faces:
    """Return the faces of rings stacked row by row, outward if (along a ring) × (from ring to ring) points out."""
    ring = np.arange(rows * columns).reshape(rows, columns)
    upper = np.roll(ring, -1, axis=0)
    here, there = (ring, upper) if closed else (ring[:-1], upper[:-1])
    right, across = np.roll(here, -1, axis=1), np.roll(there, -1, axis=1)
    halves = [np.stack([here, right, across], axis=-1), np.stack([here, across, there], axis=-1)]
    return np.concatenate([half.reshape(-1, 3) for half in halves])


def _capped(rings: int, sides: int) -> Faces:
    """Return the faces of a tube of rings whose two poles are the last vertices."""
    first = np.arange(sides)
    last = first + (rings - 1) * sides
    poles = np.full((2, sides), rings * sides) + np.array([[0], [1]])
    start = np.stack([poles[0], np.roll(first, -1), first], axis=1)
    end = np.stack([poles[1], last, np.roll(last, -1)], axis=1)
    return np.concatenate([_lattice(rings, sides, closed=False), start, end])


def _circles(tangents: Points, normals: Points, sides: int) -> Points:
    """Return unit circles (n, sides, 3) across the tangents, each from its normal on."""
    phi = np.arange(sides) / sides * 2 * np.pi
    binormals = np.cross(tangents, normals)
    return np.cos(phi)[:, None] * normals[:, None] + np.sin(phi)[:, None] * binormals[:, None]


def _tangents(points: Points) -> Points:
    """Return the direction of a line at each of its points."""
    steps = _unit(np.diff(points, axis=0))
    return _unit(np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]]))


def _carried_along(tangents: Points) -> Points:
    """Return a normal per tangent, each the one before with as little turn as possible: the tube does not twist."""
    normals = [_across(tangents[0])[0]]
    for tangent in tangents[1:]:
        normals.append(_unit(normals[-1] - (normals[-1] @ tangent) * tangent))
    return np.stack(normals)


def _square_distance(points: Points, start: Points, end: Points) -> Points:
    """Return each point's squared distance to a segment."""
    step = end - start
    share = np.clip((points - start) @ step / (step @ step), 0, 1)
    return np.asarray(((points - start - share[:, None] * step) ** 2).sum(axis=1))
