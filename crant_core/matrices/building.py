"""Runs a request on a table: what the constructors of both classes of matrices do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.errors import InvalidInput
from crant_core.matrices.axes import Axis
from crant_core.matrices.blocks import Blocks
from crant_core.matrices.collection import NeuropilCollection
from crant_core.matrices.connectivity import read_connectivity
from crant_core.matrices.counting import Counts
from crant_core.matrices.membership import Membership, chosen
from crant_core.matrices.planning import Plan, Request
from crant_core.matrices.positions import COORDINATES, positions_in
from crant_core.matrices.reading import one_of
from crant_core.matrices.synapses import locate, read_synapses

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import Dataset

_log = logging.getLogger(__name__)

Made = Callable[[Any, Axis, Axis], Blocks]


@dataclass(frozen=True, eq=False, slots=True)
class Where:
    """Which neuropils are asked for, and where the synapses are."""

    names: Sequence[str] | None
    coordinates: str
    position_column: str
    include_other: bool
    voxel_offset: Sequence[float] | None
    membership: Membership | None
    dataset: str | Dataset | None

    def __post_init__(self) -> None:
        one_of("coordinates", self.coordinates, COORDINATES)


def of_connectivity(table: pd.DataFrame, request: Request) -> tuple[Any, Axis, Axis]:
    """Return weights and axes of a table of connectivity."""
    read = read_connectivity(table)
    return _told(*request.plan(read.labels).build(read.weights, read.on_rows, read.on_columns))


def of_synapses(table: pd.DataFrame, pre_col: str, post_col: str, request: Request) -> tuple[Any, Axis, Axis]:
    """Return weights and axes of a table of synapses."""
    request.check_weights()
    read = read_synapses(table, pre_col, post_col, request.weight_column)
    return _told(*request.plan(read.labels).from_counts(read.counts()))


def _told(weights: Any, rows: Axis, columns: Axis) -> tuple[Any, Axis, Axis]:
    """Log that nobody is left on an axis."""
    for name, axis in (("rows", rows), ("columns", columns)):
        if not len(axis):
            _log.warning("no neuron is left on the %s of the matrix: it is %d × %d", name, len(rows), len(columns))
    return weights, rows, columns


def by_neuropil(  # noqa: PLR0917 - one caller each
    made: Made, table: pd.DataFrame, pre_col: str, post_col: str, request: Request, where: Where
) -> NeuropilCollection:
    """Return a matrix of the synapses in each neuropil."""
    request.check_weights()
    read = read_synapses(table, pre_col, post_col, request.weight_column)
    plan = request.plan(read.labels)
    kept = read.between(plan.kept)
    places = positions_in(kept.rows(), where.position_column, where.coordinates, where.voxel_offset, where.dataset)
    membership = chosen(where.membership, where.names, where.dataset)
    return _collection(made, locate(kept, places, membership, where.include_other), plan)


def of_counts(made: Made, counts: Counts, request: Request) -> NeuropilCollection:
    """Return a matrix of each neuropil of counts."""
    weighted = counts.table.dtype.kind == "f"
    if weighted != (request.weight_mode == "column"):
        held = "sums of weights" if weighted else "counts"
        hint = 'weight_mode="column" is for sums of weights, the other modes are for counts'
        raise InvalidInput(f"these are {held}", value=request.weight_mode, hint=hint)
    return _collection(made, counts, request.plan(list(map(str, counts.ids.tolist()))))


def _collection(made: Made, counts: Counts, plan: Plan) -> NeuropilCollection:
    found = ((name, plan.from_counts(counts.of(name))) for name in _used(counts))
    matrices = {name: made(*parts) for name, parts in found if parts[0].nnz}
    if not matrices:
        _log.warning("no neuropil has synapses between the selected neurons: the collection is empty")
    return NeuropilCollection(
        matrices, open_neuropils=tuple(name for name in counts.open_neuropils if name in matrices)
    )


def _used(counts: Counts) -> list[str]:
    """Return the neuropils that have synapses."""
    stops = counts.table.indptr[:: max(1, len(counts.ids))]
    return [name for name, entries in zip(counts.names, np.diff(stops), strict=False) if entries]
