"""Which edges an edit has to switch, and whether it may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from crant_core.sandbox import layout
from crant_core.sandbox.graph.edges import Edges, Pairs
from crant_core.sandbox.graph.hierarchy import Flags, Indices
from crant_core.sandbox.graph.mincut import components, min_cut
from crant_core.sandbox.graph.nodes import leaves
from crant_core.sandbox.graph.operations import EditRefused, Pair
from crant_core.sandbox.graph.tree import NOW, Tree
from crant_core.sandbox.layout import Ids


def to_merge(tree: Tree, pairs: list[Pair]) -> list[Pair]:
    """Return the edges that join different roots."""
    _check(tree, {node for pair in pairs for node in pair})
    for one, other in pairs:
        if _root(tree, one) == _root(tree, other):
            raise EditRefused(f"Supervoxels must belong to different objects: {one} and {other} do not.")
    return list(dict.fromkeys(pairs))


def to_cut(edges: Edges, pairs: list[Pair]) -> list[Pair]:
    """Return the edges if all of them are active."""
    if not pairs:
        raise EditRefused("No edges to remove.")
    for one, other in pairs:
        if not edges.is_active(one, other):
            raise EditRefused(f"There is no edge between {one} and {other} to remove.")
    return list(dict.fromkeys(pairs))


def to_switch(edges: Edges, pairs: Iterable[Pair], *, active: bool) -> list[Pair]:
    """Return the edges that are not yet in a state."""
    found = [pair for pair in pairs if edges.is_active(*pair) is not active]
    if not found:
        raise EditRefused("This operation has no effect any more.")
    return found


def to_split(tree: Tree, edges: Edges, sources: Sequence[int], sinks: Sequence[int]) -> list[Pair]:
    """Return the smallest cut between sources and sinks of one root."""
    supervoxels, pairs, removed = _cut(tree, edges, sources, sinks)
    group = components(supervoxels, pairs[~removed])
    if _is_torn(supervoxels, group, sources) or _is_torn(supervoxels, group, sinks):
        raise EditRefused("The cut would separate supervoxels of the same side from each other.")
    return [cast("Pair", tuple(pair)) for pair in pairs[removed].tolist()]


def preview(tree: Tree, edges: Edges, sources: Sequence[int], sinks: Sequence[int]) -> tuple[list[Ids], bool]:
    """Return the parts a split leaves, those with most sources and most sinks first, and whether it is illegal."""
    supervoxels, pairs, removed = _cut(tree, edges, sources, sinks)
    group = components(supervoxels, pairs[~removed])
    first, second = _most(supervoxels, group, sources), _most(supervoxels, group, sinks)
    others = [label for label in np.unique(group).tolist() if label not in {first, second}]
    torn = _is_torn(supervoxels, group, sources) or _is_torn(supervoxels, group, sinks)
    return [supervoxels[group == label] for label in (first, second, *others)], torn


def _cut(tree: Tree, edges: Edges, sources: Sequence[int], sinks: Sequence[int]) -> tuple[Ids, Pairs, Flags]:
    root = _common_root(tree, sources, sinks)
    supervoxels = leaves(tree, root)
    pairs, active = edges.within(supervoxels)
    removed = min_cut(supervoxels, pairs[active], _ids(sources), _ids(sinks))
    return supervoxels, pairs[active], removed


def _common_root(tree: Tree, sources: Sequence[int], sinks: Sequence[int]) -> int:
    if not sources or not sinks:
        raise EditRefused("A split needs a source and a sink.")
    if set(sources) & set(sinks):
        raise EditRefused("One or more supervoxel exists as both, sink and source.")
    _check(tree, {*sources, *sinks})
    roots = {_root(tree, node) for node in (*sources, *sinks)}
    if len(roots) > 1:
        raise EditRefused("All supervoxel must belong to the same object. Already split?")
    return roots.pop()


def _check(tree: Tree, supervoxels: set[int]) -> None:
    if not supervoxels:
        raise EditRefused("No supervoxels given.")
    for node in supervoxels:
        if node >> 56 != 1 or tree.born(node) is None:
            raise EditRefused(f"{node} is no supervoxel of this graph.")


def _root(tree: Tree, node: int) -> int:
    return tree.ancestor(node, NOW, layout.N_LAYERS)


def _ids(nodes: Sequence[int]) -> Ids:
    return np.unique(np.array(nodes, dtype=np.uint64))


def _labels(supervoxels: Ids, group: Indices, nodes: Sequence[int]) -> Indices:
    return group[supervoxels.searchsorted(_ids(nodes))]


def _is_torn(supervoxels: Ids, group: Indices, nodes: Sequence[int]) -> bool:
    return len(np.unique(_labels(supervoxels, group, nodes))) > 1


def _most(supervoxels: Ids, group: Indices, nodes: Sequence[int]) -> int:
    return int(np.bincount(_labels(supervoxels, group, nodes)).argmax())
