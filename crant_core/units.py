"""Lengths and positions. Everything inside this project is in nanometres unless its name says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

NM_PER_UM = 1000.0


def voxels_to_nm(positions: ArrayLike, resolution: tuple[float, float, float]) -> NDArray[np.float64]:
    """Convert positions from voxels to nanometres.

    Parameters
    ----------
    positions : array_like, shape (n, 3) or (3,)
        Voxel coordinates.
    resolution : tuple of float
        Size of a voxel in nm along x, y, z.
    """
    import numpy as np

    return np.asarray(positions, dtype=np.float64) * np.asarray(resolution, dtype=np.float64)


def nm_to_voxels(positions: ArrayLike, resolution: tuple[float, float, float]) -> NDArray[np.float64]:
    """Convert positions from nanometres to (fractional) voxels; the inverse of `voxels_to_nm`."""
    import numpy as np

    return np.asarray(positions, dtype=np.float64) / np.asarray(resolution, dtype=np.float64)
