"""The annotation service: tables of annotations that are never overwritten, only superseded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.schemas import SCHEMAS, InvalidAnnotation, Schema
from crant_core.sandbox.state import state
from crant_core.sandbox.tables.table import Table

MAX_ROWS = 10_000  #: of one request
_AXES = ("x", "y", "z")

Positions = NDArray[np.intp]


async def tables(request: Request) -> Response:
    """List the tables that exist, or existed at `timestamp`."""
    _check_volume(request)
    at = _moment(request)
    current = [
        table.name
        for table in state(request).tables.values()
        if table.created <= at and (table.deleted is None or table.deleted > at)
    ]
    return JSONResponse(current)


async def create(request: Request) -> Response:
    """Create an empty table; answers its name, bare."""
    _check_volume(request)
    asked = await _body(request)
    table = _new_table(asked, state(request).clock.now())
    if table.name in state(request).tables:
        raise Refusal(409, f"Table {table.name} already exists")
    if table.reference_table is not None and table.reference_table not in state(request).tables:
        raise Refusal(422, f"Reference table {table.reference_table} does not exist")
    state(request).tables[table.name] = table
    return PlainTextResponse(table.name)


async def update(request: Request) -> Response:
    """Change a table's description, notice, owner or permissions."""
    _check_volume(request)
    asked = await _body(request)
    table = _find(request, str(asked.get("table_name")))
    changes = dict(_mapping(asked, "metadata"))
    for name in ("description", "notice_text", "user_id"):
        if name in changes:
            setattr(table, name, changes.pop(name))
    table.metadata |= changes | {"last_modified": state(request).clock.now().isoformat()}
    return JSONResponse(_describe(table))


async def describe(request: Request) -> Response:
    """Describe a table, with a 201 as the real one does."""
    return JSONResponse(_describe(_table(request)), status_code=201)


async def delete(request: Request) -> Response:
    """Mark a table as deleted."""
    _table(request).deleted = state(request).clock.now()
    return JSONResponse(True)


async def count(request: Request) -> Response:
    """Count the rows that hold."""
    return JSONResponse(int(_table(request).rows["deleted"].isna().sum()))


async def get_annotations(request: Request) -> Response:
    """Return annotations by id, superseded ones too; 404 if there is none of them."""
    rows = _table(request).rows
    wanted = [int(text) for text in request.query_params.get("annotation_ids", "").split(",") if text.isdecimal()]
    found = rows[rows["id"].isin(wanted)]
    if found.empty:
        raise Refusal(404, f"No annotations with ids {wanted}")
    return JSONResponse([_record(row) for row in found.to_dict("records")])


async def post_annotations(request: Request) -> Response:
    """Add annotations; answers their ids in the order they came."""
    table, now = _table(request), state(request).clock.now()
    added = _checked(table, await _annotations(request))
    ids = _assigned(table, [annotation.get("id") for annotation, _ in added])
    table.rows = _with_rows(table.rows, ids, added, now)
    return JSONResponse(ids)


async def put_annotations(request: Request) -> Response:
    """Supersede annotations; answers new ids by old ones."""
    table, now = _table(request), state(request).clock.now()
    added = _checked(table, await _annotations(request))
    old = [_id(annotation) for annotation, _ in added]
    positions = _current_positions(table, old)
    new = _assigned(table, [None] * len(old))
    rows = _ended(table.rows, positions, now)
    rows.loc[rows.index[positions], "superceded_id"] = pd.array(new, dtype="Int64")
    table.rows = _with_rows(rows, new, added, now)
    return JSONResponse(dict(zip(map(str, old), new, strict=True)))


async def delete_annotations(request: Request) -> Response:
    """End annotations; answers their ids."""
    table = _table(request)
    wanted = (await _body(request)).get("annotation_ids")
    if not isinstance(wanted, list):
        raise Refusal(422, "{'annotation_ids': ['Missing data for required field.']}")
    _check_size(wanted)
    ids = [_id({"id": number}) for number in wanted]
    table.rows = _ended(table.rows, _current_positions(table, ids), state(request).clock.now())
    return JSONResponse(ids)


