"""The geodesic field in numpy and scipy: distances from seeds, slabs of them and the tree they form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.arrays.surfaces import grouped, level_sets
from crant_core.skeleton.slices import Slices, Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign


def slice_surface(surface: Surface, seeds: Ints, step: int) -> Slices:
    """Cut a surface into slabs of equal geodesic distance from the seeds; what no seed reaches is left out.

    Parameters
    ----------
    surface : Surface
    seeds : ndarray, shape (k,)
        Vertices to measure distances from.
    step : int
        Thickness of a slab in cells.
    """
    distances = _distances(surface, seeds)
    levels = np.where(np.isfinite(distances), distances, -1) // step
    labels, count = level_sets(surface, levels.astype(np.int64))
    labels = _by_level(levels, labels, count)
    order, starts = grouped(labels, count)
    nearest, farthest = _extremes(distances, order, starts)
    parents = _parents(surface, distances, labels, nearest)
    return Slices(order, starts, parents, nearest, farthest, step * surface.grid)


def _vertices(surface: Surface) -> NDArray[np.int64]:
    """Return the vertex that each link begins at."""
    starts = surface.starts.astype(np.int64)
    return np.repeat(np.arange(len(surface.places)), starts[1:] - starts[:-1])


def _distances(surface: Surface, seeds: Ints) -> Floats:
    """Return the shortest way along edges to any seed; whole numbers below 2⁵³ add up exactly."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    count, vertex = len(surface.places), _vertices(surface)
    edges, first = np.unique(vertex << 32 | surface.links[:, 0], return_index=True)  # duplicates would be added up
    lengths = surface.links[first, 1].astype(np.float64)
    graph = csr_array((lengths, (edges >> 32, edges & 0xFFFFFFFF)), (count, count))
    return np.asarray(dijkstra(graph, indices=seeds, min_only=True))


def _by_level(levels: Floats, labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Renumber slabs from the seeds outwards, within a level by their first vertex."""
    counted = labels >= 0
    level, number = np.empty(count), np.empty(count + 1, dtype=np.int32)
    level[labels[counted]] = levels[counted]
    number[np.argsort(level, kind="stable")], number[-1] = np.arange(count), -1
    return number[labels]


def _extremes(distances: Floats, order: NDArray[np.int32], starts: Ints) -> tuple[Ints, Ints]:
    values, sizes = distances[order], np.diff(starts)
    found = []
    for extreme in (np.minimum, np.maximum):
        at = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts[:-1]), sizes))
        slab = np.searchsorted(starts, at, side="right") - 1
        found.append(order[at[np.unique(slab, return_index=True)[1]]].astype(np.int64))
    return found[0], found[1]


def _parents(surface: Surface, distances: Floats, labels: NDArray[np.int32], nearest: Ints) -> Ints:
    """Hang each slab from the slab of the lowest neighbour of its lowest vertex: never a cycle, one root a piece."""
    vertex = _vertices(surface)
    rows = np.flatnonzero(np.isin(vertex, nearest))
    low, neighbour = vertex[rows], surface.links[rows, 0].astype(np.int64)
    order = np.lexsort([neighbour, distances[neighbour], low])
    best = order[np.unique(low[order], return_index=True)[1]]
    low, neighbour = low[best], neighbour[best]
    downhill = labels[neighbour] < labels[low]
    parents = np.full(len(nearest), -1, dtype=np.int64)
    parents[labels[low[downhill]]] = labels[neighbour[downhill]]
    return parents
