"""Halves long edges in numpy: a decimated surface has triangles longer than its neurites are thick."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.slices import ROUNDS

Ints = NDArray[Any]  # of any width, with or without sign
Flags = NDArray[np.bool_]


def split(places: NDArray[np.int32], faces: Ints, longest: int) -> tuple[NDArray[np.int32], Ints]:
    """Halve edges longer than `longest` cells, at most eight times, leaving no gap between neighbouring faces.

    A face with one, two or three long edges becomes two, three or four; the shape stays as it is.

    Returns
    -------
    ndarray, shape (n + k, 3), int32
        Places, those that were there first.
    ndarray, shape (m, 3), uint32
        Faces; those that were not cut first.
    """
    fresh, done = faces.astype(np.int64), []
    for _ in range(ROUNDS):
        cut = _long_edges(places, fresh, longest)
        touched = cut.any(axis=1)
        # An edge is cut in all its faces at once, so a face without long edges is never touched again.
        if not touched.any():
            break
        done.append(fresh[~touched])
        fresh, cut = fresh[touched], cut[touched]
        middles, added = _midpoints(places, fresh, cut)
        places = np.concatenate([places, added])
        parts, source = zip(*(_parts(fresh, cut, middles, count) for count in (1, 2, 3)), strict=True)
        fresh = np.concatenate(parts)[np.argsort(np.concatenate(source), kind="stable")]
    return places, np.concatenate([*done, fresh]).astype(np.uint32)


def _long_edges(places: NDArray[np.int32], faces: Ints, longest: int) -> Flags:
    """Say of each face's edges whether they are long; edge k runs from corner k to the next."""
    x, y, z = np.moveaxis(places[np.roll(faces, -1, axis=1)].astype(np.int64) - places[faces], -1, 0)
    return np.asarray(x * x + y * y + z * z > longest**2)


def _midpoints(places: NDArray[np.int32], faces: Ints, cut: Flags) -> tuple[Ints, NDArray[np.int32]]:
    """Make one vertex per long edge, whichever face sees it: its number at each face's edge, and the places."""
    following = np.roll(faces, -1, axis=1)
    low, high = np.minimum(faces, following)[cut], np.maximum(faces, following)[cut]
    edges, index = np.unique(low << 32 | high, return_inverse=True)
    middles = np.full(faces.shape, -1, dtype=np.int64)
    middles[cut] = index.ravel() + len(places)
    ends = places[edges >> 32].astype(np.int64) + places[edges & 0xFFFFFFFF]
    return middles, (ends >> 1).astype(np.int32)


def _parts(faces: Ints, cut: Flags, middles: Ints, count: int) -> tuple[Ints, Ints]:
    """Cut up the faces with `count` long edges, turned so that the odd edge out comes first; also say which."""
    chosen = cut.sum(axis=1) == count
    odd = {1: cut[chosen].argmax(axis=1), 2: (~cut[chosen]).argmax(axis=1), 3: np.zeros(chosen.sum(), dtype=np.int64)}
    turn = (odd[count][:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces[chosen], turn, axis=1).T
    ab, bc, ca = np.take_along_axis(middles[chosen], turn, axis=1).T
    triangles = {
        1: ((a, ab, c), (ab, b, c)),
        2: ((a, b, bc), (a, bc, ca), (ca, bc, c)),
        3: ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)),
    }[count]
    parts = np.concatenate([np.stack(triangle, axis=1) for triangle in triangles])
    return parts, np.tile(np.flatnonzero(chosen), len(triangles))
