"""Outdated root ids and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.access import source_of
from crant_core.errors import InvalidInput
from crant_core.identity.outcomes import Outcome, outcomes
from crant_core.parsing import ids_or_none
from crant_core.times import TimeBase

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import Dataset

_COLUMNS = ("old_id", "new_id", "confidence", "changed")


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
    ids, hints = _questions(x, supervoxels)
    base = times.resolve(source, timestamp)
    found = outcomes(
        source,
        ids,
        base.timestamp,
        supervoxels=hints,
        annotated=partial(_annotated, source.dataset, clear_cache) if use_annotations else None,
        stop_layer=stop_layer,
        fresh=clear_cache,
        progress=progress,
    )
    return _frame(ids, found, base, source.dataset.name)


def _questions(x: Any, supervoxels: Any) -> tuple[list[int | None], list[int | None]]:
    """Return ids and their supervoxels, row by row; None for what is missing."""
    ids = ids_or_none(x)
    given: list[int | None] = [None] * len(ids) if supervoxels is None else ids_or_none(supervoxels)
    if len(given) != len(ids):
        hint = "give one supervoxel for every id, None where there is none"
        raise InvalidInput(f"there are {len(given)} supervoxels for {len(ids)} ids", value=len(given), hint=hint)
    columns = getattr(x, "columns", ())
    listed = ids_or_none(x["supervoxel_id"]) if "supervoxel_id" in columns else [None] * len(ids)
    return ids, [one or other or None for one, other in zip(given, listed, strict=True)]


def _annotated(dataset: Dataset, clear_cache: bool, roots: Collection[int]) -> Mapping[int, int] | None:
    from crant_core.annotations.supervoxels import supervoxels_of  # pandas

    return supervoxels_of(dataset, clear_cache, roots)


def _frame(ids: list[int | None], answers: Sequence[Outcome | None], base: TimeBase, dataset: str) -> pd.DataFrame:
    import pandas as pd

    dtype: Any = object if None in ids else np.int64
    new = [old if answer is None else answer.new_id for old, answer in zip(ids, answers, strict=True)]
    columns = (
        pd.Series([*ids], dtype=dtype),
        pd.Series(new, dtype=dtype),
        pd.Series([0.0 if answer is None else answer.confidence for answer in answers], dtype=np.float64),
        pd.Series([one != other for one, other in zip(ids, new, strict=True)], dtype=np.bool_),
    )
    frame = pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
    frame.attrs |= base.attrs(dataset)
    return frame
