"""The geodesic field in numpy and scipy: distances from seeds along edges, and the levels they reach."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.rings import Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign


def distances(surface: Surface, seeds: Ints) -> Floats:
    """Return the shortest way along edges to any seed, infinite if there is none.

    Whole numbers below 2⁵³ add up exactly.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    count = len(surface.places)
    edges, first = np.unique(origins(surface) << 32 | surface.links[:, 0], return_index=True)  # or they would add up
    lengths = surface.links[first, 1].astype(np.float64)
    graph = csr_array((lengths, (edges >> 32, edges & 0xFFFFFFFF)), (count, count))
    return np.asarray(dijkstra(graph, indices=seeds, min_only=True))


def levels(distances: Floats, step: int) -> Ints:
    """Count the levels between each vertex and its seed, -1 where there is none: level k is at k + 1/2 steps."""
    reached = np.isfinite(distances)
    return np.where(reached, (2 * np.where(reached, distances, 0) + step) // (2 * step), -1).astype(np.int64)


def origins(surface: Surface) -> Ints:
    """Return the vertex that each link begins at."""
    return np.repeat(np.arange(len(surface.places)), surface.starts[1:] - surface.starts[:-1])


def next_down(surface: Surface, distances: Floats) -> Ints:
    """Return each vertex' lowest neighbour, or itself if none is lower; of equals, the first."""
    return _next(surface, distances, np.ones(len(surface.links), dtype=bool))


def next_up(surface: Surface, distances: Floats, levels: Ints) -> Ints:
    """Return each vertex' highest neighbour of the same level, or itself if none is higher; of equals, the first."""
    return _next(surface, -distances, levels[surface.links[:, 0]] == levels[origins(surface)])


def _next(surface: Surface, heights: Floats, chosen: NDArray[np.bool_]) -> Ints:
    itself = np.arange(len(heights))
    one = np.concatenate([origins(surface)[chosen], itself])
    other = np.concatenate([surface.links[chosen, 0].astype(np.int64), itself])
    order = np.lexsort([other, heights[other], one])
    return other[order[np.flatnonzero(np.diff(one[order], prepend=-1))]]
