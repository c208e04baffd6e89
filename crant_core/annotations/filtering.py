"""Rows of a table by the value of a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from crant_core.errors import FilteringError, InvalidInput
from crant_core.parsing import is_missing
from crant_core.values import match_dtype

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Test = Callable[[Any], bool]  #: of one value of a cell that is not missing

_MANY = (list, tuple, set, frozenset)
_CLASS = re.compile(r"\\.|\[\^?\]?((?:\\.|[^\]\\])*)\]", re.DOTALL)  # an escaped letter, or [ … ]
_BY_VALUE = {"boolean": "bool", "integer": "int64", "floating": "float64", "mixed-integer-float": "float64"}


def filter_df(  # noqa: PLR0917 - the documented order
    df: pd.DataFrame,
    column: str,
    value: Any,
    regex: bool = False,
    case: bool = False,
    match_all: bool = False,
    exact: bool = True,
) -> pd.DataFrame:
    r"""Keep the rows of a table whose cell in a column has a value.

    Parameters
    ----------
    df : DataFrame
    column : str
        With text, numbers, booleans or times, or with lists in any of its cells, whichever cell that is.
    value : object
        One value or many, of which any will do. In columns of booleans, numbers and times, text is read as one of those
        first, so that `"False"` is False; everywhere else values are compared as text, so an id may be an integer.
    regex : bool, default False
        Values are regular expressions, found anywhere in the text unless `^` and `$` say otherwise.
    case : bool, default False
        Capitals matter.
    match_all : bool, default False
        In a column with lists, all values must be in the cell's list. Elsewhere it has no effect: a cell has one value.
    exact : bool, default True
        The whole text must be the same. Otherwise a part of it will do; no letter has a special meaning. Without
        effect for regular expressions, and for columns of booleans, numbers and times.

    Returns
    -------
    DataFrame
        Those rows in their order, with their index. Missing cells never fit, and of no values none fits.

    Raises
    ------
    FilteringError
        There is no such column (the nearest names are told), a value is missing or nothing that the column can have,
        or a regular expression is none, or has `|` inside of `[…]`, where it means the letter and not "or".
    """
    return df[fitting(df, column, value, regex=regex, case=case, match_all=match_all, exact=exact)]


def fitting(
    df: pd.DataFrame,
    column: str,
    value: Any,
    *,
    regex: bool = False,
    case: bool = False,
    match_all: bool = False,
    exact: bool = True,
) -> NDArray[np.bool_]:
    """Say for each row whether `filter_df` would keep it, (n,) bool."""
    if column not in df.columns:
        raise FilteringError(f"there is no column {column!r}", value=column, hint=near(column, df.columns))
    cells = df[column]
    values = [_present(one, column) for one in _listed(value)]
    kept = _read(cells, values, column)
    if kept is None:
        tests = [_text_test(one, regex=regex, case=case, exact=exact) for one in values]
        return _by_text(cells.astype(object).tolist(), tests, match_all=match_all)
    found: NDArray[np.bool_] = cells.isin(kept).to_numpy(dtype=bool, na_value=False)
    return found & cells.notna().to_numpy()


def near(name: str, known: Iterable[Any]) -> str:
    """Say which names there are that are like another one; if none is, all of them."""
    names = [str(one) for one in known]
    parts = [one for one in names if str(name).lower() in one.lower()]
    found = list(dict.fromkeys([*get_close_matches(str(name), names, n=3), *parts]))
    return f"did you mean {', '.join(found[:5])}?" if found else f"there are: {', '.join(names)}"


def _listed(value: Any) -> list[Any]:
    if hasattr(value, "to_numpy"):  # Series and Index
        value = value.to_numpy()
    if hasattr(value, "tolist"):  # arrays and NumPy's scalars
        value = value.tolist()
    return list(value) if isinstance(value, _MANY) else [value]


def _present(value: Any, column: str) -> Any:
    if not isinstance(value, str) and is_missing(value):
        hint = f'rows without one are df[df["{column}"].isna()]'
        raise FilteringError(f"a missing value for {column} fits nothing", value=value, hint=hint)
    return value.item() if hasattr(value, "item") else value


def _read(cells: pd.Series, values: Sequence[Any], column: str) -> list[Any] | None:
    """Return values as a column has them; None if they are to be compared as text."""
    import pandas as pd

    if not cells.notna().any():  # an empty column has any type, and nothing in it fits
        return None
    dtype: Any = cells.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if dtype.kind == "O":
        dtype = _BY_VALUE.get(pd.api.types.infer_dtype(cells, skipna=True))
    if dtype is None or pd.api.types.is_string_dtype(dtype):
        return None
    try:
        read = [match_dtype(one, dtype) for one in values]
    except InvalidInput as error:
        raise FilteringError(f"{column} cannot be {error.value!r}", value=error.value, hint=error.message) from error
    zone = getattr(dtype, "tz", None)  # a time without a zone is meant in the column's
    return [one.tz_localize(zone) if zone and one.tzinfo is None else one for one in read]


def _by_text(cells: Sequence[Any], tests: Sequence[Test], *, match_all: bool) -> NDArray[np.bool_]:
    import numpy as np

    has_lists = any(_is_list(cell) for cell in cells)
    fits = _all_of if match_all and has_lists else _any_of
    known: dict[str, bool] = {}  # a column has few different texts

    def of(cell: Any) -> bool:
        if _is_list(cell):
            return fits([str(part) for part in cell if _is_list(part) or not is_missing(part)], tests)
        if is_missing(cell) and not isinstance(cell, str):
            return False
        text = str(cell)
        if text not in known:
            known[text] = fits([text], tests)
        return known[text]

    return np.fromiter((of(cell) for cell in cells), dtype=np.bool_, count=len(cells))


def _any_of(parts: Sequence[str], tests: Sequence[Test]) -> bool:
    return any(test(part) for test in tests for part in parts)


def _all_of(parts: Sequence[str], tests: Sequence[Test]) -> bool:
    return bool(tests) and all(any(test(part) for part in parts) for test in tests)


def _is_list(cell: Any) -> bool:
    return isinstance(cell, _MANY) or (hasattr(cell, "tolist") and getattr(cell, "ndim", 0) > 0)


def _text_test(value: Any, *, regex: bool, case: bool, exact: bool) -> Test:
    if regex:
        return _pattern_test(value, case=case)
    wanted = str(value)
    if not case:
        wanted = wanted.casefold()
        return (lambda text: text.casefold() == wanted) if exact else (lambda text: wanted in text.casefold())
    return (lambda text: text == wanted) if exact else (lambda text: wanted in text)


def _pattern_test(value: Any, *, case: bool) -> Test:
    if not isinstance(value, str):
        raise FilteringError(f"{value!r} is no regular expression", value=value, hint="give text")
    if any("|" in (found[1] or "").replace("\\|", "") for found in _CLASS.finditer(value)):
        hint = r"write (a|b) for a or b, and [\|] for the letter"
        raise FilteringError(f"in {value!r} the | inside of […] is a letter, not or", value=value, hint=hint)
    try:
        pattern = re.compile(value, 0 if case else re.IGNORECASE)
    except re.error as error:
        raise FilteringError(f"{value!r} is no regular expression: {error}", value=value) from error
    return lambda text: pattern.search(text) is not None
