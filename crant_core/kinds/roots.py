"""What kinds share that work on roots as they are given: items, and one table of all neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from crant_core.errors import NotARoot
from crant_core.ids import layer_of, parse_id
from crant_core.kinds.base import Context, DoneItem, File, KindSpec, PlannedItem, Scalar
from crant_core.kinds.files import columns as typed
from crant_core.kinds.files import parquet

TABLE = "neurons.parquet"


def items_of(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct id an item; those that cannot be roots fail at once, before anything is downloaded.

    Source: one `is_latest` request for all, at the job's one point in time.
    """
    layer = context.source.root_layer()
    distinct = list(dict.fromkeys(ids))
    roots = [root_id for root_id in distinct if layer_of(root_id) == layer]
    is_latest = dict(zip(roots, context.source.is_latest(roots, context.time.timestamp), strict=True))
    return [_planned(root_id, layer, is_latest.get(root_id)) for root_id in distinct]


def _planned(root_id: int, layer: int, is_latest: bool | None) -> PlannedItem:
    if is_latest is not None:
        return PlannedItem(key=str(root_id), metrics={"is_latest": is_latest})
    message = f"{root_id} is an id of layer {layer_of(root_id)}, not a root (layer {layer})"
    return PlannedItem(key=str(root_id), error=NotARoot(message, value=root_id))


def table(context: Context, spec: KindSpec, items: Sequence[DoneItem], columns: Mapping[str, str]) -> File:
    """Write one row per neuron: `root_id` and its metrics, typed; a metric nobody measured is null.

    Parameters
    ----------
    columns : mapping of str to str
        Arrow's types by metric.
    """
    found: dict[str, tuple[str, list[Any]]] = {"root_id": ("int64", [parse_id(item.key) for item in items])}
    found |= {name: (kind, [item.metrics.get(name) for item in items]) for name, kind in columns.items()}
    meta = job_facts(context, spec) | {"format_version": 2, "n_neurons": len(items)}
    return parquet(TABLE, typed(found), meta)


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
    return f"{spec.name} {spec.code_version}, crant-batch {version('crant-batch')}"
