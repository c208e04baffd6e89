"""What became of the ids that a job was given, row by row: nobody who was several neurons goes unsaid."""

from __future__ import annotations

from collections.abc import Sequence

from crant_core.kinds.base import DoneItem, File, Scalar
from crant_core.kinds.files import columns, parquet
from crant_core.kinds.neurons import GivenType, asked_of, neurons_table

NEURONS, CELL_TYPES = "neurons.parquet", "cell_types.parquet"
METRICS = ("n_synapses", "n_targets", "n_neuropils", "n_open", "n_other", "n_unplaced")


def neurons_file(items: Sequence[DoneItem], meta: dict[str, Scalar]) -> File:
    """Write one row for each id that was asked for: its root, the share of it in there, and the root's metrics."""
    return parquet(NEURONS, neurons_table(items, METRICS), meta)


def cell_types_file(given: Sequence[GivenType], meta: dict[str, Scalar]) -> File:
    """Write one row for each type that was given: whose it is, and whether it counts."""
    kinds = {"asked_id": "int64", "root_id": "int64", "share": "float64", "cell_type": "string", "used": "bool"}
    table = columns({name: (kind, [getattr(one, name) for one in given]) for name, kind in kinds.items()})
    return parquet(CELL_TYPES, table, meta)


def notes(items: Sequence[DoneItem], given: Sequence[GivenType]) -> dict[str, Scalar]:
    """Say in numbers what the tables say of each: who was several neurons, and whose types do not count."""
    partial = [one for item in items for one, share in asked_of(item.metrics).items() if share < 1]
    return {
        "n_partial": len(partial),
        "n_types_partial": sum(0 < one.share < 1 for one in given),
        "n_types_unused": sum(not one.used for one in given),
        "n_unplaced": sum(int(item.metrics.get("n_unplaced") or 0) for item in items),
    }
