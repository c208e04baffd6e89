"""What pieces of a surface that are around no point are close to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.vertex_map.methods import Limits
from crant_core.vertex_map.pieces import Numbers, Pieces

Distances = NDArray[np.float64]


def close_to(pieces: Pieces, owners: Numbers, points: Distances, limits: Limits) -> tuple[Numbers, NDArray[np.bool_]]:
    """Say to which point each leftover piece belongs, because it is close to what belongs to it, and to nothing else.

    Close is what is within `limits.max_distance`, from vertex to vertex, or from vertex to a point that no piece is
    around: surfaces are coarser than the segmentation, so a point in a thin neurite may be outside. What belongs to
    another point must be farther by `limits.ratio_better`. The closest go first, and what they are given counts for
    those after them.

    Parameters
    ----------
    pieces : Pieces
    owners : ndarray, (p,) int64
        By piece: the row of its point, -1 for leftover ones.
    points : ndarray, (k, 3)
        nm; NaN for those that are not known.
    limits : Limits

    Returns
    -------
    owners : ndarray, (p,) int64
        With what was found.
    to_point : ndarray, (p,) bool
        Which were given what is close as a point.
    """
    found, to_point = owners.copy(), np.zeros(pieces.count, dtype=np.bool_)
    free = np.setdiff1d(np.flatnonzero(np.isfinite(points).all(axis=1)), owners)
    apart = _distances(pieces, owners, points[free], limits)
    left = np.flatnonzero(owners < 0)
    while len(left):
        known = np.concatenate([found, free])
        reach = np.where(known >= 0, apart[left], np.inf)
        row, node = np.unravel_index(reach.argmin(), reach.shape)  # the first of equal ones
        if reach[row, node] > limits.max_distance:
            break
        rival = reach[row][known != known[node]].min(initial=np.inf)
        if reach[row, node] < limits.ratio_better * rival:
            found[left[row]] = known[node]
            to_point[left[row]] = node >= pieces.count
        left = np.delete(left, row)
    return found, to_point


def nearest(pieces: Pieces, owners: Numbers, points: Distances) -> Numbers:
    """Give leftover pieces the point nearest to one of their vertices; without known points they stay leftover."""
    found = owners.copy()
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(known):
        tree = cKDTree(points[known])
        for piece in np.flatnonzero(owners < 0).tolist():
            distances, rows = tree.query(pieces.positions[pieces.members[piece]])
            found[piece] = known[rows[distances.argmin()]]
    return found


def _distances(pieces: Pieces, owners: Numbers, free: Distances, limits: Limits) -> Distances:
    """Return how far pieces are from other pieces and from free points, (p, p + f) nm; inf where it is too far."""
    apart = np.full((pieces.count, pieces.count + len(free)), np.inf)
    places = np.concatenate([pieces.positions, free])
    node = np.concatenate([pieces.piece, pieces.count + np.arange(len(free))])
    limit = limits.max_distance / limits.ratio_better
    for piece in np.flatnonzero(owners < 0).tolist():
        mine = pieces.positions[pieces.members[piece]]
        low, high = mine.min(axis=0) - limit, mine.max(axis=0) + limit
        near = np.flatnonzero(((places >= low) & (places <= high)).all(axis=1))
        reach = cKDTree(mine).query(places[near], distance_upper_bound=limit)[0]
        np.minimum.at(apart[piece], node[near], reach)
        apart[piece, piece] = np.inf
    return apart
