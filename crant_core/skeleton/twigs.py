"""Twigs of a tree: found, measured, pruned. Nothing here ever removes a root, a kept node, or the longest path.

Arrays of parents are in order, parents before children.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import check_finite
from crant_core.errors import InvalidInput
from crant_core.skeleton.tree import Skeleton

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_PASSES = 3  # a twig may have twigs of its own
_HAIRBALL_NM = 4000.0


def shave_skeleton(
    skeleton: Skeleton, *, min_length: float = 0.0, radii: float = 1.0, keep: NDArray[np.integer] | None = None
) -> Skeleton:
    """Prune short terminal twigs.

    Parameters
    ----------
    skeleton : Skeleton
        In nm.
    min_length : float
        Twigs shorter than this (nm) go, measured from the branch they hang from.
    radii : float
        Twigs shorter than this many radii of that branch go too.
    keep : array_like of int, optional
        Nodes that stay, such as the soma; what lies between them and the root stays as well.

    Returns
    -------
    Skeleton
        Of each branch point's arms the longest stays, and so do roots: there is always a skeleton left.

    Raises
    ------
    InvalidInput
        It has no node that is to be kept.
    InvalidParameters
        A length is negative or no number.
    """
    check_finite(min_length=min_length, radii=radii)
    tree = skeleton.nodes, skeleton.radii, skeleton.parents
    alive = prune(*tree, min_length=min_length, per_radius=radii, keep=_flags(skeleton, keep))
    return subset(skeleton, alive)


def remove_soma_hairball(skeleton: Skeleton, soma: int, radius: float | None = None) -> Skeleton:
    """Remove the twigs that begin and end within the soma; the soma's node stays, and every way out of it.

    Parameters
    ----------
    skeleton : Skeleton
        In nm.
    soma : int
        The soma's node.
    radius : float, optional
        Of the ball around the soma, in nm; 4000 or twice the soma's radius, whichever is more, if left out.

    Raises
    ------
    InvalidParameters
        The radius is negative or no number.
    """
    if radius is not None:
        check_finite(radius=radius)
    return subset(skeleton, outside_hairball(skeleton, soma, radius))


def outside_hairball(skeleton: Skeleton, soma: int, radius: float | None = None) -> Flags:
    """Say which nodes `remove_soma_hairball` keeps: ways from the root to the soma and to all outside of the ball.

    If nothing is outside, it keeps the longest way.
    """
    reach = max(_HAIRBALL_NM, 2 * float(skeleton.radii[soma])) if radius is None else radius
    inside = np.linalg.norm(skeleton.nodes - skeleton.nodes[soma], axis=1) < reach
    wanted = ~inside
    wanted[soma] = True
    if inside.all():
        wanted[np.argmax(depths(skeleton.nodes, skeleton.parents))] = True
    return with_ancestors(skeleton.parents, wanted) | (skeleton.parents < 0)


def prune(
    nodes: Floats,
    radii: Floats,
    parents: Ints,
    *,
    min_length: float,
    per_radius: float,
    keep: Flags | None = None,
) -> Flags:
    """Say which nodes survive the pruning of terminal twigs (see `shave_skeleton`), leaves first, in three passes."""
    alive = np.ones(len(parents), dtype=bool)
    lengths = edge_lengths(nodes, parents)
    limits = np.maximum(min_length, per_radius * _widest_around(radii, parents))
    for _ in range(_PASSES):
        doomed = _short_twigs(lengths, parents, alive, limits)
        if keep is not None:
            doomed &= ~with_ancestors(parents, keep)
        if not doomed.any():
            break
        alive &= ~doomed
    return alive


def _short_twigs(lengths: Floats, parents: Ints, alive: Flags, limits: Floats) -> Flags:
    """Mark the nodes of terminal twigs shorter than their branch's limit, and not the longest of its arms."""
    children = np.bincount(parents[alive & (parents >= 0)], minlength=len(parents))
    top, length = _climb(lengths, parents, children > 1)
    leaf = np.flatnonzero(alive & (children == 0) & (parents[top] >= 0))
    short = length[leaf] < limits[parents[top[leaf]]]
    doomed = np.zeros(len(parents), dtype=bool)
    doomed[top[leaf[short]]] = True
    doomed &= ~_tallest(lengths, parents, alive)
    return doomed[top] & alive


