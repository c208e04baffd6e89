"""Outdated root ids and what became of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.access import source_of
from crant_core.errors import InvalidInput
from crant_core.identity.memory import Memory
from crant_core.identity.overlap import check_layer, overlaps
from crant_core.identity.tracing import Heirs, distinct, trace
from crant_core.parsing import ids_or_none
from crant_core.times import TimeBase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pandas as pd

    from crant_core.datasets import Dataset
    from crant_core.sources.chunkedgraph import ChunkedGraphSource

_log = logging.getLogger(__name__)
_CERTAIN = 1.0
_LAYER_SHIFT = 56
_COLUMNS = ("old_id", "new_id", "confidence", "changed")

Answer = tuple[int, float]  #: a new id and the confidence in it


def update_ids(  # noqa: PLR0917 - the order that people know
    x: Any,
    supervoxels: Any = None,
    timestamp: Any = None,
    stop_layer: int = 2,
    progress: bool = True,
    dataset: Any = None,
    use_annotations: bool = True,
    clear_cache: bool = False,
) -> pd.DataFrame:
    """Map root ids to the roots that hold at a time.

    Parameters
    ----------
    x : ids, neurons or DataFrame
        Ids as integers or strings, one or many; a DataFrame with a column `root_id` and maybe `supervoxel_id`; navis
        neurons; anything with `get_roots()`.
    supervoxels : ids, optional
        One for every id, or nothing (None, 0) for some: where the part of the neuron is that is meant if it was split.
        They go before a column `supervoxel_id`, and that before annotations.
    timestamp : time, optional
        Any form of a time: `"mat"`, `"mat_7"`, `7`, an ISO string, unix seconds, a datetime. Left out: now. A time
        before an id was made gives what it was made of.
    stop_layer : int, default 2
        What is counted for the confidence: 2 or more L2 chunks, 1 supervoxels, which is exact and slow.
    progress : bool, default True
        Show a bar if it takes longer than two seconds.
    dataset : str, optional
        Name or alias; left out, the default dataset.
    use_annotations : bool, default True
        Take supervoxels from annotations where none are given.
    clear_cache : bool, default False
        Fetch annotations anew, and ask again about edits that are remembered.

    Returns
    -------
    pandas.DataFrame
        One row for every input, in input order, whatever the input.

        * `old_id`, `new_id`: int64; of type object, with None, if and only if some inputs are missing.
        * `confidence`: the share (0 to 1) of the old neuron that is inside the new one. It is 1 if the id still holds,
          if everything went into one heir, and if a supervoxel decided: then that part of the neuron is the one that is
          meant, and nothing is counted. Otherwise L2 chunks are counted (see `stop_layer`), of chunks that an edit
          cut their supervoxels; of equal shares the lower id wins. 0 for what cannot be resolved: 0, missing ids, ids
          that never were roots, with or without a supervoxel, and roots of which nothing was there yet.
        * `changed`: whether `new_id` is another id. What cannot be resolved keeps its id.

        `attrs` holds `timestamp` (ISO 8601, UTC), `materialization` (int or None) and `dataset`.

    Raises
    ------
    InvalidInput
        Something in the input is no id, or there are fewer or more supervoxels than ids.
    InvalidParameters
        Roots have no parts of the layer `stop_layer`.
    InvalidTime
    SourceError

    Notes
    -----
    Endpoints: `is_latest_roots`; `lineage_graph_multiple` for outdated ids whose heirs are not remembered on disk; for
    ids that were split `roots_binary` (those with a supervoxel) or `node/leaves_many` and `roots_binary`. Each is asked
    once for thousands of ids. Annotations are fetched only if ids without a supervoxel were split.

    A supervoxel can only choose among the roots that the id's own history leads to. Any other, such as that of another
    neuron, decides nothing and is logged as a warning. Not detected, for it would cost a request per id: a supervoxel
    that was in none of the id's neuron, but in what was joined to it before the split.
    """
    source = source_of(dataset)
    asked = _questions(x, supervoxels)
    check_layer(source.graph, stop_layer)
    base, name = times.resolve(source, timestamp), source.dataset.name
    memory = Memory.of(source.graph, fresh=clear_cache)
    annotated = partial(_annotated, source.dataset, clear_cache) if use_annotations else dict[int, int]
    updater = _Updater(source.graph, base.timestamp, memory, annotated, stop_layer, progress)
    return _frame(asked, updater.answers(asked), base, name)


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked, row by row; None for what is missing."""

    ids: list[int | None]
    supervoxels: list[int | None]


