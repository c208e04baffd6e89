"""Picks who does the heavy steps: compiled kernels where numba is installed, else numpy and scipy.

Both give equal results; only time, memory and the interpreter's lock differ (the kernels release it).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.rings import Pieces, Rings, Surface

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faces = NDArray[Any]  # 32 or 64 bits wide


class Backend(Protocol):
    """The heavy steps; documented where they are written in numpy, in `crant_core.skeleton.arrays`."""

    def bounds(self, vertices: Floats) -> tuple[Floats, Floats]: ...  # noqa: D102
    def corner_range(self, faces: Faces) -> tuple[int, int]: ...  # noqa: D102
    def on_grid(self, vertices: Floats, origin: Floats, grid: float) -> NDArray[np.int32]: ...  # noqa: D102
    def surface(self, places: NDArray[np.int32], faces: Faces, grid: float) -> Surface: ...  # noqa: D102
    def pieces(self, surface: Surface) -> Pieces: ...  # noqa: D102
    def lengths_within(  # noqa: D102
        self, surface: Surface, labels: NDArray[np.int32], chosen: NDArray[np.bool_]
    ) -> tuple[int, int]: ...
    def cut_surface(self, surface: Surface, seeds: Ints, step: int) -> Rings: ...  # noqa: D102
    def centroids(self, rings: Rings) -> Floats: ...  # noqa: D102
    def sections(self, rings: Rings, centres: Floats, directions: Floats) -> Floats: ...  # noqa: D102
    def across(self, rings: Rings, centres: Floats, directions: Floats) -> Floats: ...  # noqa: D102
    def clearances(self, rings: Rings, nodes: Ints, centres: Floats) -> tuple[Floats, Ints]: ...  # noqa: D102
    def recentred(  # noqa: D102
        self, rings: Rings, nodes: Ints, centres: Floats, most: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]: ...


@cache
def chosen() -> Backend:
    """Return the heavy steps: compiled if numba is installed."""
    if find_spec("numba") is None:
        from crant_core.skeleton import arrays

        return arrays
    from crant_core.skeleton import kernels

    return kernels
