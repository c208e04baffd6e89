"""Tables of synapses: which neurons, how much, and in which neuropils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidInput
from crant_core.matrices.counting import EVERYWHERE, Counts, tally
from crant_core.matrices.hashing import Codes, Ids, factorise
from crant_core.matrices.membership import Membership
from crant_core.matrices.positions import positions_in
from crant_core.matrices.reading import column_of, ids_in, numbers_in, table_given

if TYPE_CHECKING:
    import pandas as pd

OTHER = "other"  #: the name for synapses in no neuropil
ID = "id"  #: the column by which a synapse counts once


@dataclass(frozen=True, eq=False, slots=True)
class Synapses:
    """Synapses with numbered neurons.

    Attributes
    ----------
    table : pandas.DataFrame
        Where they are from.
    row : ndarray, (n,), int64, or None
        Their rows in the table; None: all of them.
    ids : ndarray, (k,), int64
        Neurons, ascending.
    source, target : ndarray, (n,), uint16 or int32
        Numbers of neurons.
    weights : ndarray, (n,), float64, or None
    """

    table: pd.DataFrame
    row: NDArray[np.int64] | None
    ids: Ids
    source: Codes
    target: Codes
    weights: NDArray[np.float64] | None

    @property
    def labels(self) -> list[str]:
        """Neurons as strings."""
        return list(map(str, self.ids.tolist()))

    def counts(self) -> Any:
        """Count pairs, or sum their weights: (k, k) CSR."""
        return tally(self.source, self.target, len(self.ids), weights=self.weights)

    def between(self, neurons: NDArray[np.bool_]) -> Synapses:
        """Keep synapses whose both neurons are in a mask, (k,)."""
        if neurons.all():
            return self
        kept = np.flatnonzero(neurons[self.source] & neurons[self.target])
        return replace(
            self,
            row=kept if self.row is None else self.row[kept],
            source=self.source[kept],
            target=self.target[kept],
            weights=None if self.weights is None else self.weights[kept],
        )

    def rows(self) -> pd.DataFrame:
        """Return the part of the table."""
        return self.table if self.row is None else self.table.iloc[self.row]


def read_synapses(table: pd.DataFrame, pre_col: str, post_col: str, weight_column: str | None = None) -> Synapses:
    """Read a table of synapses; rows that repeat an earlier `id`, if there is such a column, do not count.

    Raises
    ------
    InvalidInput
        A column, an id or a weight is missing.
    InvalidId
        Ids are floats or no ids.
    """
    table_given(table, "table of synapses")
    row = _first_of_each_id(table)
    ids, (source, target) = factorise(*(ids_in(_used(table, name, row)) for name in (pre_col, post_col)))
    weights = None if weight_column is None else numbers_in(_used(table, weight_column, row))
    return Synapses(table, row, ids, source, target, weights)


def _used(table: pd.DataFrame, name: str, row: NDArray[np.int64] | None) -> pd.Series:
    column = column_of(table, name)
    return column if row is None else column.iloc[row]


def _first_of_each_id(table: pd.DataFrame) -> NDArray[np.int64] | None:
    """Return the rows to count; None for all, which is found out by sorting a copy: that is fast."""
    if ID not in table.columns:
        return None
    ids = column_of(table, ID)
    if isinstance(ids.dtype, np.dtype) and ids.dtype.kind in "iu":
        ordered = np.sort(ids.to_numpy())
        if not (ordered[1:] == ordered[:-1]).any():
            return None
    repeated = (ids.duplicated() & ids.notna()).to_numpy()
    return np.flatnonzero(~repeated) if repeated.any() else None


def count_synapses(
    synapses_df: pd.DataFrame,
    pre_col: str = "pre_pt_root_id",
    post_col: str = "post_pt_root_id",
    weight_column: str | None = None,
) -> Counts:
    """Count a table of synapses by source and target.

    Parameters
    ----------
    synapses_df : pandas.DataFrame
        One row for each synapse; rows that repeat an earlier `id` do not count.
    pre_col, post_col : str
        Columns of root ids.
    weight_column : str, optional
        Add up this column, and do not count.

    Raises
    ------
    InvalidInput
        A column, an id or a weight is missing.
    """
    read = read_synapses(synapses_df, pre_col, post_col, weight_column)
    return Counts(read.ids, (EVERYWHERE,), read.counts())


def count_synapses_by_neuropil(  # noqa: PLR0917 - in the order of from_synapses_by_neuropil
    synapses_df: pd.DataFrame,
    membership: Membership,
    coordinates: str = "nm",
    position_column: str = "ctr_pt_position",
    pre_col: str = "pre_pt_root_id",
    post_col: str = "post_pt_root_id",
    weight_column: str | None = None,
    include_other: bool = True,
    voxel_offset: Sequence[float] | None = None,
) -> Counts:
    """Count a table of synapses by neuropil, source and target: a part that `merge` adds to others.

    Parameters
    ----------
    synapses_df : pandas.DataFrame
        One row for each synapse; rows that repeat an earlier `id` do not count.
    membership : Membership
        Knows which neuropils contain a position, such as `crant_core.neuropils.prepare(meshes)`.
    coordinates : {"nm", "pixels"}
    position_column : str
        Column of [x, y, z], or the name before `_x`, `_y` and `_z` of three columns.
    pre_col, post_col : str
        Columns of root ids.
    weight_column : str, optional
        Add up this column, and do not count.
    include_other : bool
        Count what is in no neuropil as in `"other"`.
    voxel_offset : sequence of float, optional
        Added to pixels before they become nm.

    Raises
    ------
    InvalidInput
        A column, an id, a weight or a position is missing.
    """
    read = read_synapses(synapses_df, pre_col, post_col, weight_column)
    places = positions_in(read.rows(), position_column, coordinates, voxel_offset)
    return locate(read, places, membership, include_other)


def locate(synapses: Synapses, places: NDArray[np.float64], membership: Membership, include_other: bool) -> Counts:
    """Count synapses in each neuropil that contains their place, (n, 3) in nm."""
    found = membership.find(places)
    names, point, region = tuple(found.names), found.point, found.mesh
    if include_other:
        names, point, region = _with_other(names, point, region, len(places))
    weights = None if synapses.weights is None else synapses.weights[point]
    size = len(synapses.ids)
    table = tally(synapses.source[point], synapses.target[point], size, region, max(1, len(names)), weights)
    unclosed: tuple[str, ...] = getattr(found, "open_meshes", ())
    return Counts(synapses.ids, names, table[: len(names) * size], tuple(unclosed))


def _with_other(
    names: tuple[str, ...], point: NDArray[np.int64], region: NDArray[np.int32], count: int
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int32]]:
    if OTHER in names:
        hint = "rename it, or give include_other=False"
        raise InvalidInput(f"a neuropil is called {OTHER!r}", value=OTHER, hint=hint)
    nowhere = np.ones(count, dtype=np.bool_)
    nowhere[point] = False
    rest = np.flatnonzero(nowhere)
    regions = np.concatenate([region, np.full(len(rest), len(names), dtype=region.dtype)])
    return (*names, OTHER), np.concatenate([point, rest]), regions
