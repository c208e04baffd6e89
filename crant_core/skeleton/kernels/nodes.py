"""Kernels that measure slabs: centres, radii across the neurite, clearances, and balls that fit inside."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.slices import AXIAL_REACH, BALLS, Balls, Slices, Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # 32 or 64 bits wide
Flags = NDArray[np.bool_]

_AT_ONCE = 16  # numbers, that the machine works on in one go
_SHORTEST = 1e-12  # a normal may be zero


def gathered(surface: Surface, slices: Slices) -> tuple[Floats, Floats]:
    """Return the vertices' positions in nm, and their areas, slab by slab."""
    places, areas = np.empty((len(slices.order), 3)), np.empty(len(slices.order))
    _gather(surface.places, surface.areas, slices.order, surface.grid, places, areas)
    return places, areas


@compiled
def _gather(cells: Ints, weights: Floats, order: Ints, grid: float, places: Floats, areas: Floats) -> None:
    for row in range(len(order)):
        vertex = np.uint32(order[row])
        areas[row] = weights[vertex]
        for axis in range(3):
            places[row, axis] = cells[vertex, axis] * grid


def centroids(places: Floats, weights: Floats, starts: Ints) -> tuple[Floats, Floats]:
    """Return each slab's weighted centre, (m, 3), and mean squared distance from it, (m,)."""
    centres, squares = _centroids(places, weights, starts)
    return centres, squares


@compiled
def _centroids(places: Floats, weights: Floats, starts: Ints) -> tuple[Floats, Floats]:
    centres, squares = np.zeros((len(starts) - 1, 3)), np.zeros(len(starts) - 1)
    for slab in range(len(centres)):
        total = 0.0
        for row in range(starts[slab], starts[slab + 1]):
            total += weights[row]
            for axis in range(3):
                centres[slab, axis] += places[row, axis] * weights[row]
        centres[slab] /= total
        for row in range(starts[slab], starts[slab + 1]):
            squares[slab] += _square(places, row, centres, slab) * weights[row]
        squares[slab] /= total
    return centres, squares


@inlined
def _square(places: Floats, row: int, centres: Floats, node: int) -> float:
    x = places[row, 0] - centres[node, 0]
    y = places[row, 1] - centres[node, 1]
    z = places[row, 2] - centres[node, 2]
    return float(x * x + y * y + z * z)


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


def across(places: Floats, weights: Floats, slices: Slices, centres: Floats, directions: Floats) -> Floats:
    """Return each node's mean distance of the surface from its axis, (m,), over its own and adjacent slabs."""
    return np.asarray(
        _across(places, weights, slices.starts, slices.parents, centres, directions, AXIAL_REACH * slices.step)
    )


@compiled
def _across(
    places: Floats, weights: Floats, starts: Ints, parents: Ints, centres: Floats, directions: Floats, reach: float
) -> Floats:
    begins, children = _children(parents)
    result = np.empty(len(parents))
    for node in range(len(parents)):
        total = weight = 0.0
        for slab in _joined(node, parents, begins, children):
            for row in range(starts[slab], starts[slab + 1]):
                axial = 0.0
                for axis in range(3):
                    axial += (places[row, axis] - centres[node, axis]) * directions[node, axis]
                share = weights[row] * max(1 - (axial / reach) ** 2, 0.0) ** 3
                total += np.sqrt(max(_square(places, row, centres, node) - axial * axial, 0.0)) * share
                weight += share
        result[node] = total / weight if weight > 0 else np.nan
    return result


def clearances(places: Floats, slices: Slices, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]:
    """Return some nodes' distance to the nearest vertex of their own and adjacent slabs, and that vertex's row."""
    best, at = _clearances(places, slices.starts, slices.parents, nodes, centres)
    return np.sqrt(best), at


@compiled
def _clearances(places: Floats, starts: Ints, parents: Ints, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]:
    begins, children = _children(parents)
    best, at = np.full(len(nodes), np.inf), np.full(len(nodes), -1)
    for number in range(len(nodes)):
        node, nearest = nodes[number], np.inf
        for slab in _joined(node, parents, begins, children):
            for row in range(starts[slab], starts[slab + 1]):
                square = _square(places, row, centres, node)
                if square < nearest:
                    nearest, at[number] = square, row
        best[number] = nearest
    return best, at


