"""Where L2 chunks begin and end, as meshes have it, and which chunk a point is in: one pass over all points.

The rule for borders: a chunk holds what is at its low faces, not what is at its high ones. Meshes are stored on a grid
of whole steps, and chunks begin between steps, so a chunk begins at the step below. A vertex at the low face of a chunk
that the neuron is not in belongs to the chunk below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.segmentation.chunks import chunks_to_nm

_BLOCK = 1 << 16  # points at a time: some MB, whatever the number of points
_L2 = 2
_EXACT = 1e-3  # nm; coordinates without steps are compared this exactly
_BELOW = sorted(product((0, 1), repeat=3), key=sum)[1:]  # one axis, then two, then three

Chunks = NDArray[np.int64]  #: positions of chunks, (n, 3)
Points = NDArray[np.floating]  #: (n, 3), nm


@dataclass(frozen=True, eq=False, slots=True)
class ChunkGrid:
    """The L2 chunks of a dataset in space.

    Attributes
    ----------
    origin : ndarray, (3,) float64
        Where chunk (0, 0, 0) begins, nm.
    size : ndarray, (3,) float64
        Of a chunk, nm.
    step : float
        Of the grid that stored vertices lie on, nm; 0: there is none.
    """

    origin: NDArray[np.float64]
    size: NDArray[np.float64]
    step: float = 0.0

    @classmethod
    def of(cls, volume: Any) -> ChunkGrid:
        """Read it from a graphene volume; nothing is asked of any server.

        Raises
        ------
        InvalidInput
            The volume has no L2 chunks.
        """
        first, second = chunks_to_nm([[0, 0, 0], [1, 1, 1]], volume).astype(np.float64)
        described = volume.meta.mesh_metadata or {}
        steps = described.get("draco_grid_sizes", {})
        step = described.get("uniform_draco_grid_size") or steps.get(str(_L2)) or 0.0
        return cls(first, second - first, float(step))

    @property
    def tolerance(self) -> float:
        """How far from a border a point still counts as on it, nm."""
        return self.step / 4 or _EXACT

    def starts(self, chunks: Chunks) -> NDArray[np.float64]:
        """Return where chunks begin, (n, 3) nm, on the grid of stored vertices."""
        found = self.origin + chunks * self.size
        return np.floor(found / self.step) * self.step if self.step else found

    def ends(self, chunks: Chunks) -> NDArray[np.float64]:
        """Return where chunks end, (n, 3) nm: where the next ones begin."""
        return self.starts(chunks + 1)

    def bins(self, points: Points, chunks: Chunks) -> NDArray[np.int32]:
        """Return the number of the chunk that holds each point, (n,) int32; -1 for points in none of them.

        Parameters
        ----------
        points : ndarray, (n, 3)
            nm.
        chunks : ndarray, (k, 3)
            Distinct, in the order of `numpy.unique`.
        """
        found = np.full(len(points), -1, dtype=np.int32)
        if len(chunks):
            lattice = _Lattice(self, chunks)
            for part in blocks(len(points)):
                found[part] = lattice.numbers(np.asarray(points[part], dtype=np.float64))
        return found


class _Lattice:
    """The chunks of one neuron, ready to be asked."""

    def __init__(self, grid: ChunkGrid, chunks: Chunks) -> None:
        low, high = chunks.min(axis=0), chunks.max(axis=0)
        self._tolerance = grid.tolerance
        self._shape = high - low + 1
        self._keys = self._key(chunks - low)
        edges = [np.arange(low[axis], high[axis] + 2) for axis in range(3)]
        self._edges = [
            grid.starts(np.repeat(numbers[:, None], 3, axis=1))[:, axis] for axis, numbers in enumerate(edges)
        ]

    def numbers(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the number of each point's chunk, -1 where there is none."""
        places, at_low_face = self._places(points)
        found = self._find(places)
        at_border = np.flatnonzero((found < 0) & at_low_face.any(axis=1))
        for below in _BELOW:
            some = at_border[found[at_border] < 0]
            some = some[at_low_face[some][:, np.flatnonzero(below)].all(axis=1)]
            found[some] = self._find(places[some] - below)
        return found

    def _places(self, points: NDArray[np.float64]) -> tuple[Chunks, NDArray[np.bool_]]:
        """Return in which chunk each point is, counted from the lowest, and along which axes it is at a low face."""
        places = np.empty(points.shape, dtype=np.int64)
        at_low_face = np.empty(points.shape, dtype=np.bool_)
        for axis, edges in enumerate(self._edges):
            places[:, axis] = np.searchsorted(edges - self._tolerance, points[:, axis], side="right") - 1
            below = edges[np.maximum(places[:, axis], 0)]
            at_low_face[:, axis] = np.abs(points[:, axis] - below) <= self._tolerance
        return places, at_low_face

    def _find(self, places: Chunks) -> NDArray[np.int32]:
        keys = self._key(places)
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        inside = ((places >= 0) & (places < self._shape)).all(axis=1)
        return np.where(inside & (self._keys[rows] == keys), rows, -1).astype(np.int32)

    def _key(self, places: Chunks) -> NDArray[np.int64]:
        x, y, z = places.T
        return np.asarray((x * self._shape[1] + y) * self._shape[2] + z)


def blocks(count: int) -> Iterator[slice]:
    """Cut a number of rows into blocks."""
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))
