"""The engine's heavy steps, compiled: every function equals its twin of the same name in `crant_core.skeleton.arrays`.

numba compiles them at the first call and keeps the machine code in `__pycache__` beside these files; where that
cannot be written, name another folder in the environment variable NUMBA_CACHE_DIR, or every process compiles anew
(about twenty seconds). All of them release the interpreter's lock, so one process can skeletonize in several threads.

numba notices a change only of the file in which a kernel stands. So kernels call kernels of their own file only, and
take numbers from elsewhere as arguments.
"""

from __future__ import annotations

from crant_core.skeleton.kernels.nodes import across, centroids, clearances, recentred, sections
from crant_core.skeleton.kernels.pieces import pieces
from crant_core.skeleton.kernels.rings import cut_surface
from crant_core.skeleton.kernels.surfaces import bounds, corner_range, lengths_within, on_grid, surface

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