def _questions(x: Any, supervoxels: Any) -> Questions:
    ids = ids_or_none(x)
    given: list[int | None] = [None] * len(ids) if supervoxels is None else ids_or_none(supervoxels)
    if len(given) != len(ids):
        hint = "give one supervoxel for every id, None where there is none"
        raise InvalidInput(f"there are {len(given)} supervoxels for {len(ids)} ids", value=len(given), hint=hint)
    columns = getattr(x, "columns", ())
    listed = ids_or_none(x["supervoxel_id"]) if "supervoxel_id" in columns else [None] * len(ids)
    return Questions(ids, [one or other or None for one, other in zip(given, listed, strict=True)])


@dataclass(frozen=True, slots=True)
class _Updater:
    graph: ChunkedGraphSource
    when: datetime
    memory: Memory
    annotated: Callable[[], Mapping[int, int] | None]
    stop_layer: int
    progress: bool

    def answers(self, asked: Questions) -> list[Answer | None]:
        """Return an answer for every row; None for what cannot be resolved."""
        roots = {root for root in asked.ids if root}
        holding = self._holding(roots)
        heirs = trace(self.graph, sorted(roots - holding), self.when, self.memory, progress=self.progress)
        certain = {root: root for root in holding} | {old: new[0] for old, new in heirs.items() if len(new) == 1}
        answers = [_answer(certain.get(root or 0)) for root in asked.ids]
        split = {row: heirs[root] for row, root in enumerate(asked.ids) if root and len(heirs.get(root, ())) > 1}
        for row, root in self._by_supervoxel(asked, split).items():
            answers[row] = _answer(root)
        waiting = [row for row in split if answers[row] is None]
        winners = self._winners({asked.ids[row] or 0: split[row] for row in waiting})
        for row in waiting:
            answers[row] = winners.get(asked.ids[row] or 0)
        return answers

    def _holding(self, roots: Iterable[int]) -> set[int]:
        ids = np.array(sorted(roots), dtype=np.uint64)
        return set(ids[self.graph.is_latest(ids, self.when, progress=self.progress)].tolist())

    def _by_supervoxel(self, asked: Questions, split: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
        """Choose an heir for each row of which a supervoxel tells it."""
        hints = self._hints(asked, split)
        rows = [row for row, supervoxel in hints.items() if supervoxel >> _LAYER_SHIFT == 1]
        supervoxels = np.array([hints[row] for row in rows], dtype=np.uint64)
        roots = self.graph.roots(supervoxels, self.when, progress=self.progress)
        chosen = {row: root for row, root in zip(rows, roots.tolist(), strict=True) if root in split[row]}
        _report([(supervoxel, asked.ids[row]) for row, supervoxel in hints.items() if row not in chosen])
        return chosen

    def _hints(self, asked: Questions, split: Iterable[int]) -> dict[int, int]:
        """Return a supervoxel for each row that has one; annotations are fetched only where they are needed."""
        hints = {row: asked.supervoxels[row] for row in split}
        if None in hints.values():
            annotated = self.annotated() or {}
            hints = {row: supervoxel or annotated.get(asked.ids[row] or 0) for row, supervoxel in hints.items()}
        return {row: int(supervoxel) for row, supervoxel in hints.items() if supervoxel}

    def _winners(self, heirs: Heirs) -> dict[int, Answer]:
        if not heirs:
            return {}
        holding, split = distinct(heirs), sorted(heirs)
        shares = overlaps(self.graph, split, self.when, holding, self.stop_layer, progress=self.progress)
        return {root: next(iter(into.items())) for root, into in shares.items() if into}


def _annotated(dataset: Dataset, clear_cache: bool) -> Mapping[int, int] | None:
    from crant_core.annotations.supervoxels import supervoxels_of  # pandas

    return supervoxels_of(dataset, clear_cache)


def _answer(root: int | None) -> Answer | None:
    return None if root is None else (root, _CERTAIN)


def _report(useless: Sequence[tuple[int, int | None]]) -> None:
    if useless:
        message = (
            "%d supervoxels belong to nothing that their ids became and are not used: the first is %d, given for %d"
        )
        _log.warning(message, len(useless), *useless[0])


def _frame(asked: Questions, answers: Sequence[Answer | None], base: TimeBase, dataset: str) -> pd.DataFrame:
    import pandas as pd

    dtype: Any = object if None in asked.ids else np.int64
    new = [old if answer is None else answer[0] for old, answer in zip(asked.ids, answers, strict=True)]
    columns = (
        pd.Series(asked.ids, dtype=dtype),
        pd.Series(new, dtype=dtype),
        pd.Series([0.0 if answer is None else answer[1] for answer in answers], dtype=np.float64),
        pd.Series([one != other for one, other in zip(asked.ids, new, strict=True)], dtype=np.bool_),
    )
    frame = pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
    frame.attrs |= base.attrs(dataset)
    return frame
