"""The columns of an annotation table, and what their cells are, whatever they were written as."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from crant_core.errors import InvalidInput
from crant_core.ids import MAX_ID
from crant_core.parsing import is_missing
from crant_core.values import match_dtype

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "root_id", "root_id_processed", "supervoxel_id", "position", "nucleus_id", "nucleus_position", "root_position",
    "cave_table", "proofread", "status", "region", "proofreader_notes", "side", "nerve", "tract", "hemilineage", "flow",
    "super_class", "cell_class", "cell_type", "cell_subtype", "cell_instance", "known_nt", "known_nt_source",
    "alternative_names", "annotator_notes", "user_annotator", "user_proofreader", "ngl_link", "date_proofread",
)  # fmt: skip
"""All columns, in the order in which tables have them."""

IDS = ("root_id", "root_id_processed", "supervoxel_id", "nucleus_id")
POSITIONS = ("position", "nucleus_position", "root_position")
LISTS = ("status", "region")
FIELDS = tuple(
    name for name in COLUMNS if name not in {"root_id_processed", "supervoxel_id", *POSITIONS}
)  #: the 25 that can be searched

_log = logging.getLogger(__name__)
_FLOAT = re.compile(r"[+-]?\d*\.\d*|[+-]?\d+(\.\d*)?[eE][+-]?\d+")
_BETWEEN_NUMBERS = re.compile(r"\s*[,;]\s*|\s+")
_BETWEEN_NAMES = re.compile(r"[,;|]")
_BRACKETS = "[](){} \t\r\n"
_SPACE = 3
_FLOAT_HINT = "floats lose digits of ids: store ids as text or as 64-bit integers, also where some are missing"
_TRUE_OR_FALSE = "bool"


class _Unreadable(ValueError):
    """A cell that is nothing of its column's type."""


def typed(raw: Mapping[str, Sequence[Any]], rows: int, where: str, *, strict: bool) -> pd.DataFrame:
    """Make a table of annotations from cells as they came.

    Parameters
    ----------
    raw : mapping of str to sequence
        Cells by column, each (n,). Columns that are not in `COLUMNS` are left out, those that are missing are empty.
    rows : int
        n.
    where : str
        Named in messages.
    strict : bool
        Refuse cells that cannot be read. Otherwise they are empty, so that one mistyped cell does not keep everybody
        from everything, and `attrs["unreadable"]` lists them: (row, column, text).

    Returns
    -------
    DataFrame
        (n, 30), the columns of `COLUMNS`, all of type object. Ids are str or None; positions lists of three int, in
        voxels of the dataset's viewer (a decimal is rounded down, to the voxel that contains it), or None; `proofread`
        bool or None; `status` and `region` lists of str; all others str or None.

    Raises
    ------
    InvalidInput
        An id is a float or, with `strict`, a cell cannot be read.
    """
    import pandas as pd

    bad: list[tuple[int, str, str]] = []
    columns = {}
    for name in COLUMNS:
        read = _reader(name)
        cells = [_cell(read, value, (row, name), bad) for row, value in enumerate(raw.get(name, ()))]
        columns[name] = pd.Series(cells or [[] if name in LISTS else None for _ in range(rows)], dtype=object)
    if bad:
        _report(bad, where, strict=strict)
    table = pd.DataFrame(columns, columns=list(COLUMNS))
    table.attrs["unreadable"] = bad
    return table


def number_of(text: Any) -> int:
    """Return the number that a cell of ids names; 0 if it names none."""
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal():
        return 0
    number = int(text)
    return number if number <= MAX_ID else 0


def _report(bad: Sequence[tuple[int, str, str]], where: str, *, strict: bool) -> None:
    row, column, text = bad[0]
    message = f"{len(bad)} cells of {where} cannot be read, the first in row {row}, {column}: {text!r}"
    if strict:
        raise InvalidInput(message, value=text, hint=f"{_FLOAT_HINT}; a position is x, y, z in voxels")
    _log.warning("%s", message)


def _reader(name: str) -> Callable[[Any], Any]:
    if name in IDS:
        return _id
    if name in POSITIONS:
        return _position
    if name in LISTS:
        return _names
    return _boolean if name == "proofread" else _text


def _cell(read: Callable[[Any], Any], value: Any, place: tuple[int, str], bad: list[tuple[int, str, str]]) -> Any:
    if value is None:  # most cells
        return [] if read is _names else None
    plain = value.tolist() if hasattr(value, "tolist") else value  # numpy's scalars and arrays
    if not isinstance(plain, list | tuple) and is_missing(plain):
        return [] if read is _names else None
    try:
        return read(plain)
    except _Unreadable:
        bad.append((*place, str(value)))
        return [] if read is _names else None


def _id(value: Any) -> str:
    if isinstance(value, float | bool):
        raise InvalidInput(f"the id {value!r} is a {type(value).__name__}", value=value, hint=_FLOAT_HINT)
    text = str(value).strip()
    if _FLOAT.fullmatch(text):
        raise _Unreadable(text)
    return text


def _position(value: Any) -> list[int]:
    parts = value if isinstance(value, list | tuple) else _BETWEEN_NUMBERS.split(str(value).strip(_BRACKETS))
    if len(parts) != _SPACE:
        raise _Unreadable(value)
    try:
        return [math.floor(Decimal(str(part).strip())) for part in parts]
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise _Unreadable(value) from error


def _names(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        value = [part.strip(_BRACKETS).strip("'\"") for part in _BETWEEN_NAMES.split(str(value))]
    return [str(part) for part in value if not is_missing(part)]


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return bool(match_dtype(value, _TRUE_OR_FALSE))
    except InvalidInput as error:
        raise _Unreadable(value) from error


def _text(value: Any) -> str:
    if isinstance(value, dict):  # a long text of SeaTable, with its links and pictures
        return str(value.get("text") or "")
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
