"""Where roots went: the roots of another time that together contain all of an outdated one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np

from crant_core.identity.memory import Memory
from crant_core.sources.chunkedgraph import ChunkedGraphSource
from crant_core.sources.chunkedgraph_lineage import Lineage

Heirs = dict[int, tuple[int, ...]]  #: ascending; nothing for ids that never were roots


def trace(
    graph: ChunkedGraphSource, roots: Iterable[int], when: datetime, memory: Memory, *, progress: bool = False
) -> Heirs:
    """Find for roots that do not hold at a time those that do and contain all of it.

    Of a root that mergers only have changed this is one root, and no look at its contents is needed. A root made after
    `when` is followed to the past.

    Requests: one lineage for every 5,000 roots not remembered, and one question for every 45,000 heirs of remembered
    ones whether they still hold.
    """
    asked = dict.fromkeys(roots)
    found, ends = _remembered(asked, when, memory)
    lost = [root for root in asked if root not in found.born or when < found.born[root]]
    lost += _replaced(graph, ends, when)
    if lost:
        told = graph.lineage(lost, when, when, progress=progress)
        memory.keep_lives(told)
        found.add(told)
    return {root: found.at(root, when) for root in asked}


def _remembered(roots: Iterable[int], when: datetime, memory: Memory) -> tuple[Lineage, list[int]]:
    """Follow roots to the future as far as their ends are remembered; also return where that stops."""
    found, waiting, ends = Lineage(), set(roots), set[int]()
    while waiting:
        lives = memory.lives(waiting)
        found.add(lives)
        ends |= {root for root in waiting if root in found.born and root not in lives.heirs}
        waiting = {heir for root in lives.heirs if _is_over(lives, root, when) for heir in lives.heirs[root]}
        waiting -= ends
    return found, sorted(ends)


def _is_over(lives: Lineage, root: int, when: datetime) -> bool:
    ended = lives.ended(root)
    return ended is not None and ended <= when


def _replaced(graph: ChunkedGraphSource, roots: list[int], when: datetime) -> list[int]:
    if not roots:
        return []
    latest = graph.is_latest(roots, when)
    return [root for root, holds in zip(roots, latest.tolist(), strict=True) if not holds]


def distinct(heirs: Heirs) -> np.ndarray:
    """Return all heirs of all roots once, (n,) uint64, ascending."""
    return np.array(sorted({heir for found in heirs.values() for heir in found}), dtype=np.uint64)
