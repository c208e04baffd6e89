"""Tables as they were at one moment, with the root ids their points had then."""

from __future__ import annotations

from collections import OrderedDict
from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.sandbox import layout
from crant_core.sandbox.tables.columns import ROOT, SUPERVOXEL, grouped

if TYPE_CHECKING:
    from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
    from crant_core.sandbox.tables.table import Table
    from crant_core.sandbox.tables.version import Version

Rows = NDArray[np.int64]

_MAX_CACHED_ROWS = 8_000_000  # about 35 bytes each
_TICK = timedelta(milliseconds=1)


class Freezer(Protocol):
    """What knows the graph, the versions, and what was frozen before: the sandbox's state."""

    graph: ChunkedGraph
    versions: list[Version]
    frames: OrderedDict[tuple[str, int], Frozen]


class Frozen:
    """A table at one moment; rows are counted by their place in `Table.rows`.

    Attributes
    ----------
    held : (n,) bool
        Which rows held then.
    shown : (n,) bool
        Which of those a query may return: the valid ones.
    columns : dict
        Columns as users know them, with the stored columns each stands for.
    """

    def __init__(self, table: Table, held: NDArray[np.bool_], own: dict[str, Any]) -> None:
        self.table = table
        self.held = held
        self.columns = grouped(_flat_columns(table))
        self._rows = table.rows  # a later edit replaces the table's rows, not what is frozen
        self._own = own
        self._orders: dict[str, Rows] = {}
        self.shown = held & self.whole("valid").to_numpy(dtype=bool) if "valid" in self.columns else held

    def __len__(self) -> int:
        return int(np.count_nonzero(self.shown))

    def only(self, columns: tuple[str, ...]) -> Frozen:
        """Return the same rows with fewer columns, as a view shows them."""
        narrow = copy(self)  # the index is shared
        narrow.columns = {name: self.columns[name] for name in columns}
        return narrow

    def without(self, rows: Rows) -> Frozen:
        """Return the same table with some rows hidden from queries."""
        fewer = copy(self)
        fewer.shown = self.shown.copy()
        fewer.shown[rows] = False
        return fewer

    def whole(self, column: str) -> pd.Series:
        """Return a stored column for all rows, those that do not hold included."""
        if column in self._own:
            return pd.Series(self._own[column], copy=False)
        return self._rows[column].iloc[: len(self.held)]

    def values(self, column: str, rows: Rows) -> pd.Series:
        """Return a stored column of some rows, numbered from 0."""
        return self.whole(column).take(rows).reset_index(drop=True)

    def frame(self, rows: Rows | None = None) -> pd.DataFrame:
        """Return flat rows with all stored columns; without `rows` all that held."""
        chosen = np.flatnonzero(self.held) if rows is None else rows
        stored = [column for group in self.columns.values() for column in group]
        return pd.DataFrame({column: self.values(column, chosen) for column in stored}, copy=False)

    def is_indexed(self, column: str) -> bool:
        """Whether `find` answers for this column."""
        return column == "id" or (column in self._own and column.endswith(ROOT))

    def find(self, column: str, values: NDArray[Any]) -> Rows:
        """Return the rows, in order, in which an indexed column has one of these distinct values."""
        whole, order = self.whole(column).to_numpy(), self._order(column)
        first = np.searchsorted(whole, values, "left", sorter=order)
        counts = np.searchsorted(whole, values, "right", sorter=order) - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.sort(order[np.repeat(first, counts) + within])

    def distinct_roots(self, column: str) -> layout.Ids:
        """Return the root ids in a column, sorted, without 0."""
        ordered = self.whole(column).to_numpy()[self._order(column)]
        first = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
        return np.asarray(ordered[first & (ordered != 0)], dtype=np.uint64)

    def _order(self, column: str) -> Rows:
        if column not in self._orders:
            self._orders[column] = np.argsort(self.whole(column).to_numpy(), kind="stable")
        return self._orders[column]


def frame(state: Freezer, table: Table, at: datetime) -> pd.DataFrame:
    """Return the flat rows that held at a time, each supervoxel followed by its root then, 0 where it had none."""
    versions = [version for version in state.versions if version.timestamp == at and table.name in version.tables]
    frozen = frozen_in(state, table, versions[0]) if versions else live(state, table, at)
    return frozen.frame()


