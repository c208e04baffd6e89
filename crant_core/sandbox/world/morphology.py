"""A neuron's shape as a tree of nodes with radii: what tubes, voxels and true skeletons are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Morphology:
    """A tree, or several.

    Attributes
    ----------
    nodes : (n, 3) float64
        Positions in nm.
    radii : (n,) float64
        In nm.
    parents : (n,) int64
        Index of each node's parent, which stands before it; -1 at a root.
    """

    nodes: NDArray[np.float64]
    radii: NDArray[np.float64]
    parents: NDArray[np.int64]

    @property
    def edges(self) -> NDArray[np.int64]:
        """Pairs (child, parent), (m, 2)."""
        children = np.flatnonzero(self.parents >= 0)
        return np.stack([children, self.parents[children]], axis=1)

    def subtree_sizes(self) -> NDArray[np.int64]:
        """Return how many nodes hang from each node, itself included."""
        sizes = np.ones(len(self.nodes), dtype=np.int64)
        for node in range(len(self.nodes) - 1, -1, -1):
            if self.parents[node] >= 0:
                sizes[self.parents[node]] += sizes[node]
        return sizes

    def moved(self, offset: NDArray[np.float64]) -> Morphology:
        """Return a copy displaced by `offset` nm."""
        return Morphology(self.nodes + offset, self.radii, self.parents)


def sorted_tree(nodes: NDArray[np.float64], radii: NDArray[np.float64], parents: NDArray[np.int64]) -> Morphology:
    """Reorder a forest so that every parent stands before its children."""
    children: dict[int, list[int]] = {}
    for child, parent in enumerate(parents.tolist()):
        children.setdefault(parent, []).append(child)
    order, waiting = [], children.get(-1, [])[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += children.get(order[-1], [])[::-1]
    place = np.full(len(nodes) + 1, -1)
    place[order] = np.arange(len(nodes))
    return Morphology(nodes[order], radii[order], place[parents[order]])


def pieces(tree: Morphology, count: int) -> NDArray[np.int64]:
    """Cut a tree into connected parts of about equal size.

    Returns
    -------
    (n,) int64
        Part of each node, 0 at the root. Part k hangs from another part by exactly one edge.
    """
    part = np.zeros(len(tree.nodes), dtype=np.int64)
    for number in range(1, count):
        top = _best_cut(tree, part, len(tree.nodes) // count)
        _repaint(tree, part, top, number)
    return part


def _best_cut(tree: Morphology, part: NDArray[np.int64], wanted: int) -> int:
    """Find the node of part 0 below which about `wanted` nodes of part 0 hang."""
    sizes = (part == 0).astype(np.int64)
    for node in range(len(part) - 1, -1, -1):
        if tree.parents[node] >= 0:
            sizes[tree.parents[node]] += sizes[node]
    cost = np.abs(sizes - wanted)
    cost[(part != 0) | (tree.parents < 0)] = len(part)
    return int(cost.argmin())


def _repaint(tree: Morphology, part: NDArray[np.int64], top: int, number: int) -> None:
    """Give everything of part 0 below `top` a number."""
    below = np.zeros(len(part), dtype=bool)
    below[top] = True
    for node in range(top + 1, len(part)):
        below[node] |= tree.parents[node] >= 0 and below[tree.parents[node]]
    part[below & (part == 0)] = number
