"""What is inside a node."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crant_core.sandbox import layout
from crant_core.sandbox.graph.edges import Edges, Pairs
from crant_core.sandbox.graph.hierarchy import Flags, Indices
from crant_core.sandbox.graph.tree import Tree
from crant_core.sandbox.layout import Ids


def leaves(tree: Tree, node: int, stop_layer: int = 1, bounds: ArrayLike | None = None) -> Ids:
    """Return the nodes of exactly `stop_layer` in a node, sorted; those of lower layers that skip it are missing."""
    chunks = None if bounds is None else chunk_range(bounds)
    current, found = np.array([node], dtype=np.uint64), []
    while len(current):
        current = current if chunks is None else current[_inside(current, chunks)]
        layer = layout.layer_of(current)
        found.append(current[layer == stop_layer])
        current = tree.families(current[layer > stop_layer])[0]
    nodes = np.concatenate([*found, np.empty(0, dtype=np.uint64)])
    return np.sort(nodes[tree.exist(nodes)])  # an unknown id of that layer would be its own leaf


def supervoxels_with_l2(tree: Tree, node: int, bounds: ArrayLike | None = None) -> tuple[Ids, Ids]:
    """Return a node's supervoxels, sorted, and beside each the L2 id it has in this node."""
    children, parents = tree.families(leaves(tree, node, 2, bounds))
    order = np.argsort(children)
    return children[order], parents[order]


def lvl2_graph(tree: Tree, edges: Edges, node: int, bounds: ArrayLike | None = None) -> Pairs:
    """Return the pairs of a node's L2 ids whose supervoxels touch, (k, 2) uint64, sorted, without loops."""
    supervoxels, l2 = supervoxels_with_l2(tree, node, bounds)
    pairs, _ = edges.within(supervoxels)
    linked = np.sort(l2[supervoxels.searchsorted(pairs)], axis=1)
    linked = linked[linked[:, 0] != linked[:, 1]]
    order = np.lexsort((linked[:, 1], linked[:, 0]))
    linked = linked[order]
    new = np.r_[True, (linked[1:] != linked[:-1]).any(axis=1)][: len(linked)]
    unique: Pairs = linked[new]
    return unique


def covering(tree: Tree, nodes: Ids, at: int) -> Ids:
    """Return the fewest nodes that contain exactly what some others contain, sorted."""
    current = _outermost(tree, np.unique(nodes), at)
    for layer in range(2, layout.N_LAYERS + 1):
        parents = tree.parents(current, at)
        complete = _complete(tree, current, parents[layout.layer_of(parents) == layer])
        current = np.union1d(current[~np.isin(parents, complete)], complete)
    return current


def _outermost(tree: Tree, nodes: Ids, at: int) -> Ids:
    inside, above = np.zeros(len(nodes), dtype=np.bool_), tree.parents(nodes, at)
    while above.any():
        inside |= np.isin(above, nodes)
        above = tree.parents(above, at)
    return nodes[~inside]


def _complete(tree: Tree, nodes: Ids, parents: Ids) -> Ids:
    children, above = tree.families(np.unique(parents))
    return np.setdiff1d(above, above[~np.isin(children, nodes)])


def chunk_range(bounds: ArrayLike) -> Indices:
    """Return the L2 chunks, first and one past the last, (3, 2), that a box (3, 2) in voxels touches."""
    start, size = np.array(layout.VOXEL_OFFSET), np.array(layout.CHUNK_SIZE)
    low, high = np.asarray(bounds).T
    return np.stack([(low - start) // size, -((start - high) // size)], axis=1).astype(np.int64)


def _inside(nodes: Ids, chunks: Indices) -> Flags:
    side = (1 << np.maximum(0, layout.layer_of(nodes) - 2))[:, None]
    begin = layout.chunk_of(nodes) * side
    inside: Flags = ((begin < chunks[:, 1]) & (begin + side > chunks[:, 0])).all(axis=1)
    return inside
