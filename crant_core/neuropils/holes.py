"""Closes small holes of a surface."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from crant_core.neuropils.edges import Faces, odd_edges

MOST_EDGES = 12  #: of a hole that is filled
MOST_AREA = 0.01  #: of the whole surface, unless it is a single triangle, which can be filled in one way only
_TRIANGLE = 3


def filled(vertices: NDArray[np.float64], faces: Faces) -> tuple[Faces, int]:
    """Fill small holes; return the faces with the new ones behind them, and how many holes were filled.

    A hole is filled with triangles between its own corners, all with one corner in common: the one for which their
    area is least. Three missing corners give back exactly the triangle that was lost.

    Parameters
    ----------
    vertices : ndarray, shape (n, 3)
    faces : ndarray, shape (m, 3)
        Turned one way.
    """
    rims = _rims(odd_edges(faces))
    most = MOST_AREA * float(_areas(vertices, faces).sum())
    patches = [_patch(vertices, rim) for rim in rims if _TRIANGLE <= len(rim) <= MOST_EDGES]
    chosen = [patch for patch in patches if len(patch) == 1 or _areas(vertices, patch).sum() <= most]
    return np.concatenate([faces, *chosen]), len(chosen)


def _rims(edges: NDArray[np.int64]) -> list[list[int]]:
    """Follow open edges against their direction, so that what fills the hole is turned like the faces around it."""
    following: dict[int, list[int]] = defaultdict(list)
    for start, end in edges.tolist():
        following[end].append(start)
    rims: list[list[int]] = []
    for start in list(following):
        while following[start]:
            rims += _loops(_walk(start, following))
    return rims


def _walk(start: int, following: dict[int, list[int]]) -> list[int]:
    path = [start]
    while following.get(path[-1]):
        path.append(following[path[-1]].pop())
    return path


def _loops(path: list[int]) -> list[list[int]]:
    """Cut a path into loops that pass every corner once; what is left over closes nothing."""
    loops: list[list[int]] = []
    open_: list[int] = []
    for corner in path:
        if corner in open_:
            at = open_.index(corner)
            loops.append(open_[at:])
            open_ = open_[:at]
        open_.append(corner)
    return loops


def _patch(vertices: NDArray[np.float64], rim: list[int]) -> Faces:
    """Return the fan of triangles over a rim that has the least area."""
    fans = [_fan(rim[at:] + rim[:at]) for at in range(len(rim))]
    return min(fans, key=lambda fan: float(_areas(vertices, fan).sum()))


def _fan(rim: list[int]) -> Faces:
    return np.array([(rim[0], rim[at], rim[at + 1]) for at in range(1, len(rim) - 1)], dtype=np.int64)


def _areas(vertices: NDArray[np.float64], faces: Faces) -> NDArray[np.float64]:
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)
