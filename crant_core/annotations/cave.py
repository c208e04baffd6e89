"""Annotations in a table of the dataset's own CAVE."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from crant_core import times
from crant_core.annotations.cells import COLUMNS, IDS, POSITIONS, typed
from crant_core.errors import InvalidInput, Truncated
from crant_core.sources.failures import translated

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import CaveTableStore
    from crant_core.sources.cave import CaveSource

_BOUND_POINT = {"root_id": "pt_root_id", "supervoxel_id": "pt_supervoxel_id", "position": "pt_position"}


class CaveAnnotations:
    """A table of the materialization service, as it is in the latest version.

    Parameters
    ----------
    source : CaveSource
    store : CaveTableStore
        What the table's columns are called, unless they have the names of annotation fields, or the point is called
        `pt`; others are left out. A reference table also has the columns of the table it refers to.
    """

    def __init__(self, source: CaveSource, store: CaveTableStore) -> None:
        self._source = source
        self._store = store
        self._names = {name: name for name in COLUMNS} | _BOUND_POINT | dict(store.columns)

    @property
    def key(self) -> Hashable:
        """The table, and who asks."""
        return self._store, self._source.dataset.server, self._source.dataset.datastack, self._source.token()

    def table(self) -> pd.DataFrame:
        """Fetch the whole table, every part of it from one version.

        Source: `POST /materialize/api/v3/datastack/{datastack}/version/{version}/table/{table}/query`. When the
        server cuts the answer at its row limit, rows are asked for by ranges of their ids that hold no more than that.

        Raises
        ------
        SourceError
        Truncated
            One id alone has more rows than the server gives.
        InvalidInput
            The table has no column of root ids, or floats for ids.
        """
        import pandas as pd

        version = times.resolve(self._source, "mat").version
        parts = self._parts(version)
        frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        if "valid" in frame.columns:
            frame = frame[frame["valid"].isin([True, "t"])]
        if self._names["root_id"] not in frame.columns:
            hint = f"it has: {', '.join(frame.columns)}; `columns` says which column is which"
            message = f"the table {self._store.table} has no column {self._names['root_id']}"
            raise InvalidInput(message, value=self._store.table, hint=hint)
        raw = {name: cells for name in COLUMNS if (cells := self._cells(frame, name)) is not None}
        return typed(raw, len(frame), self._store.table, strict=False)

    def _parts(self, version: int | None) -> list[pd.DataFrame]:
        """Return all rows: at once, or in ranges of ids as wide as the row limit, wider where there are few."""
        parts: list[pd.DataFrame] = []
        low, width = 0, 0
        while True:
            try:
                return [*parts, self._fetch(version, low)]
            except Truncated as error:
                width = max(2 * width, int(error.value) - 1, 1)
            dense = True
            while dense:
                part, width = self._range(version, low, width)
                parts.append(part)
                low, dense = low + width, 2 * len(part) > width

    def _range(self, version: int | None, low: int, width: int) -> tuple[pd.DataFrame, int]:
        while True:
            try:
                return self._fetch(version, low, low + width), width
            except Truncated:
                if width == 1:
                    raise
                width = max(1, width // 2)

    def _fetch(self, version: int | None, low: int, high: int | None = None) -> pd.DataFrame:
        dataset = self._source.dataset
        with translated(dataset.server):
            rows: pd.DataFrame = self._source.client().materialize.query_table(
                self._store.table,
                filter_greater_equal_dict={"id": low} if low else None,
                filter_less_dict=None if high is None else {"id": high},
                materialization_version=version,
                split_positions=True,
                desired_resolution=list(dataset.viewer_resolution),
                log_warning=False,
            )
        return rows

    def _cells(self, frame: pd.DataFrame, name: str) -> list[Any] | None:
        column = self._names[name]
        axes = [f"{column}_{axis}" for axis in "xyz"]
        if name in POSITIONS and set(axes) <= set(frame.columns):
            return [list(point) for point in zip(*(frame[axis].tolist() for axis in axes), strict=True)]
        if column not in frame.columns:
            return None
        cells = frame[column].tolist()
        return [None if cell == 0 else cell for cell in cells] if name in IDS else cells
