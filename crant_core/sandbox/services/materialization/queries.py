"""Queries of the materialization service: of frozen tables, joins and views, and of tables at any time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.services.materialization.catalog import notices
from crant_core.sandbox.services.materialization.lookup import (
    frozen_table,
    frozen_view,
    is_valid,
    queried_version,
    table_in,
    table_now,
    view_in,
    world,
)
from crant_core.sandbox.state import State
from crant_core.sandbox.tables import arrow
from crant_core.sandbox.tables.body import Body, SchemaErrors, of_join, of_live, of_one_table
from crant_core.sandbox.tables.columns import ROOT, SUPERVOXEL
from crant_core.sandbox.tables.filters import Filter, matching
from crant_core.sandbox.tables.frozen import Frozen, live
from crant_core.sandbox.tables.query import Answer, Query, run
from crant_core.sandbox.tables.table import Table

_FIRST_ROUTED_RESOLUTION = 3  # API 2 neither rescales positions nor says their resolution

Handler = Callable[[Request], Awaitable[Response]]


def _schema_checked(handler: Handler) -> Handler:
    @wraps(handler)
    async def checked(request: Request) -> Response:
        try:
            return await handler(request)
        except SchemaErrors as error:
            return JSONResponse({"schema_errors": error.errors}, status_code=400)

    return checked


@_schema_checked
async def table_query(request: Request) -> Response:
    """Query one frozen table."""
    version = queried_version(request)
    table = table_in(request, version, request.path_params["table"])
    query = of_one_table(await _body(request), table.name, honour_notin=_honours_notin(request))
    sources = {table.name: frozen_table(request, version, table.name)}
    return _answer_frozen(request, query, sources, table, notices(table))


@_schema_checked
async def join_query(request: Request) -> Response:
    """Query two frozen tables joined."""
    version = queried_version(request)
    body = await _body(request)
    query = of_join(body, honour_notin=_honours_notin(request))
    tables = [table_in(request, version, name) for name in query.tables]
    sources = {table.name: frozen_table(request, version, table.name) for table in tables}
    warnings = [notice for table in tables for notice in notices(table)]
    old = [name for name in ("suffixes", "select_columns") if body.get(name)]
    warnings += [f"{name} is deprecated for complex queries. Upgrade caveclient to >=5.0.0" for name in old]
    return _answer_frozen(request, query, sources, tables[-1], warnings)


@_schema_checked
async def view_query(request: Request) -> Response:
    """Query a view."""
    version = queried_version(request)
    view = view_in(request, version)
    query = of_one_table(await _body(request), view.name, honour_notin=_honours_notin(request))
    sources = {view.name: frozen_view(request, version, view)}
    return _answer_frozen(request, query, sources, table_in(request, version, view.table), [])


@_schema_checked
async def live_query(request: Request) -> Response:
    """Query tables at any time that is not a version's."""
    here = world(request)
    query, at = of_live(await _body(request), honour_notin=_honours_notin(request))
    tables = [table_now(request, name) for name in query.tables]
    newest = _version_before(here, at)
    warnings = _check_roots(request, here, query, at)
    sources = {table.name: live(here, table, at) for table in tables}
    warnings += _check_lookups(request, query, sources, newest)
    query = _scaled(request, query, tables[0])
    query = replace(query, limit=_limit(here, query), sample=_sample(request))
    answer = run(query, sources)
    if len(answer.frame) == query.limit:
        warnings += [_limited(query.limit), _may_be_more(query.limit)]
    return _answer(request, answer, query, warnings)


def _answer_frozen(
    request: Request, query: Query, sources: Mapping[str, Frozen], table: Table, warnings: Sequence[str]
) -> Response:
    """Answer from a version; positions without a desired resolution come in `table`'s."""
    query = replace(_scaled(request, query, table), sample=_sample(request))
    if arrow.wants(request, "count", default=False):
        found = run(replace(query, limit=0), sources)
        rows = pd.DataFrame({"count": [max(0, found.matched - query.offset)]})
        return _answer(request, replace(found, frame=rows), query, warnings)
    query = replace(query, limit=_limit(world(request), query))
    answer = run(query, sources)
    limited = [_limited(query.limit)] if len(answer.frame) == query.limit else []
    return _answer(request, answer, query, [*warnings, *limited])


def _answer(request: Request, answer: Answer, query: Query, warnings: Sequence[str]) -> Response:
    return arrow.answer(request, answer.frame, names=answer.names, resolution=query.resolution, warnings=warnings)