def _widest_around(radii: Floats, parents: Ints) -> Floats:
    """Return the largest radius of each node, its parent and its children: at a junction each alone is too small."""
    child = np.flatnonzero(parents >= 0)
    widest = radii.copy()
    np.maximum.at(widest, parents[child], radii[child])
    widest[child] = np.maximum(widest[child], radii[parents[child]])
    return widest


def _climb(lengths: Floats, parents: Ints, is_branch: Flags) -> tuple[Ints, Floats]:
    """Walk up from each node: the last node below the next branch (or the root), and the length up to that branch."""
    top, length = list(range(len(parents))), lengths.tolist()
    for node, (parent, stop) in enumerate(zip(parents.tolist(), is_branch[parents].tolist(), strict=True)):
        if parent >= 0 and not stop:
            top[node] = top[parent]
            length[node] += length[parent]
    return np.array(top), np.array(length)


def _tallest(lengths: Floats, parents: Ints, alive: Flags) -> Flags:
    """Mark of each node's living children the one with the longest way down (the first of equals)."""
    arms = heights(lengths, parents, alive) + lengths
    child = np.flatnonzero(alive & (parents >= 0))
    order = child[np.lexsort([child, -arms[child], parents[child]])]
    marks = np.zeros(len(parents), dtype=bool)
    marks[order[np.diff(parents[order], prepend=-1) != 0]] = True
    return marks


def heights(lengths: Floats, parents: Ints, alive: Flags) -> Floats:
    """Return the longest way down from each node over living ones, in nm; 0 at leaves."""
    height, up, step = [0.0] * len(parents), parents.tolist(), lengths.tolist()
    for node in np.flatnonzero(alive & (parents >= 0))[::-1].tolist():
        way, parent = height[node] + step[node], up[node]
        if way > height[parent]:  # noqa: PLR1730 - a call of max takes twice as long as all the rest
            height[parent] = way
    return np.array(height)


def depths(nodes: Floats, parents: Ints) -> Floats:
    """Return the way from each node to its root, in nm."""
    depth = edge_lengths(nodes, parents).tolist()
    for node, parent in enumerate(parents.tolist()):
        if parent >= 0:
            depth[node] += depth[parent]
    return np.array(depth)


def edge_lengths(nodes: Floats, parents: Ints) -> Floats:
    """Return the distance from each node to its parent, in nm; 0 at roots."""
    return np.where(parents >= 0, np.linalg.norm(nodes - nodes[parents], axis=1), 0)


def with_ancestors(parents: Ints, chosen: Flags) -> Flags:
    """Add to the chosen nodes all on their ways to the root."""
    marks, up = chosen.tolist(), parents.tolist()
    for node in range(len(up) - 1, -1, -1):
        if marks[node] and up[node] >= 0:
            marks[up[node]] = True
    return np.array(marks, dtype=bool)


def subset(skeleton: Skeleton, alive: Flags) -> Skeleton:
    """Keep some nodes; each must bring its parent along."""
    number = np.append(np.cumsum(alive) - 1, -1)
    return Skeleton(skeleton.nodes[alive], skeleton.radii[alive], number[skeleton.parents[alive]])


def _flags(skeleton: Skeleton, keep: NDArray[np.integer] | None) -> Flags | None:
    if keep is None:
        return None
    nodes = np.atleast_1d(keep)
    for node in nodes[~np.isin(nodes, np.arange(skeleton.n_nodes))].tolist():
        hint = f"its nodes are 0 to {skeleton.n_nodes - 1}"
        raise InvalidInput(f"the skeleton has no node {node!r}", value=node, hint=hint)
    marks = np.zeros(skeleton.n_nodes, dtype=bool)
    marks[nodes.astype(np.intp)] = True
    return marks
