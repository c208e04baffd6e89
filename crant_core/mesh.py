"""A triangle mesh as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Mesh:
    """A surface.

    Attributes
    ----------
    vertices : ndarray, shape (n, 3), float64
        Positions in nm.
    faces : ndarray, shape (m, 3), int64
        Indices into `vertices`, counter-clockwise seen from outside.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
