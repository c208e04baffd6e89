"""The rows of an export's file, in parts: typed as its header says, not one lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pc

from crant_core.errors import ExportBroken

_BLOCK = 8 << 20  # bytes of text that are read at once
_GZIP = b"\x1f\x8b"


def batches(file: BinaryIO, schema: pa.Schema, columns: Sequence[str], where: str) -> Iterator[pa.RecordBatch]:
    """Read a file without a header row, compressed or not; its first bytes say which.

    Parameters
    ----------
    file : binary file
        Closed at the end.
    schema : pyarrow.Schema
        Of the whole file.
    columns : sequence of str
        Which columns to read; at least one.
    where : str
        Named in messages.

    Raises
    ------
    ExportBroken
        A cell is not of its column's type, a line has more or fewer cells, or the file ends too early.
    SourceError
    """
    with closing(file):
        first = file.read(len(_GZIP))
        stream = pa.PythonFile(_Rest(first, file), "r")
        try:
            text = pa.CompressedInputStream(stream, "gzip") if first == _GZIP else stream
            begun = text.read(1)
            if begun:  # pyarrow takes a table without rows for an error
                yield from _typed(pa.PythonFile(_Rest(begun, text), "r"), schema, columns)
        except (pa.ArrowInvalid, OSError) as error:
            hint = "the export was interrupted, or is of another version than its header file"
            raise ExportBroken(f"{where} cannot be read: {error}", value=where, hint=hint) from error


def plain(file: BinaryIO) -> bytes:
    """Read a small file whole, compressed or not."""
    import gzip

    with closing(file):
        data = file.read()
    return gzip.decompress(data) if data.startswith(_GZIP) else data


def _typed(stream: pa.NativeFile, schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    wanted = pa.schema([schema.field(name) for name in columns])
    # pyarrow reads times without a zone only as such; they are UTC
    types = {field.name: _as_written(field) for field in schema}
    with pc.open_csv(
        stream,
        read_options=pc.ReadOptions(column_names=schema.names, block_size=_BLOCK, use_threads=True),
        parse_options=pc.ParseOptions(newlines_in_values=_has_text(schema), ignore_empty_lines=False),
        convert_options=pc.ConvertOptions(
            column_types=types,
            include_columns=list(columns),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t", "true"],
            false_values=["f", "false"],
        ),
    ) as reader:
        for batch in reader:
            yield pa.RecordBatch.from_arrays(
                [column.cast(field.type) for column, field in zip(batch.columns, wanted, strict=True)], schema=wanted
            )


def _as_written(field: pa.Field) -> pa.DataType:
    zoneless = field.metadata[b"sql_type"] == b"timestamp without time zone"
    return pa.timestamp("us") if zoneless else field.type


def _has_text(schema: pa.Schema) -> bool:
    return any(pa.types.is_string(field.type) for field in schema)


class _Rest:
    """A file of which the first bytes were read already."""

    closed = False

    def __init__(self, first: bytes, file: Any) -> None:
        self._first, self._file = first, file

    def read(self, size: int = -1) -> bytes:
        """Read as many bytes as asked for; fewer only at the end, for pyarrow takes a short part for a block."""
        if size < 0:
            return self._first + bytes(self._file.read())
        found, self._first = self._first[:size], self._first[size:]
        while len(found) < size and (more := self._file.read(size - len(found))):
            found += more
        return found

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
