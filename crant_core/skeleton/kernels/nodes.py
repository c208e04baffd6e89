"""Kernels that measure rings: centres, sections, radii across the neurite, clearances, and balls that fit inside."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.rings import AXIAL_REACH, BALLS, SHORTEST, Balls, Rings

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # 32 or 64 bits wide
Flags = NDArray[np.bool_]

_AT_ONCE = 16  # numbers, that the machine works on in one go


def centroids(rings: Rings) -> Floats:
    """Return each ring's centre, (m, 3), weighted by the lengths of its cuts."""
    return np.asarray(_centroids(rings.middles, rings.cuts, rings.starts, SHORTEST))


@compiled
def _centroids(middles: Floats, cuts: Floats, starts: Ints, shortest: float) -> Floats:
    centres = np.zeros((len(starts) - 1, 3))
    for ring in range(len(centres)):
        total = 0.0
        for row in range(starts[ring], starts[ring + 1]):
            length = _length(cuts, row, shortest)
            total += length
            for axis in range(3):
                centres[ring, axis] += middles[row, axis] * length
        centres[ring] /= total
    return centres


@inlined
def _length(cuts: Floats, row: int, shortest: float) -> float:
    return float(max(np.sqrt(cuts[row, 0] ** 2 + cuts[row, 1] ** 2 + cuts[row, 2] ** 2), shortest))


@inlined
def _square(places: Floats, row: int, centres: Floats, node: int) -> float:
    x = places[row, 0] - centres[node, 0]
    y = places[row, 1] - centres[node, 1]
    z = places[row, 2] - centres[node, 2]
    return float(x * x + y * y + z * z)


def sections(rings: Rings, centres: Floats, directions: Floats) -> Floats:
    """Return the area within each ring, (m,), nm², as seen along the neurite."""
    return np.asarray(_sections(rings.middles, rings.cuts, rings.starts, centres, directions))


@compiled
def _sections(middles: Floats, cuts: Floats, starts: Ints, centres: Floats, directions: Floats) -> Floats:
    found = np.zeros(len(centres))
    for ring in range(len(centres)):
        u, v, w = directions[ring]
        for row in range(starts[ring], starts[ring + 1]):
            x, y, z = (
                middles[row, 0] - centres[ring, 0],
                middles[row, 1] - centres[ring, 1],
                middles[row, 2] - centres[ring, 2],
            )
            a, b, c = cuts[row, 0], cuts[row, 1], cuts[row, 2]
            found[ring] += ((y * c - z * b) * u + (z * a - x * c) * v + (x * b - y * a) * w) / 2
    return found


@compiled
def _children(parents: Ints) -> tuple[Ints, Ints]:
    """List every node's children in ascending order: where each list begins, and the lists."""
    begins = np.zeros(len(parents) + 1, np.int64)
    for parent in parents:
        if parent >= 0:
            begins[parent + 1] += 1
    begins = np.cumsum(begins)
    place, children = begins[:-1].copy(), np.empty(begins[-1], np.int64)
    for node in range(len(parents)):
        if parents[node] >= 0:
            children[place[parents[node]]] = node
            place[parents[node]] += 1
    return begins, children


@compiled
def _joined(node: int, parents: Ints, begins: Ints, children: Ints) -> Ints:
    """Return a node, its children and its parent."""
    count = begins[node + 1] - begins[node]
    found = np.empty(count + 2, np.int64)
    found[0] = node
    found[1 : count + 1] = children[begins[node] : begins[node + 1]]
    found[count + 1] = parents[node]
    return found if parents[node] >= 0 else found[:-1]


def across(rings: Rings, centres: Floats, directions: Floats) -> Floats:
    """Return the mean distance of the surface from each node's axis, (m,), over its own and adjacent rings."""
    reach = AXIAL_REACH * rings.step
    return np.asarray(
        _across(rings.middles, rings.cuts, rings.starts, rings.parents, centres, directions, reach, SHORTEST)
    )


@compiled
def _across(
    middles: Floats,
    cuts: Floats,
    starts: Ints,
    parents: Ints,
    centres: Floats,
    directions: Floats,
    reach: float,
    shortest: float,
) -> Floats:
    begins, children = _children(parents)
    result = np.empty(len(parents))
    for node in range(len(parents)):
        total = weight = 0.0
        u, v, w = directions[node]
        for ring in _joined(node, parents, begins, children):
            for row in range(starts[ring], starts[ring + 1]):
                length = _length(cuts, row, shortest)
                for half in (-0.5, 0.5):
                    x = middles[row, 0] + half * cuts[row, 0] - centres[node, 0]
                    y = middles[row, 1] + half * cuts[row, 1] - centres[node, 1]
                    z = middles[row, 2] + half * cuts[row, 2] - centres[node, 2]
                    axial = x * u + y * v + z * w
                    share = length * max(1 - (axial / reach) ** 2, 0.0) ** 3
                    total += np.sqrt(max(x * x + y * y + z * z - axial * axial, 0.0)) * share
                    weight += share
        result[node] = total / weight if weight > 0 else np.nan
    return result


def clearances(rings: Rings, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]:
    """Return some nodes' distance to the nearest cut of their own and adjacent rings, and that cut's row."""
    best, at = _clearances(rings.middles, rings.starts, rings.parents, nodes, centres)
    return np.sqrt(best), at


