"""Faces cut at levels of the field in numpy, and the cuts joined to rings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.arrays.field import next_down, next_up
from crant_core.skeleton.arrays.surfaces import connected
from crant_core.skeleton.rings import Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign

_UNKNOWN = -(1 << 60)


class Cuts(NamedTuple):
    """Where r cuts go through faces, face by face, from low to high, and the m rings they form.

    Attributes
    ----------
    owners, heights : ndarray, shape (r,)
        The face of each, and the level it is cut at.
    corners : ndarray, shape (r, 3)
        Of the face, turned so that the one alone on its side of the cut comes first.
    upward : ndarray, shape (r,), bool
        Whether that one is uphill.
    rings : ndarray, shape (r,)
        The ring of each cut.
    parents : ndarray, shape (m,)
        The next ring downhill; -1 - the number of the seed where there is none.
    farthest : ndarray, shape (m,)
        A highest vertex between each ring and the next level, or -1.
    """

    owners: Ints
    heights: Ints
    corners: Ints
    upward: NDArray[np.bool_]
    rings: Ints
    parents: Ints
    farthest: Ints


def cuts(surface: Surface, seeds: Ints, distances: Floats, levels: Ints) -> Cuts:
    """Cut all faces; rings are numbered from the seeds outwards, within a level by their first lower end."""
    found, edges = _cut(surface.faces.astype(np.int64), levels), _edges(surface.faces.astype(np.int64))
    a, b, c = found.corners.T
    keys = [_crossings(edges, levels, a, one, found.heights) for one in (b, c)]
    places, ends = np.unique(np.concatenate(keys), return_inverse=True)
    first, second = ends.ravel().reshape(2, -1)
    one, other = (np.searchsorted(places, joined) for joined in _around_holes(surface, edges, levels))
    labels, _ = connected(np.append(first, one), np.append(second, other), len(places))
    labels, found = _by_level(labels, first, levels, found)
    below = next_down(surface, distances)
    parents = _to_seeds(seeds, below, levels)
    vertex = np.flatnonzero((levels > 0) & (levels[below] < levels))
    under = _crossings(edges, levels, vertex, below[vertex], levels[vertex] - 1)
    parents[vertex] = labels[np.searchsorted(places, under)]
    parents = _parents(surface, distances, _downhill(parents, below), found)
    return found._replace(
        parents=parents, farthest=_farthest(surface, distances, levels, found._replace(parents=parents))
    )


def _cut(faces: Ints, levels: Ints) -> Cuts:
    of_face = levels[faces]
    low, high = of_face.min(axis=1), of_face.max(axis=1)
    owners = np.repeat(np.arange(len(faces)), high - low)
    heights = np.arange(len(owners)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[owners]
    up = of_face[owners] > heights[:, None]
    upward = up.sum(axis=1) == 1
    odd = (up == upward[:, None]).argmax(axis=1)
    corners = np.take_along_axis(faces[owners], (odd[:, None] + np.arange(3)) % 3, axis=1)
    none = np.empty(0, dtype=np.int64)
    return Cuts(owners, heights, corners, upward, none, none, none)


def _edges(faces: Ints) -> Ints:
    """Return all edges' keys, sorted."""
    return np.unique(_key(faces, np.roll(faces, -1, axis=1)))


def _key(one: Ints, other: Ints) -> Ints:
    return np.asarray(np.minimum(one, other) << 32 | np.maximum(one, other))


def _crossings(edges: Ints, levels: Ints, one: Ints, other: Ints, heights: Ints) -> Ints:
    """Number places where edges cross levels."""
    return np.asarray(np.searchsorted(edges, _key(one, other)) * (levels.max(initial=0) + 1) + heights)


def _around_holes(surface: Surface, edges: Ints, levels: Ints) -> tuple[Ints, Ints]:
    """Pair all places where edges with an odd number of faces cross a level around one hole: rings would be torn."""
    faces = surface.faces.astype(np.int64)
    index, count = np.unique(_key(faces, np.roll(faces, -1, axis=1)), return_counts=True)
    one, other = index[count % 2 == 1] >> 32, index[count % 2 == 1] & 0xFFFFFFFF
    holes, _ = connected(one, other, len(levels))
    low, rise = np.minimum(levels[one], levels[other]), np.abs(levels[one] - levels[other])
    edge = np.repeat(np.arange(len(one)), rise)
    level = np.arange(len(edge)) - np.repeat(np.cumsum(rise) - rise, rise) + low[edge]
    places, hole = _crossings(edges, levels, one[edge], other[edge], level), holes[one[edge]]
    order = np.lexsort([level, hole])
    same = (np.diff(hole[order]) == 0) & (np.diff(level[order]) == 0)
    return places[order[:-1][same]], places[order[1:][same]]


def _by_level(labels: Ints, ends: Ints, levels: Ints, found: Cuts) -> tuple[Ints, Cuts]:
    """Number rings by level and by their first lower end: those of places, and those of cuts."""
    rings, firsts = np.unique(labels[ends], return_index=True)
    corners = np.where(levels[found.corners] <= found.heights[:, None], found.corners, len(levels))
    lows = np.full(len(rings), len(levels))
    np.minimum.at(lows, np.searchsorted(rings, labels[ends]), corners.min(axis=1))
    order, number = np.lexsort([firsts, lows, found.heights[firsts]]), np.empty(len(rings), dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[labels], found._replace(rings=number[labels[ends]])


def _to_seeds(seeds: Ints, below: Ints, levels: Ints) -> Ints:
    """Begin a list of what lies downhill of each vertex: a ring, -1 - the number of a seed, or not known."""
    known = np.full(len(below), _UNKNOWN)
    known[seeds] = -1 - np.arange(len(seeds))
    known[levels < 0] = -1
    return known


def _downhill(known: Ints, below: Ints) -> Ints:
    """Let each vertex know what its lowest neighbour knows."""
    while (known == _UNKNOWN).any():
        known = np.where(known == _UNKNOWN, known[below], known)
        below = below[below]
    return known


def _parents(surface: Surface, distances: Floats, known: Ints, found: Cuts) -> Ints:
    """Hang each ring from the next one below the lowest corner of its faces."""
    corners = surface.faces[found.owners].astype(np.int64)
    lowest = corners[np.arange(len(corners)), np.lexsort([corners, distances[corners]], axis=1)[:, 0]]
    order = np.lexsort([lowest, distances[lowest], found.rings])
    cut = order[np.flatnonzero(np.diff(found.rings[order], prepend=-1))]
    further = (cut > 0) & (found.owners[cut - 1] == found.owners[cut])
    return np.where(further, found.rings[cut - 1], known[lowest[cut]])


def _farthest(surface: Surface, distances: Floats, levels: Ints, found: Cuts) -> Ints:
    """Go uphill from each ring's highest corner just above, as far as the next level."""
    corners = surface.faces[found.owners].astype(np.int64)
    above = levels[corners] == found.heights[:, None] + 1
    vertex, ring = corners[above], np.broadcast_to(found.rings[:, None], corners.shape)[above]
    order = np.lexsort([vertex, -distances[vertex], ring])
    first = order[np.flatnonzero(np.diff(ring[order], prepend=-1))]
    farthest = np.full(len(found.parents), -1)
    higher = next_up(surface, distances, levels)
    while (higher[higher] != higher).any():
        higher = higher[higher]
    farthest[ring[first]] = higher[vertex[first]]
    return farthest
