"""Points as PostGIS writes them, and positions in a unit of one's choice."""

from __future__ import annotations

import re
from binascii import Error as NotHex
from binascii import unhexlify
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crant_core.errors import ExportBroken, InvalidParameters
from crant_core.exports.header import SQL_TYPE, is_geometry

AXES = "xyz"
UNITS = b"units"
_COORDINATE = re.compile(r"position_([xyz])(_\w+)?$")
_POINT = {  # first bytes of a point with x, y and z, little-endian: without, and with, a reference system
    bytes.fromhex("0101000080"): 5,
    bytes.fromhex("01e9030000"): 5,
    bytes.fromhex("01010000a0"): 9,
}


def unit_of(value: object, what: str) -> list[float]:
    """Return nm along x, y and z.

    Raises
    ------
    InvalidParameters
        It is not three lengths.
    """
    try:
        unit = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        unit = np.empty(0)
    if unit.shape != (3,) or not (np.isfinite(unit) & (unit > 0)).all():
        hint = "give nm along x, y and z, such as [1, 1, 1]"
        raise InvalidParameters(f"{value!r} is no {what}", value=repr(value), hint=hint)
    return [float(step) for step in unit]


def axis_of(name: str) -> int | None:
    """Return which coordinate a column is, None if it is none."""
    found = _COORDINATE.search(name)
    return AXES.index(found[1]) if found else None


def with_axes(schema: pa.Schema) -> pa.Schema:
    """Return the schema with three columns for each geometry."""
    fields = [made for field in schema for made in (_axes(field) if is_geometry(field) else [field])]
    return pa.schema(fields, schema.metadata)


def source_of(name: str, schema: pa.Schema) -> str:
    """Return the column of the file that a column is read from: a geometry's for its axes."""
    geometry = name[:-2]
    is_axis = name not in schema.names and name[-2:] in ("_x", "_y", "_z") and geometry in schema.names
    return geometry if is_axis else name


def split(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Replace geometries by their coordinates."""
    if not any(map(is_geometry, batch.schema)):
        return batch
    columns: list[pa.Array] = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        columns += _coordinates(column, field.name) if is_geometry(field) else [column]
    return pa.RecordBatch.from_arrays(columns, schema=with_axes(batch.schema))


def scaled_schema(schema: pa.Schema, units: str) -> pa.Schema:
    """Return the schema with positions as float64 that name their unit."""
    fields = [_with_units(field, units) if axis_of(field.name) is not None else field for field in schema]
    return pa.schema(fields, schema.metadata)


def scale(batch: pa.RecordBatch, factor: Sequence[float], schema: pa.Schema) -> pa.RecordBatch:
    """Multiply positions by a factor for each axis."""
    import pyarrow.compute as pc

    columns = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        axis = axis_of(field.name)
        if axis is not None:
            column = pc.multiply(column.cast(pa.float64()), float(factor[axis]))  # noqa: PLW2901
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _with_units(field: pa.Field, units: str) -> pa.Field:
    return pa.field(field.name, pa.float64(), metadata=(field.metadata or {}) | {UNITS: units.encode()})


def _axes(field: pa.Field) -> list[pa.Field]:
    metadata = {SQL_TYPE: b"double precision"}
    return [pa.field(f"{field.name}_{axis}", pa.float64(), metadata=metadata) for axis in AXES]


def _coordinates(column: pa.Array, name: str) -> list[pa.Array]:
    points = _points(column.drop_null().to_pylist(), name)
    found = np.full((len(column), 3), np.nan)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    found[~missing] = points
    return [pa.array(found[:, axis], mask=missing) for axis in range(3)]


def _points(texts: list[str], name: str) -> NDArray[np.float64]:
    """Decode points, which are of one form in a column and thus of one length."""
    if not texts:
        return np.empty((0, 3))
    try:
        data = unhexlify("".join(texts))
    except NotHex as error:
        raise ExportBroken(f"{name} holds something that is no point", value=texts[0]) from error
    first = data[:5]
    skipped = _POINT.get(first, 0)
    rows = np.frombuffer(data, np.uint8)
    if not skipped or any(len(text) != 2 * (skipped + 24) for text in texts):
        raise ExportBroken(f"{name} holds something that is no point in space", value=texts[0])
    rows = rows.reshape(len(texts), -1)
    if (rows[:, :5] != np.frombuffer(first, np.uint8)).any():
        raise ExportBroken(f"{name} holds points of different forms")
    return np.ascontiguousarray(rows[:, skipped:]).view("<f8")
