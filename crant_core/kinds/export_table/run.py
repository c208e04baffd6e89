"""Reads an exported table part by part, and stores what is wanted of it; loaded by workers only.

A table of 20 GB costs the memory of one file: rows are read, filtered and written as they come, and a file that is
full is stored before the next one is begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from crant_core.errors import InvalidParameters
from crant_core.exports import CloudFileViewExport, TableExportClient
from crant_core.exports.voxels import Voxel, voxels_of
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.export_table.spec import SPEC, ExportTableOptions
from crant_core.kinds.files import FORMAT_VERSION, PARQUET, provenance
from crant_core.sources.public import check_public

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

FILE_BYTES = 64 << 20  # after which a file is full
_GROUP_ROWS = 1 << 18  # rows that are compressed together
_NM = (1.0, 1.0, 1.0)


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make the table one item, whatever the ids."""
    options = _options(context)
    version = options.version or context.time.version
    if version is not None:
        return [PlannedItem(key=f"{options.table}.v{version}", metrics={"n_ids": len(set(ids))})]
    error = InvalidParameters("which version is not said", hint='give version=…, or run the job at="mat"')
    return [PlannedItem(key=options.table, error=error)]


def run(context: Context, key: str) -> ItemResult:
    """Read the table: `{table}.v{version}.00000.parquet` and as many more as it takes.

    Raises
    ------
    InvalidParameters
        There is no such column, nobody knows where exports are, or `cloudpath` is in an internal network.
    ExportNotFound
    ExportPending
    ExportBroken
    SourceError
    """
    metrics: dict[str, Scalar] = {"n_rows": 0, "n_files": 0, "file_bytes": 0}
    return ItemResult(metrics=metrics, files=_files(context, key, metrics))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Add nothing: the files of the one item are the result."""
    return []


def _files(context: Context, key: str, metrics: dict[str, Any]) -> Iterator[File]:
    """Make files one at a time; `metrics` say what is in those made so far."""
    options, export = _options(context), _export(context, key)
    where = {options.id_column: list(context.ids())} if options.id_column else None
    unit = _NM if options.units == "nm" else None
    schema = export.schema_in(options.columns, unit)
    meta = _about(context, export, schema)
    described = schema.with_metadata({name: str(value) for name, value in meta.items()})
    batches = export.iter_batches(options.columns, where, _GROUP_ROWS, resolution=unit)
    for number, (data, rows) in enumerate(_written(context, described, batches)):
        for name, more in (("n_rows", rows), ("n_files", 1), ("file_bytes", len(data))):
            metrics[name] += more
        yield File(name=f"{key}.{number:05d}.parquet", media_type=PARQUET, data=data, meta=meta | {"n_rows": rows})


def _about(context: Context, export: CloudFileViewExport, schema: pa.Schema) -> dict[str, Scalar]:
    meta = provenance(context, SPEC, _options(context))
    if export.version != context.time.version:
        del meta["timestamp"]  # that of the job; the table's is not known
    units = schema.metadata.get(b"units")
    return meta | {
        "materialization_version": export.version,
        "cloudpath": _place(context),
        "units": None if units is None else units.decode(),
        "format": "parquet",
        "format_version": FORMAT_VERSION,
    }


def _written(context: Context, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[bytes, int]]:
    """Write files that are full, and a last one; one without rows if there are none at all."""
    groups = _grouped(context, schema, batches)
    group = next(groups, schema.empty_table())
    while group is not None:
        rows, stream = 0, pa.BufferOutputStream()
        with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
            while group is not None and stream.tell() < FILE_BYTES:
                writer.write_table(group)
                rows += group.num_rows
                group = next(groups, None)
        yield stream.getvalue().to_pybytes(), rows


def _grouped(context: Context, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Put parts together, of which a filter leaves few rows."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        context.check()
        waiting.append(batch.replace_schema_metadata(schema.metadata))
        if sum(one.num_rows for one in waiting) >= _GROUP_ROWS:
            yield pa.Table.from_batches(waiting, schema)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def _export(context: Context, key: str) -> CloudFileViewExport:
    options, place = _options(context), _place(context)
    is_asked_for = options.cloudpath is not None
    if is_asked_for and place.startswith("https://"):
        check_public(place)  # at once; what it leads to is checked when it is connected to
    voxels = options.voxel_resolution or partial(_voxels, context)
    client = TableExportClient(place, voxel_resolution=voxels, public=is_asked_for)
    return client.get_export(options.table, int(key.rpartition(".v")[2]))


def _voxels(context: Context, name: str) -> Voxel:
    found = voxels_of(cast("CaveSource", context.source), name)
    if found is None:
        hint = "give voxel_resolution=…, nm, or units=voxel"
        raise InvalidParameters(f"nobody knows what positions of {name} count", value=name, hint=hint)
    return found


def _place(context: Context) -> str:
    found = _options(context).cloudpath or context.source.dataset.export_source
    if found is None:
        name = context.source.dataset.name
        raise InvalidParameters(f"where {name} exports its tables is not known", hint="give cloudpath=…")
    return found


def _options(context: Context) -> ExportTableOptions:
    return ExportTableOptions.model_validate(context.parameters)
