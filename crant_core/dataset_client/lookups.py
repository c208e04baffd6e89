"""From cells to roots and back, for a dataset's client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crant_core.dataset_client.cells import Frozen, Place, cells_of_roots, roots_of_cells
from crant_core.dataset_client.session import Session, check_client, describe
from crant_core.errors import InvalidInput
from crant_core.parsing import ids_or_none
from crant_core.times import TimeBase, When

if TYPE_CHECKING:
    import pandas as pd


class Lookups(Session):
    """Questions to the tables that number cells."""

    _lookup_view: str | None = None
    _main_table: str | None = None
    _alternative_tables: tuple[str, ...] = ()

    def cell_id_to_root_id(  # noqa: PLR0917 - the order that people know
        self,
        cell_ids: Any,
        client: Any = None,
        timestamp: When = None,
        materialization_version: int | None = None,
        filter_empty: bool = True,
        omit_multiple: bool = False,
    ) -> pd.Series:
        """Find the root of each cell.

        Parameters
        ----------
        cell_ids : ids
            Whole numbers, one or many; missing ones are cells without a root.
        client : CAVEclient or DatasetClient, optional
            Ask with this one, at the version and time it looks at. Left out: this client.
        timestamp : time, optional
            Any form of a time: the roots of that time, looked up from the cells' supervoxels. Left out: the roots as
            they were in the version.
        materialization_version : int, optional
            Whose table of cells is read. Left out: the version that `timestamp` names, such as `"mat_7"`, else that
            of the client.
        filter_empty : bool, default True
            Leave out cells without a root. If False, every cell is there, those without a root with NA.
        omit_multiple : bool, default False
            Treat cells that are not alone in their root, and cells with several roots, as cells without a root.

        Returns
        -------
        Series of Int64, named root_id
            Indexed by the cells as they were given: in input order, repetitions kept. A cell with several roots has a
            row for each, one after the other. `attrs` holds `timestamp` (the time of the roots, ISO 8601, UTC),
            `materialization` (its version, None if it is none's), `table_version` and `dataset`.

        Raises
        ------
        InvalidId
        InvalidInput
            The client knows no view for this.
        InvalidTime
        VersionNotFound
            The version never was, or it has expired; give a later one with a `timestamp`.
        SourceError

        Notes
        -----
        Endpoint: `POST /materialize/api/v3/datastack/{datastack}/version/{version}/views/{view}/query`, once for every
        45,000 cells; with `timestamp` also `roots_binary`; with `omit_multiple` the view once more, and the requests of
        `root_id_to_cell_id` for roots that do not hold in the version.
        """
        view = self._place()
        asked, cells = self._asker(client), ids_or_none(cell_ids)
        base, tables = asked._times(timestamp, materialization_version)
        when = None if base.version == tables.version else base.timestamp
        found = roots_of_cells(asked._source, view, {cell for cell in cells if cell is not None}, tables, when)
        if omit_multiple:
            inside = cells_of_roots(asked._source, [view], {root for roots in found.values() for root in roots}, tables)
            found = {cell: roots for cell, roots in found.items() if _is_alone(roots, inside)}
        rows = [(cell, root) for cell in cells for root in found.get(cell or 0, [None])]
        return asked._series(rows, ("cell_id", "root_id"), filter_empty, base, tables)

    def root_id_to_cell_id(self, root_ids: Any, client: Any = None, filter_empty: bool = False) -> pd.Series:
        """Find the cell in each root, whenever the root held.

        The tables of cells are those of the client's version. A root that is not of the version's time is looked at as
        it was while it held: which of the cells were in it then. The answer comes on every input.

        Parameters
        ----------
        root_ids : ids
            Root ids of any age, one or many; missing ones, 0, and what never was a root have no cell.
        client : CAVEclient or DatasetClient, optional
            Ask with this one, at the version it looks at. Left out: this client.
        filter_empty : bool, default False
            Leave out roots without a cell.

        Returns
        -------
        Series of Int64, named cell_id
            Indexed by the roots as they were given: in input order, repetitions kept. NA for roots without a cell, and
            for those with several; `.fillna(-1)` gives what cortical-tools has. `attrs` holds `timestamp` (ISO 8601,
            UTC) and `materialization`, those of the tables, and `dataset`.

        Raises
        ------
        InvalidId
        InvalidInput
            The client knows no table for this.
        VersionNotFound
            The version has expired.
        SourceError

        Notes
        -----
        Endpoints: `is_latest_roots`; `POST …/version/{version}/table/{table}/query`, once for each table; for roots
        that do not hold at the version's time `lineage_graph_multiple`, and `roots_binary` once for each of the fewest
        moments at which all of them held.
        """
        places = self._places()
        asked, roots = self._asker(client), ids_or_none(root_ids)
        base, tables = asked._times(None, None)
        inside = cells_of_roots(asked._source, places, {root for root in roots if root}, tables)
        single = {root: next(iter(cells)) for root, cells in inside.items() if len(cells) == 1}
        rows = [(root, single.get(root or 0)) for root in roots]
        return asked._series(rows, ("root_id", "cell_id"), filter_empty, base, tables)

    def _asker(self, client: Any) -> Lookups:
        """Return who asks: this client, or one that uses the given one's connection, version and time."""
        if client is None or client is self or client is self.cave:
            return self
        return client if isinstance(client, Lookups) else _around(client)

    def _times(self, timestamp: When, version: int | None) -> tuple[TimeBase, Frozen]:
        """Return the time of the roots, and the version whose tables are read."""
        base = None if timestamp is None else self._time(timestamp)
        number = version if version is not None else base.version if base and base.version else self.version
        if base is not None and base.version == number:
            return base, Frozen(number, base.timestamp)
        shown = self.version_timestamp(number)
        return base or TimeBase(f"mat_{number}", shown, number), Frozen(number, shown)

    def _series(
        self,
        rows: Iterable[tuple[int | None, int | None]],
        names: tuple[str, str],
        filter_empty: bool,
        base: TimeBase,
        tables: Frozen,
    ) -> pd.Series:
        import pandas as pd

        kept = [row for row in rows if not (filter_empty and row[1] is None)]
        keys, values = [key for key, _ in kept], [value for _, value in kept]
        index = pd.Index(pd.array(keys, dtype="Int64" if None in keys else "int64"), name=names[0])
        found = pd.Series(pd.array(values, dtype="Int64"), index=index, name=names[1])
        found.attrs |= base.attrs(self._described.name) | {"table_version": tables.version}
        return found

    def _place(self) -> Place:
        if self._lookup_view is None:
            raise _unset(self.datastack_name, "cell_id_lookup_view")
        return Place(self._lookup_view, is_view=True)

    def _places(self) -> list[Place]:
        if self._main_table is None:
            raise _unset(self.datastack_name, "root_id_lookup_main_table")
        return [Place(self._main_table), *(Place(name, "target_id") for name in self._alternative_tables)]


def _around(cave: Any) -> Lookups:
    check_client(cave)
    return Lookups(describe(cave.datastack_name, cave.server_address), cave, None)


def _is_alone(roots: Sequence[int], inside: Mapping[int, set[int]]) -> bool:
    return len(roots) == 1 and len(inside.get(roots[0], ())) <= 1


def _unset(datastack: str, argument: str) -> InvalidInput:
    hint = f"construct the client with {argument}, or describe it in a Dataset and use DatasetClient.of"
    return InvalidInput(f"it is not known which table of {datastack} numbers cells", value=argument, hint=hint)
