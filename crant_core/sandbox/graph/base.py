"""The graph as it was ingested: sorted arrays that never change, so copies of a graph share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox.graph.hierarchy import Flags, Indices, Siblings, grow, number
from crant_core.sandbox.layout import Ids

Starts = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Base:
    """Nodes, what contains them and which supervoxels touch.

    Attributes
    ----------
    nodes : (n,) uint64
        All ids, sorted, so supervoxels come first.
    parents : (n,) uint64
        0 for roots.
    child_starts, children : (n + 1,) int32, (n - roots,) uint64
        Node i's children are `children[child_starts[i]:child_starts[i + 1]]`, sorted.
    supervoxels : (s,) uint64
        A view of `nodes`.
    ends : (m, 2) int32
        Edges between supervoxels as indices into `supervoxels`, the smaller one first, sorted.
    edge_starts : (s + 1,) int32
        Where each supervoxel's edges begin; an edge belongs to its smaller end.
    active : (m,) bool
        Which edges hold the graph together.
    """

    nodes: Ids
    parents: Ids
    child_starts: Starts
    children: Ids
    supervoxels: Ids
    ends: NDArray[np.int32]
    edge_starts: Starts
    active: Flags

    @classmethod
    def build(cls, supervoxels: Ids, edges: Indices, active: Flags) -> Self:
        """Order supervoxels and edges, and build the hierarchy."""
        leaves, ends, on = _ordered(supervoxels, edges, active)
        children, parents = grow(leaves, ends[on], _name)
        nodes = np.concatenate([leaves, np.unique(parents)])
        parent_of = np.zeros(len(nodes), dtype=np.uint64)
        parent_of[nodes.searchsorted(children)] = parents
        order = np.lexsort((children, parents))
        return cls(
            nodes=nodes,
            parents=parent_of,
            child_starts=_starts(parents[order], nodes),
            children=children[order],
            supervoxels=nodes[: len(leaves)],
            ends=ends.astype(np.int32),
            edge_starts=_starts(ends[:, 0], np.arange(len(leaves))),
            active=on,
        )

    def find(self, ids: Ids) -> tuple[Indices, Flags]:
        """Return where ids are in `nodes`, and whether they are there at all."""
        return find(self.nodes, ids)


def find(ordered: Ids, ids: Ids) -> tuple[Indices, Flags]:
    """Return where ids are in a sorted array (0 if nowhere), and whether they are there."""
    if not len(ordered):
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
    where = ordered.searchsorted(ids)
    where[where == len(ordered)] = 0
    return where, ordered[where] == ids


def gather(starts: NDArray[np.integer], which: Indices) -> tuple[Indices, Indices]:
    """Return the positions in a CSR array that belong to some rows, and how many each row has."""
    begin = starts[which].astype(np.int64)
    counts = starts[which + 1] - begin
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(begin - (ends - counts), counts), counts


def _ordered(supervoxels: Ids, edges: Indices, active: Flags) -> tuple[Ids, Indices, Flags]:
    order = np.argsort(supervoxels)
    leaves = supervoxels[order]
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    ends = np.sort(rank[edges.reshape(-1, 2)], axis=1)
    _check(leaves, ends)
    keys, edge_of = np.unique(ends[:, 0] * len(leaves) + ends[:, 1], return_inverse=True)
    on = np.zeros(len(keys), dtype=np.bool_)
    on[edge_of[active]] = True  # an edge given twice is active if one of the two is
    return leaves, np.stack(np.divmod(keys, max(1, len(leaves))), axis=1), on


def _check(leaves: Ids, ends: Indices) -> None:
    if (leaves >> np.uint64(56) != 1).any() or (leaves[1:] == leaves[:-1]).any():
        raise ValueError("supervoxels must be unique ids of layer 1")
    if (ends[:, 0] == ends[:, 1]).any():
        raise ValueError("an edge must join two supervoxels, not one with itself")


def _starts(ordered: NDArray[np.generic], rows: NDArray[np.generic]) -> Starts:
    starts: Starts = np.r_[ordered.searchsorted(rows), len(ordered)].astype(np.int32)
    return starts


def _name(siblings: Siblings) -> Ids:
    return number(siblings.chunks, np.zeros_like(siblings.chunks))
