"""Which rows of a frozen table a query's filters keep, with PostgreSQL's idea of comparison: nothing equals NULL."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.tables.columns import POSITION
from crant_core.sandbox.tables.frozen import Frozen, Rows

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; `kind` is one of `KINDS`, `column` is named as users know it."""

    kind: str
    column: str
    value: Any


def matching(frozen: Frozen, filters: Iterable[Filter], among: Rows | None = None) -> Rows:
    """Return the rows a query may see that meet all conditions, in order; `among` narrows where to look."""
    quick, slow = _split(frozen, filters)
    rows = among
    for condition in quick:
        found = frozen.find(condition.column, _integers(condition, frozen.whole(condition.column).dtype))
        rows = found if rows is None else np.intersect1d(rows, found, assume_unique=True)
    rows = np.flatnonzero(frozen.shown) if rows is None else rows[frozen.shown[rows]]
    for condition in slow:
        rows = rows[_keeps(frozen, condition, rows)]
    return rows


def stored(frozen: Frozen, column: str) -> tuple[str, ...]:
    """Return what a column stands for, or refuse."""
    if column not in frozen.columns:
        raise Refusal(400, f"column {column} not found in {frozen.table.name}")
    return frozen.columns[column]


def _split(frozen: Frozen, filters: Iterable[Filter]) -> tuple[list[Filter], list[Filter]]:
    quick: list[Filter] = []
    slow: list[Filter] = []
    for condition in filters:
        stored(frozen, condition.column)
        by_index = condition.kind in {"in", "equal"} and frozen.is_indexed(condition.column)
        (quick if by_index else slow).append(condition)
    return quick, slow


def _keeps(frozen: Frozen, condition: Filter, rows: Rows) -> Mask:
    physical = stored(frozen, condition.column)
    if condition.kind == "spatial":
        return _inside(frozen, physical, condition, rows)
    if condition.column.endswith(POSITION):
        raise Refusal(400, f"column {condition.column} takes only a spatial filter")
    return KINDS[condition.kind](frozen.values(physical[0], rows), condition)


def _inside(frozen: Frozen, physical: Sequence[str], condition: Filter, rows: Rows) -> Mask:
    low, high = _box(condition)
    if not condition.column.endswith(POSITION):
        raise Refusal(400, f"column {condition.column} has no position")
    inside = np.ones(len(rows), dtype=bool)
    for axis, column in enumerate(physical):
        values = frozen.values(column, rows)
        inside &= _as_mask((values >= low[axis]) & (values <= high[axis]))
    return inside


def _box(condition: Filter) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        low, high = np.asarray(condition.value, dtype=np.float64).reshape(2, 3)
    except (TypeError, ValueError):
        raise Refusal(500, f"{condition.value} is not a bounding box") from None
    if not (low < high).all():
        raise Refusal(500, f"min bounds: {low} must be less than max bounds: {high}")
    return low, high


def _is_in(values: pd.Series, condition: Filter) -> Mask:
    if not isinstance(condition.value, list):
        raise Refusal(500, f"in_() accepts a list of values for {condition.column}, not {condition.value!r}")
    if _holds_integers(values):
        return _is_one_of(values, _integers(condition, _numpy_integer(values)))
    return _as_mask(values.isin([_comparable(values, value) for value in condition.value if value is not None]))


def _is_one_of(values: pd.Series, wanted: NDArray[Any]) -> Mask:
    known = values.notna().to_numpy(dtype=bool)  # isin() of mixed integers would go through floats
    found = np.zeros(len(values), dtype=bool)
    found[known] = np.isin(values[known].to_numpy(dtype=wanted.dtype), wanted)
    return found


def _is_not_in(values: pd.Series, condition: Filter) -> Mask:
    listed = condition.value if isinstance(condition.value, list) else [condition.value]
    return ~_is_in(values, Filter("in", condition.column, listed)) & values.notna().to_numpy(dtype=bool)


def _compare(relation: Callable[[Any, Any], Any]) -> Callable[[pd.Series, Filter], Mask]:
    def keeps(values: pd.Series, condition: Filter) -> Mask:
        if isinstance(condition.value, list | dict):
            raise Refusal(500, f"can't compare {condition.column} with {condition.value!r}")
        if condition.value is None:
            return np.zeros(len(values), dtype=bool)
        return _as_mask(relation(values, _comparable(values, condition.value)))

    return keeps


def _fits(values: pd.Series, condition: Filter) -> Mask:
    if not pd.api.types.is_string_dtype(values.dtype):
        raise Refusal(500, "Regex filter is only supported on string columns")
    try:
        pattern = re.compile(condition.value)
    except (re.error, TypeError) as error:
        raise Refusal(500, f"invalid regular expression: {error}") from None
    return np.array([isinstance(value, str) and bool(pattern.search(value)) for value in values], dtype=bool)


KINDS: dict[str, Callable[[pd.Series, Filter], Mask]] = {
    "in": _is_in,
    "notin": _is_not_in,
    "out": _is_not_in,
    "equal": _compare(operator.eq),
    "greater": _compare(operator.gt),
    "less": _compare(operator.lt),
    "greater_equal": _compare(operator.ge),
    "less_equal": _compare(operator.le),
    "regex": _fits,
}  #: spatial filters are apart: they read three columns


def _as_mask(answer: pd.Series) -> Mask:
    return answer.fillna(value=False).to_numpy(dtype=bool)


def _holds_integers(values: pd.Series) -> bool:
    return pd.api.types.is_integer_dtype(values.dtype)


def _numpy_integer(values: pd.Series) -> np.dtype[Any]:
    dtype: Any = values.dtype
    plain: np.dtype[Any] = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    return plain


def _integers(condition: Filter, dtype: Any) -> NDArray[Any]:
    """Return what a column of a type can equal, sorted; numbers it cannot hold match nothing."""
    listed = condition.value if condition.kind in {"in", "notin", "out"} else [condition.value]
    if not isinstance(listed, list):
        raise Refusal(500, f"in_() accepts a list of values for {condition.column}, not {listed!r}")
    limits = np.iinfo(dtype)
    numbers = {number for value in listed if (number := _integer(condition, value)) is not None}
    return np.array(sorted(number for number in numbers if limits.min <= number <= limits.max), dtype=dtype)


def _integer(condition: Filter, value: Any) -> int | None:
    if value is None or (isinstance(value, float) and not value.is_integer()):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise Refusal(500, f"invalid input for column {condition.column}: {value!r}") from None


def _comparable(values: pd.Series, value: Any) -> Any:
    """Read a value the way the database reads a literal for a column."""
    try:
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            moment = pd.Timestamp(value)
            return moment.tz_localize("UTC") if moment.tzinfo is None else moment
        if pd.api.types.is_bool_dtype(values.dtype):
            return value in _TRUE if isinstance(value, str) else bool(value)
        if pd.api.types.is_numeric_dtype(values.dtype):
            return _number(value) if isinstance(value, str) else value
    except (TypeError, ValueError):
        raise Refusal(500, f"invalid input: {value!r}") from None
    return value if isinstance(value, str) else str(value)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


_TRUE = {"t", "true", "True", "1"}
