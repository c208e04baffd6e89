"""Neurons as voxels on one coarse grid that starts where the volume starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.sandbox import layout
from crant_core.sandbox.world.morphology import Morphology

FACTOR = np.array([8, 8, 2])  #: segmentation voxels per grid voxel: finer would make the world large, not truer
VOXEL_NM = FACTOR * layout.RESOLUTION  #: (128, 128, 84) nm
PER_CHUNK = np.array(layout.CHUNK_SIZE) // FACTOR  #: grid voxels per L2 chunk
_BITS = 20  # per axis in a key; a volume has fewer than 2**20 voxels along each


def key_of(grid: ArrayLike) -> NDArray[np.int64]:
    """Pack grid positions (…, 3) into sortable keys."""
    x, y, z = np.moveaxis(np.asarray(grid, dtype=np.int64), -1, 0)
    return np.asarray((x << 2 * _BITS) + (y << _BITS) + z)  # a sum, so that offsets may be negative


def grid_of(keys: ArrayLike) -> NDArray[np.int64]:
    """Unpack keys into grid positions (…, 3)."""
    packed, mask = np.asarray(keys, dtype=np.int64), (1 << _BITS) - 1
    return np.stack([packed >> 2 * _BITS, (packed >> _BITS) & mask, packed & mask], axis=-1)


def grid_at(positions: ArrayLike) -> NDArray[np.int64]:
    """Return which grid voxels contain positions (…, 3) in nm."""
    return np.floor((np.asarray(positions) - layout.offset_nm()) / VOXEL_NM).astype(np.int64)


def centre_of(grid: ArrayLike) -> NDArray[np.float64]:
    """Return the centres of grid voxels, (…, 3) float64, nm."""
    return (np.asarray(grid) + 0.5) * VOXEL_NM + layout.offset_nm()


@dataclass(frozen=True)
class Voxels:
    """One neuron's voxels.

    Attributes
    ----------
    keys : (n,) int64
        Sorted, unique.
    nodes : (n,) int64
        The skeleton node whose tube each belongs to.
    """

    keys: NDArray[np.int64]
    nodes: NDArray[np.int64]


def fill(tree: Morphology) -> Voxels:
    """Fill the tubes around a skeleton: a ball of the local radius at every step of at most half a voxel."""
    positions, radii, nodes = _samples(tree)
    width = np.maximum(np.round(radii / VOXEL_NM.min() * 2) / 2, 0.5)  # balls come in half-voxel sizes
    keys, owners = [], []
    for size in np.unique(width):
        chosen = np.flatnonzero(width == size)
        found, first = np.unique(key_of(grid_at(positions[chosen])), return_index=True)
        offsets = key_of(_ball(size * VOXEL_NM.min()))  # keys add like vectors while no axis underflows
        keys.append((found[:, None] + offsets).ravel())
        owners.append(np.repeat(nodes[chosen[first]], len(offsets)))
    unique, first = np.unique(np.concatenate(keys), return_index=True)
    return Voxels(unique, np.concatenate(owners)[first])


def _samples(tree: Morphology) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Points along all edges and at roots, with radius and nearest node."""
    child, parent = tree.edges.T
    lengths = np.linalg.norm(tree.nodes[child] - tree.nodes[parent], axis=1)
    steps = np.ceil(lengths / (VOXEL_NM.min() / 2)).astype(np.int64) + 1
    edge = np.repeat(np.arange(len(child)), steps)
    share = ((np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)) / steps[edge])[:, None]
    positions = tree.nodes[child[edge]] * (1 - share) + tree.nodes[parent[edge]] * share
    radii = (tree.radii[child[edge], None] * (1 - share) + tree.radii[parent[edge], None] * share)[:, 0]
    nodes = np.where(share[:, 0] < 0.5, child[edge], parent[edge])  # noqa: PLR2004 - the middle of the edge
    roots = np.flatnonzero(tree.parents < 0)
    return (
        np.concatenate([positions, tree.nodes[roots]]),
        np.concatenate([radii, tree.radii[roots]]),
        np.concatenate([nodes, roots]),
    )


def _ball(radius: float) -> NDArray[np.int64]:
    """Grid offsets within `radius` nm of a voxel's centre, always its own."""
    reach = [np.arange(-n, n + 1) for n in np.floor(radius / VOXEL_NM).astype(int)]
    offsets = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(offsets[np.linalg.norm(offsets * VOXEL_NM, axis=1) <= radius])
