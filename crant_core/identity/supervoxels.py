"""Supervoxels and the roots they are in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.access import source_of
from crant_core.bounds import is_whole
from crant_core.errors import InvalidParameters, SourceError
from crant_core.identity.memory import Memory
from crant_core.identity.validity import check_layer
from crant_core.parsing import ids_or_none, root_ids_of
from crant_core.sources.chunkedgraph_requests import batches, id_array

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from crant_core.sources.chunkedgraph import ChunkedGraphSource
    from crant_core.sources.chunkedgraph_requests import Ids

_ROOT = 8  # what people write for the layer of roots, whatever the dataset's is
_COOLDOWN = 1.0  # s


def supervoxels_to_roots(  # noqa: PLR0917 - the order that people know
    ids: Any,
    timestamp: Any = "mat",
    clear_cache: bool = False,
    batch_size: int = 10_000,
    stop_layer: int = 8,
    retry: bool = True,
    progress: bool = True,
    *,
    dataset: Any = None,
) -> NDArray[np.int64]:
    """Look up the roots, or nodes of a lower layer, that supervoxels belong to.

    Parameters
    ----------
    ids : ids
        Supervoxels, or nodes of any other layer, as integers or strings, one or many. An L2 id that an edit replaced
        belongs to the old root for ever.
    timestamp : time, default "mat"
        Any form of a time: `"mat"` (the latest materialization), `"mat_7"`, `7`, an ISO string, unix seconds, a
        datetime; None or `"live"`: now.
    clear_cache : bool, default False
        Without effect: roots are never kept, because they change.
    batch_size : int, default 10,000
        Ids per request; never more than 100,000, which is 1 MB.
    stop_layer : int, default 8
        2 for L2 ids. 8 stands for the layer of roots, whichever the dataset has, and so does everything above that.
    retry : bool, default True
        Ask once more, a second later, where a batch failed for a reason that may pass.
    progress : bool, default True
        Show a bar if it takes longer than two seconds.
    dataset : str, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    (n,) int64
        In input order. 0 for 0, for missing ids and for what belongs to nothing at that time. Ids at or above
        `stop_layer` come back as they are.

    Raises
    ------
    InvalidId
    InvalidTime
    InvalidParameters
        There are no such batches or layers.
    SourceError

    Notes
    -----
    Endpoint: `POST /segmentation/api/v1/table/{table}/roots_binary`. Equal ids are asked once.
    """
    source = source_of(dataset)
    wanted = _with_zeros(ids)
    if not (is_whole(stop_layer) and stop_layer >= 1):
        hint = "give 2 for L2 ids, 8 for roots"
        raise InvalidParameters(f"there is no layer {stop_layer!r}", value=stop_layer, hint=hint)
    when = times.resolve(source, timestamp).timestamp
    top = source.root_layer()
    layer = top if stop_layer == _ROOT else min(stop_layer, top)
    unique, back = np.unique(wanted, return_inverse=True)
    found = [
        _roots(source.graph, part, when, layer, retry=retry)
        for part in batches(unique, batch_size, progress=progress, what="roots")
    ]
    return np.concatenate([np.empty(0, dtype=np.uint64), *found])[back].astype(np.int64)


def roots_to_supervoxels(
    neurons: Any, clear_cache: bool = False, progress: bool = True, *, dataset: Any = None
) -> dict[int, Ids]:
    """List the supervoxels of neurons.

    Parameters
    ----------
    neurons : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`.
    clear_cache : bool, default False
        Fetch them anew, and keep what comes.
    progress : bool, default True
        Show a bar if it takes longer than two seconds.
    dataset : str, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    dict of int to (n,) uint64
        Each root once, in input order. Empty for a root that never was: every other has supervoxels.

    Raises
    ------
    InvalidId
        Something is no root id, but a supervoxel or an L2 chunk.
    SourceError

    Notes
    -----
    Endpoint: `POST /segmentation/api/v1/table/{table}/node/leaves_many`, for 20 roots at a time. The supervoxels of a
    root never change, so they are kept on disk, by server and table.
    """
    graph = source_of(dataset).graph
    roots = list(dict.fromkeys(root_ids_of(neurons).tolist()))
    check_layer(roots, graph.root_layer(), "root id")
    memory = Memory.of(graph, fresh=clear_cache)
    kept = memory.supervoxels(roots)
    missing = np.array([root for root in roots if root not in kept], dtype=np.uint64)
    fetched: dict[int, Ids] = {}
    for part in batches(missing, graph.roots_per_request, progress=progress, what="supervoxels"):
        came = graph.leaves_many(part)
        _check_empty(graph, came)
        memory.keep_supervoxels(came)
        fetched |= came
    return {root: kept[root] if root in kept else fetched[root] for root in roots}


def _check_empty(graph: ChunkedGraphSource, leaves: Mapping[int, Ids]) -> None:
    """Refuse an answer that leaves out what is in roots that exist."""
    empty = np.array([root for root, ids in leaves.items() if not len(ids)], dtype=np.uint64)
    wrong = empty[graph.exist(empty)]
    if len(wrong):
        raise SourceError(f"{graph.server} lists nothing in {wrong[0]}, which exists", value=int(wrong[0]))


def _with_zeros(ids: Any) -> Ids:
    """Read ids; 0 for missing ones. Arrays of integers, which may be long, are not taken apart."""
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu":
        return id_array(ids)
    return np.array([one or 0 for one in ids_or_none(ids)], dtype=np.uint64)


def _roots(graph: ChunkedGraphSource, ids: Ids, when: datetime, layer: int, *, retry: bool) -> Ids:
    try:
        return graph.roots(ids, when, layer)
    except SourceError as error:
        if not (retry and error.retryable):
            raise
    time.sleep(_COOLDOWN)
    return graph.roots(ids, when, layer)
