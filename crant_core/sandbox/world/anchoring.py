"""Binding annotations to neurons: a point lies in the supervoxel it names, as if it had been looked up there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.sandbox.world import voxels as vx
from crant_core.sandbox.world.segmentation import Segmentation


def anchor(
    found: Segmentation, neurons: NDArray[np.int64], positions: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Put point i into neuron i.

    Parameters
    ----------
    neurons : (n,) int64
        Numbers of neurons.
    positions : (n, 3) float64
        In nm.

    Returns
    -------
    supervoxels : (n,) int64
        By index.
    positions : (n, 3) float64
        In nm: as given, but where that is outside the neuron the middle of its nearest voxel.
    """
    voxels = _nearest_voxels(found, neurons, positions)
    grid = vx.grid_of(found.voxels.keys[voxels])
    is_own = (vx.grid_at(positions) == grid).all(axis=1)[:, None]
    return found.of_voxel[voxels].astype(np.int64), np.where(is_own, positions, vx.centre_of(grid))


def _nearest_voxels(
    found: Segmentation, neurons: NDArray[np.int64], positions: NDArray[np.float64]
) -> NDArray[np.int64]:
    result = np.empty(len(neurons), dtype=np.int64)
    order = np.argsort(found.voxels.neuron, kind="stable")
    starts = np.searchsorted(found.voxels.neuron[order], np.arange(found.neuron.max() + 2))
    for neuron in np.unique(neurons):
        voxels, wanted = order[starts[neuron] : starts[neuron + 1]], neurons == neuron
        tree = cKDTree(vx.centre_of(vx.grid_of(found.voxels.keys[voxels])))
        result[wanted] = voxels[tree.query(positions[wanted])[1]]
    return result
