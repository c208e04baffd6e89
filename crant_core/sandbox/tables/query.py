"""A materialization query and its answer: filters, joins, chosen columns, resolution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.tables.columns import AXES, POSITION, ROOT, SUPERVOXEL, nullable
from crant_core.sandbox.tables.filters import Filter, matching, stored
from crant_core.sandbox.tables.frozen import Frozen, Rows

Names = dict[str, dict[str, str]]  #: table -> column -> what the answer calls it

_DEFAULT_SUFFIXES = ("x", "y", "z", "xx", "yy", "zz", "xxx", "yyy", "zzz")  # the server adds them without a "_"


@dataclass(frozen=True, slots=True)
class Join:
    """An inner join on `left_table.left == right_table.right`."""

    left_table: str
    left: str
    right_table: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked.

    Attributes
    ----------
    tables : tuple of str
        In the order in which their columns are answered.
    filters : mapping
        Table to conditions; all must be met.
    select : mapping or None
        Table to the columns wanted; None means all but `omitted`.
    anywhere : tuple of str or None
        Columns wanted from whichever table has them first: joins may be asked so.
    dropped : frozenset of str
        Columns that are never answered, even if selected.
    resolution : tuple of float
        Units of the answer's positions, nm; None leaves positions as they are.
    sample : int or None
        How many rows of the first table to look at.
    """

    tables: tuple[str, ...]
    joins: tuple[Join, ...] = ()
    filters: Mapping[str, Sequence[Filter]] = field(default_factory=dict)
    select: Mapping[str, Sequence[str]] | None = None
    anywhere: Sequence[str] | None = None
    omitted: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    suffixes: Mapping[str, str] = field(default_factory=dict)
    resolution: tuple[float, ...] | None = None
    offset: int = 0
    limit: int | None = None
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found: `frame` has the server's nullable types, `matched` counts rows before offset and limit."""

    frame: pd.DataFrame
    names: Names
    matched: int


def run(query: Query, sources: Mapping[str, Frozen]) -> Answer:
    """Answer a query from frozen tables, which must be those it names."""
    rows = joined_rows(query, sources)
    matched = len(rows[query.tables[0]])
    end = None if query.limit is None else query.offset + query.limit
    shown = {name: found[query.offset : end] for name, found in rows.items()}
    return _assemble(query, sources, shown, matched)


def joined_rows(query: Query, sources: Mapping[str, Frozen]) -> dict[str, Rows]:
    """Return, for each table, its row in each row of the answer; one entry per table, all equally long."""
    unknown = (set(query.filters) | set(query.select or ())) - set(query.tables)
    if unknown:
        raise Refusal(400, f"tables {sorted(unknown)} are not part of the query")
    first = query.tables[0]
    rows = {first: matching(sources[first], query.filters.get(first, ()), _sampled(query, sources[first]))}
    for join in query.joins:
        rows = _join(join, rows, query, sources)
    return rows


def _sampled(query: Query, source: Frozen) -> Rows | None:
    if query.sample is None or query.sample >= len(source):
        return None
    chosen = np.random.default_rng().choice(np.flatnonzero(source.shown), query.sample, replace=False)
    return np.sort(chosen)


def _join(join: Join, rows: dict[str, Rows], query: Query, sources: Mapping[str, Frozen]) -> dict[str, Rows]:
    if join.left_table not in rows:
        join = Join(join.right_table, join.right, join.left_table, join.left)
    if join.left_table not in rows or join.right_table in rows:
        raise Refusal(400, f"can't join {join.left_table} with {join.right_table}")
    left, right = sources[join.left_table], sources[join.right_table]
    candidates = matching(right, query.filters.get(join.right_table, ()))
    pairs = _keys(left, join.left, rows[join.left_table], "left").merge(
        _keys(right, join.right, candidates, "right"), on="key"
    )
    ordered = pairs.sort_values(["left", "right"], kind="stable")
    place = ordered["left"].to_numpy()
    return {name: found[place] for name, found in rows.items()} | {
        join.right_table: candidates[ordered["right"].to_numpy()]
    }


