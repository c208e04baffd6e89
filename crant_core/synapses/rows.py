"""Rows of a dataset's synapse table: whole, typed, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.errors import InvalidInput
from crant_core.sources.chunkedgraph_requests import asking
from crant_core.sources.table_requests import check_columns
from crant_core.sources.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crant_core.sources.cave import CaveSource
    from crant_core.synapses.question import Question

ID, PRE, POST, SIZE = "id", "pre_pt_root_id", "post_pt_root_id", "size"
PRE_AT, POST_AT, CENTRE = "pre_pt_position", "post_pt_position", "ctr_pt_position"
ENDS = (ID, PRE, POST)
NM = (1.0, 1.0, 1.0)

Where = Mapping[str, Iterable[int]]

_AXES = ("_x", "_y", "_z")
_EMPTY: dict[str, str] = {
    **dict.fromkeys((ID, PRE, POST, SIZE, "pre_pt_supervoxel_id", "post_pt_supervoxel_id"), "int64"),
    "created": "datetime64[ns, UTC]",
    "superceded_id": "Int64",
    "valid": "bool",
}
_OFTEN_MISSING = "superceded_id"  # no row has one that holds still


def synapse_table(source: CaveSource) -> str:
    """Return the name of a dataset's synapse table: the dataset's own, else that of CAVE's description.

    Raises
    ------
    InvalidInput
        There is none.
    SourceError
    """
    if source.dataset.synapse_table:
        return source.dataset.synapse_table
    with asking(source.dataset.server):
        found = source.client().info.get_datastack_info().get("synapse_table")
    if not found:
        hint = "describe the dataset with its synapse_table, and register it"
        raise InvalidInput(f"{source.dataset.name} has no synapse table", value=source.dataset.name, hint=hint)
    return str(found)


def fetch(question: Question, wheres: Sequence[Where], columns: Sequence[str], *, all_columns: bool = False) -> Any:
    """Fetch the rows that meet one of some conditions, positions in nm.

    Requests: for each condition one for every 45,000 ids, and two more for each that the server cut. Conditions are
    asked at the same time: a server cannot be asked for either of two.

    Parameters
    ----------
    question : Question
        The roots in the conditions are those of its time.
    wheres : sequence of mapping
        Ids by column; see `Tables.select`.
    columns : sequence of str
        Those needed.
    all_columns : bool
        Fetch the others too.

    Returns
    -------
    DataFrame
        In order of `id`. Ids are int64, 0 for what was not looked up; numbers and truth values of which none is missing
        are NumPy's.

    Raises
    ------
    SourceError
        The table has no such column, or as in `Tables.select`.
    """
    table, tables = synapse_table(question.source), Tables(question.source)

    def ask(where: Where) -> pd.DataFrame:
        wanted = () if all_columns else columns
        return tables.select(table, where, question.base, wanted, resolution=NM, place=CENTRE)

    with ThreadPoolExecutor(len(wheres)) as pool:
        frames = [frame for frame in pool.map(ask, wheres) if len(frame.columns)]
    for frame in frames:
        check_columns(table, columns, frame)
    return joined(frames, columns)


def joined(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put answers together, each row once, typed; without any, an empty table with some columns."""
    if not frames:
        return _nothing(columns)
    rows = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    if len(frames) > 1:
        rows = rows.drop_duplicates(ID).sort_values(ID, kind="stable", ignore_index=True)
    return pd.DataFrame({name: _plain(column) for name, column in rows.items()})


def positions(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return the positions of a name, (n, 3) nm; NaN where there is none."""
    axes = [rows[name + axis].to_numpy(np.float64, na_value=np.nan) for axis in _AXES]
    return np.stack(axes, axis=1)


def without_axes(rows: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Drop the columns of positions."""
    return rows.drop(columns=[name + axis for name in names for axis in _AXES])


def _nothing(columns: Sequence[str]) -> pd.DataFrame:
    flat = [each for name in columns for each in ([name + axis for axis in _AXES] if _is_position(name) else [name])]
    return pd.DataFrame({name: pd.Series(dtype=_EMPTY.get(name, "int64")) for name in flat})


def _is_position(name: str) -> bool:
    return name.endswith("_position")


def _plain(column: pd.Series) -> pd.Series:
    """Give a nullable column NumPy's type if nothing is missing, and an id in any case."""
    kind = column.dtype.kind
    if kind not in "iufb" or column.name == _OFTEN_MISSING:
        return column
    if kind in "iu" and str(column.name).endswith("_id"):
        return pd.Series(column.to_numpy(np.int64, na_value=0), name=column.name)
    if column.hasnans:
        return column
    return pd.Series(column.to_numpy({"b": np.bool_, "f": np.float64}.get(kind, np.int64)), name=column.name)
