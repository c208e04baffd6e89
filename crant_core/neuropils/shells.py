"""The solids that one mesh consists of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils import edges
from crant_core.neuropils.crossing import surely_crossed
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels, build
from crant_core.neuropils.lookup import find
from crant_core.neuropils.ranges import expanded

_BATCH = 1 << 12  # pairs of shells in a cell at a time, each with some hundred pairs of triangles


def solids(mesh: Mesh) -> list[Mesh]:
    """Split a closed mesh into solids of which a point must be in one.

    Shells of one mesh that lie in each other alternate: the second is a cavity of the first. Shells that cross each
    other, as in meshes that were put together, are united: each is a solid of its own, with what lies in it.

    Parameters
    ----------
    mesh : Mesh
        Repaired and closed.

    Returns
    -------
    list of Mesh
        Usually the mesh itself.
    """
    part = edges.shells(mesh.faces, len(mesh.vertices))
    count = int(part.max(initial=0)) + 1
    shells = [Mesh(mesh.vertices, mesh.faces[part == number]) for number in range(count)]
    if not _boxes_meet(shells):
        return [mesh]
    compact = [_compact(shell) for shell in shells]
    frame, labels = build(compact)
    share = _shares(compact, frame, labels)
    crosses = ((share > 0) & (share < 1)) | _cut(labels, len(shells))
    crosses |= crosses.T
    if not crosses.any():
        return [mesh]
    return [Mesh(mesh.vertices, mesh.faces[np.isin(part, group)]) for group in _groups(crosses, share == 1)]


def _compact(shell: Mesh) -> Mesh:
    used, faces = np.unique(shell.faces, return_inverse=True)
    return Mesh(shell.vertices[used], faces.reshape(-1, 3).astype(np.int64))


def _boxes_meet(shells: list[Mesh]) -> bool:
    """Say whether the boxes of two shells overlap."""
    low = np.array([shell.vertices[shell.faces].min(axis=(0, 1)) for shell in shells])
    high = np.array([shell.vertices[shell.faces].max(axis=(0, 1)) for shell in shells])
    meet = ((low[:, None] <= high) & (high[:, None] >= low)).all(axis=2)
    return bool(meet.sum() > len(shells))


def _cut(labels: Labels, shells: int) -> NDArray[np.bool_]:
    """Say of which shells a triangle of one cuts one of the other, though no corner of it need be inside."""
    found = np.zeros((shells, shells), dtype=np.bool_)
    one, other = _neighbours(labels)
    for begin in range(0, len(one), _BATCH):
        a, b = one[begin : begin + _BATCH], other[begin : begin + _BATCH]
        sizes = labels.pair_counts[b]
        which, at = expanded(np.zeros(len(a), dtype=np.int64), labels.pair_counts[a] * sizes)
        first = labels.pairs[labels.pair_starts[a][which] + at // sizes[which]] >> 1
        second = labels.pairs[labels.pair_starts[b][which] + at % sizes[which]] >> 1
        corners = [labels.vertices[labels.faces[triangle]] for triangle in (first, second)]
        cut = which[_edge_cuts(*corners) | _edge_cuts(*corners[::-1])]
        found[labels.surfaces[a[cut]], labels.surfaces[b[cut]]] = True
    return found


def _neighbours(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of crossings of one cell."""
    ends = np.repeat(labels.boundary_starts[1:], np.diff(labels.boundary_starts))
    crossings = np.arange(len(ends), dtype=np.int64)
    first, other = expanded(crossings + 1, ends - crossings - 1)
    return crossings[first], other


def _edge_cuts(triangles: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say whether an edge of triangles (n, 3, 3) passes through others (n, 3, 3)."""
    edges = ((0, 1), (1, 2), (2, 0))
    cuts = [surely_crossed(triangles[:, start], triangles[:, end], others) for start, end in edges]
    return np.asarray(cuts[0] | cuts[1] | cuts[2])


def _shares(shells: list[Mesh], frame: Frame, labels: Labels) -> NDArray[np.float64]:
    """Return how much of each shell (column) lies in each other (row), measured at corners, edges and faces."""
    places = [_places(shell) for shell in shells]
    owner = np.repeat(np.arange(len(shells)), [len(some) for some in places])
    point, surface = find(np.concatenate(places), frame, labels)
    inside = np.zeros((len(shells), len(shells)))
    np.add.at(inside, (surface, owner[point]), 1)
    np.fill_diagonal(inside, 0)
    return np.asarray(inside / np.array([len(some) for some in places]))


def _places(shell: Mesh) -> NDArray[np.float64]:
    a, b, c = (shell.vertices[shell.faces[:, corner]] for corner in range(3))
    return np.concatenate([a, b, c, (a + b) / 2, (b + c) / 2, (c + a) / 2, (a + b + c) / 3])


def _groups(crosses: NDArray[np.bool_], within: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the shells of each solid: a crossing one with those in it that cross nothing, and the rest together."""
    calm = ~crosses.any(axis=1)
    groups = [np.append(np.flatnonzero(within[shell] & calm), shell) for shell in np.flatnonzero(~calm)]
    rest = np.flatnonzero(calm & ~within[~calm].any(axis=0))
    return [*groups, rest] if len(rest) else groups