def recentred(
    places: Floats, normals: Floats, slices: Slices, nodes: Ints, centres: Floats, most: Floats
) -> tuple[Floats, Flags]:
    """Move nodes into balls that fit into the surface; also say which were moved. See the twin."""
    centres, moved = centres.copy(), np.zeros(len(nodes), dtype=np.bool_)
    _recentre(places, normals, slices.order, slices.starts, slices.parents, nodes, centres, most, moved, BALLS)
    return centres, moved


@compiled
def _recentre(
    places: Floats,
    normals: Floats,
    order: Ints,
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
        slabs = _joined(node, parents, begins, children)
        touched, seen = _thinned(slabs[:1], starts, rules.touched), _thinned(slabs, starts, rules.seen)
        lanes = _lanes(places, normals, touched, order)
        _bend(lanes, places, normals, seen, order, rules.facing)
        balls, radii = _balls(lanes, len(touched), most[node], rules.grid)
        ball = _straightest(balls, radii, slabs, centres, rules)
        if ball >= 0:
            centres[node] = balls[ball]
            moved[number] = True


@compiled
def _thinned(slabs: Ints, starts: Ints, count: int) -> Ints:
    """Return every k-th row of some slabs, about `count` of them."""
    total = 0
    for slab in slabs:
        total += starts[slab + 1] - starts[slab]
    stride, number = max(1, total // count), 0
    rows, at = np.empty((total + stride - 1) // stride, np.int64), 0
    for slab in slabs:
        for row in range(starts[slab], starts[slab + 1]):
            if number % stride == 0:
                rows[at] = row
                at += 1
            number += 1
    return rows


@compiled
def _lanes(places: Floats, normals: Floats, rows: Ints, order: Ints) -> Floats:
    """Put positions, unit normals and zeros side by side, (7, k): the machine works on several columns at once.

    There are some more columns than rows, so that none is left over.
    """
    lanes = np.zeros((7, -(-len(rows) // _AT_ONCE) * _AT_ONCE))
    for lane in range(len(rows)):
        row, vertex = rows[lane], order[rows[lane]]
        x, y, z = normals[vertex, 0], normals[vertex, 1], normals[vertex, 2]
        length = max(np.sqrt(x * x + y * y + z * z), _SHORTEST)
        lanes[0, lane], lanes[1, lane], lanes[2, lane] = places[row, 0], places[row, 1], places[row, 2]
        lanes[3, lane], lanes[4, lane], lanes[5, lane] = x / length, y / length, z / length
    return lanes


@compiled
def _bend(lanes: Floats, places: Floats, normals: Floats, seen: Ints, order: Ints, most_facing: float) -> None:
    """Find the curvature of the largest ball that touches each column from inside and holds none of the seen."""
    for row in seen:
        vertex = order[row]
        a, b, c = places[row, 0], places[row, 1], places[row, 2]
        d, e, f = normals[vertex, 0], normals[vertex, 1], normals[vertex, 2]
        limit = most_facing * np.sqrt(d * d + e * e + f * f)
        for lane in range(lanes.shape[1]):
            u, v, w = lanes[3, lane], lanes[4, lane], lanes[5, lane]
            x, y, z = lanes[0, lane] - a, lanes[1, lane] - b, lanes[2, lane] - c
            curve = 2 * (x * u + y * v + z * w) / (x * x + y * y + z * z)
            curve = curve if u * d + v * e + w * f < limit else 0.0
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
def _way(place: Floats, slabs: Ints, centres: Floats) -> float:
    """Add up the distances from a place to the nodes that the first of `slabs` is joined to."""
    total = 0.0
    for other in slabs[1:]:
        x, y, z = place[0] - centres[other, 0], place[1] - centres[other, 1], place[2] - centres[other, 2]
        total += np.sqrt(x * x + y * y + z * z)
    return total


@compiled
def _straightest(balls: Floats, radii: Floats, slabs: Ints, centres: Floats, rules: Balls) -> int:
    """Choose among the balls nearly as large as the largest; -1 if there is none without a detour."""
    best, shortest, largest = -1, np.inf, radii.max()
    for number in range(len(balls)):
        way = np.rint(_way(balls[number], slabs, centres) / rules.grid)
        if radii[number] > 0 and radii[number] >= rules.nearly * largest and way < shortest:
            best, shortest = number, way
    if len(slabs) > 1 and shortest > rules.detour * _way(centres[slabs[0]], slabs, centres) / rules.grid:
        return -1
    return best
