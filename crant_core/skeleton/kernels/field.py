"""Kernels of the geodesic field: neighbours, seeds, distances, slabs and the tree they form."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.slices import Slices

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # 32 or 64 bits wide
Bits = NDArray[np.uint64]

_BUCKETS_PER_EDGE = 4.0  # of a mean edge: narrower buckets mean fewer corrections and more empty buckets
_MOST_BUCKETS = 1 << 16
_NOT_WAITING = -1.0
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT, _ONE = np.uint64(29), np.uint64(1)
_COUNT = np.uint64(0xFFFFFF)  # the low bits, that hold a fan's number of faces


def slice_surface(vertices: Floats, faces: Ints, seeds: Ints, step: float) -> Slices:
    """Cut a welded surface into slabs of equal geodesic distance from the seeds, one in each piece."""
    starts, neighbours, lengths = adjacency(vertices, faces)
    distances = _distances(starts, neighbours, lengths, seeds)
    del lengths
    levels = np.empty(len(distances), dtype=np.int32)
    _cut(distances, step, levels)
    labels, order, begins = _by_level(levels, *_level_sets(starts, neighbours, levels))
    nearest, farthest = _extremes(distances, order, begins)
    return Slices(order, begins, _parents(distances, labels, starts, neighbours, nearest), nearest, farthest, step)


@inlined
def _mixed(vertex: int) -> np.uint64:
    value = (np.uint64(vertex) + np.uint64(1)) * _MULTIPLIER
    return ((value ^ (value >> _SHIFT)) * _MULTIPLIER) & ~_COUNT


@compiled
def _balance(faces: Ints, fans: Bits) -> None:
    """Record how many faces each vertex has, in the low bits, and whether they close up around it, in the others.

    Around a closed fan each neighbour follows once and precedes once, so that sums of their hashes are equal.
    """
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        of_a, of_b, of_c = _mixed(a), _mixed(b), _mixed(c)
        fans[a] += of_b - of_c + _ONE
        fans[b] += of_c - of_a + _ONE
        fans[c] += of_a - of_b + _ONE


def adjacency(vertices: Floats, faces: Ints) -> tuple[Ints, Ints, Floats]:
    """List every vertex's neighbours by half-edges: the outgoing ones, and where the fan is open the incoming too.

    Returns
    -------
    Where each list begins, the neighbours, and the lengths of the edges to them.
    """
    fans, starts = np.zeros(len(vertices), dtype=np.uint64), np.zeros(len(vertices) + 1, dtype=np.int64)
    _balance(faces, fans)
    np.cumsum((fans & _COUNT).astype(np.int64) << (fans > _COUNT), out=starts[1:])
    neighbours, lengths = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1])
    _fill(vertices, faces, fans, starts[:-1].copy(), neighbours, lengths)
    return starts, neighbours, lengths


@compiled
def _fill(vertices: Floats, faces: Ints, fans: Bits, place: Ints, neighbours: Ints, lengths: Floats) -> None:
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ab, bc, ca = _distance(vertices, a, b), _distance(vertices, b, c), _distance(vertices, c, a)
        for vertex, following, length, preceding, other in ((a, b, ab, c, ca), (b, c, bc, a, ab), (c, a, ca, b, bc)):
            at = place[vertex]
            neighbours[at], lengths[at] = following, length
            if fans[vertex] > _COUNT:
                at += 1
                neighbours[at], lengths[at] = preceding, other
            place[vertex] = at + 1


@inlined
def _distance(vertices: Floats, one: int, other: int) -> float:
    x = vertices[one, 0] - vertices[other, 0]
    y = vertices[one, 1] - vertices[other, 1]
    z = vertices[one, 2] - vertices[other, 2]
    return float(np.sqrt(x * x + y * y + z * z))


def _distances(starts: Ints, neighbours: Ints, lengths: Floats, seeds: Ints) -> Floats:
    """Return the shortest way along edges to any seed, (n,)."""
    longest = lengths.max()
    per_nm = min(_BUCKETS_PER_EDGE / lengths.mean(), _MOST_BUCKETS / longest)
    heads = np.full(1 << int(longest * per_nm + 2).bit_length(), -1)
    states = np.full((len(starts) - 1, 2), [np.inf, _NOT_WAITING])
    _geodesic(starts, neighbours, lengths, seeds, per_nm, heads, states)
    return np.ascontiguousarray(states[:, 0])


@compiled
def _room(size: int) -> Ints:
    """Return places to wait in: of each, the vertex that waits, and the place behind it."""
    room = np.full((size, 2), np.int32(-1))
    room[:-1, 1] = np.arange(1, size)
    return room


@compiled
def _geodesic(  # noqa: C901 - in one piece: as calls of smaller kernels it takes 1.5 times as long
    starts: Ints, neighbours: Ints, lengths: Floats, seeds: Ints, per_nm: float, heads: Ints, states: Floats
) -> None:
    """Find the shortest way along edges to any seed, by correcting labels in a ring of distance buckets.

    The result is exact: the least fixed point of distance = neighbour's + edge. The ring's length is a power of two,
    and more than the longest edge is in buckets. A vertex' state is its distance and the bucket that it waits in, so
    that one cache miss tells both; when it comes nearer it waits in another as well, and the former finds it gone.
    Who waits is in chains of places that are used again at once, and so stay in the cache.
    """
    room, free, waiting, bucket, mask = _room(1024 + len(seeds)), 0, 0, 0, len(heads) - 1
    for seed in seeds:
        following, room[free, 0], room[free, 1] = room[free, 1], seed, heads[0]
        heads[0], free, waiting = free, following, waiting + 1
        states[seed, 0] = states[seed, 1] = 0.0
    while waiting:
        taken = heads[bucket & mask]
        if taken < 0:
            bucket += 1
            continue
        vertex = room[taken, 0]
        heads[bucket & mask], room[taken, 1] = room[taken, 1], free
        free, waiting = taken, waiting - 1
        if states[vertex, 1] != bucket:
            continue
        states[vertex, 1] = _NOT_WAITING
        here = states[vertex, 0]
        for at in range(starts[vertex], starts[vertex + 1]):
            other, way = neighbours[at], here + lengths[at]
            if way >= states[other, 0]:
                continue
            states[other, 0] = way
            wanted = np.int64(way * per_nm)
            if states[other, 1] == wanted:
                continue
            states[other, 1] = wanted
            if free < 0:
                free = len(room)
                more = _room(2 * free)
                more[:free] = room
                room = more
            place = free
            free, room[place, 0], room[place, 1] = room[place, 1], other, heads[wanted & mask]
            heads[wanted & mask], waiting = place, waiting + 1


@compiled
def _cut(distances: Floats, step: float, levels: Ints) -> None:
    for vertex in range(len(distances)):
        levels[vertex] = np.int32(distances[vertex] / step)


def _level_sets(starts: Ints, neighbours: Ints, levels: Ints) -> tuple[Ints, int]:
    """Label the connected sets of vertices of one level, in order of first occurrence; also how many there are."""
    above, labels = np.empty(len(levels), dtype=np.int32), np.empty(len(levels), dtype=np.int32)
    _join(starts, neighbours, levels, above)
    return labels, _numbered(above, labels)


@compiled
def _join(starts: Ints, neighbours: Ints, levels: Ints, above: Ints) -> None:
    """Hang every vertex below the lowest that it is joined to, looking back at neighbours that came before it."""
    for vertex in range(len(levels)):
        root, level = vertex, levels[vertex]
        above[vertex] = vertex
        for at in range(starts[vertex], starts[vertex + 1]):
            other = neighbours[at]
            if other >= vertex or levels[other] != level or above[other] == root:
                continue
            while above[other] != other:
                above[other] = above[above[other]]
                other = above[other]
            if other < root:
                above[root] = other
                root = int(other)
            else:
                above[other] = root
        above[vertex] = root


@compiled
def _numbered(above: Ints, labels: Ints) -> int:
    """Turn trees in which the lowest vertex is the root into labels in order of first occurrence."""
    count = 0
    for vertex in range(len(above)):
        root = above[above[vertex]]
        while above[root] != root:
            root = above[root]
        above[vertex] = root
        if root == vertex:
            labels[vertex] = count
            count += 1
        else:
            labels[vertex] = labels[root]
    return count


@compiled
def _by_level(levels: Ints, labels: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    """Renumber slabs from the seeds outwards, within a level by their first vertex; also list their vertices."""
    level_of = np.empty(count, np.int32)
    level_of[labels] = levels
    number = np.empty(count, np.int32)
    number[_grouped(level_of, levels.max() + 1)[0]] = np.arange(count).astype(np.int32)
    renumbered = number[labels]
    order, begins = _grouped(renumbered, count)
    return renumbered, order, begins


@compiled
def _grouped(labels: Ints, count: int) -> tuple[Ints, Ints]:
    """Sort rows by label, by counting: the rows, and where each label begins."""
    begins = np.zeros(count + 1, np.int64)
    for label in labels:
        begins[label + 1] += 1
    begins = np.cumsum(begins)
    place, order = begins[:-1].copy(), np.empty(len(labels), np.int32)
    for row in range(len(labels)):
        order[place[labels[row]]] = row
        place[labels[row]] += 1
    return order, begins


@compiled
def _extremes(distances: Floats, order: Ints, begins: Ints) -> tuple[Ints, Ints]:
    nearest, farthest = np.empty(len(begins) - 1, np.int64), np.empty(len(begins) - 1, np.int64)
    for slab in range(len(nearest)):
        low = high = order[begins[slab]]
        for at in range(begins[slab], begins[slab + 1]):
            vertex = order[at]
            low = vertex if distances[vertex] < distances[low] else low
            high = vertex if distances[vertex] > distances[high] else high
        nearest[slab], farthest[slab] = low, high
    return nearest, farthest


@compiled
def _parents(distances: Floats, labels: Ints, starts: Ints, neighbours: Ints, nearest: Ints) -> Ints:
    parents = np.full(len(nearest), -1, np.int64)
    for slab in range(len(nearest)):
        best = nearest[slab]
        for at in range(starts[nearest[slab]], starts[nearest[slab] + 1]):
            other = neighbours[at]
            nearer = distances[other] < distances[best]
            if nearer or (distances[other] == distances[best] and other < best):
                best = np.int64(other)
        if labels[best] < slab:
            parents[slab] = labels[best]
    return parents
