"""Parting a neuron where it touches itself."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import asking

_L2_PER_REQUEST = 500  # some hundred supervoxels each
_HALF = [offset for offset in product((-1, 0, 1), repeat=3) if offset > (0, 0, 0)]  # every pair of neighbours once


def thinned(source: CaveSource, root: int, voxels: NDArray[np.uint32], owners: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which of a root's voxels stay when those are removed where unlinked parts touch.

    Source: `GET /segmentation/api/v1/table/{table}/node/{root}/lvl2_graph`, `…/leaves` and `POST …/leaves_many`.

    Parameters
    ----------
    source : CaveSource
    root : int
    voxels : ndarray, (n, 3)
    owners : ndarray, (n,)
        Their supervoxels.

    Returns
    -------
    ndarray, (n,) bool
    """
    l2_ids = np.sort(source.graph.leaves(root, stop_layer=2))
    part_of = _l2_of(source, l2_ids, owners)
    at_interface = interface(voxels, part_of, _links(source, root, l2_ids), len(l2_ids))
    return ~at_interface | _would_vanish(at_interface, owners)


def interface(
    voxels: NDArray[np.uint32], part: NDArray[np.int64], links: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Say which voxels touch a voxel of a part that theirs is not linked to.

    Parameters
    ----------
    voxels : ndarray, (n, 3)
        Each once.
    part : ndarray, (n,) int64
        Which part each belongs to, 0 … count - 1.
    links : ndarray, (k,) int64
        Linked parts, packed as `lower * count + higher`, sorted.
    count : int

    Returns
    -------
    ndarray, (n,) bool
    """
    found = np.zeros(len(voxels), dtype=np.bool_)
    if not len(voxels):
        return found
    keys, step = _packed(voxels)
    order = np.argsort(keys)
    keys = keys[order]
    for offset in _HALF:
        wanted = keys + np.dot(offset, step)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hits = keys[place] == wanted
        one, other = order[hits], order[place[hits]]
        apart = _unlinked(part[one], part[other], links, count)
        found[one[apart]] = found[other[apart]] = True
    return found


def _packed(voxels: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each voxel's place in a box with a free margin, and what one step along each axis adds."""
    places = voxels.astype(np.int64) - voxels.min(axis=0)
    _, y, z = places.max(axis=0) + 3
    step = np.array([y * z, z, 1])
    return places @ step, step


def _unlinked(
    one: NDArray[np.int64], other: NDArray[np.int64], links: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    pairs = np.minimum(one, other) * count + np.maximum(one, other)
    return np.asarray((one != other) & ~np.isin(pairs, links))


def _would_vanish(removed: NDArray[np.bool_], owners: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which voxels belong to a supervoxel that keeps none."""
    return ~np.isin(owners, owners[~removed])


def _l2_of(source: CaveSource, l2_ids: NDArray[np.uint64], owners: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each voxel which of the L2 ids its supervoxel is in."""
    families = source.graph.leaves_many(l2_ids, batch_size=_L2_PER_REQUEST)
    children = np.concatenate([np.empty(0, dtype=np.uint64), *families.values()])
    parents = np.repeat(np.arange(len(families)), [len(family) for family in families.values()])
    order = np.argsort(children)
    return parents[order][np.searchsorted(children[order], owners)]


def _links(source: CaveSource, root: int, l2_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
    with asking(source.dataset.server):
        answer = source.client().chunkedgraph.level2_chunk_graph(root)
    pairs = np.searchsorted(l2_ids, np.asarray(answer, dtype=np.uint64).reshape(-1, 2)).astype(np.int64)
    return np.unique(pairs.min(axis=1) * len(l2_ids) + pairs.max(axis=1))
