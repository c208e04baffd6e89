"""Nodes and what contains them at which time: the ingested arrays below, what edits added in dicts above them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from crant_core.sandbox import layout
from crant_core.sandbox.graph.base import Base, find, gather
from crant_core.sandbox.graph.hierarchy import Flags
from crant_core.sandbox.layout import Ids

NOW = 2**62  #: later than everything, ms
_NONE = np.empty(0, dtype=np.uint64)
SEGMENT_BITS = {layer: 56 - 3 * bits for layer, bits in layout.SPATIAL_BITS.items()}  #: by layer


class Tree:
    """Times are ms since 1970. A node's children never change; its parent does when a sibling is edited."""

    def __init__(self, base: Base, ingested: int) -> None:
        self.base = base
        self.ingested = ingested
        self.created: dict[int, int] = {}  #: nodes made by edits
        self._children: dict[int, Ids] = {}
        self._moves: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}  # node: times, parents since then
        self._moved = _NONE  # the nodes in _moves, sorted
        self._used: dict[int, int] = {}  # chunk: its last segment, where edits added some

    def copy(self) -> Tree:
        """Return an independent tree over the same base."""
        twin = Tree(self.base, self.ingested)
        twin.created, twin._children = dict(self.created), dict(self._children)
        twin._moves, twin._moved, twin._used = dict(self._moves), self._moved, dict(self._used)
        return twin

    def born(self, node: int) -> int | None:
        """Return when a node was made, or None if it never was."""
        return self.created.get(node, self.ingested if self._position(node) is not None else None)

    def moments(self, node: int) -> list[int]:
        """Return when a node was made and when it got other parents."""
        born = self.born(node)
        return [] if born is None else sorted({born, *self._moves.get(node, ((), ()))[0]})

    def exist(self, ids: Ids) -> Flags:
        """Say which ids are nodes, now or in the past."""
        _, known = self.base.find(ids)
        if self.created:
            known[~known] = [node in self.created for node in ids[~known].tolist()]
        return known

    def parent(self, node: int, at: int) -> int:
        """Return a node's parent at a time, 0 if it has none."""
        times, parents = self._moves.get(node, ((), ()))
        latest = bisect_right(times, at)
        if latest:
            return parents[latest - 1]
        position = self._position(node) if at >= self.ingested else None
        return 0 if position is None else int(self.base.parents[position])

    def parents(self, ids: Ids, at: int) -> Ids:
        """Return each node's parent at a time, (n,) uint64, 0 where there is none."""
        found = np.zeros_like(ids)
        if at >= self.ingested:
            position, known = self.base.find(ids)
            found[known] = self.base.parents[position[known]]
        _, moved = find(self._moved, ids)
        found[moved] = [self.parent(node, at) for node in ids[moved].tolist()]
        return found

    def climb(self, ids: Ids, at: int, stop_layer: int) -> Ids:
        """Return the lowest ancestors at or above a layer; 0 where there is none. Ids already there stay."""
        tops = ids.copy()
        low = (tops != 0) & (layout.layer_of(tops) < stop_layer)
        while low.any():
            nodes, back = np.unique(tops[low], return_inverse=True)
            tops[low] = self.parents(nodes, at)[back]
            low &= (tops != 0) & (layout.layer_of(tops) < stop_layer)
        return tops

    def ancestor(self, node: int, at: int, stop_layer: int) -> int:
        """Do as `climb` for one node, which is much faster for a few."""
        while node and node >> 56 < stop_layer:
            node = self.parent(node, at)
        return node

    def children(self, node: int) -> Ids:
        """Return a node's children, sorted; none for supervoxels and unknown ids."""
        if node in self._children:
            return self._children[node]
        position = self._position(node)
        if position is None:
            return _NONE
        return self.base.children[self.base.child_starts[position] : self.base.child_starts[position + 1]]

    def child_counts(self, ids: Ids) -> list[int]:
        """Return how many children each node has."""
        return [len(self.children(node)) for node in ids.tolist()]

    def families(self, ids: Ids) -> tuple[Ids, Ids]:
        """Return the children of nodes, and beside each its parent; the nodes must be unique."""
        position, known = self.base.find(ids)
        rows, counts = gather(self.base.child_starts, position[known])
        children, parents = [self.base.children[rows]], [np.repeat(ids[known], counts)]
        for node in ids[~known].tolist():
            children.append(self.children(node))
            parents.append(np.full(len(children[-1]), node, dtype=np.uint64))
        return np.concatenate(children), np.concatenate(parents)

    def add(self, children: Ids, parents: Ids, at: int) -> Ids:
        """Put children under parents from now on, making the parents that are new; return these, sorted."""
        moved = self.parents(children, NOW) != parents
        children, parents = children[moved], parents[moved]
        order = np.lexsort((children, parents))
        made, starts = np.unique(parents[order], return_index=True)
        for node, family in zip(made.tolist(), np.split(children[order], starts[1:]), strict=True):
            self.created[node], self._children[node] = at, family
            self._count(node)
        for child, parent in zip(children.tolist(), parents.tolist(), strict=True):
            times, before = self._moves.get(child, ((), ()))
            self._moves[child] = ((*times, at), (*before, parent))
        self._moved = np.union1d(self._moved, children)
        return made

    def used(self, chunks: Sequence[int]) -> Ids:
        """Return the last segment that each chunk has given away, (n,) uint64."""
        return np.array([self._used.get(chunk, self._ingested_in(chunk)) for chunk in chunks], dtype=np.uint64)

    def _count(self, node: int) -> None:
        segment_bits = SEGMENT_BITS[node >> 56]
        chunk = node >> segment_bits << segment_bits
        self._used[chunk] = max(self._used.get(chunk, 0), node - chunk)

    def _ingested_in(self, chunk: int) -> int:
        ends = np.array([chunk, chunk + (1 << SEGMENT_BITS[chunk >> 56])], dtype=np.uint64)
        first, last = self.base.nodes.searchsorted(ends).tolist()
        return int(last - first)

    def _position(self, node: int) -> int | None:
        if not 0 < node < 1 << 64:
            return None
        nodes = self.base.nodes
        position = int(nodes.searchsorted(np.uint64(node)))  # a plain int would be compared as float
        return position if position < len(nodes) and int(nodes[position]) == node else None
