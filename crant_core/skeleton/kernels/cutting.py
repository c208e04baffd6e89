"""Kernels that cut faces at levels of the field, and join the cuts to rings."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.rings import Surface

Ints = NDArray[Any]  # of any width, with or without sign


class Cuts(NamedTuple):
    """Where faces are cut, face by face, from low to high.

    Attributes
    ----------
    owners, heights : ndarray, shape (r,), int32
        The face of each, and the level it is cut at.
    rings : ndarray, shape (r,), int32
        The ring that each belongs to.
    starts : ndarray, shape (m + 1,), int64
        How many cuts the rings before each have.
    parents : ndarray, shape (m,), int64
        The next ring downhill; -1 - the number of the seed where there is none.
    farthest : ndarray, shape (m,), int64
        A highest vertex between each ring and the next level, or -1.
    """

    owners: Ints
    heights: Ints
    rings: Ints
    starts: Ints
    parents: Ints
    farthest: Ints


def cuts(surface: Surface, seeds: Ints, distances: Ints, levels: Ints) -> Cuts:
    """Cut all faces; rings are numbered from the seeds outwards, within a level by their first lower end."""
    faces, starts, links = surface.faces, surface.starts, surface.links
    bases = np.empty(len(levels), dtype=np.int32)
    above = np.arange(_bases(starts, links, levels, bases), dtype=np.int32)
    most = np.empty((3, _count(faces, levels)), dtype=np.int32)
    _cut(faces, starts, links, levels, bases, above, *most)
    if surface.open.any():
        _join_around_holes(surface, levels, bases, above)
    owners, heights, rings = most
    begins = _numbered(above, bases, heights, rings)
    lowest, highest = _corners(faces, distances, levels, owners, heights, rings, len(begins) - 1)
    parents = _parents(starts, links, distances, levels, bases, above, owners, rings, lowest, seeds)
    return Cuts(owners, heights, rings, begins, parents, _farthest(starts, links, distances, levels, highest))


@compiled
def _count(faces: Ints, levels: Ints) -> int:
    total = 0
    for face in range(len(faces)):
        a, b, c = levels[faces[face, 0]], levels[faces[face, 1]], levels[faces[face, 2]]
        total += max(a, b, c) - min(a, b, c)
    return total


@compiled
def _bases(starts: Ints, links: Ints, levels: Ints, bases: Ints) -> int:
    """Number the places where edges cross levels, those of each vertex' rising edges together."""
    total = 0
    for number in range(len(levels)):
        vertex = np.uint32(number)
        bases[vertex] = total
        for at in range(starts[vertex], starts[vertex + np.uint32(1)]):
            total += max(levels[links[at, 0]] - levels[vertex], 0)
    return total


@inlined
def _crossing(one: Any, other: Any, level: Any, starts: Ints, links: Ints, levels: Ints, bases: Ints) -> int:
    """Return the number of the place where an edge crosses a level."""
    low, high = (one, other) if levels[one] < levels[other] else (other, one)
    at, own = starts[low], levels[low]
    number = bases[low] + level - own
    while links[at, 0] != high:
        number += max(levels[links[at, 0]] - own, 0)
        at += np.uint32(1)
    return int(number)


@inlined
def _find(above: Ints, node: Any) -> Any:
    """Return the lowest node of a union-find tree, halving the way there."""
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node


@compiled
def _cut(
    faces: Ints,
    starts: Ints,
    links: Ints,
    levels: Ints,
    bases: Ints,
    above: Ints,
    owners: Ints,
    heights: Ints,
    ends: Ints,
) -> None:
    """Cut each face at every level between its corners, and join the two crossings of each cut."""
    count = 0
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        of_a, of_b, of_c = levels[a], levels[b], levels[c]
        for level in range(min(of_a, of_b, of_c), max(of_a, of_b, of_c)):
            if (of_b > level) == (of_c > level):
                odd, one, other = a, b, c
            elif (of_c > level) == (of_a > level):
                odd, one, other = b, c, a
            else:
                odd, one, other = c, a, b
            first = _crossing(odd, one, level, starts, links, levels, bases)
            root, lower = _find(above, first), _find(above, _crossing(odd, other, level, starts, links, levels, bases))
            above[max(root, lower)] = min(root, lower)
            owners[count], heights[count], ends[count] = face, level, first
            count += 1


