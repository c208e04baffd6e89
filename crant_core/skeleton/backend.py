"""Picks who does the heavy steps: compiled kernels where numba is installed, else numpy and scipy.

Both give equal results; only time, memory and the interpreter's lock differ (the kernels release it).
"""
# ruff: noqa: PLR0917 - the same arguments as the kernels, which take no keywords

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.slices import Pieces, Slices, Surface

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faces = NDArray[Any]  # 32 or 64 bits wide


class Backend(Protocol):
    """The heavy steps; documented where they are written in numpy, in `crant_core.skeleton.arrays`."""

    def bounds(self, vertices: Floats) -> tuple[Floats, Floats]: ...  # noqa: D102
    def corner_range(self, faces: Faces) -> tuple[int, int]: ...  # noqa: D102
    def on_grid(self, vertices: Floats, origin: Floats, grid: float) -> NDArray[np.int32]: ...  # noqa: D102
    def surface(self, places: NDArray[np.int32], faces: Faces, grid: float) -> Surface: ...  # noqa: D102
    def linked(self, places: NDArray[np.int32], faces: Faces, grid: float) -> Surface: ...  # noqa: D102
    def pieces(self, surface: Surface) -> Pieces: ...  # noqa: D102
    def lengths_within(  # noqa: D102
        self, surface: Surface, labels: NDArray[np.int32], chosen: NDArray[np.bool_]
    ) -> tuple[int, int]: ...
    def split(  # noqa: D102
        self, places: NDArray[np.int32], faces: Faces, longest: int
    ) -> tuple[NDArray[np.int32], NDArray[np.uint32]]: ...
    def slice_surface(self, surface: Surface, seeds: Ints, step: int) -> Slices: ...  # noqa: D102
    def gathered(self, surface: Surface, slices: Slices) -> tuple[Floats, Floats]: ...  # noqa: D102
    def centroids(self, places: Floats, weights: Floats, starts: Ints) -> tuple[Floats, Floats]: ...  # noqa: D102
    def across(  # noqa: D102
        self, places: Floats, weights: Floats, slices: Slices, centres: Floats, directions: Floats
    ) -> Floats: ...
    def clearances(self, places: Floats, slices: Slices, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]: ...  # noqa: D102
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
