"""What people's tables hold, read exactly: columns of ids, of numbers, of labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidId, InvalidInput, WrongType
from crant_core.parsing import is_missing, root_ids_of

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 5
_EXACT = 2.0**53
_FLOAT_IDS = "floats lose digits of ids; keep them as int64, as strings, or as pandas' Int64 where some are missing"


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse an argument that is none of some words.

    Raises
    ------
    InvalidInput
    """
    if value not in allowed:
        raise InvalidInput(f"{name} is {value!r}", value=value, hint=f"give one of: {', '.join(allowed)}")


def table_given(table: Any, what: str) -> None:
    """Refuse what is no DataFrame.

    Raises
    ------
    WrongType
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        message = f"the {what} is a {type(table).__name__}"
        raise WrongType(message, value=type(table).__name__, hint="give a pandas.DataFrame")


def column_of(table: pd.DataFrame, name: str, what: str = "table") -> pd.Series:
    """Return a column.

    Raises
    ------
    WrongType
        This is no table.
    InvalidInput
        The table does not have it, or has several of that name.
    """
    table_given(table, what)
    times = int((table.columns == name).sum())
    if times != 1:
        problem = f"has no column {name!r}" if times == 0 else f"has {times} columns {name!r}"
        hint = f"it has: {', '.join(map(str, table.columns))}"
        raise InvalidInput(f"the {what} {problem}", value=name, hint=hint)
    return table[name]


def ids_in(column: pd.Series) -> NDArray[np.int64]:
    """Read a column of root ids exactly; a column of integers is not copied.

    Raises
    ------
    InvalidId
        Floats, or something that is no id.
    InvalidInput
        Ids are missing, with the rows.
    """
    values = column.to_numpy() if isinstance(column.dtype, np.dtype) else None
    if values is not None and values.dtype.kind == "i":
        if len(values) and values.min() < 0:
            raise InvalidId(f"{values.min()} is not an id", value=int(values.min()))
        return np.ascontiguousarray(values, dtype=np.int64)
    return _mixed_ids(column)


def _mixed_ids(column: pd.Series) -> NDArray[np.int64]:
    import pandas as pd

    if column.dtype.kind == "f":
        raise InvalidId(f"the ids in column {column.name!r} are {column.dtype}", value=column.name, hint=_FLOAT_IDS)
    codes, different = pd.factorize(column)
    if (codes < 0).any():
        missing = rows_named(column, codes < 0)
        raise InvalidInput(f"ids are missing in column {column.name!r}, {missing}", value=column.name)
    return root_ids_of(list(different), zero=True)[codes]


def numbers_in(column: pd.Series) -> NDArray[np.float64]:
    """Read a column of finite numbers as float64.

    Raises
    ------
    InvalidInput
        Something is no number, or not finite, with the rows.
    """
    import pandas as pd

    try:
        numbers = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"column {column.name!r} is not of numbers: {error}", value=column.name) from error
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        rows = rows_named(column, wrong)
        raise InvalidInput(f"column {column.name!r} has values that are not finite numbers, {rows}", value=column.name)
    return numbers


def rows_named(table: pd.DataFrame | pd.Series, wrong: NDArray[np.bool_]) -> str:
    """Name rows of a table by their index, the first few of them."""
    index = table.index[wrong]
    some = ", ".join(str(label) for label in index[:_SHOWN])
    if len(index) > _SHOWN:
        return f"in rows {some}, … ({len(index):,} in all)"
    return f"in row {some}" if len(index) == 1 else f"in rows {some}"


def neuron_label(value: Any) -> str:
    """Read a neuron's id, or its name in a table made by hand, as a string.

    Raises
    ------
    InvalidId
        It is a float or missing.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and value.strip():
        return value.strip()
    if hasattr(value, "__index__") and not isinstance(value, bool):
        return str(value.__index__())
    hint = _FLOAT_IDS if isinstance(value, float | np.floating) else "give integers or strings"
    raise InvalidId(f"{value!r} is not a neuron", value=value, hint=hint)


def neuron_labels(values: Iterable[Any]) -> list[str]:
    """Read neurons' ids or names as strings; see `neuron_label`."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    if isinstance(array, np.ndarray) and array.dtype.kind in "iu":
        return list(map(str, array.tolist()))
    return [neuron_label(value) for value in array]


def type_label(value: Any) -> str | None:
    """Read a cell type as a string without blanks around it; a whole number as its digits, what is missing as None.

    Missing are None, NaN, NA, NaT and blanks. The strings `"nan"` and `"None"` are types like all others: whoever wrote
    them may have meant them.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if is_missing(value):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < _EXACT:
        return str(int(value))  # a column of numbers of which one is missing
    return str(value).strip() or None


def many(values: Any) -> list[Any]:
    """Put what may be one value or several into a list."""
    if values is None or isinstance(values, str | bytes) or not isinstance(values, Iterable):
        return [] if values is None else [values]
    return list(values)
