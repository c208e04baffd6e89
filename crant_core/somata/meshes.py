"""Cell bodies on surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.skeleton import Soma
from crant_core.somata.inputs import mesh_of
from crant_core.somata.search import MIN_RATIO, search, squares_from

_REACH = 1.5  # inscribed radii from the middle: somata are no balls


def detect_soma_mesh(mesh: Any, *, min_rad: float = 800.0, min_ratio: float = MIN_RATIO) -> NDArray[np.int64]:
    """Find the vertices of the cell body.

    It is the widest place inside the surface, if its inscribed ball is large enough, and so many times as large as any
    farther than two of its radii; `measure_soma` says by how much. Then every vertex counts within 1.5 of its radii
    that is connected to most of them.

    Parameters
    ----------
    mesh : Mesh, trimesh.Trimesh or navis.MeshNeuron
        In nm; need be neither closed nor welded, but should not be downsampled.
    min_rad : float
        Least radius of the ball, in nm.
    min_ratio : float
        1.65 was found on meshes with and without a soma (`benchmarks/somata.py`). Lower ones find more, and more often
        what is none.

    Returns
    -------
    (n,) int64
        Indices of vertices, ascending; empty if there is no soma, or no surface.

    Raises
    ------
    WrongType
        It is no mesh.
    InvalidInput
        It is not in nm.
    InvalidParameters
    SkeletonError
        The arrays are no mesh: a vertex is not finite, or a face names one that is not there.
    """
    found = mesh_of(mesh)
    return vertices_of(found, search(found, min_radius=min_rad, min_ratio=min_ratio))


def vertices_of(mesh: Mesh, soma: Soma) -> NDArray[np.int64]:
    """Return the vertices of a surface that are a soma's, ascending; none if it was not found."""
    if not soma.found:
        return np.empty(0, dtype=np.int64)
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    near = squares_from(mesh, soma) <= (_REACH * soma.radius) ** 2
    rows, (a, b, c) = np.flatnonzero(near), mesh.faces.T
    number = np.full(len(mesh.vertices), -1, dtype=np.int64)
    number[rows] = _places(mesh.vertices[rows])  # pieces repeat what is on their borders
    a, b, c = number[mesh.faces[near[a] & near[b] & near[c]]].T
    ends, count = (np.concatenate([a, b]), np.concatenate([b, c])), int(number.max()) + 1
    links = coo_matrix((np.ones(2 * len(a), dtype=np.int8), ends), shape=(count, count))
    labels = connected_components(links, directed=False)[1][number[rows]]
    return np.asarray(rows[labels == np.bincount(labels).argmax()])


def _places(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number distinct positions, of each point."""
    order = np.lexsort(points.T)
    is_new = (np.diff(points[order], axis=0) != 0).any(axis=1)
    number = np.zeros(len(points), dtype=np.int64)
    number[order[1:]] = np.cumsum(is_new)
    return number