@compiled
def _clearances(places: Floats, starts: Ints, parents: Ints, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]:
    begins, children = _children(parents)
    best, at = np.full(len(nodes), np.inf), np.full(len(nodes), -1)
    for number in range(len(nodes)):
        node, nearest = nodes[number], np.inf
        for ring in _joined(node, parents, begins, children):
            for row in range(starts[ring], starts[ring + 1]):
                square = _square(places, row, centres, node)
                if square < nearest:
                    nearest, at[number] = square, row
        best[number] = nearest
    return best, at


def recentred(rings: Rings, nodes: Ints, centres: Floats, most: Floats) -> tuple[Floats, Flags]:
    """Move nodes into balls that fit into the surface; also say which were moved. See the twin."""
    centres, moved = centres.copy(), np.zeros(len(nodes), dtype=np.bool_)
    _recentre(rings.middles, rings.facing, rings.starts, rings.parents, nodes, centres, most, moved, BALLS)
    return centres, moved


@compiled
def _recentre(
    places: Floats,
    normals: Floats,
    starts: Ints,
    parents: Ints,
    nodes: Ints,
    centres: Floats,
    most: Floats,
    moved: Flags,
    rules: Balls,
) -> None:
    begins, children = _children(parents)
    for number in range(len(nodes)):
        node = nodes[number]
        rings = _joined(node, parents, begins, children)
        touched, seen = _thinned(rings[:1], starts, rules.touched), _thinned(rings, starts, rules.seen)
        lanes = _lanes(places, normals, touched)
        _bend(lanes, places, normals, seen, rules.facing)
        balls, radii = _balls(lanes, len(touched), most[node], rules.grid)
        ball = _straightest(balls, radii, rings, centres, rules)
        if ball >= 0:
            centres[node] = balls[ball]
            moved[number] = True


@compiled
def _thinned(rings: Ints, starts: Ints, count: int) -> Ints:
    """Return every k-th row of some rings, about `count` of them."""
    total = 0
    for ring in rings:
        total += starts[ring + 1] - starts[ring]
    stride, number = max(1, total // count), 0
    rows, at = np.empty((total + stride - 1) // stride, np.int64), 0
    for ring in rings:
        for row in range(starts[ring], starts[ring + 1]):
            if number % stride == 0:
                rows[at] = row
                at += 1
            number += 1
    return rows


@compiled
def _lanes(places: Floats, normals: Floats, rows: Ints) -> Floats:
    """Put positions, unit normals and zeros side by side, (7, k): the machine works on several columns at once.

    There are some more columns than rows, so that none is left over.
    """
    lanes = np.zeros((7, -(-len(rows) // _AT_ONCE) * _AT_ONCE))
    for lane in range(len(rows)):
        for axis in range(3):
            lanes[axis, lane], lanes[3 + axis, lane] = places[rows[lane], axis], normals[rows[lane], axis]
    return lanes


@compiled
def _bend(lanes: Floats, places: Floats, normals: Floats, seen: Ints, most_facing: float) -> None:
    """Find the curvature of the largest ball that touches each column from inside and holds none of the seen."""
    for row in seen:
        a, b, c = places[row, 0], places[row, 1], places[row, 2]
        d, e, f = normals[row, 0], normals[row, 1], normals[row, 2]
        for lane in range(lanes.shape[1]):
            u, v, w = lanes[3, lane], lanes[4, lane], lanes[5, lane]
            x, y, z = lanes[0, lane] - a, lanes[1, lane] - b, lanes[2, lane] - c
            curve = 2 * (x * u + y * v + z * w) / (x * x + y * y + z * z)
            curve = curve if u * d + v * e + w * f < most_facing else 0.0
            lanes[6, lane] = curve if curve > lanes[6, lane] else lanes[6, lane]


@compiled
def _balls(lanes: Floats, count: int, most: float, grid: float) -> tuple[Floats, Floats]:
    """Return each ball's centre and radius, 0 if larger than `most`."""
    balls, radii = np.empty((count, 3)), np.zeros(count)
    for number in range(count):
        radius = 1 / lanes[6, number]
        radii[number] = np.rint(radius / grid) * grid if radius <= most else 0.0
        for axis in range(3):
            balls[number, axis] = lanes[axis, number] - lanes[3 + axis, number] * radii[number]
    return balls, radii


@inlined
def _way(place: Floats, rings: Ints, centres: Floats) -> float:
    """Add up the distances from a place to the nodes that the first of `rings` is joined to."""
    total = 0.0
    for other in rings[1:]:
        x, y, z = place[0] - centres[other, 0], place[1] - centres[other, 1], place[2] - centres[other, 2]
        total += np.sqrt(x * x + y * y + z * z)
    return total


@compiled
def _straightest(balls: Floats, radii: Floats, rings: Ints, centres: Floats, rules: Balls) -> int:
    """Choose among the balls nearly as large as the largest; -1 if there is none without a detour."""
    best, shortest, largest = -1, np.inf, radii.max()
    for number in range(len(balls)):
        way = np.rint(_way(balls[number], rings, centres) / rules.grid)
        if radii[number] > 0 and radii[number] >= rules.nearly * largest and way < shortest:
            best, shortest = number, way
    if len(rings) > 1 and shortest > rules.detour * _way(centres[rings[0]], rings, centres) / rules.grid:
        return -1
    return best
