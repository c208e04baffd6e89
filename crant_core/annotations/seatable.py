"""Annotations in a SeaTable base."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

from crant_core.annotations.cells import COLUMNS, typed
from crant_core.sources.seatable import SeaTableReader

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import SeaTableStore


class SeaTableAnnotations:
    """A table of a SeaTable base with the 30 columns.

    Parameters
    ----------
    store : SeaTableStore
    token : str
        Of an account that may read the base.
    """

    def __init__(self, store: SeaTableStore, token: str) -> None:
        self._store = store
        self._token = token

    @property
    def key(self) -> Hashable:
        """The base, and who asks; datasets may share it."""
        return self._store, self._token

    def table(self) -> pd.DataFrame:
        """Fetch the whole table.

        Source: see `SeaTableReader.rows`. Cells that cannot be read are empty and listed in `attrs["unreadable"]`.

        Raises
        ------
        SourceError
        InvalidInput
            Ids are stored as numbers, so their digits are lost.
        """
        return self._typed(None)

    def about(self, roots: Collection[int]) -> pd.DataFrame:
        """Fetch the rows of some roots; raises as `table`.

        Source: see `SeaTableReader.rows`. People type ids: in a cell, there may be a blank before one, or after it.
        """
        cells = [f"'{before}{int(root)}{after}'" for root in roots for before in ("", " ") for after in ("", " ")]
        return self._typed(f"`root_id` IN ({', '.join(cells)})")

    def _typed(self, condition: str | None) -> pd.DataFrame:
        rows = SeaTableReader(self._store, self._token).rows(COLUMNS, condition)
        raw = {name: [row[name] for row in rows] for name in COLUMNS}
        return typed(raw, len(rows), self._store.table, strict=False)
