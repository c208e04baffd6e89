"""The engine's heavy steps in numpy and scipy: the fallback where numba is missing, and the kernels' oracle.

Every function has a twin of the same name in `crant_core.skeleton.kernels` with equal results. Here temporary arrays
are made and some steps hold the interpreter's lock; there neither.
"""

from __future__ import annotations

from crant_core.skeleton.arrays.nodes import across, centroids, clearances, recentred, sections
from crant_core.skeleton.arrays.rings import cut_surface
from crant_core.skeleton.arrays.surfaces import bounds, corner_range, lengths_within, on_grid, pieces, surface

__all__ = [
    "across",
    "bounds",
    "centroids",
    "clearances",
    "corner_range",
    "cut_surface",
    "lengths_within",
    "on_grid",
    "pieces",
    "recentred",
    "sections",
    "surface",
]