async def _body(request: Request) -> Body:
    try:
        body: Any = await request.json()
    except ValueError:
        raise Refusal(400, "Failed to decode JSON object") from None
    if not isinstance(body, dict):
        raise SchemaErrors({"_schema": ["Invalid input type."]})
    return body


def _honours_notin(request: Request) -> bool:
    return bool(getattr(request.app.state, "honour_notin", False))


def _scaled(request: Request, query: Query, table: Table) -> Query:
    if request.path_params["api"] < _FIRST_ROUTED_RESOLUTION:
        return replace(query, resolution=None)
    return query if query.resolution else replace(query, resolution=table.voxel_resolution)


def _limit(here: State, query: Query) -> int:
    return here.row_limit if query.limit is None else min(query.limit, here.row_limit)


def _limited(limit: int | None) -> str:
    return f'201 - "Limited query to {limit} rows'  # the server forgets the closing quote


def _may_be_more(limit: int | None) -> str:
    return (
        f"result has {limit} entries, which is equal or more         than limit of {limit} "
        "there may be more results which are not shown"
    )


def _sample(request: Request) -> int | None:
    text = request.query_params.get("random_sample")
    if text is None:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise Refusal(400, f"Invalid argument: {text}. argument must be a positive integer")
    return int(text)


def _version_before(here: State, at: datetime) -> datetime | None:
    """Return the time of the newest version before a live query's, which must not be a version's own."""
    times = [version.timestamp for version in here.versions if is_valid(version, here.clock.now())]
    if not times:
        raise Refusal(400, "there is no future or past version for this timestamp, is materialization broken?")
    if at in times:
        raise Refusal(400, "do not use live live query to query a materialized timestamp")
    return max((time for time in times if time < at), default=None)


def _check_roots(request: Request, here: State, query: Query, at: datetime) -> list[str]:
    """Refuse root ids that do not hold at the time, or warn of them if the request says that will do."""
    conditions = [condition for listed in query.filters.values() for condition in listed]
    asked = {root for condition in conditions for root in _roots_in(condition)}
    roots = np.array(sorted(root for root in asked if 0 <= root < 1 << 64), dtype=np.uint64)
    latest = np.asarray(here.graph.is_latest(roots, at), dtype=bool) if len(roots) else np.empty(0, dtype=bool)
    wrong = np.array(sorted(asked - set(roots[latest].tolist())), dtype=object)
    if not len(wrong):
        return []
    message = f"Some root_ids passed are not valid at the query timestamp: {wrong}"
    if not arrow.wants(request, "allow_invalid_root_ids", default=False):
        raise Refusal(400, message)
    return [message]


def _roots_in(condition: Filter) -> list[int]:
    if not condition.column.endswith(ROOT) or condition.kind not in {"in", "out", "notin", "equal"}:
        return []
    listed = condition.value if isinstance(condition.value, list) else [condition.value]
    try:
        return [int(value) for value in listed if value is not None]
    except (TypeError, ValueError):
        raise Refusal(500, f"invalid input for column {condition.column}: {condition.value!r}") from None


def _check_lookups(request: Request, query: Query, sources: dict[str, Frozen], newest: datetime | None) -> list[str]:
    """Refuse while rows newer than the newest version have no supervoxels yet, or leave them out with a warning."""
    warnings = []
    for name, source in sources.items():
        waiting = _waiting(source, query.filters.get(name, ()), newest)
        if not len(waiting):
            continue
        message = (
            f"There are {len(waiting)} annotations that need supervoxel lookups, "
            "wait till new annotation ingest is done or pick an less recent timestamp"
        )
        if not arrow.wants(request, "allow_missing_lookups", default=False):
            raise Refusal(406, message)
        warnings.append(message)
        sources[name] = source.without(waiting)
    return warnings


def _waiting(source: Frozen, filters: Sequence[Filter], newest: datetime | None) -> Any:
    bound = [column for column in source.columns if column.endswith(SUPERVOXEL)]
    fresh = source.shown if newest is None else source.shown & (source.whole("created") > newest).to_numpy(dtype=bool)
    missing = np.zeros(len(fresh), dtype=bool)
    for column in bound:
        missing |= source.whole(column).to_numpy() == 0
    rows = np.flatnonzero(fresh & missing)
    # A root id filter would hide what waits: it has no root yet.
    return matching(source, [each for each in filters if not each.column.endswith(ROOT)], rows) if len(rows) else rows


ROUTES = [
    Route("/version/{version:int}/table/{table}/query", table_query, methods=["POST"]),
    Route("/version/{version:int}/query", join_query, methods=["POST"]),
    Route("/version/{version:int}/views/{view}/query", view_query, methods=["POST"]),
    Route("/query", live_query, methods=["POST"]),
]  #: below the datastack
