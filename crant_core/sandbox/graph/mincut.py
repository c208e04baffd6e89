"""Where to cut a neuron in two: the fewest edges between two sets of supervoxels."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import (
    breadth_first_order,
    connected_components,
    maximum_flow,
)

from crant_core.sandbox.graph.edges import Pairs
from crant_core.sandbox.graph.hierarchy import Flags, Indices
from crant_core.sandbox.layout import Ids


def min_cut(supervoxels: Ids, pairs: Pairs, sources: Ids, sinks: Ids) -> Flags:
    """Return which edges to remove.

    Parameters
    ----------
    supervoxels : (n,) uint64
        Sorted; all that the ids below may name.
    pairs : (m, 2) uint64
        Active edges.
    sources, sinks : uint64
        Disjoint.
    """
    links = supervoxels.searchsorted(pairs)
    count, many = len(supervoxels), len(pairs) + 1
    source, sink = count, count + 1
    outward = _star(source, supervoxels.searchsorted(sources))
    inward = _star(sink, supervoxels.searchsorted(sinks))[:, ::-1]
    arcs = np.concatenate([links, links[:, ::-1], outward, inward])
    capacity = np.repeat([1, many], [2 * len(links), len(outward) + len(inward)]).astype(np.int32)
    room = csr_array((capacity, (arcs[:, 0], arcs[:, 1])), shape=(count + 2, count + 2))
    left = csr_array(room - maximum_flow(room, source, sink).flow)
    left.eliminate_zeros()
    reached = np.zeros(count + 2, dtype=np.bool_)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    return np.not_equal(reached[links[:, 0]], reached[links[:, 1]])


def components(supervoxels: Ids, pairs: Pairs) -> Indices:
    """Return which connected component each supervoxel (sorted) is in."""
    links = supervoxels.searchsorted(pairs)
    shape = (len(supervoxels), len(supervoxels))
    matrix = csr_array((np.ones(len(links), dtype=np.int8), (links[:, 0], links[:, 1])), shape=shape)
    return np.asarray(connected_components(matrix, directed=False)[1], dtype=np.int64)


def _star(centre: int, points: Indices) -> Indices:
    return np.stack([np.full(len(points), centre), points], axis=1)
