"""Makes a mesh fit for skeletonizing: on a grid, joined where it touches, and known in pieces."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError
from crant_core.mesh import Mesh
from crant_core.skeleton.arrays.surfaces import weld as weld_arrays
from crant_core.skeleton.backend import Backend
from crant_core.skeleton.rings import Surface

_CORNERS = 3
_CELLS_LOG = 30  # of the longest side of the bounding box: the squares of three such numbers still add up in 64 bits
_ROUND_SHARE = 1.01  # boxes have sides of round lengths; that of a moved mesh must not need one bit more by a rounding
_SMALLEST_LOG = -1000  # of a cell: its inverse must be a number too
_LARGE_NM = 2.0**22  # no neuron is as large


class Part(NamedTuple):
    """What of a surface is followed.

    Attributes
    ----------
    labels : ndarray, shape (n,), int32
        The piece of each vertex.
    dust : ndarray, shape (k,), bool
        Which pieces are left out.
    seeds : ndarray, shape (j,), int64
        One vertex at an end of each of the others: the lowest along the longest side of its bounding box.
    dropped : float
        The share of all vertices that is left out.
    total, edges : int
        The sum of edge lengths of all faces that are followed, in cells, and how many edges that are.
    """

    labels: NDArray[np.int32]
    dust: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    dropped: float
    total: int
    edges: int


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
    vertices, faces = weld_arrays(mesh.vertices, mesh.faces)
    _check_left(len(faces))
    return Mesh(vertices + 0.0, faces.astype(np.int64))


def check(mesh: Mesh) -> None:
    """Refuse arrays that are no mesh, saying why.

    Raises
    ------
    SkeletonError
    """
    _check_shapes(mesh)
    if not np.isfinite(mesh.vertices).all():
        raise SkeletonError("a vertex is not a finite number")
    _check_corners(int(mesh.faces.min()), int(mesh.faces.max()), len(mesh.vertices))


def on_grid(mesh: Mesh, heavy: Backend) -> tuple[Surface, NDArray[np.float64]]:
    """Move a mesh to its own origin and onto a grid, joined where it touches.

    The longest side of its bounding box has 2²⁹ to 2³⁰ cells, more than positions of 32 bits can tell apart: of a
    neuron of half a millimetre, a cell is 0.0005 nm long. On a grid the same shape gives the same skeleton wherever
    it lies, as otherwise the last bit of a coordinate decides between distances that are equal; and a shape that is
    larger gives one that is larger, as the cells grow with it by powers of two.

    Returns
    -------
    Surface
    ndarray, shape (3,)
        Where the grid begins, in nm.

    Raises
    ------
    SkeletonError
        Nothing is left, or the arrays are no mesh.
    """
    _check_shapes(mesh)
    _check_corners(*heavy.corner_range(mesh.faces), len(mesh.vertices))
    low, high = heavy.bounds(mesh.vertices)
    if not np.isfinite(high - low).all():
        raise SkeletonError("a vertex is not a finite number")
    if (high - low).max() > _LARGE_NM:  # by a stray vertex, perhaps, that belongs to nothing
        mesh = weld(mesh)
        low, high = heavy.bounds(mesh.vertices)
    grid = _cell(float((high - low).max()))
    surface = heavy.surface(heavy.on_grid(mesh.vertices, low, grid), mesh.faces, grid)
    _check_left(len(surface.faces))
    return surface, low


def _cell(extent: float) -> float:
    """Return the length of a cell in nm, a power of two, so that counting in cells rounds nothing else."""
    return math.ldexp(1.0, max(math.frexp(extent * _ROUND_SHARE)[1] - _CELLS_LOG, _SMALLEST_LOG)) if extent else 1.0


def _check_shapes(mesh: Mesh) -> None:
    """Refuse arrays that are no mesh, saying why."""
    vertices, faces = mesh.vertices, mesh.faces
    if not len(vertices) or not len(faces):
        raise SkeletonError(f"the mesh is empty: {len(vertices)} vertices, {len(faces)} faces")
    if vertices.shape != (len(vertices), 3) or faces.shape != (len(faces), _CORNERS):
        raise SkeletonError(f"these are no triangles in space: shapes {vertices.shape}, {faces.shape}")


def _check_corners(low: int, high: int, count: int) -> None:
    if low < 0 or high >= count:
        raise SkeletonError(f"a face names vertex {low if low < 0 else high} of {count}")


def _check_left(faces: int) -> None:
    if not faces:
        raise SkeletonError("every face of the mesh is flat: no surface to follow")


def without_dust(surface: Surface, min_diagonal: float, heavy: Backend) -> Part:
    """Leave out the small pieces of a surface.

    Parameters
    ----------
    surface : Surface
    min_diagonal : float
        Pieces whose bounding box has a shorter diagonal (nm) go. The piece with the most vertices always stays.
    heavy : module
        Who does the work.
    """
    pieces = heavy.pieces(surface)
    dust = np.linalg.norm((pieces.high - pieces.low).astype(np.float64), axis=1) * surface.grid < min_diagonal
    dust[pieces.sizes.argmax()] = False
    total, faces = heavy.lengths_within(surface, pieces.labels, dust) if dust.any() else (0, 0)
    dropped = float(pieces.sizes[dust].sum() / pieces.sizes.sum())
    edges = surface.faces.size - _CORNERS * faces
    return Part(pieces.labels, dust, pieces.seeds[~dust], dropped, surface.total - total, edges)
