"""Finds nodes that are not in the middle, as a ring's centre is not at branches, bends and flat places.

Only those are moved (`crant_core.skeleton.arrays.nodes.recentred`): done to every node it would tear branches apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ON_SURFACE = 2.0**-10  # nm: a node in the plane of a flat piece must not be in or out by the last bit of a sum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def outside(nearest: Floats, outward: Floats, centres: Floats) -> Flags:
    """Say which nodes lie on the outer side of the vertex nearest to them, or on the surface itself, (m,).

    Of each vertex the place and the normal, of any length, are given.
    """
    depth = np.einsum("ij,ij->i", nearest - centres, outward)
    return np.asarray(depth < _ON_SURFACE * np.sqrt(np.einsum("ij,ij->i", outward, outward)))


def doubtful(parents: Ints, alive: Flags, radii: Floats, clearance: Floats, share: float) -> Flags:
    """Say which nodes are nearer to the surface than `share` radii, or at a branch or the first of its arms."""
    child = np.flatnonzero(alive & (parents >= 0))
    branch = np.bincount(parents[child], minlength=len(parents)) > 1
    near = branch.copy()
    near[child] |= branch[parents[child]]
    return alive & (near | (clearance < share * radii))
