"""What any node of the chunkedgraph looks like: its L2 features, surface and skeleton, from its supervoxels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from crant_core.mesh import Mesh
from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world.crowd import Crowd
from crant_core.sandbox.world.features import Features, combine, joined
from crant_core.sandbox.world.world import World

Skeleton = dict[str, Any]
_UNDEFINED, _SOMA = 0, 1
_SOMA_RADIUS = 2000.0  # nm


class Anatomy:
    """Shapes of nodes. Nodes never change, so what was computed once is kept until the graph is reset.

    Parameters
    ----------
    world : World
    crowd : Crowd, optional
        Further neurons, if there are any.
    graph : ChunkedGraph
    """

    def __init__(self, world: World, graph: ChunkedGraph, crowd: Crowd | None = None) -> None:
        self.world, self.graph, self.crowd = world, graph, crowd
        self.attributes = lru_cache(200_000)(self._attributes)
        self.skeleton = lru_cache(64)(self._skeleton)

    def _attributes(self, l2_id: int) -> dict[str, Any]:
        """Return an L2 chunk's features, as the L2 cache names them; empty for what is no L2 chunk."""
        if l2_id >> 56 != 2 or not self.graph.exists([l2_id])[0]:  # noqa: PLR2004 - the L2 layer
            return {}
        return dict(combine(self._sums(self.graph.leaves(l2_id))))

    def positions(self, l2_ids: ArrayLike) -> NDArray[np.int64]:
        """Return representative points of L2 chunks, (n, 3) int64, nm."""
        points = [self.attributes(int(l2))["rep_coord_nm"] for l2 in np.asarray(l2_ids).tolist()]
        return np.array(points, dtype=np.int64).reshape(-1, 3)

    def supervoxel_positions(self, supervoxels: layout.Ids) -> NDArray[np.int64]:
        """Return a point inside each supervoxel, (n, 3) int64, nm."""
        return self._sums(supervoxels).middle

    def supervoxel_near(self, node: int, position: NDArray[np.float64]) -> int | None:
        """Return the supervoxel of a node whose middle is nearest to a position in nm; None for an unknown node."""
        supervoxels = self.graph.leaves(node)
        if not len(supervoxels):
            return None
        distances = np.linalg.norm(self.supervoxel_positions(supervoxels) - position, axis=1)
        return int(supervoxels[distances.argmin()])

    def surface(self, node: int) -> Mesh | None:
        """Return a node's surface, vertices in nm; None if nothing of it was meshed."""
        supervoxels = self.graph.leaves(node)
        index, known = self._index(supervoxels)
        if known.any():
            found = self.world.triangles.part(index[known])
            return found if len(found.faces) else None
        return self._crowd_surface(supervoxels)

    def _crowd_surface(self, supervoxels: layout.Ids) -> Mesh | None:
        """Draw a copy, once: its root stands for all of it."""
        place = self.crowd.find(int(supervoxels[0])) if self.crowd and len(supervoxels) else -1
        if self.crowd is None or place < 0 or self.crowd.neuron[place] < 0:
            return None
        return self.crowd.mesh(int(self.crowd.neuron[place]))

    def is_crowd(self, node: int) -> bool:
        """Say whether a node belongs to a copy or fragment."""
        return self.crowd is not None and not self._index(self.graph.leaves(node)[:1])[1].any()

    def _index(self, supervoxels: layout.Ids) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        ids = self.world.segmentation.ids
        index = np.minimum(np.searchsorted(ids, supervoxels), len(ids) - 1)
        return index, ids[index] == supervoxels

    def _sums(self, supervoxels: layout.Ids) -> Features:
        index, known = self._index(np.asarray(supervoxels, dtype=np.uint64))
        if known.all():
            return self.world.features.rows(index)
        if self.crowd is None or known.any():
            raise KeyError(int(np.asarray(supervoxels)[~known][0]))
        parts = [self.crowd.features(self.crowd.find(int(one))) for one in supervoxels]
        return joined(parts)

    def _skeleton(self, root: int) -> Skeleton:
        """Return the tree through a neuron's L2 chunks, as the skeleton service stores it, without metadata.

        Parts that do not touch are joined where they come nearest, so that there is one tree (pcg-skel's way).
        """
        l2_ids = self.graph.l2_of(root)
        points, radii = self.positions(l2_ids), np.array([self.attributes(int(one))["max_dt_nm"] for one in l2_ids])
        start = int(radii.argmax())
        edges = np.searchsorted(l2_ids, self.graph.lvl2_graph(root))
        order, before = breadth_first_order(_tree(points, edges), start, directed=False)
        children = order[1:]
        compartment = np.where((radii > _SOMA_RADIUS) & (np.arange(len(radii)) == start), _SOMA, _UNDEFINED)
        return {
            "vertices": points.tolist(),
            "edges": np.stack([children, before[children]], axis=1).tolist(),
            "radius": radii.tolist(),
            "compartment": compartment.tolist(),
            "lvl2_ids": l2_ids.tolist(),
            "mesh_to_skel_map": list(range(len(l2_ids))),
            "root": start,
        }


def _tree(points: NDArray[np.int64], edges: NDArray[np.int64]) -> coo_matrix:
    """Return the shortest tree along the edges, with bridges where they leave parts."""
    count = len(points)
    _, part = connected_components(_graph(points, edges), directed=False)
    bridges = [_bridge(points, part == number, part == 0) for number in range(1, part.max() + 1)]
    return minimum_spanning_tree(_graph(points, np.concatenate([edges.reshape(-1, 2), *bridges])[:, :2], count))


def _bridge(points: NDArray[np.int64], one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    distances, nearest = cKDTree(points[other]).query(points[one])
    best = int(distances.argmin())
    return np.array([[np.flatnonzero(one)[best], np.flatnonzero(other)[nearest[best]]]])


def _graph(points: NDArray[np.int64], edges: NDArray[np.int64], count: int | None = None) -> coo_matrix:
    start, end = edges.reshape(-1, 2).T
    lengths = np.linalg.norm(points[start] - points[end], axis=1) + 1e-3  # 0 would mean no edge
    return coo_matrix((lengths, (start, end)), shape=(len(points), len(points)))
