"""Which points lie in which surfaces: a look-up in the label grid, and in boundary cells a count of crossings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils import exact, quick
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels
from crant_core.neuropils.ranges import expanded

Pairs = tuple[NDArray[np.int64], NDArray[np.int32]]  #: points and surfaces

_LOOK_UPS = 1 << 16  # points at a time; what is worked on fits a core's cache
_COUNTS = 1 << 12
_EXACT = 1 << 14
ROUNDING = 2e-14  #: times three lengths: more than the error of a triple product, some 50 units in the last place
PLANE_ROUNDING = 3e-13  #: the same for a plane's side
_SURFACE_BITS = 24


def find(points: NDArray[np.float64], frame: Frame, labels: Labels) -> Pairs:
    """Return every pair of a point (n, 3) and a surface that contains it, ordered by point, then surface.

    A point in a boundary cell is compared with the cell's centre, of which it is known where it is: each crossing of
    the segment between them with a triangle of the cell changes inside to outside or back. Nothing is decided by
    rounding: single precision leaves what it cannot know to double precision, and that to `crant_core.neuropils.exact`.
    """
    codes = np.empty(len(points), dtype=np.int32)
    for begin in range(0, len(points), _LOOK_UPS):
        part = slice(begin, begin + _LOOK_UPS)
        codes[part] = labels.codes[frame.cells_of(points[part])]
    within = np.flatnonzero(codes > 0)
    found = [_members(within, codes[within], labels)]
    near = np.flatnonzero(codes < 0)
    # by cell: neighbours in space read the same triangles
    keys = np.sort((-1 - codes[near].astype(np.int64)) << 32 | near)
    boundary, near = keys >> 32, keys & 0xFFFFFFFF
    found.append(_members(near, labels.boundary_sets[boundary], labels))
    for begin in range(0, len(near), _COUNTS):
        part = slice(begin, begin + _COUNTS)
        found.append(_near(points, near[part], boundary[part], frame, labels))
    return _ordered(found)


def _ordered(found: list[Pairs]) -> Pairs:
    points, surfaces = (np.concatenate(part) for part in zip(*found, strict=True))
    keys = np.sort(points << _SURFACE_BITS | surfaces)
    return keys >> _SURFACE_BITS, (keys & ((1 << _SURFACE_BITS) - 1)).astype(np.int32)


def _members(rows: NDArray[np.int64], sets: NDArray[np.int32], labels: Labels) -> Pairs:
    """Name the members of each point's set."""
    begin = labels.set_starts[sets]
    owner, members = expanded(begin, labels.set_starts[sets + 1] - begin)
    return rows[owner], labels.set_members[members]


def _near(
    points: NDArray[np.float64], rows: NDArray[np.int64], boundary: NDArray[np.int64], frame: Frame, labels: Labels
) -> Pairs:
    """Decide about points in boundary cells."""
    begin = labels.boundary_starts[boundary]
    owner, crossings = expanded(begin, labels.boundary_starts[boundary + 1] - begin)
    found = inside(points[rows[owner]], crossings, frame, labels)
    return rows[owner[found]], labels.surfaces[crossings[found]]


def inside(
    points: NDArray[np.float64], crossings: NDArray[np.int64], frame: Frame, labels: Labels
) -> NDArray[np.bool_]:
    """Say whether points (n, 3) are inside surfaces, given the crossing (n,) of each with the point's cell."""
    which, pair = expanded(labels.pair_starts[crossings], labels.pair_counts[crossings])
    crossed = _crossings(points, which, labels.pairs[pair], frame, labels)
    odd = (np.bincount(which[crossed], minlength=len(crossings)) & 1).astype(np.bool_)
    return np.asarray(labels.states[crossings] ^ odd)


def _crossings(
    points: NDArray[np.float64], row: NDArray[np.int32], pair: NDArray[np.int32], frame: Frame, labels: Labels
) -> NDArray[np.int64]:
    """Return which pairs of a point (by row) and a triangle have the triangle between the point and its centre."""
    centres = frame.centres_of(points)
    fast = quick.positions(points, frame)
    distance = np.einsum("ij,ij->i", quick.rows(labels.quick, (pair >> 1) * 4), quick.rows(fast, row))
    unsure = np.abs(distance) <= quick.plane_tolerance(frame)
    left = np.flatnonzero(((distance > 0) != (pair & 1)) | unsure)
    triangle, row = pair[left] >> 1, row[left]
    crossed, doubtful = _through(fast, quick.positions(centres, frame), row, triangle, labels)
    again = np.flatnonzero(doubtful | unsure[left])
    crossed[again] = surely_crossed(
        points[row[again]], centres[row[again]], labels.vertices[labels.faces[triangle[again]]]
    )
    return left[crossed]


def _through(
    points: NDArray[np.float32],
    centres: NDArray[np.float32],
    row: NDArray[np.int32],
    triangle: NDArray[np.int32],
    labels: Labels,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say whether lines pass through triangles, and where single precision cannot know."""
    origin = quick.rows(centres, row)
    q = _columns(quick.rows(points, row) - origin)
    corners = [quick.rows(labels.quick, triangle * 4 + row) for row in (quick.FIRST, quick.SECOND, quick.THIRD)]
    a, b, c = (_columns(corner - origin) for corner in corners)
    return _same_turns(q, a, b, c, corners[0][:, 3])


def _columns(rows: NDArray[np.floating]) -> exact.Vector:
    x, y, z = np.ascontiguousarray(rows[:, :3].T)
    return x, y, z  # each in one piece, which is faster than every third number


def _same_turns(
    q: exact.Vector, a: exact.Vector, b: exact.Vector, c: exact.Vector, tolerance: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say whether the lines from the origin to q pass through triangles, and where a product is too small to know."""
    beside = exact.cross(q, a)  # q · (a × b) = (q × a) · b, and q · (c × a) = -(q × a) · c
    first, second, third = exact.dot(beside, b), exact.dot(q, exact.cross(b, c)), -exact.dot(beside, c)
    least = np.minimum(np.minimum(np.abs(first), np.abs(second)), np.abs(third))
    positive = first > 0
    return (positive == (second > 0)) & (positive == (third > 0)), least <= tolerance


def surely_crossed(
    points: NDArray[np.float64], centres: NDArray[np.float64], corners: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say which segments from points to centres cross triangles: in double precision, and where that fails exactly."""
    q, a, b, c = (_columns(places - centres) for places in (points, corners[:, 0], corners[:, 1], corners[:, 2]))
    size = np.max([np.abs(part).max(axis=0) for part in (q, a, b, c)], axis=0)
    normal = exact.cross(exact.minus(b, a), exact.minus(c, a))
    here, there = exact.dot(normal, exact.minus(q, a)), -exact.dot(normal, a)
    through, doubtful = _same_turns(q, a, b, c, ROUNDING * size**3)
    doubtful |= np.minimum(np.abs(here), np.abs(there)) <= PLANE_ROUNDING * size**3
    crossed = through & ((here > 0) != (there > 0))
    unsure = np.flatnonzero(doubtful)
    for begin in range(0, len(unsure), _EXACT):
        part = unsure[begin : begin + _EXACT]
        crossed[part] = exact.crossed(points[part], centres[part], corners[part])
    return np.asarray(crossed)
