"""A skeleton as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError

_ALONG_A_NEURITE = 2  # neighbours of a node that is neither end nor branch


@dataclass(frozen=True, eq=False, slots=True)
class Skeleton:
    """A tree, or several, of nodes along the middle of a neuron.

    Attributes
    ----------
    nodes : ndarray, shape (n, 3), float64
        Positions in nm.
    radii : ndarray, shape (n,), float64
        In nm.
    parents : ndarray, shape (n,), int64
        Index of each node's parent, which always precedes it; -1 for roots.

    Raises
    ------
    SkeletonError
        The arrays do not describe such a tree, or contain something that is not a number.
    """

    nodes: NDArray[np.float64]
    radii: NDArray[np.float64]
    parents: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    @property
    def n_nodes(self) -> int:
        """How many nodes there are."""
        return len(self.nodes)

    @property
    def n_roots(self) -> int:
        """How many separate trees there are."""
        return int((self.parents < 0).sum())

    @property
    def cable_length(self) -> float:
        """Length of all edges in nm."""
        children = np.flatnonzero(self.parents >= 0)
        steps = self.nodes[children] - self.nodes[self.parents[children]]
        return float(np.linalg.norm(steps, axis=1).sum())

    @property
    def n_branches(self) -> int:
        """How many nodes have three neighbours or more: the same number wherever the root is."""
        return int((_degrees(self.parents) > _ALONG_A_NEURITE).sum())

    @property
    def n_ends(self) -> int:
        """How many nodes have at most one neighbour; a root at a tip is an end too."""
        return int((_degrees(self.parents) < _ALONG_A_NEURITE).sum())


def in_order(nodes: NDArray[np.float64], radii: NDArray[np.float64], parents: NDArray[np.int64]) -> Skeleton:
    """Sort nodes so that parents precede their children, otherwise keeping the order.

    Parameters
    ----------
    nodes : ndarray, shape (n, 3), float64
        Positions in nm.
    radii : ndarray, shape (n,), float64
        In nm.
    parents : ndarray, shape (n,), int64
        Index of each node's parent, in any order; -1 for roots.

    Raises
    ------
    SkeletonError
        The edges form a cycle, or lead out of the array.
    """
    return _sorted(nodes, radii, parents)[0]


def _sorted(
    nodes: NDArray[np.float64], radii: NDArray[np.float64], parents: NDArray[np.int64]
) -> tuple[Skeleton, NDArray[np.int64]]:
    """Sort by depth; also say where each node went."""
    order = np.argsort(_depths(parents), kind="stable")
    new_index = np.empty(len(order) + 1, dtype=np.int64)
    new_index[order] = np.arange(len(order))
    new_index[-1] = -1  # where a root's parent, -1, points
    return Skeleton(nodes[order], radii[order], new_index[parents[order]]), new_index[:-1]


def heal(skeleton: Skeleton) -> tuple[Skeleton, NDArray[np.int64]]:
    """Join all trees into one by the shortest bridges between their nodes (navis' method, through fastcore).

    Returns
    -------
    Skeleton
        Parents before children.
    ndarray, shape (n,), int64
        The new index of each old node.
    """
    if skeleton.n_roots == 1:
        return skeleton, np.arange(skeleton.n_nodes)
    from navis_fastcore import heal_skeleton

    parents: NDArray[np.int64] = heal_skeleton(np.arange(skeleton.n_nodes), skeleton.parents, skeleton.nodes)
    return _sorted(skeleton.nodes, skeleton.radii, parents.astype(np.int64))


def reroot(skeleton: Skeleton, node: int) -> tuple[Skeleton, NDArray[np.int64]]:
    """Make a node the root of its tree, by turning around the edges on its way to the present one.

    Returns
    -------
    Skeleton
        The same edges, parents before children.
    ndarray, shape (n,), int64
        The new index of each old node.
    """
    parents = skeleton.parents.copy()
    above, here = -1, node
    while here >= 0:
        following = int(parents[here])
        parents[here], above, here = above, here, following
    return _sorted(skeleton.nodes, skeleton.radii, parents)


def _depths(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the edges to each node's root, doubling the distance looked over in every round."""
    if parents.size and (parents.min() < -1 or parents.max() >= len(parents)):
        raise SkeletonError("a node's parent does not exist")
    ancestors, depths = parents, (parents >= 0).astype(np.int64)
    for _ in range(len(parents).bit_length() + 1):
        ongoing = ancestors >= 0
        if not ongoing.any():
            return depths
        depths = depths + np.where(ongoing, depths[ancestors], 0)
        ancestors = np.where(ongoing, ancestors[ancestors], -1)
    raise SkeletonError("the edges form a cycle")


def _degrees(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    has_parent = parents >= 0
    return np.bincount(parents[has_parent], minlength=len(parents)) + has_parent


def _check_shapes(skeleton: Skeleton) -> None:
    n = len(skeleton.nodes)
    if n == 0:
        raise SkeletonError("a skeleton needs at least one node")
    if skeleton.nodes.shape != (n, 3) or skeleton.radii.shape != (n,) or skeleton.parents.shape != (n,):
        shapes = ", ".join(str(array.shape) for array in (skeleton.nodes, skeleton.radii, skeleton.parents))
        raise SkeletonError(f"nodes, radii and parents do not belong together: {shapes}")


def _check_values(skeleton: Skeleton) -> None:
    if not (np.isfinite(skeleton.nodes).all() and np.isfinite(skeleton.radii).all()):
        raise SkeletonError("a position or radius is not a finite number")
    if skeleton.radii.min() < 0:
        raise SkeletonError(f"a radius is negative: {skeleton.radii.min()}")
    if skeleton.parents.min() < -1 or (skeleton.parents >= np.arange(skeleton.n_nodes)).any():
        raise SkeletonError("a node precedes its parent")
