"""Whole surfaces in numpy: positions on a grid, equal ones joined, neighbours, pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.rings import Pieces, Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign
Flags = NDArray[np.bool_]

_MIX = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_HALF = np.uint64(32)


def bounds(vertices: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the bounding box; NaN if any coordinate is not a finite number."""
    odd = 0.0 if np.isfinite(vertices).all() else np.nan
    return vertices.min(axis=0) + odd, vertices.max(axis=0) + odd


def corner_range(faces: Ints) -> tuple[int, int]:
    """Return the lowest and the highest vertex that a face names."""
    return int(faces.min()), int(faces.max())


def on_grid(vertices: Floats, origin: Floats, grid: float) -> NDArray[np.int32]:
    """Return positions in cells from an origin, (n, 3)."""
    return np.asarray(np.rint((vertices - origin) * (1 / grid)), dtype=np.int32)


def weld(vertices: NDArray[Any], faces: Ints) -> tuple[NDArray[Any], Ints]:
    """Join vertices at equal positions; drop flat faces and unused vertices: vertices, and faces.

    Vertices keep the order of their first occurrence.
    """
    number, first = _number_positions(vertices)
    a, b, c = renamed = number.astype(np.uint32)[faces.T]
    kept = np.ascontiguousarray(renamed.T[(a != b) & (b != c) & (c != a)])
    used = np.zeros(len(first), dtype=bool)
    used[kept] = True
    return vertices[first[used]], (np.cumsum(used, dtype=np.uint32) - np.uint32(1))[kept]


def _number_positions(vertices: NDArray[Any]) -> tuple[Ints, Ints]:
    """Number distinct positions in order of first occurrence: each vertex's number, and a vertex of each number."""
    import pandas as pd

    number, found = pd.factorize(_hashes(vertices))
    first = np.empty(len(found), dtype=np.int64)
    first[number[::-1]] = np.arange(len(vertices))[::-1]
    if (vertices[first][number] == vertices).all():
        return number, first
    return _number_rows(vertices)


def _hashes(vertices: NDArray[Any]) -> NDArray[np.uint64]:
    """Mix the bits of three coordinates into 64."""
    bits = np.asarray(vertices + 0.0, order="C").view(np.uint64)  # + 0.0 turns -0.0 into 0.0, the same place
    mixed = np.zeros(len(bits), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column, factor in zip(bits.T, _MIX, strict=True):
            mixed = (mixed + column) * factor
            mixed ^= mixed >> np.uint64(31)
    return mixed


def _number_rows(vertices: NDArray[Any]) -> tuple[Ints, Ints]:
    """Number distinct positions when two of them happen to have the same hash."""
    _, first, inverse = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[inverse.ravel()], first[order]


def surface(places: NDArray[np.int32], faces: Ints, grid: float) -> Surface:
    """Join equal positions, drop flat faces and unused vertices, and find neighbours.

    Vertices keep the order of their first occurrence, and faces theirs. Listed are the vertices that follow a vertex
    in its faces: around a closed fan of faces, all neighbours once. Where the fan is open those that precede it too.
    """
    places, faces = weld(places, faces)
    following, preceding = np.roll(faces, -1, axis=1), np.roll(faces, 1, axis=1)
    lengths, opened = _lengths(places, faces, following), _open(faces, following, preceding, len(places))
    starts, links = _links(faces, np.stack([following, preceding], axis=2), lengths, opened)
    return Surface(places, faces, starts, links, opened, int(lengths.sum()), int(lengths.max(initial=0)), grid)


def _links(faces: Ints, ends: Ints, lengths: Ints, opened: Flags) -> tuple[Ints, Ints]:
    """List every vertex's neighbours with the edges' lengths."""
    ways = np.stack([lengths, np.roll(lengths, 1, axis=1)], axis=2)
    listed = np.ones(ends.shape, dtype=bool)
    listed[:, :, 1] = opened[faces]
    vertex = np.broadcast_to(faces[:, :, None], ends.shape)[listed]
    order = np.argsort(vertex, kind="stable")
    starts = np.zeros(len(opened) + 1, dtype=np.uint32)
    starts[1:] = np.cumsum(np.bincount(vertex, minlength=len(opened)))
    return starts, np.stack([ends[listed], ways[listed]], axis=1)[order].astype(np.uint32)


def _lengths(places: NDArray[np.int32], one: Ints, other: Ints) -> NDArray[np.int64]:
    x, y, z = np.moveaxis((places[other] - places[one]).astype(np.float64), -1, 0)
    return np.asarray(np.rint(np.sqrt(x * x + y * y + z * z)), dtype=np.int64)


def _open(faces: Ints, following: Ints, preceding: Ints, count: int) -> Flags:
    """Say around which vertices the faces do not close up: some neighbour follows more often than it precedes."""
    keys = [(faces.astype(np.uint64) << _HALF | other).ravel() for other in (following, preceding)]
    pairs, index = np.unique(np.concatenate(keys), return_inverse=True)
    balance = np.bincount(index, np.repeat([1, -1], faces.size), len(pairs))
    found = np.zeros(count, dtype=bool)
    found[pairs[balance != 0] >> _HALF] = True
    return found


def squares(vectors: Floats) -> Floats:
    """Return the squared lengths of vectors."""
    x, y, z = vectors.T
    return np.asarray(x * x + y * y + z * z)


def lengths_within(surface: Surface, labels: Ints, chosen: Flags) -> tuple[int, int]:
    """Return the sum of edge lengths of the faces in some pieces, and how many faces that are."""
    faces = surface.faces[chosen[labels[surface.faces[:, 0]]]]
    return int(_lengths(surface.places, faces, np.roll(faces, -1, axis=1)).sum()), len(faces)


def pieces(surface: Surface) -> Pieces:
    """Find the connected pieces of a surface, and where to begin each.

    The seed of a piece is its lowest vertex along the longest side of its bounding box; of several, the first.
    """
    one, other = surface.faces.astype(np.int64), np.roll(surface.faces, -1, axis=1).astype(np.int64)
    labels, count = connected(one.ravel(), other.ravel(), len(surface.places))
    order, starts = grouped(labels, count)
    places = surface.places[order].astype(np.int64)
    low, high = (extreme.reduceat(places, starts[:-1]) for extreme in (np.minimum, np.maximum))
    piece, axes = np.repeat(np.arange(count), np.diff(starts)), (high - low).argmax(axis=1)
    lowest = np.flatnonzero(places[np.arange(len(places)), axes[piece]] == low[piece, axes[piece]])
    seeds = order[lowest[np.unique(piece[lowest], return_index=True)[1]]].astype(np.int64)
    return Pieces(labels, np.diff(starts), low, high, seeds)


def connected(one: Ints, other: Ints, count: int) -> tuple[NDArray[np.int32], int]:
    """Label the connected sets of some numbers that are joined in pairs, in order of first occurrence; count them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), (count, count))
    sets, found = connected_components(graph.tocsr(), directed=False)
    first = np.empty(sets, dtype=np.int64)
    first[found[::-1]] = np.arange(count)[::-1]
    number = np.empty(sets, dtype=np.int32)
    number[np.argsort(first)] = np.arange(sets)
    return number[found], sets


def grouped(labels: NDArray[np.integer], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort row numbers by label, stably: the rows, and where each label begins."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=count))]).astype(np.int64)
    return np.argsort(labels, kind="stable"), starts
