"""Makes a mesh fit for skeletonizing: joined where it touches, and without what carries no shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError
from crant_core.mesh import Mesh
from crant_core.skeleton.backend import Backend, chosen

_CORNERS = 3


def weld(mesh: Mesh, heavy: Backend | None = None) -> Mesh:
    """Join vertices at exactly the same position; drop flat faces and vertices without a face.

    Meshes arrive in pieces that repeat the vertices on their borders; unwelded, each piece would become a tree.
    Vertices keep the order of their first occurrence, so moving the mesh changes nothing else.

    Parameters
    ----------
    mesh : Mesh
        Vertices in nm.
    heavy : module, optional
        Who does the work; the faster one installed if left out.

    Raises
    ------
    SkeletonError
        Nothing is left, or the arrays are no mesh.
    """
    check(mesh)
    vertices, faces = (heavy or chosen()).weld(mesh.vertices, mesh.faces)
    if not len(faces):
        raise SkeletonError("every face of the mesh is flat: no surface to follow")
    return Mesh(vertices, faces)


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


def without_dust(mesh: Mesh, min_diagonal: float, heavy: Backend | None = None) -> tuple[Mesh, NDArray[np.int64]]:
    """Drop the small pieces of a welded surface.

    Parameters
    ----------
    mesh : Mesh
        Welded.
    min_diagonal : float
        Pieces whose bounding box has a shorter diagonal (nm) go. The piece with the most vertices always stays.
    heavy : module, optional
        Who does the work.

    Returns
    -------
    Mesh
    ndarray, shape (k,), int64
        One vertex at an end of each remaining piece: the lowest along the longest side of its bounding box.
    """
    heavy = heavy or chosen()
    pieces = heavy.pieces(mesh.vertices, mesh.faces)
    dust = np.linalg.norm(pieces.high - pieces.low, axis=1) < min_diagonal
    dust[pieces.sizes.argmax()] = False
    if not dust.any():
        return mesh, pieces.seeds
    stays = ~dust[pieces.labels]
    seeds = (np.cumsum(stays, dtype=np.int64) - 1)[pieces.seeds[~dust]]
    return Mesh(*heavy.subset(mesh.vertices, mesh.faces, stays)), seeds
