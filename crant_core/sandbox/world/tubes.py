"""Surfaces around known skeletons: their truth is exact, so skeleton quality can be measured on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.partners import refine


def tube_mesh(tree: Morphology, sides: int = 6) -> Mesh:
    """Draw a closed tube along every edge of a skeleton.

    One ring of vertices per node, shared by all its edges, so that branches are joined; tips are capped. The surface
    is connected wherever the skeleton is, and crosses itself inside branch points, as tubes must.

    Parameters
    ----------
    tree : Morphology
        Every ring lies around one of its nodes, at the node's radius.
    sides : int
        Vertices per ring.

    Returns
    -------
    Mesh
        `2 * sides` triangles per edge and `sides - 2` per cap, vertices in nm. It has the tubes' volume.
    """
    rings = _rings(tree, sides)
    walls = _walls(tree.edges, sides)
    return Mesh(rings.reshape(-1, 3), np.concatenate([walls, _caps(tree, sides)]))


def finer_tube_mesh(tree: Morphology, faces: int, sides: int = 12) -> Mesh:
    """Draw tubes with at least `faces` triangles, by putting rings closer together."""
    length = float(np.linalg.norm(tree.nodes[tree.edges[:, 0]] - tree.nodes[tree.edges[:, 1]], axis=1).sum())
    return tube_mesh(refine(tree, length / (faces / (2 * sides)))[0], sides)


def _rings(tree: Morphology, sides: int) -> NDArray[np.float64]:
    """Place rings across the neurite, (n, sides, 3); neighbouring rings are turned as little as possible."""
    along = _directions(tree)
    across = _transported(tree, along)
    third = np.cross(along, across)
    angle = np.arange(sides) * 2 * np.pi / sides
    circle = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * third[:, None]
    return np.asarray(tree.nodes[:, None] + tree.radii[:, None, None] * circle)


def _directions(tree: Morphology) -> NDArray[np.float64]:
    """Return each node's direction: from its parent to the mean of its children."""
    child, parent = tree.edges.T
    step = tree.nodes[child] - tree.nodes[parent]
    step /= np.maximum(np.linalg.norm(step, axis=1), 1e-9)[:, None]
    total = np.zeros_like(tree.nodes)
    np.add.at(total, parent, step)
    total[child] += step
    length = np.linalg.norm(total, axis=1)
    total[length < 1e-6] = (0, 0, 1)  # noqa: PLR2004 - a turn by 180° has no direction; any will do
    return np.asarray(total / np.linalg.norm(total, axis=1)[:, None])


def _transported(tree: Morphology, along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry one vector across the neurite from parents to children (discrete parallel transport)."""
    across = np.zeros_like(along)
    for node, parent in enumerate(tree.parents.tolist()):
        before = across[parent] if parent >= 0 else np.roll(along[node], 1)
        flat = before - along[node] * (before @ along[node])
        if flat @ flat < 1e-6:  # noqa: PLR2004 - the neurite turned into it: take another
            flat = np.cross(along[node], np.eye(3)[np.abs(along[node]).argmin()])
        across[node] = flat / np.sqrt(flat @ flat)
    return across


def _walls(edges: NDArray[np.int64], sides: int) -> NDArray[np.int64]:
    corner, following = np.arange(sides), (np.arange(sides) + 1) % sides
    child, parent = (edges[:, column, None] * sides for column in (0, 1))
    low, low_next, high, high_next = parent + corner, parent + following, child + corner, child + following
    first, second = np.stack([low, low_next, high], axis=-1), np.stack([low_next, high_next, high], axis=-1)
    return np.concatenate([first, second]).reshape(-1, 3)


def _caps(tree: Morphology, sides: int) -> NDArray[np.int64]:
    """Close what walls leave open: rings at tips and roots, and at branches the ring of every further branch."""
    open_rings = np.bincount(tree.edges[:, 1], minlength=len(tree.nodes)) - (tree.parents >= 0)
    fan = np.stack([np.zeros(sides - 2, dtype=np.int64), np.arange(1, sides - 1), np.arange(2, sides)], axis=1)
    tips = np.flatnonzero(open_rings < 0)
    starts = np.repeat(np.arange(len(tree.nodes)), np.maximum(open_rings, 0))
    caps = tips[:, None, None] * sides + fan, starts[:, None, None] * sides + fan[:, ::-1]
    return np.concatenate([cap.reshape(-1, 3) for cap in caps])
