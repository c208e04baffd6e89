"""Which pieces of a surface are around which representative points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from crant_core.mesh import Mesh
from crant_core.neuropils.solid_angles import winding_numbers
from crant_core.vertex_map.pieces import Numbers, Pieces

AROUND = 0.05  #: of a turn; less is what any surface beside a point does
INSIDE = 0.25  #: of a turn, from which on a point is in a piece that is around another point too

Turns = NDArray[np.float64]  #: how often each piece winds around each point, (k, p); 0 for points that are not known


def turns_around(pieces: Pieces, points: NDArray[np.float64]) -> Turns:
    """Return how often each piece winds around each point, (k, p), whichever way round its faces are stored.

    Pieces are open where the chunk cuts them, so they wind around a point inside less than once (A. Jacobson et al.
    2013, ACM Trans. Graph. 32).

    Parameters
    ----------
    pieces : Pieces
    points : ndarray, (k, 3)
        nm; NaN for those that are not known.
    """
    found = np.zeros((len(points), pieces.count))
    known = np.isfinite(points).all(axis=1)
    for piece, rows in enumerate(pieces.faces_of):
        found[known, piece] = np.abs(winding_numbers(points[known], _mesh(pieces, rows)))
    return found


def around(turns: Turns) -> Numbers:
    """Say which point is inside each piece, one point for a piece and one piece for a point at most.

    Points and pieces are put together so that they wind most in all (H. Kuhn 1955, Nav. Res. Logist. Q. 2).

    Returns
    -------
    ndarray, (p,) int64
        By piece: the row of its point, -1 for none.
    """
    found = np.full(turns.shape[1], -1)
    rows, columns = linear_sum_assignment(turns, maximize=True)
    enough = turns[rows, columns] >= AROUND
    found[columns[enough]] = rows[enough]
    return found


def divided(pieces: Pieces, turns: Turns, points: NDArray[np.float64], owners: Numbers) -> Numbers:
    """Return the point of each vertex, (n,): that of its piece, or the nearest of several that are inside the piece.

    Chunks that touch are one piece where the vertices between them were joined.
    """
    found = owners[pieces.piece]
    best = turns.argmax(axis=1)
    inside = turns.max(axis=1) >= INSIDE
    inside[owners[owners >= 0]] = False  # they have a piece
    for piece in np.unique(best[inside]):
        if owners[piece] >= 0:
            rows = np.append(owners[piece], np.flatnonzero(inside & (best == piece)))
            some = pieces.members[piece]
            found[some] = rows[cKDTree(points[rows]).query(pieces.positions[some])[1]]
    return found


def _mesh(pieces: Pieces, rows: Numbers) -> Mesh:
    used, corners = np.unique(pieces.faces[rows], return_inverse=True)
    return Mesh(pieces.positions[used], corners.reshape(-1, 3).astype(np.int64))