def _join_around_holes(surface: Surface, levels: Ints, bases: Ints, above: Ints) -> None:
    """Join what a hole tears apart: all crossings of one level around one hole."""
    most = int(np.diff(surface.starts)[surface.open].sum())
    rims = _rims(surface.starts, surface.links, surface.open, most)
    crossing, hole, level = _on_rims(rims, surface.starts, surface.links, levels, bases)
    order = np.lexsort([level, hole])
    same = (np.diff(hole[order]) == 0) & (np.diff(level[order]) == 0)
    _join(crossing[order[:-1][same]], crossing[order[1:][same]], above)


@compiled
def _rims(starts: Ints, links: Ints, opened: Ints, most: int) -> Ints:
    """List the edges with an odd number of faces, each once: an open fan lists both neighbours of every face."""
    found, count = np.empty((most, 2), np.int64), 0
    for number in range(len(opened)):
        vertex = np.uint32(number)
        if not opened[vertex]:
            continue
        end = starts[vertex + np.uint32(1)]
        for at in range(starts[vertex], end):
            seen = 0
            for near in range(starts[vertex], end):
                seen += (links[near, 0] == links[at, 0]) * (most if near < at else 1)
            if seen % 2 and seen < most and links[at, 0] > vertex:
                found[count, 0], found[count, 1] = vertex, links[at, 0]
                count += 1
    return found[:count]


@compiled
def _on_rims(rims: Ints, starts: Ints, links: Ints, levels: Ints, bases: Ints) -> tuple[Ints, Ints, Ints]:
    """List where edges of holes cross levels: each crossing's number, hole and level."""
    above, total, at = np.arange(len(levels)), 0, 0
    for one, other in rims:
        root, lower = _find(above, one), _find(above, other)
        above[max(root, lower)] = min(root, lower)
        total += abs(levels[one] - levels[other])
    found = np.empty((3, total), np.int64)
    for rim in range(len(rims)):
        one, other = np.uint32(rims[rim, 0]), np.uint32(rims[rim, 1])
        for level in range(min(levels[one], levels[other]), max(levels[one], levels[other])):
            found[0, at] = _crossing(one, other, level, starts, links, levels, bases)
            found[1, at], found[2, at] = _find(above, rims[rim, 0]), level
            at += 1
    return found[0], found[1], found[2]


@compiled
def _join(one: Ints, other: Ints, above: Ints) -> None:
    for number in range(len(one)):
        root, lower = _find(above, one[number]), _find(above, other[number])
        above[max(root, lower)] = min(root, lower)


def _numbered(above: Ints, bases: Ints, heights: Ints, rings: Ints) -> Ints:
    """Turn cuts' ends into the numbers of their rings, which the ends' roots get too; return where each will begin."""
    roots, firsts = _labelled(above, rings)
    lows = np.searchsorted(bases, roots, side="right")  # a root is the first of its ring, and so at the first low end
    ranks, sizes = np.empty(len(roots), dtype=np.int64), np.zeros(len(roots) + 1, dtype=np.int64)
    ranks[np.lexsort([firsts, lows, heights[firsts]])] = np.arange(len(roots))
    _renumber(ranks, roots, above, rings, sizes)
    return np.cumsum(sizes)


@compiled
def _labelled(above: Ints, rings: Ints) -> tuple[Ints, Ints]:
    """Number rings in order of their first cuts; return their roots, which get -1 - the number, and these cuts."""
    found, count = np.empty((2, len(rings)), np.int64), 0
    for cut in range(len(rings)):
        root = rings[cut]
        while above[root] >= 0 and above[root] != root:
            root = above[root]
        if above[root] == root:
            above[root], found[0, count], found[1, count] = -1 - count, root, cut
            count += 1
        rings[cut] = -1 - above[root]
    return found[0, :count], found[1, :count]


