"""Made-up partners: thin trees through clusters of real synaptic sites, so that every synapse has two sides.

They are synthetic and say so wherever they are described. Their trees are known, so they are also ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial import cKDTree

from crant_core.sandbox.world.morphology import Morphology, sorted_tree

_GAP = 250.0  # nm between a site on a neuron's surface and its partner's node
_STEP = 1000.0  # nm between nodes along a partner's neurite
_NEIGHBOURS = 12  # considered when sites are joined to a tree
_ROUNDS = 8  # of k-means: enough for tidy clusters, quick, and not meant to converge


@dataclass(frozen=True)
class Partners:
    """Trees, and which node of which tree lies opposite each site.

    Attributes
    ----------
    trees : tuple of Morphology
    of_site : (n,) int64
        Partner of each site.
    node_of_site : (n,) int64
        Node of that partner's tree.
    """

    trees: tuple[Morphology, ...]
    of_site: NDArray[np.int64]
    node_of_site: NDArray[np.int64]


def make_partners(
    sites: NDArray[np.float64], outward: NDArray[np.float64], count: int, random: np.random.Generator
) -> Partners:
    """Cluster sites and draw a tree through each cluster.

    Parameters
    ----------
    sites : (n, 3) float64
        In nm.
    outward : (n, 3) float64
        Unit vectors away from the neuron: the partner keeps that side.
    count : int
        How many partners.
    """
    places = sites + outward * _GAP
    of_site = _cluster(places, count, random)
    node_of_site = np.zeros(len(sites), dtype=np.int64)
    trees = []
    for partner in range(count):
        members = np.flatnonzero(of_site == partner)
        tree, node_of_site[members] = _tree_through(places[members], random)
        trees.append(tree)
    return Partners(tuple(trees), of_site, node_of_site)


def _cluster(points: NDArray[np.float64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Lloyd's k-means from randomly chosen points."""
    centres = points[random.choice(len(points), count, replace=False)]
    for _ in range(_ROUNDS):
        nearest = cKDTree(centres).query(points)[1]
        sums = np.stack([np.bincount(nearest, points[:, axis], count) for axis in range(3)], axis=1)
        centres = sums / np.bincount(nearest, minlength=count)[:, None]
    return np.asarray(cKDTree(centres).query(points)[1], dtype=np.int64)


def _tree_through(points: NDArray[np.float64], random: np.random.Generator) -> tuple[Morphology, NDArray[np.int64]]:
    """Join points by a spanning tree with nodes in between; also say which node each point became."""
    order, parents = _spanning_tree(points)
    radii = random.uniform(70.0, 140.0, len(points))
    coarse = Morphology(points[order], radii[order], parents)
    place = np.empty(len(points), dtype=np.int64)
    place[order] = np.arange(len(points))
    fine, kept = refine(coarse, _STEP)
    return fine, kept[place]


def _spanning_tree(points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return points in an order in which parents come first, and each one's parent in that order."""
    near = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)))[1]
    start, end = np.repeat(np.arange(len(points)), near.shape[1]), near.ravel()
    chain = np.argsort(points[:, 0], kind="stable")  # joins what neighbours alone leave apart
    start, end = np.concatenate([start, chain[:-1]]), np.concatenate([end, chain[1:]])
    lengths = np.linalg.norm(points[start] - points[end], axis=1) + 1e-3  # 0 would mean no edge
    tree = minimum_spanning_tree(_least(start, end, lengths, len(points)))
    order, before = breadth_first_order(tree, 0, directed=False)
    place = np.full(len(points) + 1, -1)
    place[order] = np.arange(len(order))
    return order.astype(np.int64), place[np.where(before[order] < 0, len(points), before[order])]


def _least(start: NDArray[np.int64], end: NDArray[np.int64], lengths: NDArray[np.float64], count: int) -> coo_matrix:
    """Build the graph with each pair once: a sparse matrix would add up what is given twice."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    _, first = np.unique(low * count + high, return_index=True)
    chosen = first[low[first] != high[first]]
    return coo_matrix((lengths[chosen], (low[chosen], high[chosen])), shape=(count, count))


def refine(tree: Morphology, step: float) -> tuple[Morphology, NDArray[np.int64]]:
    """Put nodes on long edges, at most `step` nm apart; also return where the old nodes went."""
    child, parent = tree.edges.T
    lengths = np.linalg.norm(tree.nodes[child] - tree.nodes[parent], axis=1)
    extra = np.maximum(np.ceil(lengths / step).astype(np.int64) - 1, 0)
    edge = np.repeat(np.arange(len(child)), extra)
    number = np.arange(extra.sum()) - np.repeat(np.cumsum(extra) - extra, extra) + 1
    share = (number / (extra[edge] + 1))[:, None]
    between = tree.nodes[parent[edge]] * (1 - share) + tree.nodes[child[edge]] * share
    radii = tree.radii[parent[edge]] * (1 - share[:, 0]) + tree.radii[child[edge]] * share[:, 0]
    added = len(tree.nodes) + np.arange(len(edge))
    parents = np.concatenate([tree.parents, np.where(number == 1, parent[edge], added - 1)])
    last = len(tree.nodes) + np.cumsum(extra) - 1
    parents[child] = np.where(extra > 0, last, parent)
    finer = Morphology(np.vstack([tree.nodes, between]), np.append(tree.radii, radii), parents)
    return _tracked(finer, len(tree.nodes))


def _tracked(tree: Morphology, count: int) -> tuple[Morphology, NDArray[np.int64]]:
    """Sort a tree and say where its first `count` nodes are now."""
    marked = sorted_tree(tree.nodes, np.arange(len(tree.nodes), dtype=np.float64), tree.parents)
    order = marked.radii.astype(np.int64)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return Morphology(marked.nodes, tree.radii[order], marked.parents), place[:count]
