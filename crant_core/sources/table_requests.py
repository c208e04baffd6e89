"""One request for rows of a table: of a version as it froze them, or of any time, as the server looks them up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from crant_core.errors import SourceError, SourceUnavailable, VersionNotFound
from crant_core.sources.answers import limit_expected
from crant_core.sources.chunkedgraph_requests import asking
from crant_core.sources.table_parts import Part

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from crant_core.sources.cave import CaveSource

_ARROW = {"Content-Type": "application/json", "Accept-Encoding": "zstd"}
_LIVE = {
    "return_pyarrow": True,
    "arrow_format": True,
    "merge_reference": False,
    "direct_sql_pandas": True,
    "allow_missing_lookups": False,  # or else rows that are not looked up yet would be left out
    "allow_invalid_root_ids": True,  # they have no rows, as in a version
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of which table, apart from conditions.

    Attributes
    ----------
    table : str
    version : int or None
        What it froze.
    timestamp : datetime or None
        Without a version: the rows and roots of that time.
    columns : tuple of str
        As people name them, a position by its name without the axis; none at all means all.
    resolution : tuple of float, optional
        Unit of positions, nm; left out, the table's own.
    is_view : bool
        Views exist in versions only.
    """

    table: str
    version: int | None = None
    timestamp: datetime | None = None
    columns: tuple[str, ...] = ()
    resolution: tuple[float, float, float] | None = None
    is_view: bool = False


def ask(source: CaveSource, wanted: Wanted, part: Part) -> pd.DataFrame:
    """Make one request.

    Returns
    -------
    DataFrame
        As the server types it; positions in columns `*_x`, `*_y`, `*_z`.

    Raises
    ------
    Truncated
        The server cut the answer at its row limit.
    VersionNotFound
        The version has expired.
    SourceUnavailable
        The server has not looked up the newest rows yet.
    SourceError
        The table has no such column, which is named; or the server refused for another reason.
    """
    try:
        return _ask(source, wanted, part)
    except SourceError as error:
        better = _explained(source, replace(wanted, columns=(*part.where, *wanted.columns)), error)
        if better is None:
            raise
        raise better from error


def _ask(source: CaveSource, wanted: Wanted, part: Part, limit: int | None = None) -> pd.DataFrame:
    with asking(source.dataset.server):
        materialize = source.client().materialize
        frozen = wanted.version is not None
        found: pd.DataFrame = (_frozen if frozen else _live)(materialize, wanted, part, limit)
        return found


def _frozen(materialize: Any, wanted: Wanted, part: Part, limit: int | None) -> pd.DataFrame:
    options: dict[str, Any] = {
        "filter_in_dict": dict(part.where) or None,
        "filter_spatial_dict": _spatial(wanted, part),
        "select_columns": list(wanted.columns) or None,
        "materialization_version": wanted.version,
        "desired_resolution": list(wanted.resolution) if wanted.resolution else None,
        "split_positions": True,
        "metadata": False,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if limit is not None:
        options["limit"] = limit
    found: pd.DataFrame = (
        materialize.query_view(wanted.table, **options)
        if wanted.is_view
        else materialize.query_table(wanted.table, merge_reference=False, log_warning=False, **options)
    )
    return found


def _live(materialize: Any, wanted: Wanted, part: Part, limit: int | None) -> pd.DataFrame:
    """Ask what caveclient's `live_live_query` asks, which would set up the root logger as well."""
    from caveclient.materializationengine import deserialize_query_response

    body: dict[str, Any] = {
        "table": wanted.table,
        "timestamp": wanted.timestamp.isoformat() if wanted.timestamp else None,
        "filter_in_dict": {wanted.table: dict(part.where)} if part.where else None,
        "filter_spatial_dict": {wanted.table: spatial} if (spatial := _spatial(wanted, part)) else None,
        "select_columns": {wanted.table: list(wanted.columns)} if wanted.columns else None,
        "desired_resolution": list(wanted.resolution) if wanted.resolution else None,
        "limit": limit,
    }
    address = f"{materialize.server_address}/materialize/api/v3/datastack/{materialize.datastack_name}/query"
    text = json.dumps({name: value for name, value in body.items() if value is not None})
    response = materialize.session.post(address, data=text, headers=_ARROW, params=_LIVE, verify=materialize.verify)
    materialize.raise_for_status(response, log_warning=False)
    found: pd.DataFrame = deserialize_query_response(response)
    return found


def _spatial(wanted: Wanted, part: Part) -> dict[str, Any] | None:
    if part.box is None:
        return None
    return {part.place: [list(part.box.low), list(part.box.high)]}


def _explained(source: CaveSource, wanted: Wanted, error: SourceError) -> SourceError | VersionNotFound | None:
    """Return a better error for a refusal, if there is one."""
    if error.value == HTTPStatus.GONE:
        hint = "its tables can no longer be queried; choose a later version"
        message = f"materialization version {wanted.version} has expired"
        return VersionNotFound(message, value=wanted.version, hint=hint)
    if error.value == HTTPStatus.NOT_ACCEPTABLE:
        hint = "ask again in some minutes, or for a version or an earlier time"
        message = f"the newest rows of {wanted.table} are not looked up yet"
        return SourceUnavailable(message, value=error.value, hint=hint)
    if error.value == HTTPStatus.BAD_REQUEST:
        return _missing_column(source, wanted)
    return None


def _missing_column(source: CaveSource, wanted: Wanted) -> SourceError | None:
    """Say which column a table lacks, after a request with columns was refused: servers say it in many ways."""
    try:
        with limit_expected():
            row = _ask(source, replace(wanted, columns=()), Part({}), limit=1)
        check_columns(wanted.table, wanted.columns, row)
    except SourceError as error:
        return error if error.value in wanted.columns else None
    return None


def check_columns(table: str, columns: Iterable[str], frame: pd.DataFrame) -> None:
    """Refuse rows of a table that lack a column.

    Raises
    ------
    SourceError
        Its value is the first such column.
    """
    here = set(frame.columns)
    for column in columns:
        if column not in here and f"{column}_x" not in here:
            named = sorted({name[:-2] if name.endswith(("_x", "_y", "_z")) else name for name in here})
            hint = f"it has: {', '.join(named)}"
            raise SourceError(f"table {table} has no column {column}", value=column, hint=hint)
