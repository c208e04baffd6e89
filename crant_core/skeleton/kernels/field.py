"""Kernels of the geodesic field: distances from seeds along edges, and the levels they reach."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled
from crant_core.skeleton.rings import Surface

Ints = NDArray[Any]  # of any width, with or without sign

_BUCKETS_PER_EDGE = 4  # of a mean edge, at most: narrower buckets mean fewer corrections and more empty buckets
_MOST_BUCKETS = 1 << 16
_WAITING_ROOM = 1 << 12
_FAR = 1 << 62
_NO_LEVEL = -1


def distances(surface: Surface, seeds: Ints) -> Ints:
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


def levels(distances: Ints, step: int) -> Ints:
    """Count the levels between each vertex and its seed, (n,), -1 where there is none: level k is at k + 1/2 steps."""
    found = np.empty(len(distances), dtype=np.int32)
    _levels(distances, step, found)
    return found


@compiled
def _levels(distances: Ints, step: int, found: Ints) -> None:
    for vertex in range(len(distances)):
        reached = distances[vertex] < _FAR >> 1
        found[vertex] = (2 * distances[vertex] + step) // (2 * step) if reached else _NO_LEVEL
