"""Makes a mesh fit for skeletonizing: joined where it touches, and without what carries no shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError
from crant_core.mesh import Mesh

_CORNERS = 3


def weld(mesh: Mesh) -> Mesh:
    """Join vertices at exactly the same position; drop flat faces and vertices without a face.

    Meshes arrive in pieces that repeat the vertices on their borders; unwelded, each piece would become a tree.
    Vertices keep the order of their first occurrence, so moving the mesh changes nothing else.

    Parameters
    ----------
    mesh : Mesh
        Vertices in nm.

    Raises
    ------
    SkeletonError
        Nothing is left, or the arrays are no mesh.
    """
    check(mesh)
    merged, vertices = _first_occurrences(mesh.vertices)
    faces = _proper(merged[mesh.faces])
    if not len(faces):
        raise SkeletonError("every face of the mesh is flat: no surface to follow")
    used, compact = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], compact.reshape(faces.shape).astype(np.int64))


def check(mesh: Mesh) -> None:
    """Refuse arrays that are no mesh, saying why.

    Raises
    ------
    SkeletonError
    """
    vertices, faces = mesh.vertices, mesh.faces
    if not len(vertices) or not len(faces):
        raise SkeletonError(f"the mesh is empty: {len(vertices)} vertices, {len(faces)} faces")
    if vertices.shape != (len(vertices), 3) or faces.shape != (len(faces), _CORNERS):
        raise SkeletonError(f"these are no triangles in space: shapes {vertices.shape}, {faces.shape}")
    if not np.isfinite(vertices).all():
        raise SkeletonError("a vertex is not a finite number")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise SkeletonError(f"a face names vertex {faces.max()} of {len(vertices)}")


def _first_occurrences(vertices: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number distinct positions in order of first occurrence: each vertex's number, and the positions."""
    # + 0.0 turns -0.0 into 0.0, which is the same place but other bits.
    rows = np.ascontiguousarray(vertices + 0.0).view(np.dtype((np.void, vertices.itemsize * 3))).ravel()
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[inverse.ravel()], vertices[first[order]]


def _proper(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the faces with three different corners."""
    a, b, c = faces.T
    proper: NDArray[np.int64] = faces[(a != b) & (b != c) & (c != a)]
    return proper
