"""Single synapses as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.errors import InvalidInput
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters
from crant_core.synapses.question import Question
from crant_core.synapses.rows import CENTRE, POST, POST_AT, PRE, PRE_AT, SIZE, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crant_core.times import When

_POSITIONS = (PRE_AT, POST_AT, CENTRE)
_SUPERVOXELS = ("pre_pt_supervoxel_id", "post_pt_supervoxel_id")
_COLUMNS = (PRE, POST, "id", "created", "superceded_id", "valid", SIZE, *_SUPERVOXELS, *_POSITIONS)


def get_synapses(  # noqa: PLR0917 - the order that people know
    pre_ids: Any = None,
    post_ids: Any = None,
    threshold: int = 1,
    min_size: float | None = None,
    materialization: When = "latest",
    return_pixels: bool = True,
    clean: bool = True,
    update_ids: bool = True,
    dataset: Any = None,
) -> pd.DataFrame:
    """Fetch synapses from some neurons, to some neurons, or from some to others.

    Parameters
    ----------
    pre_ids, post_ids : ids, neurons or NeuronCriteria, optional
        Presynaptic and postsynaptic neurons: root ids as integers or strings, one or many, of any age. Left out: all.
    threshold : int, default 1
        Keep synapses of pairs of neurons that have so many at least.
    min_size : float, optional
        Keep synapses of this size (voxels) or more; those whose size is not known are not kept.
    materialization : time, default "latest"
        The one time of everything in the answer: `"latest"`, the newest version; `"live"`, now; a version as 7 or
        `"mat_7"`; any other form of a time. Ids are updated to it, and the ids in the answer are roots of that time.
    return_pixels : bool, default True
        Positions in voxels of the dataset's viewer (8 × 8 × 42 nm in CRANT), rounded down. Otherwise nm, exactly as
        stored.
    clean : bool, default True
        Drop synapses of a neuron with itself, and with background (id 0).
    update_ids : bool, default True
        Ask for the roots that the ids are at that time, as `crant_core.update_ids` tells. A neuron that was in several
        roots then is the one that its annotation means, if it is asked for by criteria, else the one with the largest
        share of it: synapses of the others are not here, which is logged and noted in `attrs["partial"]`. Otherwise
        ids are taken as they are, and what is no root at that time has no synapses.
    dataset : str, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    pandas.DataFrame
        One row per synapse, in order of `id`, numbered from 0.

        * `pre_pt_root_id`, `post_pt_root_id`, `id`: int64.
        * `created` (UTC); `superceded_id` (Int64, all missing as a rule); `valid` (bool).
        * `size` (voxels); `pre_pt_supervoxel_id`, `post_pt_supervoxel_id`: int64.
        * `pre_pt_position`, `post_pt_position`, `ctr_pt_position`: lists `[x, y, z]`.
        * what else the table has, such as scores.

        Without any synapse the columns and types are the same. `attrs` holds `timestamp` (ISO 8601, UTC),
        `materialization` (int or None) and `dataset`; and `partial`, if some ids were several roots then: by id, the
        share of it in the root that stands for it.

    Raises
    ------
    InvalidInput
        Neither side is given, or criteria say nothing.
    InvalidId
        Something is no root id.
    InvalidTime
    VersionNotFound
        It never was, or it has expired.
    NoMatchesError
    SourceError
        The synapse table lacks a column, or CAVE refused.

    Notes
    -----
    Filters work in this order, in all functions on synapses: `min_size`, `clean`, `threshold`. So a pair's count is of
    synapses that passed the others.

    Endpoints: those of `update_ids`; then for a version `POST /materialize/api/v3/datastack/{datastack}/version/
    {version}/table/{table}/query`, else `POST /materialize/api/v3/datastack/{datastack}/query`, once for thousands of
    neurons. What the server cuts at its row limit is asked again in halves: of the ids, then of space. So the number of
    rows does not depend on the server's limit.
    """
    where_given(pre_ids, post_ids)
    question = Question.of(dataset, materialization, update=update_ids)
    filters = Filters(threshold, min_size, clean)
    where = where_of(question, pre_ids, post_ids)
    found = table.fetch(question, [where], (*filters.columns, *_POSITIONS), all_columns=True)
    kept = filters.keep(completed(found))
    unit = question.source.dataset.viewer_resolution if return_pixels else None
    listed = with_lists(kept.reset_index(drop=True), unit)
    listed.attrs |= question.attributes
    return listed


def where_given(pre_ids: Any, post_ids: Any) -> None:
    """Refuse a question about all synapses of a dataset.

    Raises
    ------
    InvalidInput
    """
    if pre_ids is None and post_ids is None:
        hint = "give pre_ids, post_ids or both; a dataset has too many synapses to fetch them all"
        raise InvalidInput("neither pre_ids nor post_ids is given", hint=hint)


def where_of(question: Question, pre_ids: Any, post_ids: Any) -> Where:
    """Return the condition for synapses between neurons; a side that is None has none."""
    sides = {column: ids for column, ids in ((PRE, pre_ids), (POST, post_ids)) if ids is not None}
    found = question.neurons(*sides.values())
    return {column: neurons.roots.tolist() for column, neurons in zip(sides, found, strict=True)}


def completed(found: pd.DataFrame) -> pd.DataFrame:
    """Add what servers leave out: in live answers all rows are valid; where nothing was asked, there is no column."""
    defaults: dict[str, pd.Series] = {
        "created": pd.Series(pd.NaT, index=found.index, dtype="datetime64[ns, UTC]"),
        "superceded_id": pd.Series(pd.NA, index=found.index, dtype="Int64"),
        "valid": pd.Series(True, index=found.index, dtype="bool"),
    }
    missing = {name: column for name, column in defaults.items() if name not in found}
    if not len(found.index):
        rest = (SIZE, *_SUPERVOXELS)
        missing |= {name: pd.Series(dtype="int64") for name in rest if name not in found}
    return found.assign(**missing)


def with_lists(rows: pd.DataFrame, unit: tuple[float, float, float] | None) -> pd.DataFrame:
    """Put positions into lists, in voxels of a unit, (3,) nm, or in nm as they are; known columns come first."""
    cells = {name: pd.Series(_lists(table.positions(rows, name), unit), dtype=object) for name in _POSITIONS}
    listed = table.without_axes(rows, _POSITIONS).assign(**cells)
    known = [name for name in _COLUMNS if name in listed]
    return listed[[*known, *(name for name in listed if name not in known)]]


def _lists(places: NDArray[np.float64], unit: tuple[float, float, float] | None) -> list[list[float] | None]:
    """Return rows as lists; of whole numbers unless there are others; None for what has no position."""
    places = places if unit is None else np.floor(places / np.array(unit))
    known: list[bool] = np.isfinite(places).all(axis=1).astype(object).tolist()
    is_whole = all(known) and bool((places == np.rint(places)).all())
    cells: list[list[float]] = (places.astype(np.int64) if is_whole else places).tolist()
    return [*cells] if is_whole else [cell if here else None for cell, here in zip(cells, known, strict=True)]
