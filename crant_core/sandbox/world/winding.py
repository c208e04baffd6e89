"""Which points lie inside a closed surface: by its generalized winding number, which no ray can miss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BATCH = 1 << 19  #: point and face pairs at a time: about 60 MB


def inside(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> NDArray[np.bool_]:
    """Return which points lie inside, (n,) bool.

    Parameters
    ----------
    points : array_like
        (n, 3), in the unit of the vertices.
    vertices, faces : array_like
        A closed surface, (v, 3) and (m, 3); oriented the same way all over, outward or inward.
    """
    return np.abs(winding_number(points, vertices, faces)) > 0.5  # noqa: PLR2004  halfway between outside and inside


def winding_number(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> NDArray[np.float64]:
    """Return how often a surface winds around each point, (n,) float64: 1 inside an outward one, 0 outside."""
    corners = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    triangles = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    queries = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if not len(triangles):
        return np.zeros(len(queries))
    centre = corners.mean(axis=0)  # nm coordinates are large: near the origin their products cancel less
    surface = _Surface(corners - centre, triangles)
    step = max(1, _BATCH // len(triangles))
    batches = [surface.winding(queries[begin : begin + step] - centre) for begin in range(0, len(queries), step)]
    return np.concatenate([np.zeros(0), *batches])


class _Surface:
    """What the solid angles of a surface's triangles have in common for all points."""

    def __init__(self, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
        a, b, c = (vertices[faces[:, corner]] for corner in range(3))
        self._vertices = vertices
        self._faces = faces
        self._normals = np.cross(b - a, c - a)
        self._offsets = np.einsum("ij,ij->i", self._normals, a)
        self._edges = tuple(np.einsum("ij,ij->i", edge, edge) for edge in (b - a, c - b, a - c))

    def winding(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the solid angles of all triangles: A. van Oosterom and J. Strackee 1983, IEEE Trans. Biomed. Eng. 30."""
        distances = np.linalg.norm(points[:, None, :] - self._vertices, axis=2)
        a, b, c = (distances[:, self._faces[:, corner]] for corner in range(3))
        ab, bc, ca = self._edges
        # a dot product of two corners, as seen from a point, follows from the three distances of their triangle
        denominator = a * b * c
        denominator += c * _dot(a, b, ab)
        denominator += a * _dot(b, c, bc)
        denominator += b * _dot(c, a, ca)
        volume = self._offsets - points @ self._normals.T
        return np.asarray(np.arctan2(volume, denominator).sum(axis=1) / (2 * np.pi))


def _dot(p: NDArray[np.float64], q: NDArray[np.float64], edge: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((p * p + q * q - edge) / 2)
