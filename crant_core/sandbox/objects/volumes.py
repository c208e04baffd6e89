"""Volumes: the info of a precomputed volume, and which box a chunk's name means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import compressed_segmentation
import numpy as np
from numpy.typing import NDArray

_CHUNK = re.compile(r"(\d+)-(\d+)_(\d+)-(\d+)_(\d+)-(\d+)")

BLOCK = (8, 8, 8)  #: voxels that are compressed together

Box = NDArray[np.int64]  #: (2, 3): low and high corner, voxels


@dataclass(frozen=True)
class Scale:
    """One resolution of a volume; sizes in its own voxels."""

    resolution: tuple[int, int, int]
    offset: tuple[int, ...]
    size: tuple[int, ...]
    chunk: tuple[int, int, int]
    encoding: str

    @property
    def key(self) -> str:
        """The scale's folder."""
        return "_".join(map(str, self.resolution))

    def as_info(self) -> dict[str, Any]:
        """Return the scale's entry in `info`."""
        found: dict[str, Any] = {
            "key": self.key,
            "encoding": self.encoding,
            "chunk_sizes": [list(self.chunk)],
            "resolution": list(self.resolution),
            "size": list(self.size),
            "voxel_offset": list(self.offset),
        }
        if self.encoding == "compressed_segmentation":
            found["compressed_segmentation_block_size"] = list(BLOCK)
        return found

    def box(self, name: str) -> Box | None:
        """Return the box that a chunk's file name means; None if it is none of this volume's chunks."""
        match = _CHUNK.fullmatch(name)
        if match is None:
            return None
        low, high = np.array(match.groups(), dtype=np.int64).reshape(3, 2).T
        start, end = np.array(self.offset), np.add(self.offset, self.size)
        on_grid = ((low - start) % self.chunk == 0).all() and (low >= start).all()
        fits = (high == np.minimum(low + self.chunk, end)).all() and (low < end).all()
        return np.stack([low, high]) if on_grid and fits else None


def encode_labels(labels: NDArray[np.uint64]) -> bytes:
    """Write a block of ids, (x, y, z), in neuroglancer's compressed segmentation format."""
    data: bytes = compressed_segmentation.compress(np.asfortranarray(labels[..., None]), BLOCK, order="F")
    return data


def info(scales: tuple[Scale, ...], kind: str, data_type: str, **more: Any) -> Mapping[str, Any]:
    """Return a volume's `info`."""
    described = [scale.as_info() for scale in scales]
    return {"type": kind, "data_type": data_type, "num_channels": 1, "scales": described, **more}
