"""How much of a root is in which root of another time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import is_whole
from crant_core.errors import InvalidParameters, SourceError
from crant_core.sources.chunkedgraph import ChunkedGraphSource
from crant_core.sources.chunkedgraph_requests import Ids

Shares = dict[int, dict[int, float]]  #: by root: the share of it in each root of another time, the largest first

_SUPERVOXELS, _CHUNKS = 1, 2
_ROOTS_AT_ONCE = {_SUPERVOXELS: 20, _CHUNKS: 1_000}  # of some 150,000 supervoxels, or 400 chunks; bounds memory
_CHUNKS_PER_REQUEST = 2_000  # of some 300 supervoxels each
_DIGITS = 12  # what sums of fractions are good for: ten tenths are 1


def check_layer(graph: ChunkedGraphSource, stop_layer: int) -> None:
    """Refuse to count what roots do not consist of.

    Raises
    ------
    InvalidParameters
    """
    if not (is_whole(stop_layer) and _SUPERVOXELS <= stop_layer < graph.root_layer()):
        hint = f"give 2 for L2 chunks, or 1 for supervoxels; {graph.root_layer()} is the layer of roots"
        raise InvalidParameters(f"roots have no parts of layer {stop_layer!r}", value=stop_layer, hint=hint)


def overlaps(
    graph: ChunkedGraphSource,
    roots: Sequence[int],
    when: datetime,
    holding: Ids,
    stop_layer: int = _CHUNKS,
    *,
    progress: bool = False,
) -> Shares:
    """Count how much of each root is in which root at a time.

    L2 chunks are counted, each as one: a neuron has some 400 of them, but 150,000 supervoxels. A chunk that an edit cut
    or replaced belongs to the old root for ever, so of such chunks the supervoxels are looked up, and each counts as
    its part of the chunk.

    Requests: one for every 1,000 roots (20 if supervoxels are counted), one for every 100,000 pieces, and one for
    every 2,000 replaced chunks.

    Parameters
    ----------
    graph : ChunkedGraphSource
    roots : sequence of int
        Different ones.
    when : datetime
    holding : (n,) uint64
        The roots that hold at that time, as far as they contain any of it.
    stop_layer : int
        1 counts supervoxels. 2 or more counts L2 chunks: nodes of higher layers are not there everywhere.
    progress : bool

    Returns
    -------
    dict of int to dict of int to float
        The shares of a root add up to 1, or less if a part of it belongs to nothing at that time. Of equal shares the
        lower root id comes first.
    """
    layer, found = min(stop_layer, _CHUNKS), Shares()
    size = _ROOTS_AT_ONCE[layer]
    for start in range(0, len(roots), size):
        part = roots[start : start + size]
        found |= _overlaps(graph, part, when, holding, layer, progress=progress)
    return found


def _overlaps(
    graph: ChunkedGraphSource, roots: Sequence[int], when: datetime, holding: Ids, layer: int, *, progress: bool
) -> Shares:
    leaves = graph.leaves_many(np.array(roots, dtype=np.uint64), layer, progress=progress)
    _check_none_empty(graph, leaves)
    owner, pieces = _flat([leaves[root] for root in roots])
    total = np.bincount(owner, minlength=len(roots))
    weight = 1.0 / total[owner]
    now = graph.roots(pieces, when)
    replaced = ~np.isin(now, holding)
    if layer == _CHUNKS and replaced.any():
        old_chunks = (owner[replaced], pieces[replaced], weight[replaced])
        parts = _of_supervoxels(graph, *old_chunks, when)
        pairs = zip((owner, now, weight), parts, strict=True)
        owner, now, weight = (np.concatenate([one[~replaced], more]) for one, more in pairs)
    return _sums(roots, owner, now, weight, holding)


def _of_supervoxels(
    graph: ChunkedGraphSource, owner: NDArray[np.intp], chunks: Ids, weight: NDArray[np.float64], when: datetime
) -> tuple[NDArray[np.intp], Ids, NDArray[np.float64]]:
    """Look up chunks by their supervoxels, each with its part of the chunk's weight."""
    leaves = graph.leaves_many(chunks, _SUPERVOXELS, batch_size=_CHUNKS_PER_REQUEST)
    _check_none_empty(graph, leaves)
    row, supervoxels = _flat([leaves[chunk] for chunk in chunks.tolist()])  # roots may share a chunk
    size = np.bincount(row, minlength=len(chunks))
    return owner[row], graph.roots(supervoxels, when), weight[row] / size[row]


def _check_none_empty(graph: ChunkedGraphSource, leaves: Mapping[int, Ids]) -> None:
    empty = next((node for node, ids in leaves.items() if not len(ids)), None)
    if empty is not None:
        raise SourceError(f"{graph.server} lists nothing in {empty}, which exists", value=empty)


def _flat(parts: Sequence[Ids]) -> tuple[NDArray[np.intp], Ids]:
    """Join lists; beside each element the number of its list."""
    sizes = [len(part) for part in parts]
    empty = np.empty(0, dtype=np.uint64)
    return np.repeat(np.arange(len(parts)), sizes), np.concatenate([empty, *parts])


def _sums(roots: Sequence[int], owner: NDArray[np.intp], now: Ids, weight: NDArray[np.float64], holding: Ids) -> Shares:
    kept = np.isin(now, holding)
    heirs, column = np.unique(now[kept], return_inverse=True)
    cells, cell = np.unique(owner[kept] * max(1, len(heirs)) + column, return_inverse=True)
    shares = np.round(np.bincount(cell, weights=weight[kept], minlength=len(cells)), _DIGITS)
    found: Shares = {root: {} for root in roots}
    for which in np.lexsort((cells, -shares)).tolist():
        row, heir = divmod(int(cells[which]), len(heirs))
        found[roots[row]][int(heirs[heir])] = float(shares[which])
    return found
