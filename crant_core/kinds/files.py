"""Tables as result files: typed, described, the same bytes for the same rows. Loaded by workers only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from crant_core.codecs import codec_of
from crant_core.kinds.base import Context, DoneItem, File, KindSpec, Parameters, Scalar
from crant_core.release import release

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "application/vnd.apache.parquet"
FORMAT_VERSION = 1
_BATCH = 10_000  #: items
_ROW_GROUP = 100_000  #: rows


def provenance(context: Context, spec: KindSpec, options: Parameters) -> dict[str, Scalar]:
    """Say where, when and how something was made; what is no single value of the options is left to the manifest."""
    dataset = context.source.dataset
    chosen = {name: value for name, value in options if value is None or isinstance(value, str | int | float)}
    return {
        "kind": spec.name,
        "dataset": dataset.name,
        "datastack": dataset.datastack,
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        **chosen,
        "code": f"{spec.name} {spec.code_version}, crant-batch {release()}",
    }


def parquet(name: str, table: pa.Table, meta: Mapping[str, Scalar], *, sql: str | None = None) -> File:
    """Write a table, with what it is in its own metadata too, as files travel without us.

    `sql` names the table for results that its rows go to as well.
    """
    from pyarrow.parquet import write_table

    about: dict[str, Scalar] = {"format": "parquet", "format_version": FORMAT_VERSION, **meta, "n_rows": table.num_rows}
    kept = table.schema.metadata or {}
    described = table.replace_schema_metadata({**kept, **{key: str(value) for key, value in about.items()}})
    stream, repeating = BytesIO(), [field.name for field in table.schema if str(field.type) == "string"]
    write_table(
        described, stream, compression=codec_of(table.nbytes), use_dictionary=repeating
    )  # numbers hardly repeat
    return File(name=name, media_type=PARQUET, data=stream.getvalue(), meta=about, table=sql)


def table_in(data: bytes) -> pa.Table:
    """Read a Parquet file; for a small one, several times faster than pyarrow's `read_table`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)


def columns(rows: Mapping[str, tuple[str, Iterable[Any]]]) -> pa.Table:
    """Make a table of columns by name: Arrow's name of a type, and values, of which None and NaN are missing."""
    import pyarrow as pa

    kinds = {name: pa.type_for_alias(kind) for name, (kind, _) in rows.items()}
    return pa.table({name: pa.array(rows[name][1], kind, from_pandas=True) for name, kind in kinds.items()})


def in_batches(items: Iterable[DoneItem], table_of: Callable[[list[DoneItem]], pa.Table]) -> pa.Table:
    """Make a table of items, of which no more than a batch is in memory: those of a million neurons are gigabytes."""
    import pyarrow as pa

    items = iter(items)
    tables = [table_of(list(islice(items, _BATCH)))]
    while batch := list(islice(items, _BATCH)):
        tables.append(table_of(batch))
    return pa.concat_tables(tables)


def concatenated(name: str, tables: Iterable[pa.Table], meta: Mapping[str, Scalar]) -> list[File]:
    """Write tables of the same columns into one file, one after the other, holding few at a time; no file of none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about: dict[str, Scalar] = {"format": "parquet", "format_version": FORMAT_VERSION, **meta}
    with TemporaryDirectory(prefix="crant-") as folder:
        path, writer = Path(folder) / name, None
        for group in _groups(tables):
            described = group[0].schema.with_metadata({key: str(value) for key, value in about.items()})
            writer = writer or pq.ParquetWriter(path, described, compression="zstd")
            writer.write_table(pa.concat_tables(table.cast(writer.schema) for table in group))
        if writer is None:
            return []
        writer.close()
        return [File(name=name, media_type=PARQUET, data=path.read_bytes(), meta=about)]


def _groups(tables: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    """Put tables together until they are worth a row group: files of many small ones are slow to write and to read."""
    group: list[pa.Table] = []
    rows = 0
    for table in tables:
        group.append(table)
        rows += len(table)
        if rows >= _ROW_GROUP or len(group) >= _BATCH:
            yield group
            group, rows = [], 0
    if group:
        yield group


def parts(context: Context, items: Iterable[DoneItem]) -> Iterator[tuple[int, pa.Table]]:
    """Read back the table that each item stored, with the item's root id, one at a time."""
    for item in items:
        for name in item.files:
            if name.endswith(".parquet"):
                yield int(item.key), table_in(context.read(name))


def parts_with_ids(context: Context, items: Iterable[DoneItem]) -> Iterator[pa.Table]:
    """Read back the tables of items, each with its item's root id in a first column `root_id`."""
    import pyarrow as pa

    for root, part in parts(context, items):
        yield part.add_column(0, "root_id", pa.array([root] * len(part), pa.int64()))
