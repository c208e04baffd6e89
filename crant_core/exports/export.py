"""One exported table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

import pyarrow as pa

from crant_core.cautions import UnknownUnitWarning
from crant_core.errors import ExportBroken, ExportPending, InvalidParameters
from crant_core.exports import rows
from crant_core.exports.filtering import Filter, check_columns, columns_of, condition
from crant_core.exports.header import schema_of
from crant_core.exports.parquet import is_whole, read, write
from crant_core.exports.points import UNITS, axis_of, scale, scaled_schema, source_of, split, unit_of, with_axes
from crant_core.values import is_many

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.exports.folder import Folder
    from crant_core.exports.parquet import ParquetCache

Unit = Sequence[float] | None
_NM = (1.0, 1.0, 1.0)
BATCH_ROWS = 65_536


class CloudFileViewExport:
    """An exported table of one version: a file of rows, and one that says what its columns are.

    Parameters
    ----------
    name : str
    size : int or None
        Of the file of rows, bytes; None: not known.
    version : int
        Of the materialization.
    filepath_base : str
        Where both files are, without their endings.
    _cf : Folder
    voxels : (3,) sequence of float, or callable, optional
        What positions in the file count, nm, or what finds it out; None: not known.
    cache : ParquetCache, optional
        Where `to_cache` keeps it.
    ending : str
        Of the file of rows.
    """

    def __init__(
        self,
        name: str,
        size: int | None,
        version: int,
        filepath_base: str,
        _cf: Folder,
        *,
        voxels: Unit | Callable[[], Unit] = None,
        cache: ParquetCache | None = None,
        ending: str = ".csv.gz",
    ) -> None:
        self.name, self.size, self.version, self.filepath_base = name, size, version, filepath_base
        self._folder, self._voxels_or_finder, self._cache, self._ending = _cf, voxels, cache, ending
        self._is_warned = False

    def __repr__(self) -> str:
        return f"CloudFileViewExport(name={self.name!r}, version={self.version}, size={self.size})"

    @property
    def datapath(self) -> str:
        """Where the rows are, below the folder."""
        return f"{self.filepath_base}{self._ending}"

    @property
    def headerpath(self) -> str:
        """Where the columns are described, below the folder."""
        return f"{self.filepath_base}_header.csv"

    @cached_property
    def schema(self) -> pa.Schema:
        """What the columns are, typed; geometries are three columns, and positions are as in the file.

        Raises
        ------
        ExportBroken
        SourceError
        """
        return with_axes(self._stored)

    def schema_in(self, columns: Sequence[str] | None = None, resolution: Unit = _NM) -> pa.Schema:
        """Return what `iter_batches` yields: types, and with which units.

        Raises
        ------
        ExportBroken, InvalidParameters, SourceError
        """
        wanted = self._wanted(columns)
        return self._in_unit(pa.schema([self.schema.field(name) for name in wanted]), resolution)[0]

    def iter_batches(
        self,
        columns: Sequence[str] | None = None,
        filter: Filter = None,  # noqa: A002 - the name that such arguments have
        batch_rows: int = BATCH_ROWS,
        *,
        resolution: Unit = _NM,
        after: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Read the rows in parts, in bounded memory whatever the size of the table.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these, in this order.
        filter : mapping or pyarrow.compute.Expression, optional
            Only these rows: a mapping says by column the value, or the values, that a row may have. Positions are
            compared in the unit that is asked for.
        batch_rows : int
            Rows of a part, at most.
        resolution : (3,) sequence of float, optional
            Unit of positions, nm; None: voxels, as in the file.
        after : int, default 0
            How many rows of the table to leave out at its beginning, before the filter: where an earlier call stopped.
        progress : callable, optional
            Called with how many rows of the table, from its beginning, are done: their batches were yielded, and what
            was done with them has ended. Given as `after`, it goes on there, without a row lost or twice.

        Yields
        ------
        pyarrow.RecordBatch
            Integers are int64, null where the file has nothing. Positions are float64 and their field's metadata has
            `units`.

        Raises
        ------
        ExportPending
            There is a header file, but no data yet.
        ExportBroken
            The files do not belong together, or the data is cut short.
        InvalidParameters
            There is no such column, a value is of another type, or a number or a unit is none.
        SourceError

        Warns
        -----
        UnknownUnitWarning
            Nobody said what positions count; they are as in the file.
        """
        size, begin = _count(batch_rows, "batch_rows", 1), _count(after, "after", 0)
        wanted = self._wanted(columns)
        needed = list(dict.fromkeys([*wanted, *columns_of(filter, self.schema)]))
        where = condition(filter, self.schema_in(needed, resolution))
        parts = self._parts(wanted, needed or self.schema.names[:1], where, resolution, begin)
        return _in_batches(parts, size, progress or (lambda rows: None))

    def read(
        self,
        columns: Sequence[str] | None = None,
        filter: Filter = None,  # noqa: A002
        *,
        resolution: Unit = _NM,
        progress: Callable[[int], None] | None = None,
    ) -> pa.Table:
        """Read the rows that are asked for, as one Arrow table; see `iter_batches`."""
        found = list(self.iter_batches(columns, filter, resolution=resolution, progress=progress))
        return pa.Table.from_batches(found, self.schema_in(columns, resolution))

    def get_dataframe(
        self,
        version: int | None = None,
        verbose: bool = True,
        *,
        columns: Sequence[str] | None = None,
        filter: Filter = None,  # noqa: A002
        resolution: Unit = _NM,
    ) -> pd.DataFrame:
        """Read the rows that are asked for; see `iter_batches`.

        Parameters
        ----------
        version : int, optional
            Must be that of this export, if it is given.
        verbose : bool
            Without effect: nothing is printed.
        columns, filter, resolution
            See `iter_batches`.

        Returns
        -------
        pandas.DataFrame
            Integers are Int64, truth values boolean, times datetime64 in UTC. `attrs` has `table`,
            `materialization`, `cloudpath` and `units`.

        Raises
        ------
        InvalidParameters
            The version is another one.
        ExportPending, ExportBroken, SourceError
        """
        if version is not None and version != self.version:
            hint = "get_table(name, version) of the client finds others"
            raise InvalidParameters(f"this is version {self.version}", value=version, hint=hint)
        import pandas as pd

        kinds = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.string(): pd.StringDtype()}
        table = self.read(columns, filter, resolution=resolution)
        attributes = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get, split_blocks=True, self_destruct=True)
        frame.attrs = attributes | {"materialization": self.version}
        return frame

    def count_rows(self) -> int:
        """Count the rows, in bounded memory."""
        return sum(batch.num_rows for batch in self.iter_batches(self.schema.names[:1], resolution=None))

    def to_parquet(self, path: str | Path, **options: Any) -> int:
        """Write the rows that are asked for to a Parquet file, in bounded memory; return how many.

        The file is there whole, or not at all. Options are those of `iter_batches`.
        """
        schema = self.schema_in(options.get("columns"), options.get("resolution", _NM))
        return write(Path(path), schema, self.iter_batches(**options))

    def to_cache(self) -> Path:
        """Keep the table as a Parquet file on this machine; from now on, it is read from there.

        A table that was exported anew has another tag and is read anew.

        Raises
        ------
        InvalidParameters
            There is no folder for it, or it alone is more than may be kept.
        ExportPending, ExportBroken, SourceError
        """
        path = self._cache_path()
        if path is None or self._cache is None:
            raise InvalidParameters("there is no folder to cache in", hint="TableExportClient(…, cache_folder=…)")
        if not is_whole(path):
            self._cache.check(self.datapath, self._folder.size(self.datapath) or 0)
            self.to_parquet(path, resolution=None)
            self._cache.trim(path)
        return path

    @cached_property
    def _voxels(self) -> Unit:
        given = self._voxels_or_finder() if callable(self._voxels_or_finder) else self._voxels_or_finder
        return None if given is None else unit_of(given, "voxel_resolution")

    @cached_property
    def _stored(self) -> pa.Schema:
        if self._folder.size(self.headerpath) is None:
            raise ExportBroken(f"{self.headerpath} is not there", value=self.headerpath, hint="ask who exports tables")
        text = rows.plain(self._folder.open(self.headerpath)).decode()
        return schema_of(text, self.headerpath)

    def _wanted(self, columns: Sequence[str] | None) -> list[str]:
        if not (columns is None or isinstance(columns, str) or is_many(columns)):
            raise InvalidParameters(f"{columns!r} are no columns", value=repr(columns)[:100], hint="give their names")
        found = [columns] if isinstance(columns, str) else list(self.schema.names if columns is None else columns)
        check_columns(found, self.schema)
        return found

    def _parts(
        self, wanted: list[str], needed: list[str], where: Any, resolution: Unit, after: int
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Yield what is wanted of each part of the file, and how many rows of the file there are up to its end."""
        count = 0
        for whole in self._read(needed):
            batch, count = whole.slice(max(0, after - count)), count + whole.num_rows
            if not batch.num_rows:
                continue
            schema, factor = self._in_unit(batch.schema, resolution)
            found = scale(batch, factor, schema) if factor is not None else batch.replace_schema_metadata(None)
            found = pa.RecordBatch.from_arrays(found.columns, schema=schema)
            yield (found if where is None else found.filter(where)).select(wanted), count

    def _read(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        cached = self._cache_path()
        if cached is not None and is_whole(cached):
            yield from read(cached, columns)
            return
        if not self._folder.size(self.datapath):
            hint = "the export was asked for; its data comes later, so try again"
            raise ExportPending(f"{self.datapath} is not there yet", value=self.datapath, hint=hint)
        names = list(dict.fromkeys(source_of(name, self._stored) for name in columns))
        for batch in rows.batches(self._folder.open(self.datapath), self._stored, names, self.datapath):
            yield split(batch).select(columns)

    def _in_unit(self, schema: pa.Schema, resolution: Unit) -> tuple[pa.Schema, list[float] | None]:
        """Return the schema in a unit, and what positions are multiplied with."""
        about = {b"table": self.name, b"materialization": str(self.version), b"cloudpath": self._folder.address}
        metadata = {key: value.encode() for key, value in about.items()}
        if not any(axis_of(name) is not None for name in schema.names):
            return schema.with_metadata(metadata), None
        units, factor = self._unit(resolution)
        return scaled_schema(schema, units).with_metadata(metadata | {UNITS: units.encode()}), factor

    def _unit(self, resolution: Unit) -> tuple[str, list[float]]:
        if resolution is None:
            return "voxel", [1.0, 1.0, 1.0]
        unit = unit_of(resolution, "resolution")
        if self._voxels is None:
            message = f"positions of {self.name} are in voxels: give voxel_resolution to the client to have nm"
            if not self._is_warned:
                warn(message, UnknownUnitWarning, stacklevel=5)
            self._is_warned = True
            return "voxel", [1.0, 1.0, 1.0]
        name = "nm" if unit == list(_NM) else f"{' × '.join(f'{step:g}' for step in unit)} nm"
        return name, [voxel / step for voxel, step in zip(self._voxels, unit, strict=True)]

    def _cache_path(self) -> Path | None:
        if self._cache is None:
            return None
        stamp = f"{self._folder.address} {self.datapath} {self._folder.stamp(self.datapath)}"
        key = sha256(stamp.encode()).hexdigest()[:16]
        return self._cache.folder / f"{self.name}-v{self.version}-{key}.parquet"


def _in_batches(
    parts: Iterator[tuple[pa.RecordBatch, int]], size: int, progress: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    for found, count in parts:
        for start in range(0, found.num_rows, size):
            yield found.slice(start, size)
        progress(count)


def _count(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        hint = f"a whole number, {least} or more"
        raise InvalidParameters(f"{name} cannot be {value!r}", value=repr(value), hint=hint)
    return index(value)
