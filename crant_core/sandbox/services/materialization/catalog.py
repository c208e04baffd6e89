"""What can be queried: tables, views, their metadata, and the text values a table holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.answers import base_url
from crant_core.sandbox.services.materialization.lookup import (
    frozen_table,
    frozen_view,
    queried_version,
    table_in,
    table_now,
    version_of,
    view_in,
    world,
)
from crant_core.sandbox.tables.arrow import one_line
from crant_core.sandbox.tables.columns import POSITION, nullable
from crant_core.sandbox.tables.frozen import Frozen
from crant_core.sandbox.tables.table import Table
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.tables.view import View

_TYPES = {"Int64": "integer", "Int32": "integer", "Float32": "float", "boolean": "boolean", "string": "string"}


async def tables(request: Request) -> Response:
    """List the tables frozen in a version."""
    version = version_of(request)
    listed = [name for name in version.tables if name in world(request).tables]
    return JSONResponse(listed, status_code=200 if listed else 404)


async def count(request: Request) -> Response:
    """Count the rows of a table in a version."""
    version = queried_version(request)
    return JSONResponse(len(frozen_table(request, version, request.path_params["table"])))


async def table_metadata(request: Request) -> Response:
    """Describe one table."""
    version = version_of(request)
    table = table_in(request, version, request.path_params["table"])
    response = JSONResponse(_table_metadata(request, version, table))
    for warning in notices(table):
        response.headers.append("Warning", one_line(warning))
    return response


async def tables_metadata(request: Request) -> Response:
    """Describe all tables of a version."""
    version = version_of(request)
    listed = [world(request).tables[name] for name in version.tables if name in world(request).tables]
    described = [_table_metadata(request, version, table) for table in listed]
    return JSONResponse(described, status_code=200 if described else 404)


async def unique_string_values(request: Request) -> Response:
    """List the distinct values of each text column among the rows that hold now."""
    table = table_now(request, request.path_params["table"])
    holding = table.rows[table.rows["deleted"].isna()]
    texts = [column for column in holding.columns if pd.api.types.is_string_dtype(holding[column].dtype)]
    return JSONResponse({column: sorted(holding[column].dropna().unique().tolist()) for column in texts})


async def views(request: Request) -> Response:
    """Describe all views of a version, by name."""
    version = version_of(request)
    listed = [view for view in world(request).views.values() if view.table in version.tables]
    return JSONResponse({view.name: _view_metadata(request, view) for view in listed})


async def view_metadata(request: Request) -> Response:
    """Describe one view."""
    view = view_in(request, version_of(request))
    return JSONResponse({"table_name": view.name, **_view_metadata(request, view)})


async def view_schema(request: Request) -> Response:
    """Describe the columns of one view."""
    version = queried_version(request)
    return JSONResponse(_schema(frozen_view(request, version, view_in(request, version))))


async def view_schemas(request: Request) -> Response:
    """Describe the columns of all views."""
    version = queried_version(request)
    listed = [view for view in world(request).views.values() if view.table in version.tables]
    return JSONResponse({view.name: _schema(frozen_view(request, version, view)) for view in listed})


def notices(table: Table) -> list[str]:
    """Return what the owner of a table wants its users to read."""
    return [] if table.notice_text is None else [f"Table Owner Notice on {table.name}: {table.notice_text}"]


def naive_utc(moment: datetime) -> str:
    """Write a time as the service does: caveclient parses with %f, and a time without its decimals would crash it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _table_metadata(request: Request, version: Version, table: Table) -> dict[str, object]:
    return {
        "id": list(version.tables).index(table.name) + 1,
        "aligned_volume": {"name": names.ALIGNED_VOLUME},
        "analysisversion": version.number,
        "table_name": table.name,
        "schema": table.schema,
        "schema_type": table.schema,
        "valid": True,
        "created": naive_utc(table.created),
        "last_modified": naive_utc(_last_modified(table)),
        "description": table.description,
        "notice_text": table.notice_text,
        "user_id": str(table.user_id),
        "reference_table": table.reference_table,
        "flat_segmentation_source": None,
        **_voxel_resolution(table),
        "read_permission": "PUBLIC",
        "write_permission": "PRIVATE",
        **_segmentation(request),
        **table.metadata,
    }


def _segmentation(request: Request) -> dict[str, object]:
    source = f"graphene://{base_url(request)}/segmentation/table/{names.TABLE}"
    return {"segmentation_source": source, "pcg_table_name": names.TABLE}


def _voxel_resolution(table: Table) -> dict[str, object]:
    return {f"voxel_resolution_{axis}": float(step) for axis, step in zip("xyz", table.voxel_resolution, strict=True)}


def _last_modified(table: Table) -> datetime:
    touched = pd.concat([table.rows["created"], table.rows["deleted"]]).max()
    return table.created if pd.isna(touched) else max(table.created, touched.to_pydatetime())


def _view_metadata(request: Request, view: View) -> dict[str, object]:
    table = table_now(request, view.table)
    return {
        "id": list(world(request).views).index(view.name) + 1,
        "datastack_name": names.DATASTACK,
        "description": view.description,
        "notice_text": None,
        "live_compatible": False,
        **_voxel_resolution(table),
    }


def _schema(frozen: Frozen) -> dict[str, dict[str, str]]:
    return {column: {"type": _type(frozen, column)} for column in frozen.columns}


def _type(frozen: Frozen, column: str) -> str:
    if column.endswith(POSITION):
        return "SpatialPoint"
    empty = frozen.whole(frozen.columns[column][0]).iloc[:0]
    return _TYPES.get(str(nullable(empty).dtype), "DateTime")


ROUTES = [
    Route("/version/{version:int}/tables", tables),
    Route("/version/{version:int}/tables/metadata", tables_metadata),
    Route("/version/{version:int}/table/{table}/metadata", table_metadata),
    Route("/version/{version:int}/table/{table}/count", count),
    Route("/version/{version:int}/views", views),
    Route("/version/{version:int}/views/schemas", view_schemas),
    Route("/version/{version:int}/views/{view}/metadata", view_metadata),
    Route("/version/{version:int}/views/{view}/schema", view_schema),
    Route("/table/{table}/unique_string_values", unique_string_values),
]  #: below the datastack
