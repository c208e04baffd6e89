"""What people pass for neurons, ids and times, read exactly: no id goes through a float."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crant_core.errors import InvalidId, InvalidInput
from crant_core.ids import MAX_ID, parse_id
from crant_core.times import When, unix_seconds
from crant_core.values import FLOAT_HINT, array_of, is_many

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def parse_root_ids(neurons: Any) -> list[str]:
    """Read neurons in any form people have them.

    Parameters
    ----------
    neurons : int, str, array_like, pandas.Series, pandas.Index, pandas.DataFrame, NeuronCriteria, navis neuron(s)
        One or many. NumPy integers are integers; a DataFrame needs a column `root_id`; a navis neuron counts by its
        `id`; anything with `get_roots()` is asked for them.

    Returns
    -------
    list of str
        Decimal digits, in input order, repetitions kept.

    Raises
    ------
    InvalidId
        Something in it is no id: a float, a missing value, 0, a negative number, a name.
    """
    return [str(root_id) for root_id in root_ids_of(neurons).tolist()]


def root_ids_of(neurons: Any, zero: bool = False) -> NDArray[np.int64]:
    """Read neurons in any form people have them, as integers.

    Parameters
    ----------
    neurons : int, str, array_like, pandas.Series, pandas.Index, pandas.DataFrame, NeuronCriteria, navis neuron(s)
        As in `parse_root_ids`. Supervoxels and L2 ids are read as well: no layer is checked.
    zero : bool, optional
        Let 0, the background, pass.

    Returns
    -------
    ndarray
        (n,) int64, in input order, repetitions kept.

    Raises
    ------
    InvalidId
    """
    import numpy as np

    values = _values(neurons)
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if isinstance(values, np.ndarray) and kind in "iu":
        return _checked(values.ravel(), zero)
    return np.fromiter((_read(value, zero) for value in _flat(values)), np.int64)


def ids_or_none(neurons: Any) -> list[int | None]:
    """Read ids of which some are missing.

    Parameters
    ----------
    neurons : int, str, array_like, pandas.Series, pandas.Index, pandas.DataFrame, NeuronCriteria, navis neuron(s)
        As in `parse_root_ids`.

    Returns
    -------
    list of int or None
        In input order, repetitions kept. None for what is missing: None, NaN, NA, NaT and the empty string; 0 is 0.

    Raises
    ------
    InvalidId
    """
    return [None if is_missing(value) else _read(value, zero=True) for value in raw_ids(neurons)]


def raw_ids(neurons: Any) -> list[Any]:
    """List ids as they were given, missing ones too, unread: numbers as Python's own, strings as strings."""
    return list(_flat(_values(neurons)))


def is_missing(value: Any) -> bool:
    """Say whether a value stands for no id: None, NaN, NA, NaT or the empty string."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - NaN
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def parse_timestamp(x: When) -> str:
    """Read a moment as CAVE's servers write it.

    Parameters
    ----------
    x : str, int, float, datetime, numpy.datetime64 or pandas.Timestamp
        Numbers, and their digits, are unix seconds; text is ISO 8601, such as `"2021-11-15"`. Without a zone, it is
        UTC.

    Returns
    -------
    str
        Whole unix seconds, rounded down.

    Raises
    ------
    InvalidTime
    """
    return str(unix_seconds(x))


def _values(neurons: Any) -> Any:
    """Return the ids that something consists of, unread: an array, or something to iterate over."""
    if hasattr(neurons, "get_roots"):
        return _values(neurons.get_roots())
    if hasattr(neurons, "columns") and hasattr(neurons, "loc"):
        return _values(_column(neurons))
    if _is_neuron(neurons):
        return _values(neurons.id)
    if hasattr(neurons, "to_numpy"):
        return array_of(neurons)
    return neurons if is_many(neurons) or hasattr(neurons, "ravel") else [neurons]


def _column(table: Any) -> Any:
    if "root_id" not in table.columns:
        columns = ", ".join(map(str, table.columns))
        raise InvalidInput("the table has no column root_id", value=columns, hint=f"it has: {columns}")
    return table["root_id"]


def _is_neuron(value: Any) -> bool:
    navis = sys.modules.get("navis")
    return navis is not None and isinstance(value, navis.BaseNeuron | navis.NeuronList)


def _flat(values: Any) -> Iterator[Any]:
    """Yield elements, those of neurons in a list too."""
    if hasattr(values, "ravel") and hasattr(values, "dtype"):
        values = values.ravel().tolist()
    for value in values:
        if _is_neuron(value) or hasattr(value, "get_roots") or (is_many(value) and getattr(value, "ndim", 1) > 0):
            yield from _flat(_values(value))
        else:
            yield value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value


def _read(value: Any, zero: bool) -> int:
    if zero and hasattr(value, "__index__") and not isinstance(value, bool) and value == 0:
        return 0
    if zero and isinstance(value, str) and value.strip() == "0":
        return 0
    if isinstance(value, float) or is_missing(value):
        raise InvalidId(f"{value!r} is not an id", value=value, hint=FLOAT_HINT)
    return parse_id(value)


def _checked(ids: NDArray[Any], zero: bool) -> NDArray[np.int64]:
    import numpy as np

    wrong = (ids > MAX_ID) | (ids < 0 if zero else ids <= 0)
    if wrong.any():
        parse_id(ids[wrong][0])
    return ids.astype(np.int64)
