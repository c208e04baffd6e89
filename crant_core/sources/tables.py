"""Annotation tables as versions froze them, asked by ids, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from crant_core.errors import SourceError, Truncated, VersionNotFound
from crant_core.sources.chunkedgraph_requests import JSON_IDS, asking

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.sources.cave import CaveSource


class Tables:
    """The tables and views of one datastack's versions. Threads may share it; nothing is asked before it is used.

    An answer that the server cut at its row limit is not used: its ids are asked in two halves instead, as often as is
    needed.

    Parameters
    ----------
    source : CaveSource
        Whose caveclient is used; what people set on theirs, such as `version`, changes nothing here.
    """

    def __init__(self, source: CaveSource) -> None:
        self._source = source

    def rows(
        self, name: str, column: str, values: Sequence[int], columns: Sequence[str], version: int, *, view: bool = False
    ) -> pd.DataFrame:
        """Fetch the rows in which a column has one of some ids.

        Source: `POST /materialize/api/v3/datastack/{datastack}/version/{version}/table/{name}/query`, for views
        `…/views/{name}/query`, once for every 45,000 ids.

        Parameters
        ----------
        name : str
            A table, or with `view` a view. Of a table that refers to another one, its own columns.
        column : str
            Such as `id` or `pt_root_id`.
        values : sequence of int
            Ids; of equal ones each is asked once.
        columns : sequence of str
            Those wanted, which hold ids.
        version : int
        view : bool
            Whether it is a view.

        Returns
        -------
        DataFrame
            The columns wanted, all of type Int64, in no particular order; empty if no ids are given.

        Raises
        ------
        VersionNotFound
            The version has expired.
        Truncated
            One id has more rows than the server gives.
        SourceError
        """
        import pandas as pd

        asked = sorted(dict.fromkeys(int(value) for value in values))
        parts = [pd.DataFrame({wanted: pd.Series(dtype="Int64") for wanted in columns})]
        waiting = [asked[start : start + JSON_IDS] for start in range(0, len(asked), JSON_IDS)][::-1]
        while waiting:
            part = waiting.pop()
            try:
                parts.append(self._rows(name, {column: part}, list(columns), version, view=view))
            except Truncated:
                if len(part) == 1:
                    raise
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
        return pd.concat(parts, ignore_index=True)

    def _rows(
        self, name: str, condition: dict[str, list[int]], columns: list[str], version: int, *, view: bool
    ) -> pd.DataFrame:
        server = self._source.dataset.server
        try:
            with asking(server):
                frame = self._query(name, condition, columns, version, view=view)
        except SourceError as error:
            if error.value != HTTPStatus.GONE:
                raise
            hint = "its tables can no longer be queried; choose a later version"
            raise VersionNotFound(f"materialization version {version} has expired", value=version, hint=hint) from error
        return _exact(frame, columns, name)

    def _query(
        self, name: str, condition: dict[str, list[int]], columns: list[str], version: int, *, view: bool
    ) -> pd.DataFrame:
        materialize = self._source.client().materialize
        options: dict[str, Any] = {
            "filter_in_dict": condition,
            "select_columns": columns,
            "materialization_version": version,
            "split_positions": True,
            "metadata": False,
        }
        found: pd.DataFrame = (
            materialize.query_view(name, **options)
            if view
            else materialize.query_table(name, merge_reference=False, log_warning=False, **options)
        )
        return found


def _exact(frame: pd.DataFrame, columns: list[str], name: str) -> pd.DataFrame:
    """Return columns of ids as Int64, or refuse them: an id that was a float has lost digits."""
    for column in columns:
        if column not in frame or frame[column].dtype.kind not in "iu":
            raise SourceError(f"the answer has no ids in column {column} of {name}", value=column)
    return frame[columns].astype("Int64").reset_index(drop=True)
