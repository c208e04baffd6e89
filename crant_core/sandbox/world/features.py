"""What the L2 cache knows, kept per supervoxel as sums: the features of any L2 chunk, old or new, follow by adding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox.world import voxels as vx
from crant_core.sandbox.world.segmentation import Labelled, Segmentation

_AREA_NM2 = np.array([vx.VOXEL_NM[[1, 2]].prod(), vx.VOXEL_NM[[0, 2]].prod(), vx.VOXEL_NM[[0, 1]].prod()])
_VOLUME_NM3 = int(vx.VOXEL_NM.prod())


@dataclass(frozen=True)
class Features:
    """Sums over each supervoxel's voxels, one row a supervoxel.

    Attributes
    ----------
    count : (s,) int64
        Voxels.
    first : (s, 3) float64
        Sum of positions, nm.
    second : (s, 3, 3) float64
        Sum of products of positions, nm².
    area : (s,) int64
        Surface towards anything that is not this neuron, nm².
    radius, thickest : (s,) float64
        Sum and maximum of the neurite's radius, nm.
    faces : (s, 2, 3) int64
        Voxels at the low and high border of the chunk, per axis.
    middle : (s, 3) int64
        The voxel nearest the centroid, nm.
    """

    count: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    area: NDArray[np.int64]
    radius: NDArray[np.float64]
    thickest: NDArray[np.float64]
    faces: NDArray[np.int64]
    middle: NDArray[np.int64]

    def rows(self, index: NDArray[np.int64]) -> Features:
        """Return the sums of some supervoxels."""
        return Features(*(getattr(self, field.name)[index] for field in fields(self)))


def joined(parts: Sequence[Features]) -> Features:
    """Return the sums of several groups of supervoxels, one after the other."""
    return Features(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Features)))


def measure(found: Segmentation, radii: NDArray[np.float64]) -> Features:
    """Sum up every supervoxel; `radii` is the neurite's radius at each voxel, nm."""
    owner, size = found.of_voxel, len(found.ids)
    grid = vx.grid_of(found.voxels.keys)
    positions = vx.centre_of(grid)
    first = _sums(owner, positions, size)
    products = np.stack([positions[:, i] * positions[:, j] for i in range(3) for j in range(3)], axis=1)
    count = np.bincount(owner, minlength=size)
    thickest = np.zeros(size)
    np.maximum.at(thickest, owner, radii)
    return Features(
        count=count,
        first=first,
        second=_sums(owner, products, size).reshape(size, 3, 3),
        area=np.bincount(owner, _exposed(found.voxels) @ _AREA_NM2, size).astype(np.int64),
        radius=np.bincount(owner, radii, size).astype(np.float64),
        thickest=thickest,
        faces=_border_counts(owner, grid, size),
        middle=_middles(owner, positions, first / count[:, None]),
    )


def _sums(owner: NDArray[np.int32], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(owner, column, size) for column in values.T], axis=1)


def _exposed(voxels: Labelled) -> NDArray[np.int64]:
    """Count each voxel's faces, per axis, that touch no voxel of the same neuron."""
    open_faces = np.full((len(voxels.keys), 3), 2)
    for axis in range(3):
        wanted = voxels.keys + vx.key_of(np.eye(3, dtype=np.int64)[axis])
        place = np.minimum(np.searchsorted(voxels.keys, wanted), len(wanted) - 1)
        inside = (voxels.keys[place] == wanted) & (voxels.neuron[place] == voxels.neuron)
        open_faces[inside, axis] -= 1
        open_faces[place[inside], axis] -= 1
    return open_faces


def _border_counts(owner: NDArray[np.int32], grid: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    within = grid % vx.PER_CHUNK
    sides = np.stack([within == 0, within == vx.PER_CHUNK - 1], axis=1).reshape(-1, 6).astype(np.float64)
    return _sums(owner, sides, size).reshape(size, 2, 3).astype(np.int64)


def _middles(
    owner: NDArray[np.int32], positions: NDArray[np.float64], centroids: NDArray[np.float64]
) -> NDArray[np.int64]:
    order = np.lexsort((np.linalg.norm(positions - centroids[owner], axis=1), owner))
    _, first = np.unique(owner[order], return_index=True)
    return np.round(positions[order[first]]).astype(np.int64)


def combine(parts: Features) -> dict[str, list[float] | list[int] | int | float]:
    """Return the L2 cache's attributes of one L2 chunk, from its supervoxels' sums.

    `rep_coord_nm` is the supervoxel middle nearest the centroid, so it always lies inside.
    """
    count = int(parts.count.sum())
    centroid = parts.first.sum(axis=0) / count
    nearest = np.linalg.norm(parts.middle - centroid, axis=1).argmin()
    axes, variances = _principal_axes(count, centroid, parts.second.sum(axis=0))
    found: dict[str, list[float] | list[int] | int | float] = {
        "rep_coord_nm": parts.middle[nearest].tolist(),
        "size_nm3": count * _VOLUME_NM3,
        "area_nm2": int(parts.area.sum()),
        "max_dt_nm": round(float(parts.thickest.max())),
        "mean_dt_nm": float(parts.radius.sum() / count),
        "chunk_intersect_count": parts.faces.sum(axis=0).tolist(),
    }
    return found | ({"pca": axes.tolist(), "pca_val": variances.tolist()} if len(variances) else {})


def _principal_axes(
    count: int, centroid: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return axes by falling variance; a few voxels span fewer than three."""
    covariance = second / count - np.outer(centroid, centroid)
    variances, vectors = np.linalg.eigh(covariance)
    kept = min(3, count - 1)
    return vectors.T[::-1][:kept], np.maximum(variances[::-1][:kept], 0.0)
