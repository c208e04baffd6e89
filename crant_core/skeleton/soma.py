"""Finds the cell body: the widest place of a neuron, if it stands out, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh

SAMPLES = 50_000  #: points of a surface that are looked at, about


@dataclass(frozen=True, slots=True)
class Soma:
    """The widest place of a neuron.

    Attributes
    ----------
    node : int
        Index of the skeleton's node there.
    position : tuple of float
        Of that node, in nm.
    radius : float
        Of the ball around it that just fits into the surface, in nm.
    ratio : float
        `radius` divided by the largest such radius farther away than the search's `reach`: how much it stands out.
        Neurites without a soma reach 1.2; infinite where nothing lies farther away.
    found : bool
        Whether this is taken for a cell body.
    """

    node: int
    position: tuple[float, float, float]
    radius: float
    ratio: float
    found: bool


def find_soma(
    mesh: Mesh,
    nodes: NDArray[np.float64],
    *,
    min_ratio: float = 1.4,
    min_radius: float = 800.0,
    reach: float = 8000.0,
) -> Soma:
    """Find the soma by inscribed radii: each node's distance to the nearest point of the surface.

    Parameters
    ----------
    mesh : Mesh
        The surface; of large ones, 50,000 evenly chosen points are looked at.
    nodes : ndarray, shape (n, 3)
        Nodes of its skeleton, in nm; at least one.
    min_ratio, min_radius, reach : float
        See `crant_core.skeleton.options.Options`: `soma_ratio`, `soma_radius`, `soma_reach`.
    """
    points = sample(mesh.vertices, mesh.faces)
    limits = inscribed_radii(points, nodes)
    return soma_within(points, nodes, limits, min_ratio=min_ratio, min_radius=min_radius, reach=reach)


def soma_within(
    points: NDArray[np.float64],
    nodes: NDArray[np.float64],
    limits: NDArray[np.float64],
    *,
    min_ratio: float,
    min_radius: float,
    reach: float,
) -> Soma:
    """Find the soma among points of the surface: see `find_soma`. No node's radius is larger than its limit."""
    widest, radius = _widest(points, nodes, limits)
    far = np.linalg.norm(nodes - nodes[widest], axis=1) > reach
    _, rest = _widest(points, nodes, np.where(far, limits, 0))
    ratio = radius / rest if rest else float("inf")
    x, y, z = nodes[widest].tolist()
    return Soma(widest, (x, y, z), radius, ratio, found=ratio >= min_ratio and radius >= min_radius)


def _widest(points: NDArray[np.float64], nodes: NDArray[np.float64], limits: NDArray[np.float64]) -> tuple[int, float]:
    """Find the largest inscribed radius, measuring only nodes whose limits are above the largest measured so far."""
    widest, radius = 0, 0.0
    for node in np.argsort(-limits, kind="stable").tolist():
        if limits[node] <= radius:
            break
        x, y, z = points.T - nodes[node][:, None]
        found = min(float(np.sqrt((x * x + y * y + z * z).min())), float(limits[node]))
        widest, radius = (node, found) if found > radius else (widest, radius)
    return widest, radius


def inscribed_radii(points: NDArray[np.float64], nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each node to the nearest of some points, (n,)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    return np.asarray(tree.query(nodes)[0])


def sample(vertices: NDArray[np.float64], faces: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
    """Choose 50,000 points of a surface: every k-th vertex, and on small meshes the middles of its faces too."""
    points = vertices[:: max(1, len(vertices) // SAMPLES)]
    if faces is None or len(vertices) + len(faces) > SAMPLES:
        return points
    return np.concatenate([points, vertices[faces].mean(axis=1)])
