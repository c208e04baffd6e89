"""Surfaces in patches that overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import is_finite
from crant_core.errors import InvalidParameters
from crant_core.mesh import Mesh
from crant_core.skeleton.surface import check
from crant_core.somata.inputs import mesh_of


def divide_local_neighbourhood(mesh: Any, radius: float) -> list[NDArray[np.int64]]:
    """Divide a surface into connected patches of a size, which overlap.

    Each patch is what can be reached from one vertex along edges no longer than `radius` in all. The first vertex that
    is in no patch yet begins the next one.

    Parameters
    ----------
    mesh : Mesh, trimesh.Trimesh or navis.MeshNeuron
        In nm. Vertices at the same position are connected.
    radius : float
        In nm, along the surface.

    Returns
    -------
    list of (k,) int64
        Indices of vertices, ascending; every vertex is in one patch at least, one without a face in a patch of its own.

    Raises
    ------
    InvalidParameters
        The radius is no positive number.
    WrongType
    InvalidInput
        It is not in nm.
    SkeletonError
        The arrays are no mesh.

    Notes
    -----
    Algorithm: Dijkstra's, which ends at the radius; as many times as there are patches.
    """
    if not (is_finite(radius) and radius > 0):
        raise InvalidParameters(f"the radius is {radius!r}", value=radius, hint="a number of nm, more than 0")
    found = mesh_of(mesh)
    if not len(found.vertices):
        return []
    if len(found.faces):
        check(found)
    places, place = np.unique(found.vertices, axis=0, return_inverse=True)
    patches = _patches(places, place.ravel(), found, radius)
    by_place = np.argsort(place.ravel(), kind="stable")
    starts = np.searchsorted(place.ravel()[by_place], np.arange(len(places) + 1))
    return [_vertices(patch, by_place, starts) for patch in patches]


def _patches(
    places: NDArray[np.float64], place: NDArray[np.int64], mesh: Mesh, radius: float
) -> list[NDArray[np.int64]]:
    from scipy.sparse.csgraph import dijkstra

    links = _links(places, place[mesh.faces])
    seen = np.zeros(len(places), dtype=np.bool_)
    patches = []
    for seed in place:  # in the order of the vertices
        if not seen[seed]:
            patch = np.flatnonzero(np.isfinite(dijkstra(links, directed=False, indices=seed, limit=radius)))
            seen[patch] = True
            patches.append(patch)
    return patches


def _links(places: NDArray[np.float64], faces: NDArray[np.int64]) -> Any:
    """Return the lengths of edges as a sparse matrix, each once."""
    from scipy.sparse import csr_matrix

    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    a, b = np.unique(ends, axis=0).T
    lengths = np.linalg.norm(places[a] - places[b], axis=1)
    return csr_matrix((lengths, (a, b)), shape=(len(places), len(places)))


def _vertices(patch: NDArray[np.int64], by_place: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.sort(np.concatenate([by_place[starts[one] : starts[one + 1]] for one in patch]))
