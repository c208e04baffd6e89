"""Supervoxels and the edges between them, from voxels: the static part of the chunkedgraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from crant_core.sandbox import layout
from crant_core.sandbox.world import voxels as vx

BLOCK = np.array([16, 16, 32])  #: grid voxels: the largest supervoxel; divides a chunk
_MAX_PIECES = 8  # per neuron, for packing labels

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """All neurons' voxels, sorted by key; where neurons overlap the first one keeps the voxel.

    Attributes
    ----------
    keys : (v,) int64
    neuron, piece, node : (v,) int64
        Which neuron, which of its pieces, which node of its skeleton.
    """

    keys: NDArray[np.int64]
    neuron: NDArray[np.int64]
    piece: NDArray[np.int64]
    node: NDArray[np.int64]


@dataclass(frozen=True)
class Segmentation:
    """Supervoxels of the whole volume.

    Attributes
    ----------
    voxels : Labelled
    of_voxel : (v,) int32
        Index of the supervoxel that each voxel belongs to.
    ids : (s,) uint64
        Supervoxel ids, ascending.
    neuron, piece : (s,) int64
    edges : (e, 2) int64
        Indices of neighbouring supervoxels of one neuron.
    """

    voxels: Labelled
    of_voxel: NDArray[np.int32]
    ids: layout.Ids
    neuron: NDArray[np.int64]
    piece: NDArray[np.int64]
    edges: Pairs


def label(parts: Sequence[tuple[int, vx.Voxels]], pieces: Sequence[NDArray[np.int64]]) -> Labelled:
    """Put all neurons' voxels on one grid.

    Parameters
    ----------
    parts : sequence of (neuron number, Voxels)
        Where they overlap the first one wins.
    pieces : sequence of (n,) int64
        Per neuron, which piece each skeleton node belongs to.
    """
    keys, first = np.unique(np.concatenate([part.keys for _, part in parts]), return_index=True)
    neuron = np.repeat([number for number, _ in parts], [len(part.keys) for _, part in parts])[first]
    node = np.concatenate([part.nodes for _, part in parts])[first]
    piece = np.concatenate([pieces[number][part.nodes] for number, part in parts])[first]
    return Labelled(keys, neuron, piece, node)


def segment(voxels: Labelled) -> Segmentation:
    """Cut voxels into supervoxels: connected, of one piece, within one block."""
    block = vx.key_of(vx.grid_of(voxels.keys) // BLOCK)
    whose = voxels.neuron * _MAX_PIECES + voxels.piece
    inner, outer = [], []
    for pairs in neighbours(voxels.keys):
        start, end = pairs
        same = voxels.neuron[start] == voxels.neuron[end]
        one = same & (block[start] == block[end]) & (whose[start] == whose[end])
        inner.append(pairs[:, one].astype(np.int32))
        outer.append(pairs[:, same & ~one])
    of_voxel = _connected(np.concatenate(inner, axis=1), len(voxels.keys))
    ids, of_voxel = _numbered(voxels.keys, of_voxel)
    _, first = np.unique(of_voxel, return_index=True)
    edges = _unique_pairs(of_voxel[np.concatenate(outer, axis=1)].T.astype(np.int64))
    found = Segmentation(voxels, of_voxel, ids, voxels.neuron[first], voxels.piece[first], edges)
    return _joined(found)


def neighbours(keys: NDArray[np.int64]) -> Iterator[Pairs]:
    """Yield, direction by direction, (2, n) indices of voxels that touch by face, edge or corner."""
    for offset in product((-1, 0, 1), repeat=3):
        if offset > (0, 0, 0):
            wanted = keys + vx.key_of(offset)
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            hits = np.flatnonzero(keys[place] == wanted)
            yield np.stack([hits, place[hits]])


def _connected(pairs: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    graph = coo_matrix((np.ones(pairs.shape[1], dtype=np.int8), tuple(pairs)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)


def _numbered(keys: NDArray[np.int64], component: NDArray[np.int32]) -> tuple[layout.Ids, NDArray[np.int32]]:
    """Give components ids: counted from 1 in each chunk, in the order of their first voxels."""
    _, first = np.unique(component, return_index=True)
    chunks = vx.grid_of(keys[first]) // vx.PER_CHUNK
    chunk = vx.key_of(chunks)
    order = np.lexsort((first, chunk))
    _, starts, counts = np.unique(chunk[order], return_index=True, return_counts=True)
    segments = np.arange(len(order)) - np.repeat(starts, counts) + 1
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return layout.encode(1, chunks[order], segments), rank[component]


def _unique_pairs(pairs: Pairs) -> Pairs:
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    packed = np.unique(low[low != high] << 32 | high[low != high])
    return np.stack([packed >> 32, packed & 0xFFFFFFFF], axis=1)


def _joined(found: Segmentation) -> Segmentation:
    """Add the edges that hold a piece together where another neuron's voxels cut through it."""
    within = found.piece[found.edges[:, 0]] == found.piece[found.edges[:, 1]]
    component = _connected(found.edges[within].T.astype(np.int32), len(found.ids))
    whose = found.neuron * _MAX_PIECES + found.piece
    extra = [pair for piece in np.unique(whose) for pair in _bridges(found, component, np.flatnonzero(whose == piece))]
    edges = np.concatenate([found.edges, np.array(extra, dtype=np.int64).reshape(-1, 2)])
    return Segmentation(found.voxels, found.of_voxel, found.ids, found.neuron, found.piece, _unique_pairs(edges))


def _bridges(found: Segmentation, component: NDArray[np.int32], members: NDArray[np.int64]) -> Iterator[list[int]]:
    """Yield for each smaller part of a piece the nearest supervoxels of it and of the largest part."""
    parts, sizes = np.unique(component[members], return_counts=True)
    if len(parts) == 1:
        return
    voxels = np.flatnonzero(np.isin(found.of_voxel, members))
    positions, part = vx.centre_of(vx.grid_of(found.voxels.keys[voxels])), component[found.of_voxel[voxels]]
    main = part == parts[sizes.argmax()]
    distances, nearest = cKDTree(positions[main]).query(positions[~main])
    for one in parts[parts != parts[sizes.argmax()]]:
        candidates = np.flatnonzero(part[~main] == one)
        best = candidates[distances[candidates].argmin()]
        ends = voxels[~main][best], voxels[main][nearest[best]]
        yield [int(found.of_voxel[end]) for end in ends]
