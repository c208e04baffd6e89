"""Surfaces cut into rings in numpy: their geometry, and the tree they form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.arrays.cutting import Cuts, cuts
from crant_core.skeleton.arrays.field import distances, levels
from crant_core.skeleton.arrays.surfaces import connected, grouped, squares
from crant_core.skeleton.rings import Rings, Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign

_SHORTEST = 1e-12  # a normal may be zero


def cut_surface(surface: Surface, seeds: Ints, step: int) -> Rings:
    """Cut a surface into rings at equal steps of geodesic distance; what no seed reaches is left out.

    Parameters
    ----------
    surface : Surface
    seeds : ndarray, shape (k,)
        Vertices to measure distances from, one in each piece that counts.
    step : int
        From one ring to the next, in cells.
    """
    distance = distances(surface, seeds)
    found = cuts(surface, seeds, distance, levels(distance, step))
    parents, firsts = _rooted(found.parents, len(seeds))
    nearest = np.full(len(parents), -1)
    nearest[firsts[firsts >= 0]] = seeds[firsts >= 0]
    order, starts = grouped(found.rings, len(parents))
    middles, along, facing = (row[order] for row in _measured(surface, distance, found, step))
    rings = Rings(middles, along, facing, starts, parents, nearest, found.farthest, step * surface.grid)
    return rings if (firsts >= 0).all() else _with_points(rings, surface, seeds[firsts < 0])


def _rooted(parents: Ints, seeds: int) -> tuple[Ints, Ints]:
    """Hang the rings next to a seed from the first of them, which becomes a root; also return these, -1 if none."""
    low, firsts = np.flatnonzero(parents < 0), np.full(seeds, -1)
    firsts[-1 - parents[low[::-1]]] = low[::-1]
    found = parents.copy()
    found[low] = np.where(firsts[-1 - parents[low]] == low, -1, firsts[-1 - parents[low]])
    return found, firsts


def _measured(surface: Surface, distance: Floats, found: Cuts, step: int) -> tuple[Floats, Floats, Floats]:
    """Find the middle of each cut, the way from end to end, and its face's normal."""
    a, b, c = np.moveaxis(surface.places[found.corners].astype(np.float64), 1, 0)
    of_a, of_b, of_c = distance[found.corners].T
    value = (2 * found.heights + 1) * step
    share = [(value - 2 * of_a) / (2 * (of_one - of_a)) for of_one in (of_b, of_c)]
    near, far = share[0][:, None] * (b - a), share[1][:, None] * (c - a)
    turn = np.where(found.upward, surface.grid, -surface.grid)[:, None]
    return (a + (near + far) / 2) * surface.grid, (far - near) * turn, _normals(b - a, c - a)


def _normals(one: Floats, other: Floats) -> Floats:
    (ux, uy, uz), (wx, wy, wz) = one.T, other.T
    across = np.stack([uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx], axis=1)
    return np.asarray(across / np.maximum(np.sqrt(squares(across)), _SHORTEST)[:, None])


def _with_points(rings: Rings, surface: Surface, seeds: Ints) -> Rings:
    """Add a ring for each piece smaller than a step: its vertices, as cuts of no length that face nowhere."""
    one, other = surface.faces.astype(np.int64), np.roll(surface.faces, -1, axis=1).astype(np.int64)
    labels, _ = connected(one.ravel(), other.ravel(), len(surface.places))
    pieces = [np.flatnonzero(labels == labels[seed]) for seed in seeds]
    points = np.concatenate(pieces)
    zeros, none = np.zeros((len(points), 3)), np.full(len(pieces), -1)
    return rings._replace(
        middles=np.concatenate([rings.middles, surface.places[points] * surface.grid]),
        cuts=np.concatenate([rings.cuts, zeros]),
        facing=np.concatenate([rings.facing, zeros]),
        starts=np.concatenate([rings.starts, rings.starts[-1] + np.cumsum([len(piece) for piece in pieces])]),
        parents=np.concatenate([rings.parents, none]),
        nearest=np.concatenate([rings.nearest, seeds]),
        farthest=np.concatenate([rings.farthest, none]),
    )
