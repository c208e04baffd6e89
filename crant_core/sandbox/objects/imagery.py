"""The EM volume: synthetic, and seen to be. Membranes follow the segmentation, T-bars are dark, the rest is grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from crant_core.sandbox import layout
from crant_core.sandbox.objects.segmentation import supervoxels_in
from crant_core.sandbox.objects.stored import Stored, gzipped, stored_json
from crant_core.sandbox.objects.volumes import Box, Scale, info
from crant_core.sandbox.world.world import World

DESCRIPTION = "synthetic: drawn from the sandbox's segmentation, not imaged"
_FINER = np.array([2, 2, 1])  # than the segmentation
_TISSUE, _NEURITE, _MEMBRANE, _TBAR = 135, 175, 60, 25  # grey values
_GRAIN = 18.0
_TBAR_NM = 100.0

SCALE = Scale(
    resolution=layout.USER_RESOLUTION,
    offset=tuple((np.array(layout.VOXEL_OFFSET) * _FINER).tolist()),
    size=tuple((layout.volume_size() * _FINER).tolist()),
    chunk=(128, 128, 32),
    encoding="raw",
)


def find(world: World, synapses: NDArray[np.float64], path: str) -> Stored | None:
    """Return `info` or a chunk; `synapses` are centres, (n, 3), nm."""
    if path == "info":
        return stored_json(info((SCALE,), "image", "uint8", description=DESCRIPTION))
    key, _, name = path.partition("/")
    box = SCALE.box(name) if key == SCALE.key else None
    return None if box is None else gzipped(_draw(world, synapses, box).tobytes(order="F"))


def _draw(world: World, synapses: NDArray[np.float64], box: Box) -> NDArray[np.uint8]:
    """Draw a box; the same box looks the same every time."""
    labels = supervoxels_in(world, box, layout.USER_RESOLUTION)
    picture = np.where(labels == 0, _TISSUE, _NEURITE).astype(np.float64)
    picture[_borders(labels)] = _MEMBRANE
    _add_tbars(picture, synapses, box)
    grain = np.random.default_rng(box[0].tolist()).normal(0, _GRAIN, picture.shape)
    return np.asarray(np.clip(picture + uniform_filter(grain, 3) * 3, 0, 255), dtype=np.uint8)


def _borders(labels: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Mark where something else begins within two voxels along x or y."""
    border = np.zeros(labels.shape, dtype=bool)
    inside = labels != 0
    border[:-2] |= inside[:-2] != inside[2:]
    border[:, :-2] |= inside[:, :-2] != inside[:, 2:]
    return border


def _add_tbars(picture: NDArray[np.float64], synapses: NDArray[np.float64], box: Box) -> None:
    low, high = box * SCALE.resolution
    near = synapses[((synapses > low - _TBAR_NM) & (synapses < high + _TBAR_NM)).all(axis=1)]
    axes = [np.arange(begin, end) * step for (begin, end), step in zip(box.T, SCALE.resolution, strict=True)]
    for x, y, z in near:
        distance = np.hypot(axes[0][:, None] - x, axes[1] - y)
        slices = np.abs(axes[2] - z) < _TBAR_NM
        picture[:, :, slices] = np.where((distance < _TBAR_NM / 2)[:, :, None], _TBAR, picture[:, :, slices])
