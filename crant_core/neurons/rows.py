"""Which neuron each annotation means at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.annotations.cells import number_of
from crant_core.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from crant_core.datasets import Dataset
    from crant_core.times import TimeBase, When


@dataclass(frozen=True, slots=True)
class Neurons:
    """Root ids at one time.

    Attributes
    ----------
    rows : (n,) int64
        By row of the table; 0 where it names no neuron.
    lost : (n,) bool
        Where the id that a row names is none at that time, and it is not known what became of it; it is left as it is.
    asked : (m,) int64
        Those of the ids that were asked for.
    base : TimeBase or None
        None if ids were taken as they are.
    """

    rows: NDArray[np.int64]
    lost: NDArray[np.bool_]
    asked: NDArray[np.int64]
    base: TimeBase | None

    def attributes(self, dataset: Dataset) -> dict[str, Any]:
        """Return what is noted on results."""
        if self.base is None:
            return {"timestamp": None, "materialization": None, "dataset": dataset.name}
        return self.base.attrs(dataset.name)


def asked_time(timestamp: When, materialization: When) -> When:
    """Return the one of two arguments that was given.

    Raises
    ------
    InvalidInput
        Both were.
    """
    if timestamp is not None and materialization is not None:
        hint = "leave one of them out"
        raise InvalidInput("timestamp and materialization are two times", value=str(timestamp), hint=hint)
    return timestamp if materialization is None else materialization


def neurons_at(
    dataset: Dataset, table: pd.DataFrame, asked: Sequence[int] = (), when: When = None, *, update: bool = True
) -> Neurons:
    """Find the root that holds at a time for each row, and for each id that is asked for.

    A row follows its own supervoxel, an id the supervoxel of the first row that names it, so an id that was annotated
    and split since leads to the part that was annotated. What has no supervoxel follows its history.

    Requests: those of `update_ids`, once for everything.

    Parameters
    ----------
    dataset : Dataset
    table : DataFrame
        Rows with `root_id` and `supervoxel_id`, see `cells.typed`.
    asked : sequence of int
    when : time, optional
    update : bool
        Otherwise ids are taken as they are, and nothing is asked of CAVE.

    Raises
    ------
    InvalidTime
    SourceError
    """
    rows = _numbers(table["root_id"])
    if not update:
        return Neurons(rows, np.zeros(len(rows), np.bool_), np.array(asked, np.int64), None)
    from crant_core.access import source_of

    base = times.resolve(source_of(dataset), when)
    named = np.flatnonzero(rows)
    parts = _numbers(table["supervoxel_id"])[named]
    first = _first(rows[named].tolist(), parts.tolist())
    ids = np.concatenate([rows[named], np.array(asked, np.int64)])
    new, known = _updated(ids, [*parts.tolist(), *(first.get(root, 0) for root in asked)], base, dataset)
    lost = np.zeros(len(rows), np.bool_)
    rows[named], lost[named] = new[: len(named)], ~known[: len(named)]
    return Neurons(rows, lost, new[len(named) :], base)


def _updated(
    ids: NDArray[np.int64], supervoxels: Sequence[int], base: TimeBase, dataset: Dataset
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    from crant_core.identity.updates import update_ids

    found = update_ids(ids, supervoxels, timestamp=base, dataset=dataset, use_annotations=False, progress=False)
    return found["new_id"].to_numpy(np.int64), found["confidence"].to_numpy() > 0


def _numbers(cells: pd.Series) -> NDArray[np.int64]:
    return np.fromiter((number_of(cell) for cell in cells), np.int64, count=len(cells))


def _first(roots: Sequence[int], supervoxels: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for root, part in zip(roots, supervoxels, strict=True):
        if part:
            found.setdefault(root, part)
    return found