def _keys(source: Frozen, column: str, rows: Rows, place: str) -> pd.DataFrame:
    if column.endswith(POSITION):
        raise Refusal(400, f"can't join on {column}")
    keys = source.values(stored(source, column)[0], rows)
    if pd.api.types.is_integer_dtype(keys.dtype):
        keys = keys.astype("Int64")  # keys of unlike integer types would be compared as floats
    return pd.DataFrame({"key": keys, place: np.arange(len(rows))}).dropna(subset="key")


def _assemble(query: Query, sources: Mapping[str, Frozen], rows: Mapping[str, Rows], matched: int) -> Answer:
    chosen = {name: _columns(query, name, sources[name]) for name in query.tables}
    if query.anywhere is not None:
        chosen = _found_anywhere(query, sources)
    times = Counter(column for columns in chosen.values() for column in columns)
    suffixes = _suffixes(query)
    answer: dict[str, pd.Series] = {}
    names: Names = {}
    for name, columns in chosen.items():
        called = {column: column + suffixes[name] if times[column] > 1 else column for column in columns}
        names[name] = called
        kept = {column: called[column] for column in columns if column not in query.dropped}
        answer |= _answered(sources[name], rows[name], kept, query.resolution)
    return Answer(pd.DataFrame(answer), names, matched)


def _columns(query: Query, name: str, source: Frozen) -> list[str]:
    if query.select is None:
        return [column for column in source.columns if column not in query.omitted]
    return _with_supervoxels(source, query.select.get(name, ()))


def _found_anywhere(query: Query, sources: Mapping[str, Frozen]) -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {name: [] for name in query.tables}
    for column in query.anywhere or ():
        having = [name for name in query.tables if column in sources[name].columns]
        if not having:
            raise Refusal(400, f"column {column} not found in any table referenced")
        wanted[having[0]].append(column)
    return {name: _with_supervoxels(sources[name], columns) for name, columns in wanted.items()}


def _with_supervoxels(source: Frozen, wanted: Sequence[str]) -> list[str]:
    """Put before each root id its supervoxel, as the server does: it needs them to look roots up."""
    columns: dict[str, None] = {}
    for column in wanted:
        stored(source, column)
        supervoxel = column.removesuffix(ROOT) + SUPERVOXEL
        if column.endswith(ROOT) and supervoxel in source.columns:
            columns[supervoxel] = None
        columns[column] = None
    return list(columns)


def _suffixes(query: Query) -> dict[str, str]:
    given = list(query.suffixes.values())
    if len(given) != len(set(given)):
        raise Refusal(500, f"Duplicate suffixes set in {dict(query.suffixes)}")
    default = dict(zip(query.tables, _DEFAULT_SUFFIXES, strict=False))
    return {name: query.suffixes.get(name, default.get(name, "")) for name in query.tables}


def _answered(
    source: Frozen, rows: Rows, called: Mapping[str, str], resolution: tuple[float, ...] | None
) -> dict[str, pd.Series]:
    factors = _factors(source, resolution)
    answer: dict[str, pd.Series] = {}
    for column, name in called.items():
        physical = source.columns[column]
        if not column.endswith(POSITION):
            answer[name] = nullable(source.values(physical[0], rows))
            continue
        for axis, part in enumerate(physical):
            values = nullable(source.values(part, rows))
            answer[name + AXES[axis]] = values if factors is None else values.astype("Float64") * factors[axis]
    return answer


def _factors(source: Frozen, resolution: tuple[float, ...] | None) -> list[float] | None:
    if resolution is None:
        return None
    factors = [mine / wanted for mine, wanted in zip(source.table.voxel_resolution, resolution, strict=True)]
    return None if all(factor == 1 for factor in factors) else factors
