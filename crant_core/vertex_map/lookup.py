"""Asks the segmentation beside a surface whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from crant_core.sources.cave import CaveSource
from crant_core.vertex_map.pieces import Numbers

SAMPLE = 200  #: vertices of a surface that are looked at
_VOXELS_ASIDE = (1, 4)  # meshes are made of coarser voxels than these
_DIRECTIONS = [direction for direction in product((-1, 0, 1), repeat=3) if sum(map(abs, direction)) == 1]


class SegmentationLookup:
    """Looks up which of some L2 ids the voxels beside a surface are in.

    L2 ids never change, nor do their supervoxels: no point in time is needed. Equal surfaces get equal answers.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many` once for a chunk, and the segmentation's bucket,
    some requests for each surface.

    Parameters
    ----------
    source : CaveSource
    """

    def __init__(self, source: CaveSource) -> None:
        self._source = source

    def __call__(self, l2_ids: NDArray[np.int64], surfaces: Sequence[NDArray[np.float64]]) -> Numbers:
        """Say of which L2 id each surface is.

        Parameters
        ----------
        l2_ids : ndarray, (k,) int64
            Those that it can be.
        surfaces : sequence of (n, 3) float64
            Vertices, nm.

        Returns
        -------
        ndarray, int64
            By surface: the place in `l2_ids` of the one most voxels beside it are in; -1 if none is in any.

        Raises
        ------
        DataMissing
        SourceError
        """
        members = self._source.graph.leaves_many(l2_ids, 1)
        supervoxels = np.concatenate([*members.values(), np.empty(0, dtype=np.uint64)])
        owner = np.repeat(np.arange(len(l2_ids)), [len(some) for some in members.values()])
        if not len(supervoxels):  # ids that never were
            return np.full(len(surfaces), -1)
        order = np.argsort(supervoxels)
        return np.array([self._most(surface, supervoxels[order], owner[order]) for surface in surfaces], dtype=np.int64)

    def _most(self, surface: NDArray[np.float64], supervoxels: NDArray[np.uint64], owner: Numbers) -> int:
        found = self._source.watershed.at(self._beside(surface))
        places = np.minimum(np.searchsorted(supervoxels, found), len(supervoxels) - 1)
        counts = np.bincount(owner[places[supervoxels[places] == found]], minlength=1)
        return int(counts.argmax()) if counts.any() else -1

    def _beside(self, surface: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points beside some of a surface's vertices, evenly many along the list."""
        rows = np.unique(np.linspace(0, len(surface) - 1, min(SAMPLE, len(surface))).astype(np.int64))
        voxel = np.array(self._source.watershed.scale().resolution)
        aside = np.concatenate([np.multiply(_DIRECTIONS, count) for count in _VOXELS_ASIDE]) * voxel
        return np.asarray((surface[rows][:, None] + aside).reshape(-1, 3))