def frozen_in(state: Freezer, table: Table, version: Version) -> Frozen:
    """Return a table as a version froze it; kept, since a version never changes."""
    key = (table.name, version.number)
    if key not in state.frames:
        state.frames[key] = freeze(state.graph, table, version.timestamp)
    state.frames.move_to_end(key)
    while len(state.frames) > 1 and sum(len(frozen.held) for frozen in state.frames.values()) > _MAX_CACHED_ROWS:
        state.frames.popitem(last=False)
    return state.frames[key]


def live(state: Freezer, table: Table, at: datetime) -> Frozen:
    """Return a table at any time; a version before it saves most of the look-ups."""
    before = [version for version in state.versions if version.timestamp <= at and table.name in version.tables]
    if not before:
        return freeze(state.graph, table, at)
    base = frozen_in(state, table, max(before, key=lambda version: version.timestamp))
    return freeze(state.graph, table, at, base)


def freeze(graph: ChunkedGraph, table: Table, at: datetime, base: Frozen | None = None) -> Frozen:
    """Compute a table at a time; `base` is the same table earlier, whose roots are taken over where still current."""
    rows = table.rows
    held = ((rows["created"] <= at) & ~(rows["deleted"] <= at)).to_numpy(dtype=bool)
    own = _undone(rows)
    usable = base if base is not None and _continues(base, table) else None
    for point in table.points:
        supervoxels = rows[point + SUPERVOXEL].to_numpy(dtype=np.uint64)
        roots, over = _taken_over(graph, usable, point + ROOT, at, len(rows))
        unknown = np.flatnonzero(held & (supervoxels != 0) & (over | (roots == 0)))
        roots[unknown] = _looked_up(graph, supervoxels[unknown], at)
        own[point + ROOT] = roots
    return Frozen(table, held, own)


def _flat_columns(table: Table) -> list[str]:
    roots = {point + SUPERVOXEL: point + ROOT for point in table.points}
    columns: list[str] = []
    for column in table.rows.columns:
        columns += [column, roots[column]] if column in roots else [column]
    return [column for column in columns if column != "deleted"]


def _undone(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the columns that a later deletion changed as they were while the row held."""
    ended = rows["deleted"].notna().to_numpy()
    if not ended.any():
        return {}
    was: dict[str, Any] = {}
    if "valid" in rows:
        was["valid"] = rows["valid"].to_numpy(dtype=bool) | ended
    if "superceded_id" in rows:
        was["superceded_id"] = rows["superceded_id"].astype("Int64").mask(ended).array
    return was


def _taken_over(
    graph: ChunkedGraph, base: Frozen | None, column: str, at: datetime, count: int
) -> tuple[layout.Ids, NDArray[np.bool_]]:
    """Return an earlier moment's roots, 0 where there are none, and which of them no longer hold."""
    roots, over = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=bool)
    if base is not None:
        roots[: len(base.held)] = base.whole(column)
        over[_superseded(graph, base, column, at)] = True
    return roots, over


def _superseded(graph: ChunkedGraph, base: Frozen, column: str, at: datetime) -> Rows:
    roots = base.distinct_roots(column)
    if not len(roots):
        return np.empty(0, dtype=np.int64)
    # is_latest still calls a root superseded at this very moment the latest; roots() does not.
    return base.find(column, roots[~np.asarray(graph.is_latest(roots, at + _TICK), dtype=bool)])


def _looked_up(graph: ChunkedGraph, supervoxels: layout.Ids, at: datetime) -> layout.Ids:
    if not len(supervoxels):
        return supervoxels
    distinct, place = np.unique(supervoxels, return_inverse=True)
    roots = np.asarray(graph.roots(distinct, at), dtype=np.uint64)
    # Where nothing resolves, the graph echoes its input.
    return np.where(layout.layer_of(roots) < layout.N_LAYERS, np.uint64(0), roots)[place]


def _continues(base: Frozen, table: Table) -> bool:
    """Whether the table's rows begin with those that were frozen."""
    count = len(base.held)
    if count > len(table.rows):
        return False
    columns = ["id", *(point + SUPERVOXEL for point in table.points)]
    return all(np.array_equal(base.whole(column), table.rows[column].iloc[:count]) for column in columns)
