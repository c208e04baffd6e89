"""What a mesh's faces have in common: edges, shells, and which way they turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crant_core.neuropils import exact

Faces = NDArray[np.int64]


def directed_edges(faces: Faces) -> NDArray[np.int64]:
    """Return the edges of faces (m, 3) as they run around them: (3 m, 2), those of a face one after another."""
    return faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def undirected(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number per edge (n, 2), the same in both directions."""
    low, high = np.minimum(edges[:, 0], edges[:, 1]), np.maximum(edges[:, 0], edges[:, 1])
    return low << 32 | high


def is_sound(faces: Faces) -> bool:
    """Say whether every edge has two faces that run along it in opposite directions: closed, and turned one way."""
    if not len(faces):
        return False
    starts, ends = faces.T.ravel(), faces[:, [1, 2, 0]].T.ravel()
    forth, back = np.sort(starts << 32 | ends), np.sort(ends << 32 | starts)
    return bool((forth == back).all() and (forth[1:] != forth[:-1]).all())


def odd_edges(faces: Faces) -> NDArray[np.int64]:
    """Return the edges (n, 2), as they run, of which an odd number of faces has each: none if the surface is closed."""
    edges = directed_edges(faces)
    _, first, counts = np.unique(undirected(edges), return_index=True, return_counts=True)
    return np.asarray(edges[first[counts % 2 == 1]])


def shells(faces: Faces, vertices: int) -> NDArray[np.int32]:
    """Number, for each face, the connected part of the surface that it is in; parts that share a vertex are one."""
    if not len(faces):
        return np.zeros(0, dtype=np.int32)
    starts, ends = faces[:, :2].T.ravel(), faces[:, 1:].T.ravel()
    _, part = _components(starts, ends, vertices)
    return _compact(part[faces[:, 0]])


def _components(starts: NDArray[np.int64], ends: NDArray[np.int64], nodes: int) -> tuple[int, NDArray[np.int32]]:
    graph = coo_array((np.ones(len(starts), np.int8), (starts.astype(np.int32), ends.astype(np.int32))), (nodes, nodes))
    found: tuple[int, NDArray[np.int32]] = connected_components(graph.tocsr(), directed=False)
    return found


def _compact(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    if (labels == labels[0]).all():
        return np.zeros(len(labels), dtype=np.int32)
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)


def turned_one_way(faces: Faces) -> tuple[Faces, bool]:
    """Turn faces over until neighbours run along their common edge in opposite directions.

    Every face has two nodes, as it is and turned over; nodes that agree across an edge are joined, and of the two
    components that a connected surface has, one is chosen: the one that turns over fewer faces.

    Parameters
    ----------
    faces : ndarray, shape (m, 3)

    Returns
    -------
    faces : ndarray, shape (m, 3)
    orientable : bool
        False if a part of the surface has only one side; it stays as it is.
    """
    first, second, agree = _neighbours(faces)
    count = len(faces)
    starts = np.concatenate([first, first + count])
    ends = np.concatenate([second + np.where(agree, 0, count), second + np.where(agree, count, 0)])
    number, side = _components(starts, ends, 2 * count)
    as_is, over = side[:count], side[count:]
    one_sided = as_is == over
    votes = np.bincount(as_is, minlength=number)  # as many faces stay as they are if this component is chosen
    turn = ~one_sided & ((votes[over] > votes[as_is]) | ((votes[over] == votes[as_is]) & (over < as_is)))
    return np.where(turn[:, None], faces[:, ::-1], faces), not one_sided.any()


def _neighbours(faces: Faces) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return pairs of faces with a common edge that no third has, and whether they run along it in opposite ways."""
    edges = directed_edges(faces)
    keys = undirected(edges)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.append(True, keys[order][1:] != keys[order][:-1]))
    alone = starts[np.diff(np.append(starts, len(keys))) == 2]  # noqa: PLR2004  faces of one edge
    first, second = order[alone], order[alone + 1]
    return first // 3, second // 3, edges[first, 0] != edges[second, 0]


def volumes(vertices: NDArray[np.float64], faces: Faces, part: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the signed volume of each part: positive if it faces outward. Of open parts, as seen from their middle."""
    count = np.bincount(part)
    corners = np.ascontiguousarray(vertices.T)[:, faces.T]
    middle = [np.bincount(part, weights=axis.sum(axis=0)) / (3 * count) for axis in corners]
    a, b, c = zip(*(axis - centre[part] for axis, centre in zip(corners, middle, strict=True)), strict=True)
    return np.bincount(part, weights=exact.dot(a, exact.cross(b, c))) / 6
