"""Neuroglancer's multi-resolution mesh format, in its smallest form: unsharded, one level of detail, one fragment."""

from __future__ import annotations

import struct
from typing import Any

import DracoPy
import numpy as np
from numpy.typing import ArrayLike, NDArray

_BITS = 16
_STEPS = 2**_BITS - 1
_EXACT = 2**24  #: up to here float32, the manifest's type, holds every whole nm


def info() -> dict[str, Any]:
    """Return the mesh folder's `info`; a segment's files beside it are `{id}.index` (manifest) and `{id}`."""
    return {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": _BITS,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": 1,
    }


def encode(vertices: ArrayLike, faces: ArrayLike) -> tuple[bytes, bytes]:
    """Return a mesh as (manifest, fragment).

    Parameters
    ----------
    vertices : array_like
        (n, 3) float, nm; they move by at most half a 65,535th of the mesh's extent along each axis.
    faces : array_like
        (m, 3) int; vertices and faces keep their order.
    """
    corners = np.asarray(vertices, dtype=np.float64)
    if not len(corners):
        raise ValueError("a mesh without vertices has no fragment")
    origin, extent = _grid(corners)
    steps = np.rint((corners - origin) / extent * _STEPS).astype(np.uint32)
    fragment = DracoPy.encode(steps, np.asarray(faces, dtype=np.uint32), preserve_order=True)
    return _manifest(origin, extent, len(fragment)), fragment


def _grid(vertices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return origin and extent of the only cell, in whole nm so that rounding to float32 moves nothing."""
    origin = np.floor(vertices.min(axis=0))
    end = np.ceil(vertices.max(axis=0))
    if max(np.abs(origin).max(), np.abs(end).max()) > _EXACT:
        raise ValueError(f"coordinates beyond {_EXACT} nm do not fit the manifest exactly")
    return origin, np.maximum(end - origin, 1)


def _manifest(origin: NDArray[np.float64], extent: NDArray[np.float64], size: int) -> bytes:
    return struct.pack(
        "<3f 3f I f 3f I 3I I",
        *extent,  # of a cell at the finest level
        *origin,
        1,  # levels of detail
        1.0,  # scale of the only one
        *(0, 0, 0),  # its offset
        1,  # its fragments
        *(0, 0, 0),  # cell of the only one
        size,
    )
