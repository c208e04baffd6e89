"""The geodesic field in numpy and fastcore: seeds, distances, slabs and the tree they form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.arrays.surfaces import grouped
from crant_core.skeleton.slices import Slices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faces = NDArray[Any]  # 32 or 64 bits wide


def slice_surface(vertices: Floats, faces: Faces, seeds: Ints, step: float) -> Slices:
    """Cut a welded surface into slabs of equal geodesic distance from the seeds, one in each piece.

    Parameters
    ----------
    vertices, faces : ndarray
        Welded, every vertex in a face.
    seeds : ndarray, shape (k,)
        Vertices to measure distances from.
    step : float
        Thickness of a slab in nm.
    """
    from navis_fastcore import level_set_components, unique_edges

    edges, lengths = unique_edges(faces, vertices)
    distances = _distances(edges, lengths, seeds, len(vertices))
    levels = np.floor(distances / step).astype(np.int64)
    labels, count = level_set_components(edges, len(distances), levels)
    labels = _by_level(levels, labels, count)
    order, starts = grouped(labels, count)
    nearest, farthest = _extremes(distances, order, starts)
    return Slices(order, starts, _parents(edges, distances, labels, nearest), nearest, farthest, step)


def _distances(edges: NDArray[np.uint32], lengths: Floats, seeds: Ints, hub: int) -> Floats:
    """Return the shortest way along edges to any seed: all of them are joined to a hub by edges without length."""
    from navis_fastcore import geodesic_matrix_graph

    spokes = np.stack([np.full(len(seeds), hub), seeds], axis=1).astype(np.uint32)
    distances = geodesic_matrix_graph(
        np.concatenate([edges, spokes]), hub + 1, weights=np.concatenate([lengths, np.zeros(len(seeds))]), sources=[hub]
    )
    return np.asarray(distances[0, :-1], dtype=np.float64)


def _by_level(levels: Ints, labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Renumber slabs from the seeds outwards, within a level by their first vertex."""
    level = np.empty(count, dtype=np.int64)
    level[labels] = levels
    number = np.empty(count, dtype=np.int32)
    number[np.argsort(level, kind="stable")] = np.arange(count)
    return number[labels]


def _extremes(distances: Floats, order: NDArray[np.int32], starts: Ints) -> tuple[Ints, Ints]:
    values, sizes = distances[order], np.diff(starts)
    found = []
    for extreme in (np.minimum, np.maximum):
        at = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts[:-1]), sizes))
        slab = np.searchsorted(starts, at, side="right") - 1
        found.append(order[at[np.unique(slab, return_index=True)[1]]].astype(np.int64))
    return found[0], found[1]


def _parents(edges: NDArray[np.uint32], distances: Floats, labels: NDArray[np.int32], nearest: Ints) -> Ints:
    """Hang each slab from the slab of the lowest neighbour of its lowest vertex: never a cycle, one root a piece."""
    is_nearest = np.zeros(len(distances), dtype=bool)
    is_nearest[nearest] = True
    ends = [edges[is_nearest[edges[:, side]]][:, [side, 1 - side]] for side in (0, 1)]
    low, neighbour = np.concatenate(ends).astype(np.int64).T
    order = np.lexsort([neighbour, distances[neighbour], low])
    best = order[np.unique(low[order], return_index=True)[1]]
    low, neighbour = low[best], neighbour[best]
    downhill = labels[neighbour] < labels[low]
    parents = np.full(len(nearest), -1, dtype=np.int64)
    parents[labels[low[downhill]]] = labels[neighbour[downhill]]
    return parents
