"""A tree through places that are linked: no cycles, no bridges, and across places that are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

_SAME_PLACE = 1e-3  # nm; a length of 0 would mean that there is no link


def spanning_tree(
    points: NDArray[np.float64], links: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Take from the links the shortest tree, and direct it away from the heaviest place.

    The minimum spanning tree (Kruskal's, scipy's) of the links' lengths. Parts that no link joins stay apart, each with
    a root of its own.

    Parameters
    ----------
    points : ndarray, (n, 3)
        nm.
    links : ndarray, (m, 2)
        Numbers of places, each pair once.
    weight : ndarray, (n,)
        In each part, the place of the largest weight is the root; NaN is less than anything. Of equal ones, the first.

    Returns
    -------
    parents : ndarray, (n,) int64
        Number of each place's parent; -1 for roots.
    order : ndarray, (n,) int64
        The places, each after its parent.
    """
    count = len(points)
    lengths = np.linalg.norm(points[links[:, 0]] - points[links[:, 1]], axis=1) + _SAME_PLACE
    tree = minimum_spanning_tree(coo_matrix((lengths, (links[:, 0], links[:, 1])), shape=(count, count))).tocoo()
    roots = _roots(tree, weight)
    start = np.concatenate([tree.row, np.full(len(roots), count)])  # one more place, linked to all roots
    end = np.concatenate([tree.col, roots])
    whole = coo_matrix((np.ones(len(start)), (start, end)), shape=(count + 1, count + 1)).tocsr()
    order, before = breadth_first_order(whole, count, directed=False)
    parents = before[:count].astype(np.int64)
    parents[roots] = -1
    return parents, order[1:].astype(np.int64)


def _roots(tree: coo_matrix, weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of each part that is to be its root."""
    _, part = connected_components(tree, directed=False)
    order = np.lexsort((np.arange(len(part)), -np.nan_to_num(weight, nan=-np.inf, posinf=np.inf), part))
    _, first = np.unique(part[order], return_index=True)
    return np.asarray(order[first], dtype=np.int64)


def without(parents: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Link each place to its nearest ancestor that is kept.

    Parameters
    ----------
    parents : ndarray, (n,)
        Of a forest; -1 for roots.
    kept : ndarray, (n,) bool

    Returns
    -------
    ndarray, (n,) int64
        -1 for places with no such ancestor. Numbers are as before; the rows of places that are not kept mean nothing.
    """
    found = parents.copy()
    while True:
        wrong = np.flatnonzero(found >= 0)
        wrong = wrong[~kept[found[wrong]]]
        if not len(wrong):
            return found
        found[wrong] = found[found[wrong]]
