"""The L2 chunks of neurons: which, what the L2 cache knows of them, and which of them touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SourceError
from crant_core.meshes.bulk import at_once
from crant_core.meshes.neurons import check_known
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import Ids, asking, batches, id_array

Features = Mapping[int, Mapping[str, Any]]  #: by L2 id; empty for chunks that the L2 cache does not know
BLOCK = 2_000  #: ids per request, some 0.4 s of the L2 cache's time
_L2 = 2
_SIZES = {"rep_coord_nm": (3,), "size_nm3": (), "area_nm2": (), "max_dt_nm": ()}


def chunks_of(
    source: CaveSource, roots: Sequence[int], *, progress: bool = False, known: bool = True
) -> dict[int, Ids]:
    """List the L2 chunks of each root, ascending.

    Raises
    ------
    NotARoot
        One of them never was, if only `known` ones will do; else it has none.
    SourceError
    """
    asked = np.array(list(dict.fromkeys(roots)), dtype=np.uint64)
    found = source.graph.leaves_many(asked, _L2, progress=progress)
    for root, ids in found.items():
        if known:
            check_known(source, root, ids)
    return {root: np.sort(ids) for root, ids in found.items()}


def features_of(
    source: CaveSource,
    chunks: Mapping[int, Ids],
    attributes: Sequence[str],
    *,
    block: int = BLOCK,
    threads: int = 4,
    progress: bool = False,
) -> Features:
    """Fetch what the L2 cache knows of chunks, each asked for once, in blocks, some at a time."""
    unique = np.unique(np.concatenate([np.empty(0, dtype=np.uint64), *chunks.values()]))
    parts = list(batches(unique, block))

    def ask(part: Ids) -> dict[int, dict[str, Any]]:
        return source.graph.l2_data(part, attributes)

    answers = at_once(ask, parts, threads, progress=progress, what="L2 features")
    return {l2_id: features for answer in answers for l2_id, features in answer.items()}


def column(features: Features, ids: Ids, name: str) -> NDArray[np.float64]:
    """Return one attribute of chunks, in their order, (n,) or (n, 3); NaN where it is not known.

    Raises
    ------
    SourceError
        A value has not the shape that it has to have.
    """
    shape = _SIZES[name]
    found = np.full((len(ids), *shape), np.nan)
    for row, l2_id in enumerate(ids.tolist()):
        value = features[l2_id].get(name)
        if value is not None:
            found[row] = _value(l2_id, name, value)
    return found


def _value(l2_id: int, name: str, value: Any) -> NDArray[np.float64]:
    array = _floats(l2_id, name, value)
    if array.shape != _SIZES[name]:
        raise _no_feature(l2_id, name, value)
    return array


def _floats(l2_id: int, name: str, value: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _no_feature(l2_id, name, value) from error


def _no_feature(l2_id: int, name: str, value: Any) -> SourceError:
    return SourceError(f"the L2 cache says {value!r} for {name} of {l2_id}", value=l2_id)


def first_axes(features: Features, ids: Ids) -> NDArray[np.float64]:
    """Return the first principal axis of chunks, (n, 3), of length 1; NaN where there is none: they are tiny.

    Raises
    ------
    SourceError
        A value has not the shape that it has to have.
    """
    axes = [_first_axis(l2_id, features[l2_id].get("pca")) for l2_id in ids.tolist()]
    return np.array(axes, dtype=np.float64).reshape(-1, 3)


def _first_axis(l2_id: int, axes: Any) -> NDArray[np.float64]:
    rows = _floats(l2_id, "pca", [] if axes is None else axes)
    if not rows.size:
        return np.full(3, np.nan)
    if rows.ndim != 2 or rows.shape[1] != 3:  # noqa: PLR2004 - rows of x, y, z
        raise _no_feature(l2_id, "pca", axes)
    length = np.linalg.norm(rows[0])
    return rows[0] / length if length > 0 else np.full(3, np.nan)


def links_of(
    source: CaveSource, chunks: Mapping[int, Ids], *, threads: int = 4, progress: bool = False
) -> dict[int, NDArray[np.int64]]:
    """Say which chunks of each root touch: pairs of numbers of chunks, the lower first, each once, (m, 2).

    Source: `GET /segmentation/api/v1/table/{table}/node/{root}/lvl2_graph`, once for each root.

    Raises
    ------
    SourceError
        Also for a chunk that is not the root's.
    """
    roots = list(chunks)
    found = at_once(
        lambda root: _links(source, root, chunks[root]), roots, threads, progress=progress, what="L2 graphs"
    )
    return dict(zip(roots, found, strict=True))


def _links(source: CaveSource, root: int, ids: Ids) -> NDArray[np.int64]:
    with asking(source.dataset.server):
        pairs = _pairs(root, source.client().chunkedgraph.level2_chunk_graph(root))
    foreign = pairs[~np.isin(pairs, ids)]
    if len(foreign):
        raise SourceError(f"the L2 graph of {root} names {foreign[0]}, which is not in it", value=root)
    numbers = np.sort(np.searchsorted(ids, pairs).astype(np.int64), axis=1)
    return np.unique(numbers[numbers[:, 0] != numbers[:, 1]], axis=0)


def _pairs(root: int, answer: Any) -> Ids:
    try:
        return id_array([one for pair in answer for one in (pair[0], pair[1])]).reshape(-1, 2)
    except (IndexError, ValueError) as error:
        raise SourceError(f"the L2 graph of {root} is none", value=root) from error
