"""Values as arrays and as types, without a change of any whole number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from crant_core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOAT_HINT = "floats lose digits of ids; keep them as int64, as strings, or as pandas' Int64 where some are missing"
_EXACT = 2**53  # up to here, every whole number is a float
_TRUE, _FALSE = {"true", "t", "yes", "1"}, {"false", "f", "no", "0"}


def make_iterable(x: Any, force_type: type | str | None = None) -> NDArray[Any]:
    """Put a value, or many, into an array.

    Parameters
    ----------
    x : object
        A scalar or string is one element; lists, sets, generators, arrays, Series and Index are their elements; of a
        mapping, its keys.
    force_type : type, optional
        What to make of the elements, such as `int` or `str`.

    Returns
    -------
    ndarray
        (n,). Whole numbers stay exact: they become objects where NumPy would make floats of them.

    Raises
    ------
    InvalidInput
        An element cannot be that type without a change of its value.
    """
    array = _as_array(x)
    return array if force_type is None else _cast(array, force_type)


def match_dtype(value: Any, dtype: Any) -> Any:
    """Read a value as one of an array's or column's type, so that the two can be compared.

    Parameters
    ----------
    value : object
    dtype : type, str, numpy.dtype or pandas dtype
        Boolean, whole number, float, string, time, or object, of which nothing is asked.

    Returns
    -------
    object
        `"False"` as a boolean is False, and `"123"` as a whole number is 123.

    Raises
    ------
    InvalidInput
        The value is nothing of that type, or the type is another one.
    """
    import numpy as np

    kind = _kind_of(dtype)
    if kind not in _READERS:
        raise InvalidInput(f"values cannot be read as {dtype}", value=str(dtype))
    try:
        found = _READERS[kind](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{value!r} is no {dtype}", value=value) from error
    return found.item() if isinstance(found, np.generic) else found


def array_of(column: Any) -> Any:
    """Return a Series' or Index' values; pandas would make floats of an Int64 with gaps."""
    is_numpys = hasattr(getattr(column, "dtype", None), "hasobject")
    return column.to_numpy() if is_numpys or not hasattr(column, "array") else column.to_numpy(dtype=object)


def is_many(value: Any) -> bool:
    """Say whether a value is several: no text, and something to iterate over."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _kind_of(dtype: Any) -> str:
    import pandas as pd

    try:
        return "U" if dtype is str else str(pd.api.types.pandas_dtype(dtype).kind)
    except TypeError as error:
        raise InvalidInput(f"{dtype!r} is no type of values", value=str(dtype)) from error


def _as_array(x: Any) -> NDArray[Any]:
    import numpy as np

    if hasattr(x, "to_numpy"):
        return np.atleast_1d(array_of(x))
    if isinstance(x, np.ndarray):
        return np.atleast_1d(x)
    values = list(x) if is_many(x) else [x]
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:  # rows of different lengths
        raise InvalidInput(f"the values make no array: {error}", value=str(values[:5])) from error
    if array.dtype.kind != "f":
        return array
    exact = np.array(values, dtype=object)
    is_whole = np.frompyfunc(lambda value: hasattr(value, "__index__") and abs(int(value)) > _EXACT, 1, 1)
    return exact if is_whole(exact).any() else array


def _cast(array: NDArray[Any], kind: Any) -> NDArray[Any]:
    import numpy as np

    wanted = np.dtype(kind)
    if array.dtype.kind == "f" and wanted.kind in "iu":
        _check_whole(array)
    try:
        return array.astype(wanted)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"not all values can be {wanted}: {error}", value=str(array[:5])) from error


def _check_whole(array: NDArray[Any]) -> None:
    import numpy as np

    wrong = ~(np.isfinite(array) & (np.abs(array) < _EXACT) & (array == np.rint(array)))
    if wrong.any():
        raise InvalidInput(f"{array[wrong][0]!r} is no exact whole number", value=array[wrong][0], hint=FLOAT_HINT)


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(text)
    return text in _TRUE


def _whole(value: Any) -> int:
    if isinstance(value, str) or hasattr(value, "__index__"):
        return int(value)
    if float(value) != int(value) or abs(value) >= _EXACT:
        raise ValueError(value)
    return int(value)


def _time(value: Any) -> Any:
    import pandas as pd

    return pd.Timestamp(value)


def _same(value: Any) -> Any:
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "b": _boolean,
    "i": _whole,
    "u": _whole,
    "f": float,
    "U": str,
    "M": _time,
    "O": _same,
}
