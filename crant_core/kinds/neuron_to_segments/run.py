"""Counts in which roots the nodes of skeletons lie at the job's time; loaded by workers only.

Items are neurons under the ids that were given. The skeletons that another job has are looked up together for a unit
(`prepare`), so that each chunk of the segmentation is fetched once; those that have to be made are made one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crant_core.errors import CrantError
from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.files import columns, concatenated, parquet, parts_with_ids, provenance
from crant_core.kinds.given_skeletons import Obtained, obtain
from crant_core.kinds.neuron_to_segments.spec import SPEC
from crant_core.kinds.neurons import as_given
from crant_core.kinds.skeleton_parameters import SkeletonOptions
from crant_core.segmentation import neuron_to_segments

if TYPE_CHECKING:
    import pandas as pd

SEGMENTS, NEURONS = "segments.parquet", "neurons.parquet"
_COUNTS = ("n_nodes", "n_segments", "n_background")

Looked = tuple[Obtained, "pd.Series[int]"]  #: a skeleton, and its nodes in each root


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct id an item; those that cannot be roots fail at once."""
    return as_given(context, ids)


def prepare(context: Context, keys: Sequence[str]) -> dict[int, Looked | CrantError]:
    """Look up the skeletons of a unit together, if a job has them.

    Source: as `crant_core.neuron_to_segments`.

    Raises
    ------
    StoreUnavailable
    SourceError
    """
    if _options(context).skeletons is None:
        return {}
    read = {root: _read(context, root) for root in map(parse_id, keys)}
    there = {root: one for root, one in read.items() if isinstance(one, Obtained)}
    failed = {root: one for root, one in read.items() if isinstance(one, CrantError)}
    return {**failed, **{root: (there[root], counts) for root, counts in _looked_up(context, there).items()}}


def run(context: Context, key: str) -> ItemResult:
    """Count one neuron's nodes by root, the most first.

    Raises
    ------
    NotFound
        The job that is named has no skeleton of it.
    NotARoot, SkeletonError, MeshNotFound, DataMissing
        Its skeleton cannot be made.
    SourceError
    """
    root, prepared = parse_id(key), context.prepared or {}
    looked: Looked | CrantError = prepared[root] if root in prepared else _alone(context, root)
    if isinstance(looked, CrantError):
        raise looked
    obtained, counts = looked
    meta = provenance(context, SPEC, _options(context)) | {"units": "nodes", "root_id": key}
    rows = columns({"segment_id": ("int64", counts.index.to_numpy()), "n_nodes": ("int64", counts.to_numpy())})
    files = (*obtained.made.files, parquet(f"{key}.segments.parquet", rows, meta))
    return ItemResult(metrics=obtained.metrics | _numbers(obtained, counts), files=files)


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `neurons.parquet`, with the best match of each, and `segments.parquet`: root_id, segment_id, n_nodes."""
    done, meta = list(items), provenance(context, SPEC, _options(context)) | {"units": "nodes"}
    table = columns(
        {
            "root_id": ("int64", [parse_id(item.key) for item in done]),
            "match": ("int64", [int(str(item.metrics["match"])) for item in done]),
            "confidence": ("float64", [item.metrics["confidence"] for item in done]),
            **{name: ("int64", [item.metrics[name] for item in done]) for name in _COUNTS},
        }
    )
    return [parquet(NEURONS, table, meta), *concatenated(SEGMENTS, parts_with_ids(context, done), meta)]


def _read(context: Context, root: int) -> Obtained | CrantError:
    """Return a skeleton, or why there is none; an error that may pass is raised."""
    try:
        return obtain(context, SPEC, root, _options(context))
    except CrantError as error:
        if error.retryable:
            raise
        return error


def _alone(context: Context, root: int) -> Looked:
    obtained = obtain(context, SPEC, root, _options(context))
    return obtained, _looked_up(context, {root: obtained})[root]


def _looked_up(context: Context, skeletons: Mapping[int, Obtained]) -> dict[int, pd.Series[int]]:
    """Count the nodes of each skeleton by root: the most first, of equal ones the smaller id."""
    import pandas as pd

    source: Any = context.source
    if not skeletons:
        return {}
    nodes = [pd.DataFrame(one.skeleton.nodes, columns=["x", "y", "z"]) for one in skeletons.values()]
    placed = pd.concat([frame.assign(neuron=root) for root, frame in zip(skeletons, nodes, strict=True)])
    found = neuron_to_segments(placed, dataset=source, timestamp=context.time)
    ordered = {root: found[root].sort_index().sort_values(ascending=False, kind="stable") for root in skeletons}
    return {root: counts[counts > 0] for root, counts in ordered.items()}


def _numbers(obtained: Obtained, counts: pd.Series[int]) -> dict[str, Scalar]:
    """Name the best match, 0 if all nodes are in the background, and by how much it is the best."""
    nodes, total = [*counts.tolist(), 0, 0], int(counts.sum())
    return {
        "match": str(counts.index[0]) if total else "0",
        "confidence": (nodes[0] - nodes[1]) / total if total else 0.0,
        "n_segments": len(counts),
        "n_background": obtained.skeleton.n_nodes - total,
    }


def _options(context: Context) -> SkeletonOptions:
    return SkeletonOptions.model_validate(context.parameters)
