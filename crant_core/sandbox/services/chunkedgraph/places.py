"""Where nodes are: from L2 positions if the sandbox's state knows them, else from the middles of chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from starlette.requests import Request

from crant_core.sandbox import layout
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.edges import Pairs
from crant_core.sandbox.layout import Ids
from crant_core.sandbox.services.chunkedgraph.requests import graph
from crant_core.sandbox.state import state

_L2 = 2


def positions_of(request: Request, l2: Ids) -> NDArray[np.float64]:
    """Return where L2 ids are, (n, 3) nm; `l2_positions` of the state may not know new ones (NaN)."""
    middles = layout.chunk_start(layout.chunk_of(l2)) + layout.chunk_nm() / 2
    known = getattr(state(request), "l2_positions", None)
    if known is None or not len(l2):
        return np.asarray(middles, dtype=np.float64)
    found = np.asarray(known(l2), dtype=np.float64)
    return np.where(np.isnan(found), middles, found)


def nearest_l2(request: Request, node: int, position: Sequence[float]) -> int:
    """Return the L2 id that is in a node, or contains it, nearest to a position in nm."""
    if node >> 56 == 1:
        return int(graph(request).roots([node], state(request).clock.now(), _L2)[0])
    l2 = graph(request).l2_of(node)
    if not len(l2):
        raise Refusal(400, f"Could not determine supervoxel ID for coordinates {list(position)}.")
    distance = np.linalg.norm(positions_of(request, l2) - np.array(position), axis=1)
    return int(l2[distance.argmin()])


def supervoxel_at(request: Request, node: int, position: Sequence[float]) -> int:
    """Return the supervoxel meant by a node and a position in nm.

    `supervoxel_at(node, position)` of the state knows it if there is one. Else it is the first of the nearest L2 id.
    """
    if node >> 56 == 1:
        return node
    known = getattr(state(request), "supervoxel_at", None)
    found = known(node, position) if known else None
    return int(found) if found else int(graph(request).children(nearest_l2(request, node, position))[0])


def path_between(edges: Pairs, start: int, goal: int) -> Ids | None:
    """Return the nodes on the shortest path, (k,) uint64; None if there is no path."""
    if start == goal:
        return np.array([start], dtype=np.uint64)
    nodes, ends = np.unique(edges, return_inverse=True)
    first, last = nodes.searchsorted(np.array([start, goal], dtype=np.uint64)).tolist()
    if max(first, last) >= len(nodes) or (int(nodes[first]), int(nodes[last])) != (start, goal):
        return None
    ends = ends.reshape(-1, 2)
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(nodes), len(nodes))).tocsr()
    before = breadth_first_order(links, first, directed=False)[1]
    return _trace(nodes, before, first, last)


def _trace(nodes: Ids, before: NDArray[np.int32], first: int, last: int) -> Ids | None:
    steps = [last]
    while steps[-1] != first:
        if before[steps[-1]] < 0:
            return None
        steps.append(int(before[steps[-1]]))
    return nodes[steps[::-1]]
