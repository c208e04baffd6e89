"""Gives each vertex of a surface the L2 chunk that it belongs to: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.mesh import Mesh
from crant_core.vertex_map.assigner import VertexAssigner
from crant_core.vertex_map.chunks import L2Chunks
from crant_core.vertex_map.grid import ChunkGrid, Points, blocks
from crant_core.vertex_map.methods import Limits, Method
from crant_core.vertex_map.pieces import Numbers, Pieces, pieces_in
from crant_core.vertex_map.propagation import propagated
from crant_core.vertex_map.proximity import close_to, nearest
from crant_core.vertex_map.winding import around, divided, turns_around

#: Says for each of some surfaces, given as positions in nm, which of some L2 ids it is of: their places, -1 for none.
Lookup = Callable[[NDArray[np.int64], Sequence[NDArray[np.float64]]], Numbers]

Labels = NDArray[np.int32]
Codes = NDArray[np.uint8]


def assign_vertices(
    mesh: Mesh, l2: L2Chunks, grid: ChunkGrid, limits: Limits | None = None, lookup: Lookup | None = None
) -> VertexAssigner:
    """Give each vertex of a neuron's surface its L2 id.

    Where the neuron has one L2 id in a chunk, all vertices there are its own. Where it has several, the surface in the
    chunk falls into connected pieces, and a piece belongs to the representative point that it winds around; if it winds
    around none, to what the segmentation beside it says (if `lookup` is given), to what it is close to, or to the
    nearest point, the first of these that says anything. What is in no chunk of the neuron, or in one none of whose
    points is known, takes over what its neighbours along the surface have. `Method` tells which it was.

    Parameters
    ----------
    mesh : Mesh
        nm.
    l2 : L2Chunks
        All of the neuron.
    grid : ChunkGrid
    limits : Limits, optional
    lookup : callable, optional

    Returns
    -------
    VertexAssigner
        The same for the same input.
    """
    places, limits = _Places(l2), limits or Limits()
    of_vertex = grid.bins(mesh.vertices, places.chunks)
    labels, methods = _solo(of_vertex, places.sole)
    for pieces in pieces_in(mesh, of_vertex, places.chunks, places.several, grid):
        _write(pieces, _piecewise(pieces, places, limits, lookup), of_vertex, labels, methods)
    _to_nearest(mesh.vertices, of_vertex, places, labels, methods)
    final = propagated(mesh, labels, limits)
    methods[(labels < 0) & (final >= 0)] = Method.PROPAGATED
    return VertexAssigner(mesh=mesh, l2=l2, grid=grid, mesh_label=np.append(l2.ids, 0)[final], method=methods)


class _Places:
    """The chunks that a neuron is in, and its L2 ids in each."""

    def __init__(self, l2: L2Chunks) -> None:
        self.l2_ids, self.points = l2.ids, l2.points
        self.chunks, inverse, counts = np.unique(l2.chunks, axis=0, return_inverse=True, return_counts=True)
        members = np.argsort(inverse.ravel(), kind="stable")
        self.members = np.split(members, np.cumsum(counts)[:-1])
        self.several: NDArray[np.bool_] = counts > 1
        first = [some[0] for some in self.members] if len(l2.ids) else []
        self.sole = np.where(self.several, -1, np.array(first, dtype=np.int32)).astype(np.int32)


def _solo(of_vertex: Labels, sole: Labels) -> tuple[Labels, Codes]:
    labels = np.empty(len(of_vertex), dtype=np.int32)
    methods = np.empty(len(of_vertex), dtype=np.uint8)
    of_chunk = np.append(sole, np.int32(-1))  # -1 finds the last
    for part in blocks(len(of_vertex)):
        labels[part] = of_chunk[of_vertex[part]]
        methods[part] = np.where(labels[part] < 0, Method.NONE, Method.SOLO)
    return labels, methods


class _Answers:
    """Which L2 id each piece belongs to, as a row of those in its chunk, -1 for none, and how it was found."""

    def __init__(self, pieces: int) -> None:
        self.owners: Numbers = np.full(pieces, -1)
        self.methods: Codes = np.zeros(pieces, dtype=np.uint8)

    def add(self, found: Numbers, method: Codes | Method) -> None:
        """Take what was found for pieces that have nothing yet."""
        new = (self.owners < 0) & (found >= 0)
        self.owners[new] = found[new]
        self.methods[new] = np.broadcast_to(np.asarray(method, dtype=np.uint8), new.shape)[new]


def _piecewise(pieces: Pieces, places: _Places, limits: Limits, lookup: Lookup | None) -> tuple[Labels, Codes]:
    """Find what the vertices of a chunk with several L2 ids belong to: numbers of L2 ids, -1 for none, and how."""
    members = places.members[pieces.chunk]
    points, answers = places.points[members], _Answers(pieces.count)
    turns = turns_around(pieces, points)
    answers.add(around(turns), Method.WINDING)
    of_vertex = divided(pieces, turns, points, answers.owners)
    if lookup is not None:
        answers.add(_looked_up(pieces, answers.owners, places.l2_ids[members], lookup), Method.LOOKUP)
    found, to_point = close_to(pieces, answers.owners, points, limits)
    answers.add(found, np.where(to_point, Method.NEAREST, Method.PROXIMITY).astype(np.uint8))
    answers.add(nearest(pieces, answers.owners, points), Method.NEAREST)
    rows = np.where(of_vertex < 0, answers.owners[pieces.piece], of_vertex)
    return np.append(members, -1)[rows].astype(np.int32), answers.methods[pieces.piece]


def _looked_up(pieces: Pieces, owners: Numbers, l2_ids: NDArray[np.int64], lookup: Lookup) -> Numbers:
    found, left = np.full(pieces.count, -1), np.flatnonzero(owners < 0)
    if len(left):
        found[left] = lookup(l2_ids, [pieces.positions[pieces.members[piece]] for piece in left.tolist()])
    return found


def _write(pieces: Pieces, answer: tuple[Labels, Codes], of_vertex: Labels, labels: Labels, methods: Codes) -> None:
    """Take over what was found in a chunk; vertices on its border, which are in another, only if they have nothing."""
    found, how = answer
    inside = of_vertex[pieces.vertices] == pieces.chunk
    new = (found >= 0) & (inside | (labels[pieces.vertices] < 0))
    labels[pieces.vertices[new]], methods[pieces.vertices[new]] = found[new], how[new]


def _to_nearest(vertices: Points, of_vertex: Labels, places: _Places, labels: Labels, methods: Codes) -> None:
    """Give vertices in a chunk of the neuron that are on no surface in it the nearest known point there."""
    left = np.flatnonzero((labels < 0) & (of_vertex >= 0))
    for chunk in np.unique(of_vertex[left]):
        members = places.members[chunk]
        members = members[np.isfinite(places.points[members]).all(axis=1)]
        if len(members):
            some = left[of_vertex[left] == chunk]
            labels[some] = members[cKDTree(places.points[members]).query(vertices[some])[1]]
            methods[some] = Method.NEAREST
