"""Roots through time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from crant_core.sandbox.graph.lineage import Descent
from crant_core.sandbox.graph.operations import to_ms

if TYPE_CHECKING:
    from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph


def descent(
    graph: ChunkedGraph, roots: Iterable[int], past: datetime | None = None, future: datetime | None = None
) -> Descent:
    """Return what roots were and will be; the first roots beyond the limits are still part of it.

    As on the real server a root made exactly at `past` is still followed back, and one made exactly at `future` on.
    """
    found, starts = Descent(), list(roots)
    for root in starts:
        graph.created(root)  # refuses unknown ones
    _follow_back(graph, found, starts, past)
    _follow_on(graph, found, starts, future)
    return found


def delta(graph: ChunkedGraph, past: datetime, future: datetime) -> tuple[list[int], list[int]]:
    """Return the roots that edits of `[past, future]` ended and those they made, also if these ended in it again.

    As on the real server an old root is listed once per root that it became.
    """
    begin, end = to_ms(past), to_ms(future)
    done = (operation for operation in graph.operations if begin <= to_ms(operation.timestamp) <= end)
    made = sorted(root for operation in done for root in operation.new_roots)
    return [old for new in made for old in graph.family.former[new]], made


def _follow_back(graph: ChunkedGraph, found: Descent, roots: list[int], past: datetime | None) -> None:
    waiting = list(roots)
    while waiting:
        root = waiting.pop()
        if past is not None and graph.created(root) < past:
            found.roots[root] = None
            continue
        waiting += [old for old in graph.family.former.get(root, ()) if old not in found.roots]
        found.links |= dict.fromkeys((old, root) for old in graph.family.former.get(root, ()))
        found.roots[root] = None


def _follow_on(graph: ChunkedGraph, found: Descent, roots: list[int], future: datetime | None) -> None:
    waiting, seen = list(roots), set(roots)
    while waiting:
        root = waiting.pop()
        found.roots[root] = None
        if future is not None and graph.created(root) > future:
            continue
        heirs = graph.family.successors.get(root, ())
        found.links |= dict.fromkeys((root, new) for new in heirs)
        waiting += [new for new in heirs if new not in seen]
        seen |= set(heirs)