@compiled
def _renumber(ranks: Ints, roots: Ints, above: Ints, rings: Ints, sizes: Ints) -> None:
    for ring in range(len(roots)):
        above[roots[ring]] = -1 - ranks[ring]
    for cut in range(len(rings)):
        rings[cut] = ranks[rings[cut]]
        sizes[rings[cut] + 1] += 1


@compiled
def _corners(
    faces: Ints, distances: Ints, levels: Ints, owners: Ints, heights: Ints, rings: Ints, count: int
) -> tuple[Ints, Ints]:
    """Find each ring's face with the lowest corner, by its first cut of the ring, and its highest corner just above."""
    lowest, highest = np.full((count, 2), -1, np.int64), np.full(count, -1, np.int64)
    for cut in range(len(rings)):
        ring = rings[cut]
        for corner in range(3):
            vertex = np.int64(faces[owners[cut], corner])
            distance, least, most = distances[vertex], lowest[ring, 0], highest[ring]
            if least < 0 or distance < distances[least] or (distance == distances[least] and vertex < least):
                lowest[ring, 0], lowest[ring, 1] = vertex, cut
            if levels[vertex] != heights[cut] + 1:
                continue
            if most < 0 or distance > distances[most] or (distance == distances[most] and vertex < most):
                highest[ring] = vertex
    return lowest, highest


@inlined
def _lowest(vertex: Any, starts: Ints, links: Ints, distances: Ints) -> Any:
    """Return the lowest neighbour, or the vertex itself if none is lower; of equals, the first."""
    best = vertex
    for at in range(starts[vertex], starts[vertex + np.uint32(1)]):
        other = links[at, 0]
        if distances[other] < distances[best] or (distances[other] == distances[best] and other < best):
            best = other
    return best


@inlined
def _highest(vertex: Any, starts: Ints, links: Ints, distances: Ints, levels: Ints) -> Any:
    """Return the highest neighbour of the same level, or the vertex itself if none is higher; of equals, the first."""
    best = vertex
    for at in range(starts[vertex], starts[vertex + np.uint32(1)]):
        other = links[at, 0]
        higher = distances[other] > distances[best] or (distances[other] == distances[best] and other < best)
        if higher and levels[other] == levels[vertex]:
            best = other
    return best


@compiled
def _parents(
    starts: Ints,
    links: Ints,
    distances: Ints,
    levels: Ints,
    bases: Ints,
    above: Ints,
    owners: Ints,
    rings: Ints,
    lowest: Ints,
    seeds: Ints,
) -> Ints:
    """Go downhill from each ring's lowest corner to the next ring, or to the seed."""
    parents, order = np.empty(len(lowest), np.int64), np.argsort(seeds)
    for ring in range(len(lowest)):
        vertex, cut = np.uint32(lowest[ring, 0]), lowest[ring, 1]
        if cut > 0 and owners[cut - 1] == owners[cut]:
            parents[ring] = rings[cut - 1]
            continue
        below = _lowest(vertex, starts, links, distances)
        while below != vertex and levels[below] == levels[vertex]:
            vertex = below
            below = _lowest(vertex, starts, links, distances)
        if below == vertex:
            parents[ring] = -1 - order[np.searchsorted(seeds[order], vertex)]
            continue
        crossing = _crossing(below, vertex, levels[vertex] - 1, starts, links, levels, bases)
        while above[crossing] >= 0:
            crossing = above[crossing]
        parents[ring] = -1 - above[crossing]
    return parents


@compiled
def _farthest(starts: Ints, links: Ints, distances: Ints, levels: Ints, highest: Ints) -> Ints:
    """Go uphill from each ring's highest corner just above, as far as the next level."""
    for ring in range(len(highest)):
        if highest[ring] < 0:
            continue
        vertex = np.uint32(highest[ring])
        above = _highest(vertex, starts, links, distances, levels)
        while above != vertex:
            vertex = above
            above = _highest(vertex, starts, links, distances, levels)
        highest[ring] = vertex
    return highest
