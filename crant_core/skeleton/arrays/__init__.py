"""The engine's heavy steps in numpy and fastcore: the fallback where numba is missing, and the kernels' oracle.

Every function has a twin of the same name in `crant_core.skeleton.kernels` with equal results. Here temporary arrays
are made and fastcore holds the interpreter's lock; there neither.
"""

from __future__ import annotations

from crant_core.skeleton.arrays.field import slice_surface
from crant_core.skeleton.arrays.nodes import across, centroids, clearances, recentred
from crant_core.skeleton.arrays.surfaces import compact, edge_lengths, normals, pieces, subset, weld

__all__ = [
    "across",
    "centroids",
    "clearances",
    "compact",
    "edge_lengths",
    "normals",
    "pieces",
    "recentred",
    "slice_surface",
    "subset",
    "weld",
]
