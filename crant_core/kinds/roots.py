"""What kinds share that work on roots as they are given: items, and one table of all neurons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from crant_core.errors import NotARoot
from crant_core.ids import layer_of, parse_id
from crant_core.kinds.base import Context, DoneItem, File, KindSpec, PlannedItem, Scalar
from crant_core.kinds.files import columns as typed
from crant_core.kinds.files import in_batches, parquet
from crant_core.release import release

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "neurons.parquet"
_ASKED_TOGETHER = 50_000  #: ids


def items_of(context: Context, ids: Sequence[int]) -> Iterator[PlannedItem]:
    """Make each distinct id an item; those that cannot be roots fail at once, before anything is downloaded.

    Source: an `is_latest` request for many thousands at a time, at the job's one point in time.
    """
    layer, distinct = context.source.root_layer(), iter(dict.fromkeys(ids))
    while some := list(islice(distinct, _ASKED_TOGETHER)):
        roots = [root_id for root_id in some if layer_of(root_id) == layer]
        is_latest = dict(zip(roots, context.source.is_latest(roots, context.time.timestamp), strict=True))
        yield from (_planned(root_id, layer, is_latest.get(root_id)) for root_id in some)


def _planned(root_id: int, layer: int, is_latest: bool | None) -> PlannedItem:
    if is_latest is not None:
        return PlannedItem(key=str(root_id), metrics={"is_latest": is_latest})
    message = f"{root_id} is an id of layer {layer_of(root_id)}, not a root (layer {layer})"
    return PlannedItem(key=str(root_id), error=NotARoot(message, value=root_id))


def table(context: Context, spec: KindSpec, items: Iterable[DoneItem], columns: Mapping[str, str]) -> File:
    """Write one row per neuron: `root_id` and its metrics, typed; a metric nobody measured is null.

    Parameters
    ----------
    columns : mapping of str to str
        Arrow's types by metric.
    """

    def batch(some: Sequence[DoneItem]) -> pa.Table:
        found: dict[str, tuple[str, list[Any]]] = {"root_id": ("int64", [parse_id(item.key) for item in some])}
        found |= {name: (kind, [item.metrics.get(name) for item in some]) for name, kind in columns.items()}
        return typed(found)

    whole = in_batches(items, batch)
    meta = job_facts(context, spec) | {"format_version": 2, "n_neurons": len(whole)}
    return parquet(TABLE, whole, meta)


def job_facts(context: Context, spec: KindSpec) -> dict[str, Scalar]:
    """Say what files of the whole job are about."""
    return {
        "kind": spec.name,
        "code_version": spec.code_version,
        "dataset": context.source.dataset.name,
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        "units": "as names end (_um, _nm, _um2, _seconds), shares of 1, positions in nm",
    }


def code_of(spec: KindSpec) -> str:
    """Name the code that made a file."""
    return f"{spec.name} {spec.code_version}, crant-batch {release()}"
