"""How near a skeleton comes to the truth that its mesh was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.mesh import Mesh
from crant_core.sandbox.world.morphology import Morphology
from crant_core.skeleton import Skeleton
from crant_core.skeleton.surface import weld

Floats = NDArray[np.float64]

_SPACING = 50.0  # nm between points on the true centreline
_PAIRS = 2000


@dataclass(frozen=True)
class Score:
    """Of the skeleton's largest tree, except roots; lengths in nm."""

    nodes: int
    roots: int
    tips: float  #: share of true tips with an end within 500 nm
    coverage: float  #: share of the true centreline within its radius + 100 nm of the skeleton
    topology: float  #: share of pairs of nodes whose way along the tree is the true one within 10 %
    radius_error: float  #: median, relative
    p95: float  #: distance from a node to the true centreline
    inside: float  #: share of nodes inside the mesh, by ray casting
    leaf_ratio: float  #: ends / true tips


def score(skeleton: Skeleton, mesh: Mesh, truth: Morphology) -> Score:
    """Compare a skeleton with the truth."""
    tree, line = _largest(skeleton), _Line(truth)
    distance, true_radius, _ = line.nearest(tree.nodes)
    ends, tips = _ends(tree.parents), truth.nodes[_ends(truth.parents)]
    reach = cKDTree(tree.nodes[ends]).query(tips)[0]
    return Score(
        nodes=tree.n_nodes,
        roots=skeleton.n_roots,
        tips=float((reach < 500).mean()),
        coverage=_coverage(tree, line),
        topology=_topology(tree, truth, line),
        radius_error=float(np.median(np.abs(tree.radii - true_radius) / true_radius)),
        p95=float(np.percentile(distance, 95)),
        inside=_inside(mesh, tree.nodes),
        leaf_ratio=float(ends.sum() / len(tips)),
    )


class _Line:
    """The true centreline as dense points, each with its radius and the nodes at both ends of its edge."""

    def __init__(self, truth: Morphology) -> None:
        self.places, self.edge, self.share = _dense(truth.nodes, truth.edges)
        child, parent = truth.edges[self.edge].T
        self.radii = truth.radii[child] + self.share * (truth.radii[parent] - truth.radii[child])
        self._tree = cKDTree(self.places)

    def nearest(self, places: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
        distance, at = self._tree.query(places)
        return distance, self.radii[at], at


def _dense(nodes: Floats, edges: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64], Floats]:
    start, along = nodes[edges[:, 0]], nodes[edges[:, 1]] - nodes[edges[:, 0]]
    count = np.ceil(np.linalg.norm(along, axis=1) / _SPACING).astype(int) + 1
    edge = np.repeat(np.arange(len(edges)), count)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    share = number / np.maximum(count - 1, 1)[edge]
    return start[edge] + share[:, None] * along[edge], edge, share


def _largest(skeleton: Skeleton) -> Skeleton:
    """Keep the tree with the most nodes."""
    root = np.arange(skeleton.n_nodes)
    for node, parent in enumerate(skeleton.parents.tolist()):
        root[node] = root[parent] if parent >= 0 else node
    kept = root == np.bincount(root).argmax()
    number = np.append(np.cumsum(kept) - 1, -1)
    return Skeleton(skeleton.nodes[kept], skeleton.radii[kept], number[skeleton.parents[kept]])


def _ends(parents: NDArray[np.int64]) -> NDArray[np.bool_]:
    has_parent = parents >= 0
    degree = np.bincount(parents[has_parent], minlength=len(parents)) + has_parent
    return np.asarray(degree == 1)


def _coverage(tree: Skeleton, line: _Line) -> float:
    children = np.flatnonzero(tree.parents >= 0)
    dense = _dense(tree.nodes, np.stack([children, tree.parents[children]], axis=1))[0]
    distance = cKDTree(dense).query(line.places)[0]
    return float((distance <= line.radii + 100).mean())


def _topology(tree: Skeleton, truth: Morphology, line: _Line) -> float:
    """Compare ways along both trees between random pairs of nodes, relative to the median ratio."""
    random = np.random.default_rng(0)
    pairs = random.integers(tree.n_nodes, size=(_PAIRS, 2))
    at = line.nearest(tree.nodes)[2]
    true_node = truth.edges[line.edge[at], 0]
    mine = _ways(tree.nodes, tree.parents, pairs)
    true = _ways(truth.nodes, truth.parents, true_node[pairs])
    valid = true > 5000  # below, where a node is projected to decides
    ratio = mine[valid] / true[valid]
    return float((np.abs(ratio / np.median(ratio) - 1) < 0.1).mean())


def _ways(nodes: Floats, parents: NDArray[np.int64], pairs: NDArray[np.int64]) -> Floats:
    from navis_fastcore import geodesic_pairs

    ids = np.arange(len(nodes), dtype=np.int32)
    step = np.where(parents >= 0, np.linalg.norm(nodes - nodes[parents], axis=1), 0).astype(np.float32)
    return np.asarray(geodesic_pairs(ids, parents.astype(np.int32), pairs.astype(np.int32), weights=step))


def _inside(mesh: Mesh, places: Floats) -> float:
    from ncollpyde import Volume

    welded = weld(mesh)
    volume = Volume(welded.vertices.astype(np.float32), welded.faces.astype(np.uint32), validate=False)
    return float(volume.contains(places.astype(np.float32)).mean())
