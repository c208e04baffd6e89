"""The chunkedgraph service: lineage and logs."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.graph.operations import Operation, to_ms
from crant_core.sandbox.services.chunkedgraph.history import Change, History, details, node_link, oldest, table
from crant_core.sandbox.services.chunkedgraph.requests import (
    flag,
    graph,
    ids,
    moment,
    needed_moment,
    optional_moment,
    reply,
)


async def lineage_graph(request: Request) -> Response:
    """Answer the lineage of some roots as a graph."""
    roots = (await ids(request, "root_ids")).tolist()
    found, past, future = (
        graph(request),
        optional_moment(request, "timestamp_past"),
        moment(request, "timestamp_future"),
    )
    try:
        return reply(request, node_link(found, found.lineage(roots, past, future)))
    except KeyError as error:
        raise Refusal(500, str(error)) from error


async def past_id_mapping(request: Request) -> Response:
    """Map roots to what they were, and that to its only heir."""
    roots = (await ids(request, "root_ids")).tolist()
    past, future = optional_moment(request, "timestamp_past"), moment(request, "timestamp_future")
    history = History(graph(request), roots, past, future)
    past_ids = {str(root): old for root, old in history.past_ids().items()}
    future_ids = {str(old): heir for old, heir in history.future_ids().items()}
    return reply(request, {"past_id_map": past_ids, "future_id_map": future_ids})


async def tabular_change_log_many(request: Request) -> Response:
    """Answer tables of edits, JSON within JSON."""
    found, filtered = graph(request), flag(request, "filtered", default=True)
    history = History(found, (await ids(request, "root_ids")).tolist(), _start(found))
    return reply(request, {str(root): _table(history, root, filtered=filtered) for root in history.roots})


async def tabular_change_log(request: Request) -> Response:
    """Answer the table of one root's edits."""
    found, root = graph(request), request.path_params["root"]
    history = History(found, [root], _start(found))
    text = _table(history, root, filtered=flag(request, "filtered", default=True))
    return Response(text, media_type="text/html")


async def change_log(request: Request) -> Response:
    """Count the edits behind a root."""
    root, past = request.path_params["root"], optional_moment(request, "timestamp")
    history = History(graph(request), [root], past)
    changes = history.relevant_changes(root) if flag(request, "filtered") else history.changes(root)
    return reply(request, _summary(changes))


async def merge_log(request: Request) -> Response:
    """List the edges that mergers behind a root added."""
    found, root = graph(request), request.path_params["root"]
    changes = History(found, [root], _start(found)).changes(root)
    merges = [details(change.operation) for change in changes if change.operation.kind == "merge"]
    coords = [[merge["source_coords"], merge["sink_coords"]] for merge in merges]
    return reply(request, {"merge_edges": [merge["added_edges"] for merge in merges], "merge_edge_coords": coords})


async def last_edit(request: Request) -> Response:
    """Say when a root was made."""
    found, root = graph(request), request.path_params["root"]
    if not found.is_root(root):
        raise Refusal(500, f"{root} is no root")
    return reply(request, {"iso": found.created(root).isoformat(request.query_params.get("delimiter", " "))})


async def operation_details(request: Request) -> Response:
    """Describe operations; unknown ones are left out."""
    found = graph(request)
    try:
        wanted = [int(number) for number in json.loads(request.query_params.get("operation_ids", "[]"))]
    except (ValueError, TypeError) as error:
        raise Refusal(500, str(error)) from error
    known = [number for number in wanted if 0 < number <= len(found.operations)]
    return reply(request, {str(number): details(found.operations[number - 1]) for number in known})


async def user_operations(request: Request) -> Response:
    """List the operations of a user, or of all."""
    start, end = optional_moment(request, "start_time"), needed_moment(request, "end_time")
    undone = _undone(graph(request)) if not flag(request, "include_undone") else set()
    wanted = [
        operation
        for operation in graph(request).operations
        if operation.id not in undone
        and request.query_params.get("user_id") in {None, str(operation.user)}
        and (start is None or operation.timestamp >= start)
        and operation.timestamp <= end
    ]
    return Response(json.dumps(_frame(wanted)), media_type="text/html")


async def oldest_timestamp(request: Request) -> Response:
    """Say when edits began."""
    delimiter = request.query_params.get("delimiter", " ")
    return reply(request, {"iso": oldest(graph(request)).isoformat(delimiter, timespec="microseconds")})


def _start(found: ChunkedGraph) -> Any:
    return oldest(found) if found.operations else None


def _table(history: History, root: int, *, filtered: bool) -> str:
    return table(history.relevant_changes(root) if filtered else history.changes(root), filtered=filtered)


def _summary(changes: list[Change]) -> dict[str, Any]:
    users: dict[str, Counter[str]] = {}
    for change in changes:
        count = users.setdefault(str(change.operation.user), Counter(n_splits=0, n_mergers=0))
        count["n_mergers" if change.operation.kind == "merge" else "n_splits"] += 1
    return {
        "n_splits": sum(count["n_splits"] for count in users.values()),
        "n_mergers": sum(count["n_mergers"] for count in users.values()),
        "user_info": {user: dict(count) for user, count in users.items()},
        "operations_ids": [change.operation.id for change in changes],
        "past_ids": [root for change in changes for root in change.before],
    }


def _undone(found: ChunkedGraph) -> set[int]:
    """Return the operations that were taken back, and the undoing and redoing ones, which are never listed."""
    undone: set[int] = set()
    for operation in found.operations:
        if operation.succeeded and operation.undoes:
            undone.add(operation.undoes)
        if operation.succeeded and operation.redoes:
            undone.discard(operation.redoes)
    return undone | {operation.id for operation in found.operations if operation.undoes or operation.redoes}


def _frame(operations: list[Operation]) -> dict[str, dict[str, Any]]:
    rows = [(str(row), operation) for row, operation in enumerate(operations)]
    return {
        "operation_id": {row: operation.id for row, operation in rows},
        "timestamp": {row: to_ms(operation.timestamp) for row, operation in rows},
        "user_id": {row: str(operation.user) for row, operation in rows},
    }


ROUTES = [
    Route("/lineage_graph_multiple", lineage_graph, methods=["POST"]),
    Route("/past_id_mapping", past_id_mapping),
    Route("/tabular_change_log_many", tabular_change_log_many),
    Route("/root/{root:int}/tabular_change_log", tabular_change_log),
    Route("/root/{root:int}/change_log", change_log),
    Route("/root/{root:int}/merge_log", merge_log),
    Route("/root/{root:int}/last_edit", last_edit),
    Route("/operation_details", operation_details),
    Route("/user_operations", user_operations),
    Route("/oldest_timestamp", oldest_timestamp),
]
