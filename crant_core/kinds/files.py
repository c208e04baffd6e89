"""Tables as result files: typed, described, the same bytes for the same rows. Loaded by workers only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING, Any

from crant_core.kinds.base import Context, DoneItem, File, KindSpec, Parameters, Scalar

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "application/vnd.apache.parquet"
FORMAT_VERSION = 1


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
        "code": f"{spec.name} {spec.code_version}, crant-batch {version('crant-batch')}",
    }


def parquet(name: str, table: pa.Table, meta: Mapping[str, Scalar]) -> File:
    """Write a table, with what it is in its own metadata too, as files travel without us."""
    from pyarrow.parquet import write_table

    about: dict[str, Scalar] = {"format": "parquet", "format_version": FORMAT_VERSION, **meta, "n_rows": table.num_rows}
    kept = table.schema.metadata or {}
    described = table.replace_schema_metadata({**kept, **{key: str(value) for key, value in about.items()}})
    stream = BytesIO()
    write_table(described, stream, compression="zstd")
    return File(name=name, media_type=PARQUET, data=stream.getvalue(), meta=about)


def columns(rows: Mapping[str, tuple[str, Iterable[Any]]]) -> pa.Table:
    """Make a table of columns by name: Arrow's name of a type, and values, of which None and NaN are missing."""
    import pyarrow as pa

    kinds = {name: pa.type_for_alias(kind) for name, (kind, _) in rows.items()}
    return pa.table({name: pa.array(rows[name][1], kind, from_pandas=True) for name, kind in kinds.items()})


def parts(context: Context, items: Iterable[DoneItem]) -> Iterator[tuple[int, pa.Table]]:
    """Read back the table that each item stored, with the item's root id, one at a time."""
    from pyarrow.parquet import read_table

    for item in items:
        for name in item.files:
            if name.endswith(".parquet"):
                yield int(item.key), read_table(BytesIO(context.read(name)))
