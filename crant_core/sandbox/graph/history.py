"""Roots through time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from crant_core.sandbox.graph.lineage import Descent, Lineage
from crant_core.sandbox.graph.operations import Operation, to_ms

Born = Callable[[int], datetime]  #: since when a root exists; KeyError for an unknown one


def descent(
    family: Lineage, born: Born, roots: Iterable[int], past: datetime | None, future: datetime | None
) -> Descent:
    """Return what roots were and will be; the first roots beyond the limits are still part of it.

    As on the real server a root made exactly at `past` is still followed back, and one made exactly at `future` on.
    """
    found, starts = Descent(), list(roots)
    for root in starts:
        born(root)  # refuses unknown ones
    _follow_back(family, found, starts, lambda root: past is not None and born(root) < past)
    _follow_on(family, found, starts, lambda root: future is not None and born(root) > future)
    return found


def delta(
    operations: Iterable[Operation], family: Lineage, past: datetime, future: datetime
) -> tuple[list[int], list[int]]:
    """Return the roots that edits of `[past, future]` ended and those they made, also if these ended in it again.

    As on the real server an old root is listed once per root that it became.
    """
    begin, end = to_ms(past), to_ms(future)
    done = (operation for operation in operations if begin <= to_ms(operation.timestamp) <= end)
    made = sorted(root for operation in done for root in operation.new_roots)
    return [old for new in made for old in family.former[new]], made


def _follow_back(family: Lineage, found: Descent, roots: list[int], is_beyond: Callable[[int], bool]) -> None:
    waiting = list(roots)
    while waiting:
        root = waiting.pop()
        if is_beyond(root):
            found.roots[root] = None
            continue
        waiting += [old for old in family.former.get(root, ()) if old not in found.roots]
        found.links |= dict.fromkeys((old, root) for old in family.former.get(root, ()))
        found.roots[root] = None


def _follow_on(family: Lineage, found: Descent, roots: list[int], is_beyond: Callable[[int], bool]) -> None:
    waiting, seen = list(roots), set(roots)
    while waiting:
        root = waiting.pop()
        found.roots[root] = None
        if is_beyond(root):
            continue
        heirs = family.successors.get(root, ())
        found.links |= dict.fromkeys((root, new) for new in heirs)
        waiting += [new for new in heirs if new not in seen]
        seen |= set(heirs)
