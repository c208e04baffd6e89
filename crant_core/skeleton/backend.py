"""Picks who does the heavy steps: compiled kernels where numba is installed, else numpy and fastcore.

Both give equal results; only time, memory and the interpreter's lock differ (the kernels release it).
"""
# ruff: noqa: PLR0917 - the same arguments as the kernels, which take no keywords

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.slices import Pieces, Slices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faces = NDArray[Any]  # 32 or 64 bits wide


class Backend(Protocol):
    """The heavy steps; documented where they are written in numpy, in `crant_core.skeleton.arrays`."""

    def weld(self, vertices: Floats, faces: Ints) -> tuple[Floats, Faces]: ...  # noqa: D102
    def compact(self, vertices: Floats, faces: Faces) -> tuple[Floats, Faces]: ...  # noqa: D102
    def subset(self, vertices: Floats, faces: Faces, stays: NDArray[np.bool_]) -> tuple[Floats, Faces]: ...  # noqa: D102
    def pieces(self, vertices: Floats, faces: Faces) -> Pieces: ...  # noqa: D102
    def edge_lengths(self, vertices: Floats, faces: Faces) -> tuple[float, float]: ...  # noqa: D102
    def normals(self, vertices: Floats, faces: Faces) -> tuple[Floats, Floats]: ...  # noqa: D102
    def slice_surface(self, vertices: Floats, faces: Faces, seeds: Ints, step: float) -> Slices: ...  # noqa: D102
    def centroids(self, places: Floats, weights: Floats, starts: Ints) -> tuple[Floats, Floats]: ...  # noqa: D102
    def across(  # noqa: D102
        self, places: Floats, weights: Floats, slices: Slices, centres: Floats, directions: Floats
    ) -> Floats: ...
    def clearances(self, places: Floats, slices: Slices, centres: Floats) -> tuple[Floats, Ints]: ...  # noqa: D102
    def recentred(  # noqa: D102
        self, places: Floats, normals: Floats, slices: Slices, nodes: Ints, centres: Floats, most: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]: ...


@cache
def chosen() -> Backend:
    """Return the heavy steps: compiled if numba is installed."""
    if find_spec("numba") is None:
        from crant_core.skeleton import arrays

        return arrays
    from crant_core.skeleton import kernels

    return kernels
