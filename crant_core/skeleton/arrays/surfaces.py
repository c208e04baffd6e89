"""Whole surfaces in numpy: equal positions, connected pieces, lengths, normals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.slices import Pieces

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faces = NDArray[Any]  # 32 or 64 bits wide

_AT_ONCE = 1 << 17  #: rows worked on at a time: temporary arrays then fit the cache, and memory stays bounded
_NO_AREA = 1e-6  #: nm²; weights must not vanish where a surface is folded flat
_MIX = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def weld(vertices: Floats, faces: Ints) -> tuple[Floats, Faces]:
    """Join vertices at equal positions; drop flat faces and unused vertices: vertices, and faces.

    Vertices keep the order of their first occurrence.
    """
    number, first = number_positions(vertices)
    a, b, c = renamed = number.astype(np.int32)[faces.T]
    return compact(vertices[first] + 0.0, np.ascontiguousarray(renamed.T[(a != b) & (b != c) & (c != a)]))


def compact(vertices: Floats, faces: Faces) -> tuple[Floats, Faces]:
    """Drop vertices that no face names; the others keep their order."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    if used.all():
        return vertices, faces
    return vertices[used], (np.cumsum(used, dtype=np.int32) - 1)[faces]


def subset(vertices: Floats, faces: Faces, stays: NDArray[np.bool_]) -> tuple[Floats, Faces]:
    """Keep some vertices and the faces among them; pieces are kept or dropped as a whole."""
    return vertices[stays], (np.cumsum(stays, dtype=np.int32) - np.int32(1))[faces[stays[faces[:, 0]]]]


def number_positions(vertices: Floats) -> tuple[Ints, Ints]:
    """Number distinct positions in order of first occurrence: each vertex's number, and a vertex of each number."""
    import pandas as pd

    number, found = pd.factorize(_hashes(vertices))
    first = np.empty(len(found), dtype=np.int64)
    first[number[::-1]] = np.arange(len(vertices))[::-1]
    if (vertices[first][number] == vertices).all():
        return number, first
    return _number_rows(vertices)


def _hashes(vertices: Floats) -> NDArray[np.uint64]:
    """Mix the bits of three coordinates into 64."""
    bits = np.ascontiguousarray(vertices + 0.0).view(np.uint64)  # + 0.0 turns -0.0 into 0.0, the same place
    mixed = np.zeros(len(bits), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column, factor in zip(bits.T, _MIX, strict=True):
            mixed = (mixed + column) * factor
            mixed ^= mixed >> np.uint64(31)
    return mixed


def _number_rows(vertices: Floats) -> tuple[Ints, Ints]:
    """Number distinct positions when two of them happen to have the same hash."""
    _, first, inverse = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[inverse.ravel()], first[order]


def normals(vertices: Floats, faces: Faces) -> tuple[Floats, Floats]:
    """Return each vertex's normal, (n, 3), outward and of no particular length, and its area in nm², (n,).

    Normals are sums of the faces' cross products, so weighted by area; a vertex has a third of its faces' areas.
    """
    total, area = np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    for block in blocks(faces):
        cross = crosses(vertices, block)
        for axis in range(3):
            total[:, axis] += _scatter(block, cross[:, axis], len(total))
        area += _scatter(block, np.sqrt(squares(cross)), len(area))
    return total, np.maximum(area / 6, _NO_AREA)


def blocks(rows: NDArray[np.integer]) -> Iterator[NDArray[np.integer]]:
    """Yield rows in portions: more of them if there are many, as each costs a pass over the vertices too."""
    for start in range(0, len(rows), max(_AT_ONCE, len(rows) // 8)):
        yield rows[start : start + max(_AT_ONCE, len(rows) // 8)]


def crosses(vertices: Floats, faces: NDArray[np.integer]) -> Floats:
    """Return the cross products of faces' edges: normals of twice their areas."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    (ux, uy, uz), (wx, wy, wz) = (b - a).T, (c - a).T
    return np.stack([uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx], axis=1)


def squares(vectors: Floats) -> Floats:
    """Return the squared lengths of vectors."""
    x, y, z = vectors.T
    return np.asarray(x * x + y * y + z * z)


def _scatter(faces: NDArray[np.integer], values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(faces.ravel(), np.repeat(values, 3), count), dtype=np.float64)


def pieces(vertices: Floats, faces: Faces) -> Pieces:
    """Find the connected pieces of a surface, and where to begin each.

    The seed of a piece is its lowest vertex along the longest side of its bounding box; of several, the first.
    """
    labels, count = _components(faces, len(vertices))
    order, starts = grouped(labels, count)
    places = vertices[order]
    low, high = (extreme.reduceat(places, starts[:-1]) for extreme in (np.minimum, np.maximum))
    piece, axes = np.repeat(np.arange(count), np.diff(starts)), (high - low).argmax(axis=1)
    lowest = np.flatnonzero(places[np.arange(len(places)), axes[piece]] == low[piece, axes[piece]])
    seeds = order[lowest[np.unique(piece[lowest], return_index=True)[1]]].astype(np.int64)
    return Pieces(labels, np.diff(starts), low, high, seeds)


def _components(faces: Faces, count: int) -> tuple[NDArray[np.int32], int]:
    """Label the vertices of each connected piece, in order of first occurrence; also how many there are."""
    from navis_fastcore import level_set_components

    edges = np.concatenate([faces[:, :2], faces[:, 1:]]).astype(np.uint32)
    labels, number = level_set_components(edges, count, np.zeros(count, dtype=np.int64))
    return labels, int(number)


def grouped(labels: NDArray[np.integer], count: int) -> tuple[NDArray[np.int32], Ints]:
    """Sort row numbers by label, stably: the rows, and where each label begins (count + 1)."""
    from scipy.sparse import csr_array

    # Turning coordinates into rows is a counting sort.
    rows = np.arange(len(labels), dtype=np.int32)
    table = csr_array((np.ones(len(labels), dtype=np.int8), (labels.astype(np.int32), rows)), (count, len(labels)))
    return table.indices, table.indptr.astype(np.int64)


def edge_lengths(vertices: Floats, faces: Faces) -> tuple[float, float]:
    """Return the sum of all faces' edge lengths, and the longest."""
    total = longest = 0.0
    for corner in range(3):
        lengths = np.sqrt(squares(vertices[faces[:, corner]] - vertices[faces[:, corner - 1]]))
        total, longest = total + float(lengths.sum()), max(longest, float(lengths.max()))
    return total, longest
