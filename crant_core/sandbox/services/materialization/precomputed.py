"""Tables as neuroglancer reads them: annotation info and segment properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import layout
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.services.materialization.lookup import frozen_table, queried_version, table_now, world
from crant_core.sandbox.tables.columns import POSITION, ROOT, SUPERVOXEL
from crant_core.sandbox.tables.frozen import Frozen
from crant_core.sandbox.tables.query import Query, run
from crant_core.sandbox.tables.table import Table

_UNLISTED = frozenset({"id", "valid", "target_id", "superceded_id"})
_OTHER_POINTS = ("ctr_pt", "bb_start", "bb_end")  # drawn neither as a point nor as the end of a line
_OVERVIEW_ROWS = 10_000


async def annotation_info(request: Request) -> Response:
    """Describe a table as a neuroglancer annotation layer."""
    table = table_now(request, request.path_params["table"])
    low = layout.offset_nm()
    high = low + layout.volume_size() * np.array(layout.RESOLUTION)
    size = (high - low).tolist()
    info = {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {axis: [1e-9, "m"] for axis in "xyz"},
        "lower_bound": low.tolist(),
        "upper_bound": high.tolist(),
        "annotation_type": _annotation_type(table),
        "properties": [],
        "relationships": [{"id": point + ROOT, "key": point + ROOT} for point in table.points],
        "by_id": {"key": "by_id"},
        "spatial": [{"key": "spatial_overview", "grid_shape": [1, 1, 1], "chunk_size": size, "limit": _OVERVIEW_ROWS}],
    }
    return JSONResponse(info)


async def segment_properties(request: Request) -> Response:
    """Describe the segments a table's rows lie on."""
    version = queried_version(request)
    frozen = frozen_table(request, version, request.path_params["table"])
    if len(frozen) > world(request).row_limit:
        raise Refusal(400, "Table too large to return info")
    rows, root = _rows_on_segments(frozen)
    properties = [_labels(rows), *_tags(rows), *_numbers(rows)]
    inline = {"ids": [str(segment) for segment in rows[root]], "properties": properties}
    return JSONResponse({"@type": "neuroglancer_segment_properties", "inline": inline})


def _annotation_type(table: Table) -> str:
    drawn = {
        column.removesuffix(POSITION + "_x") for column in table.rows.columns if column.endswith(POSITION + "_x")
    }.difference(_OTHER_POINTS)
    kinds = {1: "POINT", 2: "LINE"}
    if len(drawn) not in kinds:
        raise Refusal(400, f"{len(drawn)} geometry columns found for table {table.name}")
    return kinds[len(drawn)]


def _rows_on_segments(frozen: Frozen) -> tuple[pd.DataFrame, str]:
    roots = [column for column in frozen.columns if column.endswith(ROOT)]
    if not roots:
        raise Refusal(400, "No root_id column found in dataframe")
    name = frozen.table.name
    rows = run(Query(tables=(name,), resolution=(1.0, 1.0, 1.0)), {name: frozen}).frame
    return rows[rows[roots[0]] != 0].reset_index(drop=True), roots[0]


def _labels(rows: pd.DataFrame) -> dict[str, Any]:
    return {"id": "label", "type": "label", "values": [str(row) for row in rows["id"]]}


def _tags(rows: pd.DataFrame) -> list[dict[str, Any]]:
    texts = [column for column in rows.columns if rows[column].dtype == "string"]
    tags = sorted({(value, column) for column in texts for value in rows[column].dropna().unique()})
    if not tags:
        return []
    number = {tag: place for place, tag in enumerate(tags)}
    named = _unambiguous(tags)
    values = [
        sorted(number[value, column] for column, value in zip(texts, row, strict=True) if not pd.isna(value))
        for row in rows[texts].itertuples(index=False)
    ]
    return [{"id": "tags", "type": "tags", "tags": named, "tag_descriptions": named, "values": values}]


def _unambiguous(tags: list[tuple[str, str]]) -> list[str]:
    values = [value for value, _ in tags]
    return [f"{column}:{value}" if values.count(value) > 1 else value for value, column in tags]


def _numbers(rows: pd.DataFrame) -> list[dict[str, Any]]:
    numbers = []
    for column in rows.columns:
        listed = column not in _UNLISTED and not column.endswith((ROOT, SUPERVOXEL))
        if listed and pd.api.types.is_numeric_dtype(rows[column].dtype) and rows[column].notna().all():
            kind = "int32" if pd.api.types.is_integer_dtype(rows[column].dtype) else "float32"
            numbers.append({"id": column, "type": "number", "data_type": kind, "values": rows[column].tolist()})
    return numbers


ROUTES = [
    Route("/table/{table}/precomputed/info", annotation_info),
    Route("/version/{version:int}/table/{table}/info", segment_properties),
]  #: below the datastack
