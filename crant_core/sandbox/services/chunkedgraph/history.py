"""What happened to some roots, as PyChunkedGraph tells it: past and future ids, and logs of edits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from crant_core.sandbox import layout
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.graph.lineage import Descent
from crant_core.sandbox.graph.operations import Operation, to_ms
from crant_core.sandbox.services.authservice import USERS

_UNKNOWN = ("unknown", "unknown")
_TWINS = 2


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the tabular change log; `number` is the row's before filtering."""

    number: int
    operation: Operation
    before: list[int]
    after: list[int]
    in_neuron: bool
    is_relevant: bool


def oldest(graph: ChunkedGraph) -> datetime:
    """Return half a second before the first operation, which the real server takes for the beginning."""
    if not graph.operations:
        raise Refusal(500, "No timestamp available")
    return graph.operations[0].timestamp - timedelta(seconds=0.5)


class History:
    """The lineage of some roots together, and the edits in it."""

    def __init__(
        self, graph: ChunkedGraph, roots: Sequence[int], past: datetime | None = None, future: datetime | None = None
    ) -> None:
        for root in roots:
            if not graph.is_root(root):
                raise Refusal(500, f"{root} is no root")
        self._graph = graph
        self.roots = list(roots)
        self.descent: Descent = graph.lineage(roots, past, future)

    def past_ids(self) -> dict[int, list[int]]:
        """Return for each root its oldest ancestors, or the root itself."""
        first = {root for root in self.descent.roots if not self.descent.parents(root)}
        return {root: sorted(self.descent.ancestors(root) & first) or [root] for root in self.roots}

    def future_ids(self) -> dict[int, int]:
        """Return for each past id its only heir; those on whose way something was split are left out."""
        heirs = {old: self._heir(old) for old in sorted(set(chain.from_iterable(self.past_ids().values())))}
        return {old: heir for old, heir in heirs.items() if heir is not None}

    def changes(self, root: int) -> list[Change]:
        """Return the edits before a root, the oldest first."""
        ended_by = self._graph.family.ended_by
        before = {ended_by[old].id: ended_by[old] for old in self.descent.ancestors(root) if old in ended_by}
        return [self._change(number, root, before[key]) for number, key in enumerate(sorted(before))]

    def relevant_changes(self, root: int) -> list[Change]:
        """Return the edits that shaped a root: those on parts of it that were lost later are left out."""
        return [change for change in self.changes(root) if change.in_neuron and change.is_relevant]

    def _change(self, number: int, root: int, operation: Operation) -> Change:
        ended_by = self._graph.family.ended_by
        before = sorted(old for old in self.descent.roots if ended_by.get(old) == operation)
        ends = [*operation.sink_ids, *operation.source_ids]
        at_root = set(self._graph.roots(ends, self._graph.created(root)).tolist())
        at_first = set(self._graph.roots(ends, oldest(self._graph)).tolist())
        merged = operation.kind == "merge"
        in_neuron = at_root == {root} if merged else root in at_root
        relevant = len(at_first if merged else at_root) > 1
        return Change(number, operation, before, self.descent.children(before[0]), in_neuron, relevant)

    def _heir(self, old: int) -> int | None:
        members = [*self.descent.descendants(old), old]
        heirs = {root: self.descent.children(root) for root in members}
        last = [root for root in members if not heirs[root]]
        if len(last) > 1 or any(len(new) == _TWINS for new in heirs.values()):
            return None
        only = [new[0] for new in heirs.values() if len(new) == 1]
        return None if any(len(self.descent.parents(new)) == 1 for new in only) else last[0]


def node_link(graph: ChunkedGraph, descent: Descent) -> dict[str, Any]:
    """Return a lineage as networkx's node-link data of version 3.3 and before."""
    return {
        "directed": True,
        "multigraph": False,
        "graph": {},
        "nodes": [_node(graph, root) for root in descent.roots],
        "links": [{"source": old, "target": new} for old, new in descent.links],
    }


def table(changes: Sequence[Change], *, filtered: bool) -> str:
    """Return a change log as pandas writes a data frame to JSON: column, row number, value."""
    return json.dumps(
        {
            column: {str(change.number): value for change, value in zip(changes, values, strict=True)}
            for column, values in _columns(changes, filtered=filtered).items()
        }
    )


def details(operation: Operation) -> dict[str, Any]:
    """Return an entry of the operation log; coordinates in voxels."""
    merged = operation.kind == "merge"
    planned = zip(operation.source_ids, operation.sink_ids, strict=True) if merged else ()  # if it failed
    found: dict[str, Any] = {
        "added_edges" if merged else "removed_edges": [list(edge) for edge in operation.edges or planned],
        "roots": list(operation.new_roots),
        "source_ids": list(operation.source_ids),
        "sink_ids": list(operation.sink_ids),
        "source_coords": _voxels(operation.source_coords),
        "sink_coords": _voxels(operation.sink_coords),
        "bb_offset": [240, 240, 24],
        "operation_status": int(operation.status),
        "operation_ts": str(operation.timestamp),
        "timestamp": str(operation.timestamp),
        "user": str(operation.user),
    }
    extra = {
        "undo_operation_id": operation.undoes,
        "redo_operation_id": operation.redoes,
        "operation_exception": operation.exception or None,
    }
    return found | {key: value for key, value in extra.items() if value is not None}


def _columns(changes: Sequence[Change], *, filtered: bool) -> dict[str, list[Any]]:
    users = [USERS.get(change.operation.user, _UNKNOWN) for change in changes]
    columns: dict[str, list[Any]] = {
        "operation_id": [change.operation.id for change in changes],
        "timestamp": [to_ms(change.operation.timestamp) for change in changes],
        "user_id": [str(change.operation.user) for change in changes],
        "before_root_ids": [change.before for change in changes],
        "after_root_ids": [change.after for change in changes],
        "is_merge": [change.operation.kind == "merge" for change in changes],
        "in_neuron": [change.in_neuron for change in changes],
        "is_relevant": [change.is_relevant for change in changes],
        "user_name": [name for name, _ in users],
        "user_affiliation": [laboratory for _, laboratory in users],
    }
    hidden = {"in_neuron", "is_relevant"} if filtered else set()
    return {column: values for column, values in columns.items() if column not in hidden}


def _node(graph: ChunkedGraph, root: int) -> dict[str, Any]:
    ended = graph.next(root)
    node = {"id": root, "timestamp": graph.created(root).timestamp()}
    return {**node, "operation_id": ended.id} if ended else node


def _voxels(positions: Sequence[tuple[float, float, float]]) -> list[list[int]]:
    return [[round(nm / size) for nm, size in zip(point, layout.RESOLUTION, strict=True)] for point in positions]
