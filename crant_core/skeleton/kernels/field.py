"""Kernels of the geodesic field: distances from seeds, slabs of them and the tree they form."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled
from crant_core.skeleton.kernels.pieces import level_sets
from crant_core.skeleton.slices import Slices, Surface

Ints = NDArray[Any]  # of any width, with or without sign

_BUCKETS_PER_EDGE = 4  # of a mean edge, at most: narrower buckets mean fewer corrections and more empty buckets
_MOST_BUCKETS = 1 << 16
_WAITING_ROOM = 1 << 12
_FAR = 1 << 62
_NO_LEVEL = -1


def slice_surface(surface: Surface, seeds: Ints, step: int) -> Slices:
    """Cut a surface into slabs of equal geodesic distance from the seeds, one in each piece that counts."""
    distances, levels = _distances(surface, seeds), np.empty(len(surface.places), dtype=np.int32)
    _cut(distances, step, levels)
    labels, count = level_sets(surface, levels)
    begins = _by_level(levels, labels, count)
    order = np.empty(begins[-1], dtype=np.int32)
    nearest, farthest = _list(distances, labels, begins[:-1].copy(), order)
    parents = _parents(distances, labels, surface.starts, surface.links, nearest)
    return Slices(order, begins, parents, nearest, farthest, step * surface.grid)


def _distances(surface: Surface, seeds: Ints) -> Ints:
    """Return the shortest way along edges to any seed, in cells, (n,)."""
    mean = surface.total // surface.faces.size // _BUCKETS_PER_EDGE
    shift = max(mean.bit_length() - 1, (surface.longest // _MOST_BUCKETS).bit_length(), 0)
    ring = 1 << ((surface.longest >> shift) + 2).bit_length()
    states = np.full(len(surface.places), _FAR)
    room = _room(max(_WAITING_ROOM, len(seeds)))
    _geodesic(surface.starts, surface.links, seeds, shift, np.full(ring, np.int32(-1)), room, states)
    states >>= 1
    return states


@compiled
def _room(size: int) -> Ints:
    """Return places to wait in: of each, the vertex that waits, and the place behind it."""
    room = np.empty((size, 2), np.int32)
    for place in range(size):
        room[place, 0], room[place, 1] = -1, place + 1
    room[size - 1, 1] = -1
    return room


@compiled
def _geodesic(  # noqa: C901 - in one piece: as calls of smaller kernels it takes 1.5 times as long
    starts: Ints, links: Ints, seeds: Ints, shift: int, heads: Ints, room: Ints, states: Ints
) -> None:
    """Find the shortest way along edges to any seed, by correcting labels in a ring of distance buckets.

    A vertex' state is twice its distance, plus one while it waits in the bucket that its distance belongs to, so that
    one cache miss tells both; where it waited before it came nearer, it is found to have gone. Distances are whole
    numbers and the result is exact. The ring's length is a power of two, and more than the longest edge is in
    buckets. Who waits is in chains of places that are used again at once, and so stay in the cache.
    """
    free, waiting, bucket, mask = np.int32(0), 0, 0, len(heads) - 1
    for seed in seeds:
        place, free = free, room[free, 1]
        room[place, 0], room[place, 1], heads[0], states[seed], waiting = seed, heads[0], place, 1, waiting + 1
    while waiting:
        place = heads[bucket & mask]
        if place < 0:
            bucket += 1
            continue
        vertex = np.uint32(room[place, 0])
        heads[bucket & mask], room[place, 1], free, waiting = room[place, 1], free, place, waiting - 1
        state = states[vertex]
        if not state & 1 or state >> 1 >> shift != bucket:
            continue
        states[vertex] = state - 1
        for at in range(starts[vertex], starts[vertex + np.uint32(1)]):
            other, way = links[at, 0], (state >> 1) + np.int64(links[at, 1])
            former, wanted = states[other], way >> shift
            if way >= former >> 1:
                continue
            states[other] = way << 1 | 1
            if former & 1 and former >> 1 >> shift == wanted:
                continue
            if free < 0:
                free = np.int32(len(room))
                more = _room(2 * len(room))
                more[: len(room)] = room
                room = more
            place, free = free, room[free, 1]
            room[place, 0], room[place, 1], heads[wanted & mask] = other, heads[wanted & mask], place
            waiting += 1


@compiled
def _cut(distances: Ints, step: int, levels: Ints) -> None:
    for vertex in range(len(distances)):
        reached = distances[vertex] < _FAR >> 1
        levels[vertex] = distances[vertex] // step if reached else _NO_LEVEL


def _by_level(levels: Ints, labels: Ints, count: int) -> Ints:
    """Renumber slabs from the seeds outwards, within a level by their first vertex; say where each will begin."""
    sizes = np.zeros(count + 1, dtype=np.int64)
    _renumber(labels, _ranks(_levels_of(levels, labels, count)), sizes)
    return np.cumsum(sizes)


@compiled
def _levels_of(levels: Ints, labels: Ints, count: int) -> Ints:
    found = np.empty(count, np.int64)
    for vertex in range(len(labels)):
        if labels[vertex] >= 0:
            found[labels[vertex]] = levels[vertex]
    return found


@compiled
def _ranks(levels: Ints) -> Ints:
    """Return each number's rank, the first of equals first, by counting."""
    place, ranks = np.zeros(levels.max() + 2, np.int64), np.empty(len(levels), np.int32)
    for level in levels:
        place[level + 1] += 1
    place = np.cumsum(place)
    for slab in range(len(levels)):
        ranks[slab] = place[levels[slab]]
        place[levels[slab]] += 1
    return ranks


@compiled
def _renumber(labels: Ints, number: Ints, sizes: Ints) -> None:
    for vertex in range(len(labels)):
        if labels[vertex] >= 0:
            labels[vertex] = number[labels[vertex]]
            sizes[labels[vertex] + 1] += 1


@compiled
def _list(distances: Ints, labels: Ints, place: Ints, order: Ints) -> tuple[Ints, Ints]:
    """List every slab's vertices, and find the nearest and the farthest of them; of equals, the first."""
    nearest, farthest = np.full(len(place), -1), np.full(len(place), -1)
    least, most = np.full(len(place), _FAR), np.full(len(place), -1)
    for vertex in range(len(labels)):
        slab, distance = labels[vertex], distances[vertex]
        if slab < 0:
            continue
        order[place[slab]] = vertex
        place[slab] += 1
        if distance < least[slab]:
            nearest[slab], least[slab] = vertex, distance
        if distance > most[slab]:
            farthest[slab], most[slab] = vertex, distance
    return nearest, farthest


@compiled
def _parents(distances: Ints, labels: Ints, starts: Ints, links: Ints, nearest: Ints) -> Ints:
    parents = np.full(len(nearest), -1, np.int64)
    for slab in range(len(nearest)):
        best = nearest[slab]
        for at in range(starts[nearest[slab]], starts[nearest[slab] + 1]):
            other = np.int64(links[at, 0])
            nearer = distances[other] < distances[best]
            if nearer or (distances[other] == distances[best] and other < best):
                best = other
        if labels[best] < slab:
            parents[slab] = labels[best]
    return parents