def _check_volume(request: Request) -> None:
    if request.path_params["volume"] != names.ALIGNED_VOLUME:
        raise Refusal(404, f"Aligned volume {request.path_params['volume']} does not exist")


def _table(request: Request) -> Table:
    _check_volume(request)
    return _find(request, request.path_params["name"])


def _find(request: Request, name: str) -> Table:
    found = state(request).tables.get(name)
    if found is None or found.deleted is not None:
        raise Refusal(404, f"Table {name} does not exist")
    return found


def _moment(request: Request) -> datetime:
    text = request.query_params.get("timestamp")
    if text is None:
        return state(request).clock.now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(422, f"not a timestamp: {text}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(422, "an object is expected")
    return body


def _mapping(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise Refusal(422, f"{{'{name}': ['Missing data for required field.']}}")
    return value


def _new_table(asked: Mapping[str, Any], now: datetime) -> Table:
    metadata = dict(_mapping(asked, "metadata"))
    schema, name = _schema(asked.get("schema_type")), str(asked.get("table_name"))
    if not name.isidentifier() or name != name.lower():
        raise Refusal(422, f"Table name {name!r} is not made of lower-case letters, digits and underscores")
    reference = (metadata.pop("table_metadata", None) or {}).get("reference_table")
    if schema.is_reference and reference is None:
        raise Refusal(422, f"Schema {schema.name} needs a reference_table")
    return Table(
        name=name,
        schema=schema.name,
        rows=pd.DataFrame({column: pd.Series(dtype=dtype) for column, dtype in schema.columns().items()}),
        points=schema.points,
        created=now,
        voxel_resolution=_voxel_resolution(metadata),
        reference_table=reference,
        description=_description(metadata),
        notice_text=metadata.pop("notice_text", None),
        user_id=metadata.pop("user_id", 1),
        metadata=metadata | {"last_modified": now.isoformat()},
    )


def _schema(name: Any) -> Schema:
    if name not in SCHEMAS:
        raise Refusal(422, f"type {name} is not a known annotation type")
    return SCHEMAS[name]


def _voxel_resolution(metadata: dict[str, Any]) -> tuple[float, float, float]:
    try:
        x, y, z = (float(metadata.pop(f"voxel_resolution_{axis}")) for axis in _AXES)
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(422, "{'voxel_resolution': ['Missing data for required field.']}") from error
    return x, y, z


def _description(metadata: dict[str, Any]) -> str:
    if not metadata.get("description"):
        raise Refusal(422, "{'description': ['Missing data for required field.']}")
    return str(metadata.pop("description"))


def _describe(table: Table) -> dict[str, Any]:
    resolution = zip(_AXES, table.voxel_resolution, strict=True)
    return {
        "read_permission": "PUBLIC",
        "write_permission": "PRIVATE",
        "flat_segmentation_source": None,
        "last_modified": table.created.isoformat(),
        **table.metadata,
        "table_name": table.name,
        "schema_type": table.schema,
        "reference_table": table.reference_table,
        "valid": True,
        "created": table.created.isoformat(),
        "deleted": None,
        "description": table.description,
        "notice_text": table.notice_text,
        "user_id": table.user_id,
        **{f"voxel_resolution_{axis}": size for axis, size in resolution},
    }


async def _annotations(request: Request) -> list[dict[str, Any]]:
    annotations = (await _body(request)).get("annotations")
    if not isinstance(annotations, list) or not all(isinstance(entry, dict) for entry in annotations):
        raise Refusal(422, "{'annotations': ['Missing data for required field.']}")
    _check_size(annotations)
    return annotations


def _check_size(batch: Sequence[Any]) -> None:
    if len(batch) > MAX_ROWS:
        raise Refusal(413, f"Annotation limit of {MAX_ROWS} exceeded")


def _checked(table: Table, annotations: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return each annotation with its columns; the first that does not fit is refused with all of its errors."""
    schema = _schema(table.schema)
    try:
        return [(annotation, schema.flatten(annotation)) for annotation in annotations]
    except InvalidAnnotation as error:
        raise Refusal(422, str(error)) from error


def _id(annotation: Mapping[str, Any]) -> int:
    number = annotation.get("id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise Refusal(422, "{'id': ['Not a valid integer.']}")
    return number


def _assigned(table: Table, asked: list[int | None]) -> list[int]:
    """Give an id to every new row: the one asked for, or the next above all that exist."""
    given = [_id({"id": number}) for number in asked if number is not None]
    if len(set(given)) < len(given) or table.rows["id"].isin(given).any():
        raise Refusal(500, f'duplicate key value violates unique constraint "{table.name}_pkey"')
    following = max(0 if table.rows.empty else int(table.rows["id"].max()), *given, 0) + 1
    fresh = iter(range(following, following + len(asked)))
    return [next(fresh) if number is None else number for number in asked]


def _current_positions(table: Table, ids: list[int]) -> Positions:
    """Find rows that hold; 404 for unknown ones, 409 for rows that ended or are named twice."""
    positions = np.asarray(pd.Index(table.rows["id"]).get_indexer(pd.Index(ids, dtype="int64")), dtype=np.intp)
    unknown = [number for number, position in zip(ids, positions, strict=True) if position < 0]
    if unknown:
        raise Refusal(404, f"No annotation has the id {unknown[0]}")
    ended = [number for number, over in zip(ids, table.rows["deleted"].iloc[positions].notna(), strict=True) if over]
    if ended or len(set(ids)) < len(ids):
        raise Refusal(409, f"Annotation with ID {ended[0] if ended else ids[0]} has already been superseded or deleted")
    return positions


def _ended(rows: pd.DataFrame, positions: Positions, now: datetime) -> pd.DataFrame:
    # `valid` is left alone: versions frozen before still show the row.
    rows = rows.reset_index(drop=True)  # a copy
    rows.loc[rows.index[positions], "deleted"] = pd.Timestamp(now)
    return rows


def _with_rows(
    rows: pd.DataFrame, ids: list[int], added: list[tuple[dict[str, Any], dict[str, Any]]], now: datetime
) -> pd.DataFrame:
    base = {"created": pd.Timestamp(now), "deleted": pd.NaT, "superceded_id": pd.NA}
    records = [
        base | columns | {"id": number, "valid": annotation.get("valid") is not False}
        for number, (annotation, columns) in zip(ids, added, strict=True)
    ]
    # Column by column, so that no id ever passes through a float.
    columns = {name: _column(records, name, dtype) for name, dtype in rows.dtypes.items()}
    longer = pd.concat([rows, pd.DataFrame(columns)], ignore_index=True)
    return longer if longer["id"].is_monotonic_increasing else longer.sort_values("id", ignore_index=True)


def _column(records: list[dict[str, Any]], name: Any, dtype: Any) -> pd.Series[Any]:
    return pd.Series([record.get(name) for record in records], dtype=dtype)


def _record(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as the service shows it: points in one piece, nothing that comes from the segmentation."""
    record: dict[str, Any] = {}
    for column, value in row.items():
        if column.endswith("_supervoxel_id"):
            continue
        point, axis = column[:-2], column[-1]
        if point.endswith("_position") and axis in _AXES:
            record.setdefault(point, []).append(_plain(value))
        else:
            record[column] = _plain(value)
    return record | {"valid": bool(row["valid"]) and record["deleted"] is None}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


_TABLES = "/annotation/api/v2/aligned_volume/{volume}/table"
ROUTES = [
    Route(_TABLES, tables),
    Route(_TABLES, create, methods=["POST"]),
    Route(_TABLES, update, methods=["PUT"]),
    Route(_TABLES + "/{name}", describe),
    Route(_TABLES + "/{name}", delete, methods=["DELETE"]),
    Route(_TABLES + "/{name}/count", count),
    Route(_TABLES + "/{name}/annotations", get_annotations),
    Route(_TABLES + "/{name}/annotations", post_annotations, methods=["POST"]),
    Route(_TABLES + "/{name}/annotations", put_annotations, methods=["PUT"]),
    Route(_TABLES + "/{name}/annotations", delete_annotations, methods=["DELETE"]),
]
