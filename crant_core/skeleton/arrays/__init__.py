"""The engine's heavy steps in numpy and scipy: the fallback where numba is missing, and the kernels' oracle.

Every function has a twin of the same name in `crant_core.skeleton.kernels` with equal results. Here temporary arrays
are made and some steps hold the interpreter's lock; there neither.
"""

from __future__ import annotations

from crant_core.skeleton.arrays.field import slice_surface
from crant_core.skeleton.arrays.nodes import across, centroids, clearances, gathered, recentred
from crant_core.skeleton.arrays.splitting import split
from crant_core.skeleton.arrays.surfaces import (
    bounds,
    corner_range,
    lengths_within,
    linked,
    on_grid,
    pieces,
    surface,
)

__all__ = [
    "across",
    "bounds",
    "centroids",
    "clearances",
    "corner_range",
    "gathered",
    "lengths_within",
    "linked",
    "on_grid",
    "pieces",
    "recentred",
    "slice_surface",
    "split",
    "surface",
]
