"""Moves positions onto the neurons they are meant for; loaded by workers only. Items are neurons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.files import columns, parquet, parts, provenance
from crant_core.kinds.neurons import as_given
from crant_core.kinds.snap_to_id.spec import SPEC, SnapToIdOptions
from crant_core.segmentation import snap_to_id

TABLE = "snapped.parquet"
_FROM, _TO = ("x", "y", "z"), ("snapped_x", "snapped_y", "snapped_z")


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct root an item, as it is: what its supervoxels are never changes."""
    return as_given(context, ids)


def run(context: Context, key: str) -> ItemResult:
    """Move one neuron's positions.

    Raises
    ------
    InvalidId
    DataMissing
    SourceError
    """
    options, root = _options(context), parse_id(key)
    given = np.array(options.locations[root], dtype=np.float64).reshape(-1, 3)
    source: Any = context.source
    moved = snap_to_id(given, root, options.snap_zero, options.search_radius, verbose=False, dataset=source)
    found = (moved != 0).any(axis=1) | (given == 0).all(axis=1)
    rows = {name: ("float64", given[:, axis]) for axis, name in enumerate(_FROM)}
    rows |= {name: ("float64", np.where(found, moved[:, axis], np.nan)) for axis, name in enumerate(_TO)}
    table = columns({"root_id": ("int64", [root] * len(given)), **rows, "found": ("bool", found)})
    metrics: dict[str, Scalar] = {
        "n_positions": len(given),
        "n_moved": int((found & (moved != given).any(axis=1)).sum()),
        "n_not_found": int((~found).sum()),
    }
    meta = provenance(context, SPEC, options) | {"units": "nm", "root_id": key}
    return ItemResult(metrics=metrics, files=(parquet(f"{key}.parquet", table, meta),))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `snapped.parquet`: all positions, as given and as moved; null where nothing was near enough."""
    import pyarrow as pa

    tables = [part for _, part in parts(context, items)]
    if not tables:
        return []
    table = pa.concat_tables([one.replace_schema_metadata(None) for one in tables])
    return [parquet(TABLE, table, provenance(context, SPEC, _options(context)) | {"units": "nm"})]


def _options(context: Context) -> SnapToIdOptions:
    return SnapToIdOptions.model_validate(context.parameters)
