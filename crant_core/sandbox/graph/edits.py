"""Rebuild what an edit touches: new L2 ids, and new parents up to new roots; untouched subtrees keep their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from crant_core.sandbox import layout
from crant_core.sandbox.graph.edges import Edges
from crant_core.sandbox.graph.hierarchy import Flags, Siblings, grow, number
from crant_core.sandbox.graph.operations import Pair
from crant_core.sandbox.graph.tree import NOW, Tree
from crant_core.sandbox.layout import Ids


@dataclass(frozen=True, slots=True)
class Change:
    """What became of some roots: links go from an old root to each new one that got a part of it."""

    old_roots: tuple[int, ...]
    new_roots: tuple[int, ...]
    links: tuple[Pair, ...]


def rewire(tree: Tree, edges: Edges, toggled: Iterable[Pair], at: int) -> Change:
    """Bring the tree up to date after edges were switched."""
    ends = np.unique(np.array(list(toggled), dtype=np.uint64))
    touched = np.unique(tree.parents(ends, NOW))
    supervoxels, before = _contents(tree, np.unique(tree.climb(ends, NOW, layout.N_LAYERS)))
    pairs, active = edges.within(supervoxels)
    links = supervoxels.searchsorted(pairs[active])
    tree.add(*grow(supervoxels, links, _Namer(tree, touched)), at)
    after = tree.climb(supervoxels, NOW, layout.N_LAYERS)
    descent = np.unique(np.stack([before, after], axis=1), axis=0).tolist()
    return Change(
        old_roots=tuple(np.unique(before).tolist()),
        new_roots=tuple(np.unique(after).tolist()),
        links=tuple((old, new) for old, new in descent),
    )


class _Namer:
    """Keeps a node whose children are the same as before, names the others anew."""

    def __init__(self, tree: Tree, touched: Ids) -> None:
        self._tree = tree
        self._touched = touched

    def __call__(self, siblings: Siblings) -> Ids:
        ids = self._shared_parents(siblings)
        new = ~self._may_stay(ids, siblings)
        ids[new] = number(siblings.chunks[new], self._tree.used(siblings.chunks[new].tolist()))
        return ids

    def _shared_parents(self, siblings: Siblings) -> Ids:
        parents = self._tree.parents(siblings.members, NOW)
        lowest = np.minimum.reduceat(parents, siblings.starts) if len(parents) else parents
        highest = np.maximum.reduceat(parents, siblings.starts) if len(parents) else parents
        return np.where(lowest == highest, lowest, np.uint64(0))

    def _may_stay(self, ids: Ids, siblings: Siblings) -> Flags:
        same_chunk = layout.chunk_id_of(np.where(ids == 0, siblings.chunks, ids)) == siblings.chunks
        stays: Flags = (ids != 0) & same_chunk & ~np.isin(ids, self._touched)
        stays[stays] = np.equal(self._tree.child_counts(ids[stays]), siblings.sizes[stays])
        return stays


def _contents(tree: Tree, roots: Ids) -> tuple[Ids, Ids]:
    """Return the roots' supervoxels, sorted, and the root of each."""
    nodes, root_of = roots, roots
    while len(nodes) and (layout.layer_of(nodes) > 1).any():
        high = layout.layer_of(nodes) > 1
        children, parents = tree.families(nodes[high])
        order = np.argsort(nodes)
        above = root_of[order][nodes[order].searchsorted(parents)]
        nodes, root_of = np.concatenate([nodes[~high], children]), np.concatenate([root_of[~high], above])
    order = np.argsort(nodes)
    return nodes[order], root_of[order]
