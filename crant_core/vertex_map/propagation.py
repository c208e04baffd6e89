"""What vertices without an L2 id take over from their neighbours along the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.vertex_map.grid import blocks
from crant_core.vertex_map.methods import Limits
from crant_core.vertex_map.pieces import Numbers

_SIDES = ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))


def propagated(mesh: Mesh, labels: NDArray[np.int32], limits: Limits) -> NDArray[np.int32]:
    """Give vertices without a label that of the nearest one along the surface.

    Nearest is what is fewest edges away; of these, what the shortest path leads to; of these, what the vertex with the
    lowest number has. The whole surface is looked at, so labels cross every border.

    Parameters
    ----------
    mesh : Mesh
    labels : ndarray, (n,) int32
        -1 for none.
    limits : Limits

    Returns
    -------
    ndarray, (n,) int32
    """
    found = labels.copy()
    start, end = _edges_from(mesh.faces, labels < 0)
    lengths = np.linalg.norm(np.subtract(mesh.vertices[start], mesh.vertices[end], dtype=np.float64), axis=1)
    path = np.where(labels < 0, np.inf, 0.0)
    for _ in range(limits.hop_limit):
        total = path[end] + lengths
        ready = np.flatnonzero((found[start] < 0) & (found[end] >= 0) & (total <= limits.path_limit))
        if not len(ready):
            break
        order = ready[np.lexsort((end[ready], total[ready], start[ready]))]
        mine, first = np.unique(start[order], return_index=True)
        chosen = order[first]
        found[mine], path[mine] = found[end[chosen]], total[chosen]
    return found


def _edges_from(faces: Numbers, wanted: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Return both ends of the edges that begin at certain vertices."""
    starts, ends = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for part in blocks(len(faces)):
        some = faces[part][wanted[faces[part]].any(axis=1)]
        for one, other in _SIDES:
            mine = wanted[some[:, one]]
            starts.append(some[mine, one])
            ends.append(some[mine, other])
    return np.concatenate(starts), np.concatenate(ends)
