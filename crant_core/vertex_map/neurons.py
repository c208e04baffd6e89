"""Surfaces of neurons, fetched or given, and which vertex belongs to which L2 chunk."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crant_core.caching.meshes import Kept
from crant_core.errors import InvalidParameters
from crant_core.mesh import Mesh
from crant_core.meshes.neurons import whole_meshes
from crant_core.sources.cave import CaveSource
from crant_core.vertex_map.assigner import VertexAssigner
from crant_core.vertex_map.assigning import Lookup, assign_vertices
from crant_core.vertex_map.chunks import l2_chunks
from crant_core.vertex_map.grid import ChunkGrid
from crant_core.vertex_map.methods import Limits

_ROWS = 2  # dimensions of an array of points


def map_neuron(
    source: CaveSource, root: int, limits: Limits | None = None, lookup: Lookup | None = None
) -> VertexAssigner:
    """Fetch a neuron's surface and L2 chunks, and give each vertex the chunk that it belongs to.

    Raises
    ------
    NotARoot
    MeshNotFound
    DataMissing
    SourceError
    """
    grid = ChunkGrid.of(source.watershed.volume())
    return assign_vertices(whole_mesh(source, root), l2_chunks(source, root), grid, limits, lookup)


def whole_mesh(source: CaveSource, root: int) -> Mesh:
    """Fetch a whole surface, or take it from disk.

    Raises
    ------
    NotARoot
    MeshNotFound
    DataMissing
    SourceError
    """
    found = whole_meshes(source, [root])[root]
    if not isinstance(found, Kept):
        raise found
    return found.mesh


def surface_of(vertices: ArrayLike, faces: ArrayLike) -> Mesh:
    """Read a surface that a caller has; the arrays are not copied.

    Raises
    ------
    InvalidParameters
        It is none: a shape is wrong, a position is no number, or a face has a corner that there is not.
    """
    places, corners = np.asarray(vertices), np.asarray(faces)
    _check("vertices", places, "fiu")
    _check("faces", corners, "iu")
    if not np.isfinite(places).all():
        raise InvalidParameters("some vertices are not at a finite position")
    if len(corners) and (corners.min() < 0 or corners.max() >= len(places)):
        raise InvalidParameters(f"there are faces with corners that are none of the {len(places)} vertices")
    return Mesh(places if places.dtype.kind == "f" else places.astype(np.float64), corners.astype(np.int64, copy=False))


def _check(name: str, array: np.ndarray, kinds: str) -> None:
    if array.ndim != _ROWS or array.shape[1] != 3 or array.dtype.kind not in kinds:  # noqa: PLR2004 - x, y, z
        raise InvalidParameters(f"{name} cannot be {array.dtype} of {array.shape}", value=str(array.shape))
