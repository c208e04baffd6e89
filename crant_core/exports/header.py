"""Header files: what the columns of an export are, as an Arrow schema."""

from __future__ import annotations

import csv
from collections import Counter

import pyarrow as pa

from crant_core.errors import ExportBroken

SQL_TYPE = b"sql_type"
GEOMETRY = "user-defined"

_TIME = pa.timestamp("us", "UTC")
_TYPES = {
    "bigint": pa.int64(),
    "integer": pa.int64(),
    "smallint": pa.int64(),
    "double precision": pa.float64(),
    "real": pa.float32(),
    "boolean": pa.bool_(),
    "timestamp without time zone": _TIME,
    "timestamp with time zone": _TIME,
    "date": pa.date32(),
}
_WORDS = 2


def schema_of(text: str, where: str) -> pa.Schema:
    """Read a header file: a line for each column, `name,sql_type`.

    Parameters
    ----------
    text : str
    where : str
        Named in messages.

    Returns
    -------
    pyarrow.Schema
        What is neither a number, a truth value nor a time is text, as geometries are; `sql_type` is metadata of each.

    Raises
    ------
    ExportBroken
        It is empty, a line is no pair, or a column is named twice.
    """
    text = text.removeprefix("\ufeff")  # some editors' first character
    rows = [[word.strip() for word in row] for row in csv.reader(text.splitlines()) if row]
    wrong = next((row for row in rows if len(row) < _WORDS or not row[0]), None)
    if wrong is not None or not rows:
        raise ExportBroken(f"{where} is no header file", value=",".join(wrong or []), hint="a line is name,sql_type")
    twice = [name for name, times in Counter(row[0] for row in rows).items() if times > 1]
    if twice:
        raise ExportBroken(f"{where} names a column twice", value=twice[0])
    return pa.schema([_field(row[0], ",".join(row[1:])) for row in rows])


def _field(name: str, sql: str) -> pa.Field:
    kind = _TYPES.get(sql.lower(), pa.string())
    return pa.field(name, kind, metadata={SQL_TYPE: sql.lower().encode()})


def is_geometry(field: pa.Field) -> bool:
    """Whether a column holds points as PostGIS writes them."""
    return (field.metadata or {}).get(SQL_TYPE) == GEOMETRY.encode()
