"""A job's items as one table, in the format that a caller asks for.

Items are read once, page by page, into a file of lines; only then are the columns known, as each kind has metrics of
its own. So a table is one look at a job that may be running, and a million items need the memory of one page.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from api.services import Services
from crant_core.jobs.tables import ItemRow, JobRow

if TYPE_CHECKING:
    import pyarrow as pa

_PAGE = 1000
_BATCH = 20_000  #: rows in a record batch, and in a row group of Parquet
_EXACT = 2**53  #: whole numbers above are strings in JSON
_INT64 = 2**63
_FIXED = {
    "position": "int64",
    "key": "string",
    "state": "string",
    "error_code": "string",
    "error_message": "string",
    "seconds": "float64",
    "finished_at": "string",
}


class Format(StrEnum):
    """How a table is written."""

    JSON = "application/json"
    CSV = "text/csv"
    PARQUET = "application/vnd.apache.parquet"
    ARROW = "application/vnd.apache.arrow.stream"


SUFFIXES = {"json": Format.JSON, "csv": Format.CSV, "parquet": Format.PARQUET, "arrow": Format.ARROW}


@dataclass
class Table:
    """Rows in a file of lines, and what their columns are: Arrow's type by name."""

    lines: IO[str]
    columns: dict[str, str] = field(default_factory=lambda: dict(_FIXED))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read the rows again, each with every column."""
        self.lines.seek(0)
        for line in self.lines:
            row = json.loads(line)
            yield {name: _typed(row.get(name), kind) for name, kind in self.columns.items()}


def table_of(services: Services, job: JobRow) -> Table:
    """Read a job's items; metrics whose name a fixed column has are called `metric_…`."""
    table = Table(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115 - closed with the answer
    after = -1
    while page := services.jobs.items(job.id, after=after, limit=_PAGE):
        for item in page:
            row = _row(item)
            for name, value in row.items():
                table.columns[name] = _wider(table.columns.get(name), value)
            table.lines.write(json.dumps(row) + "\n")
        after = page[-1].position
    return table


def _row(item: ItemRow) -> dict[str, Any]:
    fixed = {name: getattr(item, name) for name in _FIXED}
    fixed["finished_at"] = item.finished_at.isoformat() if item.finished_at else None
    metrics = {f"metric_{name}" if name in _FIXED else name: value for name, value in item.metrics.items()}
    return fixed | metrics


def _wider(known: str | None, value: Any) -> str:
    """Return the type that holds what a column has and one more value; text holds all."""
    found = _kind(value)
    if found is None or found == known:
        return known or "null"
    if known in (None, "null"):
        return found
    return "float64" if {known, found} == {"int64", "float64"} else "string"


def _kind(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -_INT64 <= value < _INT64 else "string"
    return "float64" if isinstance(value, float) else "string"


def _typed(value: Any, kind: str) -> Any:
    if value is None or kind == "null":
        return None
    if kind == "string" and not isinstance(value, str):
        return json.dumps(value)
    return float(value) if kind == "float64" else value


def written(table: Table, form: Format) -> Iterator[bytes]:
    """Write a table, piece by piece; its file is closed at the end."""
    write = {Format.JSON: _json, Format.CSV: _csv, Format.PARQUET: _parquet, Format.ARROW: _arrow}
    with table.lines:
        yield from write[form](table)


def _json(table: Table) -> Iterator[bytes]:
    yield f'{{"columns": {json.dumps(table.columns)}, "rows": ['.encode()
    for n, row in enumerate(table.rows()):
        exact = {name: _for_javascript(value) for name, value in row.items()}
        yield ((",\n" if n else "\n") + json.dumps(exact, allow_nan=False)).encode()
    yield b"\n]}\n"


def _for_javascript(value: Any) -> Any:
    """Return a value that JSON's readers get whole: long numbers as strings, and null for what is no number."""
    if isinstance(value, int) and abs(value) > _EXACT:
        return str(value)
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _csv(table: Table) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table.columns), lineterminator="\n")
    writer.writeheader()
    for row in table.rows():
        writer.writerow({name: _in_cell(value) for name, value in row.items()})
        yield _taken(text)
    yield _taken(text)


def _in_cell(value: Any) -> Any:
    """Keep texts from being formulas in a spreadsheet: error messages quote what people sent."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data


def _arrow(table: Table) -> Iterator[bytes]:
    from pyarrow import ipc

    sink, schema = Sink(), _schema(table)
    with ipc.new_stream(sink, schema) as writer:
        for batch in _batches(table, schema):
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


def _parquet(table: Table) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetWriter

    sink, schema = Sink(), _schema(table)
    with ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in _batches(table, schema):
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


def _schema(table: Table) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in table.columns.items()])


def _batches(table: Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    rows = table.rows()
    while some := list(islice(rows, _BATCH)):
        yield pa.RecordBatch.from_pylist(some, schema)


class Sink(io.RawIOBase):
    """Takes what a writer writes, to be handed on at once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.count = 0

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def tell(self) -> int:
        """Say how much was written."""
        return self.count

    def write(self, data: Any) -> int:
        """Keep a copy."""
        self.parts.append(bytes(data))
        self.count += len(self.parts[-1])
        return len(self.parts[-1])

    def taken(self) -> bytes:
        """Hand on what was written since the last time."""
        data, self.parts = b"".join(self.parts), []
        return data
