"""How nodes above supervoxels come to be: chunk by chunk and layer by layer, with skip connections.

Nodes joined by edges inside one chunk share a parent there. A node on its own gets a parent in a layer only if an edge
of that layer leaves it (an edge's layer is the last in which its ends lie in different chunks); else it skips it.
Supervoxels always get an L2 node and everything gets a root.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crant_core.sandbox import layout
from crant_core.sandbox.layout import Ids

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Siblings:
    """Groups of nodes that need a parent, sorted by their smallest supervoxel.

    Attributes
    ----------
    members : (n,) uint64
        The nodes, group after group.
    starts : (g,) int64
        Where each group begins in `members`.
    chunks : (g,) uint64
        The chunk, as an id with segment 0, in which each group's parent will be.
    """

    members: Ids
    starts: Indices
    chunks: Ids

    @property
    def sizes(self) -> Indices:
        """How many members each group has, (g,)."""
        return np.diff(self.starts, append=len(self.members))


Name = Callable[[Siblings], Ids]


def grow(leaves: Ids, links: Indices, name: Name) -> tuple[Ids, Ids]:
    """Build every layer above some supervoxels.

    Parameters
    ----------
    leaves : (n,) uint64
        Supervoxels, sorted.
    links : (m, 2) int64
        Active edges, as indices into `leaves`.
    name : callable
        Gives groups of siblings their parents' ids.

    Returns
    -------
    children, parents : (k,) uint64
        Each node below the root and its parent.
    """
    chunk = layout.chunk_of(leaves)
    layer_of_link = _layers(chunk, links)
    tops, top_of, anchor = leaves, np.arange(len(leaves)), np.arange(len(leaves))
    children, parents = [], []
    for layer in range(2, layout.N_LAYERS + 1):
        group, first = _components(len(tops), top_of[links[layer_of_link == layer - 1]])
        named = _needs_parent(layer, group, top_of[links[layer_of_link == layer]])
        mask = named[group]
        members, starts = _by_group(tops[mask], group[mask])
        where = layout.ancestor_chunk(chunk[anchor[first[named]]], layer)
        ids = name(Siblings(members, starts, layout.encode(layer, where, 0)))
        children.append(members)
        parents.append(np.repeat(ids, np.diff(starts, append=len(members))))
        tops, anchor, top_of = tops[first], anchor[first], group[top_of]
        tops[named] = ids
    return np.concatenate(children), np.concatenate(parents)


def number(chunks: Ids, used: Ids) -> Ids:
    """Return new ids: each chunk's next segments, in the order given; `used` is the chunk's last segment so far."""
    order = np.argsort(chunks, kind="stable")
    ordered = chunks[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, dtype=np.int64)
    rank = np.arange(len(ordered)) - np.repeat(begins, np.diff(begins, append=len(ordered)))
    ids = np.empty_like(chunks)
    ids[order] = ordered + used[order] + rank.astype(np.uint64) + np.uint64(1)
    return ids


def _layers(chunk: Indices, links: Indices) -> Indices:
    apart = np.bitwise_xor(chunk[links[:, 0]], chunk[links[:, 1]]).max(axis=1, initial=0)
    bits = np.frexp(apart.astype(np.float64))[1].astype(np.int64)  # the bit length: chunk numbers are small
    layers: Indices = np.minimum(bits + 1, layout.N_LAYERS - 1)
    return layers


def _components(count: int, joined: Indices) -> tuple[Indices, Indices]:
    """Return each node's component, numbered by its first node, and these first nodes."""
    if not len(joined):
        return np.arange(count), np.arange(count)
    matrix = coo_array((np.ones(len(joined), dtype=np.int8), (joined[:, 0], joined[:, 1])), shape=(count, count))
    found, label = connected_components(matrix.tocsr(), directed=False)
    first = np.full(found, count)
    np.minimum.at(first, label, np.arange(count))
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(found)
    return rank[label], first[order]


def _needs_parent(layer: int, group: Indices, leaving: Indices) -> Flags:
    sizes = np.bincount(group)
    if layer in {2, layout.N_LAYERS}:
        return np.ones(len(sizes), dtype=np.bool_)
    named = sizes > 1
    named[group[leaving.ravel()]] = True
    return named


def _by_group(members: Ids, group: Indices) -> tuple[Ids, Indices]:
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, dtype=np.int64)
    return members[order], starts
