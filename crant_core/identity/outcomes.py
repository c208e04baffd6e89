"""What became of root ids: one answer for every id, from a source that is at hand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from crant_core.identity.memory import Memory
from crant_core.identity.overlap import check_layer, overlaps
from crant_core.identity.tracing import Heirs, distinct, trace

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource
    from crant_core.sources.chunkedgraph import ChunkedGraphSource

Annotated = Callable[[Collection[int]], Mapping[int, int] | None]

_log = logging.getLogger(__name__)
_CERTAIN = 1.0
_LAYER_SHIFT = 56


class Outcome(NamedTuple):
    """What became of a root: the root that stands for it, and the share (0 to 1) of the old one that is inside."""

    new_id: int
    confidence: float


def outcomes(
    source: CaveSource,
    ids: Sequence[int | None],
    when: datetime,
    *,
    supervoxels: Sequence[int | None] | None = None,
    annotated: Annotated | None = None,
    stop_layer: int = 2,
    fresh: bool = False,
    progress: bool = False,
) -> list[Outcome | None]:
    """Find what became of root ids at a time: `update_ids` for those who have a source, and without pandas.

    Parameters
    ----------
    source : CaveSource
    ids : sequence of int or None
        None and 0 for what is missing.
    when : datetime
    supervoxels : sequence of int or None, optional
        One for every id, None where there is none; it decides if its neuron was split.
    annotated : callable, optional
        Returns supervoxels by root; called once at most, with the ids without a supervoxel that were split.
    stop_layer : int, default 2
        What is counted for the confidence: 2 or more L2 chunks, 1 supervoxels.
    fresh : bool, default False
        Ask again about edits that are remembered.
    progress : bool, default False
        Show a bar if it takes longer than two seconds.

    Returns
    -------
    list of Outcome or None
        One for every id, in input order; None for what cannot be resolved. Confidences are those of `update_ids`: below
        1 where the id was several roots, of which this is the largest.

    Raises
    ------
    InvalidParameters
        Roots have no parts of the layer `stop_layer`.
    SourceError

    Notes
    -----
    Endpoints: those of `update_ids`.
    """
    check_layer(source.graph, stop_layer)
    memory = Memory.of(source.graph, fresh=fresh)
    asked = _Questions(ids, [None] * len(ids) if supervoxels is None else supervoxels)
    return _Updater(source.graph, when, memory, annotated, stop_layer, progress).answers(asked)


@dataclass(frozen=True, slots=True)
class _Questions:
    """What is asked, row by row; None for what is missing."""

    ids: Sequence[int | None]
    supervoxels: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class _Updater:
    graph: ChunkedGraphSource
    when: datetime
    memory: Memory
    annotated: Annotated | None
    stop_layer: int
    progress: bool

    def answers(self, asked: _Questions) -> list[Outcome | None]:
        """Return an answer for every row; None for what cannot be resolved."""
        roots = {root for root in asked.ids if root}
        holding = self._holding(roots)
        heirs = trace(self.graph, sorted(roots - holding), self.when, self.memory, progress=self.progress)
        certain = {root: root for root in holding} | {old: new[0] for old, new in heirs.items() if len(new) == 1}
        answers = [_certain(certain.get(root or 0)) for root in asked.ids]
        split = {row: heirs[root] for row, root in enumerate(asked.ids) if root and len(heirs.get(root, ())) > 1}
        for row, root in self._by_supervoxel(asked, split).items():
            answers[row] = _certain(root)
        waiting = [row for row in split if answers[row] is None]
        winners = self._winners({asked.ids[row] or 0: split[row] for row in waiting})
        for row in waiting:
            answers[row] = winners.get(asked.ids[row] or 0)
        return answers

    def _holding(self, roots: Iterable[int]) -> set[int]:
        ids = np.array(sorted(roots), dtype=np.uint64)
        return set(ids[self.graph.is_latest(ids, self.when, progress=self.progress)].tolist())

    def _by_supervoxel(self, asked: _Questions, split: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
        """Choose an heir for each row of which a supervoxel tells it."""
        hints = self._hints(asked, split)
        rows = [row for row, supervoxel in hints.items() if supervoxel >> _LAYER_SHIFT == 1]
        supervoxels = np.array([hints[row] for row in rows], dtype=np.uint64)
        roots = self.graph.roots(supervoxels, self.when, progress=self.progress)
        chosen = {row: root for row, root in zip(rows, roots.tolist(), strict=True) if root in split[row]}
        _report([(supervoxel, asked.ids[row]) for row, supervoxel in hints.items() if row not in chosen])
        return chosen

    def _hints(self, asked: _Questions, split: Iterable[int]) -> dict[int, int]:
        """Return a supervoxel for each row that has one; annotations are fetched only where they are needed."""
        hints = {row: asked.supervoxels[row] for row in split}
        if None in hints.values() and self.annotated is not None:
            unknown = {asked.ids[row] or 0 for row, supervoxel in hints.items() if supervoxel is None}
            annotated = self.annotated(unknown) or {}
            hints = {row: supervoxel or annotated.get(asked.ids[row] or 0) for row, supervoxel in hints.items()}
        return {row: int(supervoxel) for row, supervoxel in hints.items() if supervoxel}

    def _winners(self, heirs: Heirs) -> dict[int, Outcome]:
        if not heirs:
            return {}
        holding, split = distinct(heirs), sorted(heirs)
        shares = overlaps(self.graph, split, self.when, holding, self.stop_layer, progress=self.progress)
        return {root: Outcome(*next(iter(into.items()))) for root, into in shares.items() if into}


def _certain(root: int | None) -> Outcome | None:
    return None if root is None else Outcome(root, _CERTAIN)


def _report(useless: Sequence[tuple[int, int | None]]) -> None:
    if useless:
        message = (
            "%d supervoxels belong to nothing that their ids became and are not used: the first is %d, given for %d"
        )
        _log.warning(message, len(useless), *useless[0])
