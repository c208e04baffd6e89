"""Maps root ids to the roots that hold at the job's time; loaded by workers only.

Items are ids as they were given. Those of a unit are asked for together (`prepare`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from crant_core.errors import NotARoot
from crant_core.identity import update_ids
from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem
from crant_core.kinds.files import columns, in_batches, parquet, provenance
from crant_core.kinds.neurons import as_given
from crant_core.kinds.update_ids.spec import SPEC, UpdateIdsOptions

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "id_updates.parquet"

Updates = Mapping[int, tuple[int, float]]  #: by old id: the new one and the confidence in it


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct id an item; those that cannot be roots fail at once."""
    return as_given(context, ids)


def prepare(context: Context, keys: Sequence[str]) -> Updates:
    """Look all ids of a unit up together.

    Source: as `crant_core.update_ids`.

    Raises
    ------
    SourceError
    """
    options = _options(context)
    ids = [parse_id(key) for key in keys]
    hints = [options.supervoxels.get(one) for one in ids]
    found = update_ids(
        ids,
        hints if any(hints) else None,
        timestamp=context.time,
        stop_layer=options.stop_layer,
        progress=False,
        dataset=context.source,
        use_annotations=options.use_annotations,
    )
    rows = zip(found["new_id"].tolist(), found["confidence"].tolist(), strict=True)
    return dict(zip(ids, rows, strict=True))


def run(context: Context, key: str) -> ItemResult:
    """Say what became of one id.

    Raises
    ------
    NotARoot
        It is no root, and nothing became of it.
    SourceError
    """
    old, updates = parse_id(key), context.prepared or prepare(context, [key])
    new, confidence = updates[old]
    if not confidence:
        raise NotARoot(f"{old} is no root at {context.time.timestamp} and nothing became of it", value=old)
    return ItemResult(metrics={"new_id": str(new), "confidence": confidence, "changed": new != old})


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Write `id_updates.parquet`: old_id, new_id, confidence, changed; ids that could not be updated are not there."""
    return [parquet(TABLE, in_batches(items, _rows), provenance(context, SPEC, _options(context)))]


def _rows(items: Sequence[DoneItem]) -> pa.Table:
    return columns(
        {
            "old_id": ("int64", [parse_id(item.key) for item in items]),
            "new_id": ("int64", [parse_id(item.metrics["new_id"]) for item in items]),
            "confidence": ("float64", [item.metrics["confidence"] for item in items]),
            "changed": ("bool", [item.metrics["changed"] for item in items]),
        }
    )


def _options(context: Context) -> UpdateIdsOptions:
    return UpdateIdsOptions.model_validate(context.parameters)
